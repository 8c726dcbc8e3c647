// Package integration has the scenarios that Director must master on a real
// kernel, as tests with the build tag integration. They run as root in a guest
// (package vm) on a network of namespaces (package lab):
//
//	make integration
//
// or some of them, with what they log:
//
//	bin/vmexec test -v -run Failover ./integration
//
// A test waits for conditions with deadlines and never for time to pass. Bounds
// on time are the protocol's own, with the margins that the tests name.
package integration
