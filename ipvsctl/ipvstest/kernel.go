// Package ipvstest has an in-memory IPVS table for tests and the contract that
// it and Linux both keep.
//
// The Kernel here refuses what Linux refuses, with the same errno; TestKernel
// runs against both and compares them. It forwards no packet and counts no
// connection.
package ipvstest

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lvs-director/director/ipvsctl"
)

// Schedulers are those of Linux 6.1 and later with every module at hand.
var schedulers = []string{
	"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos",
}

// Kernel is an IPVS table in memory. It may be used by several goroutines.
type Kernel struct {
	mu         sync.Mutex
	services   map[ipvsctl.ServiceID]ipvsctl.Service
	daemons    map[ipvsctl.DaemonState]ipvsctl.Daemon
	timeouts   ipvsctl.Timeouts
	schedulers []string
	interfaces []string // nil: every name exists
	done       []ipvsctl.Op
	dumps      int
	conns      map[ipvsctl.Row]int
	looks      int
	opFailure  failure
	doFailure  failure
	dumpErr    error
}

// failure is an error that comes after a number of operations.
type failure struct {
	after int
	err   error
}

// New returns an empty table with the time-outs of a fresh Linux, all
// schedulers, and every network interface one may name.
func New() *Kernel {
	return &Kernel{
		services: make(map[ipvsctl.ServiceID]ipvsctl.Service),
		daemons:  make(map[ipvsctl.DaemonState]ipvsctl.Daemon),
		timeouts: ipvsctl.Timeouts{
			TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute,
		},
		schedulers: slices.Clone(schedulers),
		conns:      make(map[ipvsctl.Row]int),
	}
}

// RemoveScheduler makes the kernel one without that scheduler's module.
func (k *Kernel) RemoveScheduler(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.schedulers = slices.DeleteFunc(k.schedulers, func(s string) bool { return s == name })
}

// SetInterfaces names the network interfaces that exist, for the sync daemon.
func (k *Kernel) SetInterfaces(names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.interfaces = slices.Clone(names)
}

// Dump returns a copy of the table.
func (k *Kernel) Dump() (ipvsctl.Table, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dumps++
	if err := k.dumpErr; err != nil {
		k.dumpErr = nil
		return ipvsctl.Table{}, err
	}
	return k.table().Normal(), nil
}

func (k *Kernel) table() ipvsctl.Table {
	return ipvsctl.Table{Services: k.services, Daemons: k.daemons, Timeouts: k.timeouts}
}

// Do does the operations in order, going on after one that fails.
func (k *Kernel) Do(ops []ipvsctl.Op) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var failed []ipvsctl.OpError
	for i, op := range ops {
		if k.doFailure.err != nil && i == k.doFailure.after {
			err := k.doFailure.err
			k.doFailure = failure{}
			return err
		}
		err := k.opFailure.next()
		if err == nil {
			err = k.do(op)
		}
		if err != nil {
			failed = append(failed, ipvsctl.OpError{Index: i, Op: op, Err: err})
			continue
		}
		k.done = append(k.done, op)
	}
	if failed != nil {
		return &ipvsctl.BatchError{Failed: failed}
	}
	return nil
}

// next counts down and returns the error when its turn has come.
func (f *failure) next() error {
	if f.err == nil {
		return nil
	}
	if f.after > 0 {
		f.after--
		return nil
	}
	err := f.err
	*f = failure{}
	return err
}

// FailOp lets one operation fail with err and without effect: the next one,
// or the one n operations later. The rest of its batch is done.
func (k *Kernel) FailOp(n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opFailure = failure{after: n, err: err}
}

// FailDo lets the next Do with more than n operations do n of them and then
// return err, which should not be a BatchError, as when the kernel stopped answering.
func (k *Kernel) FailDo(n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.doFailure = failure{after: n, err: err}
}

// FailDump lets the next Dump return err.
func (k *Kernel) FailDump(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dumpErr = err
}

// Set replaces the whole table, as another program might. Like the operations
// it takes only what Linux would take; nothing of it is recorded. Zero
// time-outs and nil daemons leave those as they are.
func (k *Kernel) Set(t ipvsctl.Table) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for _, op := range ipvsctl.Diff(k.table(), t, ipvsctl.Ownership{RemoveForeign: true}) {
		if err := k.do(op); err != nil {
			errs = append(errs, ipvsctl.OpError{Op: op, Err: err})
		}
	}
	return errors.Join(errs...)
}

// SetConnections makes a destination have n connections, whether it exists or not.
func (k *Kernel) SetConnections(id ipvsctl.ServiceID, dest netip.AddrPort, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conns[ipvsctl.Row{Service: id, Destination: dest}.Normal()] = n
}

// Connections returns what SetConnections has set for a service, and counts the looks.
func (k *Kernel) Connections(id ipvsctl.ServiceID) (map[netip.AddrPort]int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looks++
	counts := make(map[netip.AddrPort]int)
	for row, n := range k.conns {
		if row.Service == id.Normal() {
			counts[row.Destination] = n
		}
	}
	return counts, nil
}

// Looks returns how often Connections was called.
func (k *Kernel) Looks() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.looks
}

// Table returns a copy of the table without counting as a Dump.
func (k *Kernel) Table() ipvsctl.Table {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.table().Normal()
}

// TakeOps returns the operations that succeeded since the last TakeOps.
func (k *Kernel) TakeOps() []ipvsctl.Op {
	k.mu.Lock()
	defer k.mu.Unlock()
	ops := k.done
	k.done = nil
	return ops
}

// Dumps returns how often Dump was called.
func (k *Kernel) Dumps() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dumps
}
