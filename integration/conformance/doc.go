// Package conformance lets the probes of package checks meet the servers that
// Debian ships: each is started on the loopback, in a directory and on ports of
// its own, and asked right and wrong. Its tests have the build tag conformance;
// "make conformance" installs the servers and runs them.
package conformance
