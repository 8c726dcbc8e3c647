package vrrp

import "go.uber.org/zap"

// newHost is this machine.
func newHost(log *zap.Logger) host {
	return host{network: sockets{questions: make(framer)}, kernel: newRtnetlink(), tables: &fib{}, watch: &monitor{log: log}}
}
