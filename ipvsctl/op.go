package ipvsctl

import (
	"fmt"
	"strings"
)

// OpKind is what an operation does.
type OpKind uint8

// The kinds of operations.
const (
	AddService OpKind = iota + 1
	EditService
	AddDestination
	EditDestination
	DeleteDestination
	DeleteService
	StopDaemon
	StartDaemon
	SetTimeouts
)

// String returns the kind as a verb phrase for errors and logs.
func (k OpKind) String() string {
	switch k {
	case AddService:
		return "add service"
	case EditService:
		return "edit service"
	case AddDestination:
		return "add destination"
	case EditDestination:
		return "edit destination"
	case DeleteDestination:
		return "delete destination"
	case DeleteService:
		return "delete service"
	case StopDaemon:
		return "stop sync daemon"
	case StartDaemon:
		return "start sync daemon"
	case SetTimeouts:
		return "set timeouts"
	}
	return fmt.Sprintf("operation(%d)", uint8(k))
}

// Op is one change of the kernel's table, as data. Which fields count depends
// on Kind: Service (its Destinations never) for the first six, Destination for
// those that name one, State and Daemon, or Timeouts.
type Op struct {
	Kind        OpKind
	Service     Service
	Destination Destination
	State       DaemonState
	Daemon      Daemon
	Timeouts    Timeouts
}

// String returns the operation as the ipvsadm command line, without the
// program's name, that would do it.
func (op Op) String() string {
	var b strings.Builder
	switch op.Kind {
	case AddService:
		writeServiceRule(&b, "-A ", op.Service)
	case EditService:
		writeServiceRule(&b, "-E ", op.Service)
	case AddDestination:
		writeDestinationRule(&b, "-a ", op.Service.ID, op.Destination)
	case EditDestination:
		writeDestinationRule(&b, "-e ", op.Service.ID, op.Destination)
	case DeleteDestination:
		b.WriteString("-d ")
		writeServiceID(&b, op.Service.ID)
		b.WriteString(" -r " + op.Destination.Addr.String())
	case DeleteService:
		b.WriteString("-D ")
		writeServiceID(&b, op.Service.ID)
	case StopDaemon:
		b.WriteString("--stop-daemon " + op.State.String())
	case StartDaemon:
		writeDaemonRule(&b, op.State, op.Daemon)
	case SetTimeouts:
		t := op.Timeouts.Normal()
		fmt.Fprintf(&b, "--set %d %d %d", seconds(t.TCP), seconds(t.TCPFin), seconds(t.UDP))
	default:
		b.WriteString(op.Kind.String())
	}
	return b.String()
}

// Kernel is an IPVS table that can be read and changed: Linux, or
// ipvstest.Kernel. It is used by one goroutine.
type Kernel interface {
	// Dump returns the whole table. Services without destinations are in it,
	// and Daemons is not nil.
	Dump() (Table, error)

	// Do does the operations in order, going on after one that fails. When some
	// failed, the error is a *BatchError that says which and why; errors.Is
	// finds their errno: EEXIST, ENOENT (destination, scheduler), ESRCH
	// (service). Any other error means that the outcome is unknown: dump again.
	Do([]Op) error
}

// OpError is the failure of one operation of a batch.
type OpError struct {
	Index int // in the operations given to Do
	Op    Op
	Err   error
}

// Error returns the operation and why it failed.
func (e OpError) Error() string {
	var subject string
	switch e.Op.Kind {
	case AddService, EditService, DeleteService:
		subject = " " + e.Op.Service.ID.String()
	case AddDestination, EditDestination, DeleteDestination:
		subject = " " + e.Op.Destination.Addr.String() + " of " + e.Op.Service.ID.String()
	case StopDaemon, StartDaemon:
		subject = " " + e.Op.State.String()
	}
	return e.Op.Kind.String() + subject + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e OpError) Unwrap() error { return e.Err }

// BatchError lists the operations of a batch that failed, in their order. The
// others were done.
type BatchError struct {
	Failed []OpError // not empty
}

// Error returns the first failure and the number of the others.
func (e *BatchError) Error() string {
	switch n := len(e.Failed); n {
	case 0:
		return "no operation failed"
	case 1:
		return e.Failed[0].Error()
	default:
		return fmt.Sprintf("%s (and %d more)", e.Failed[0].Error(), n-1)
	}
}

// Unwrap returns all failures.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f
	}
	return errs
}

// Ownership decides which rows a Diff may delete.
type Ownership struct {
	// RemoveForeign makes every row ours (foreign = "remove").
	RemoveForeign bool
	// Owned are the rows that are or were ours, in the spelling of Row.Normal.
	Owned map[Row]struct{}
}
