package ipvsctl

// OpKind is what an operation does.
type OpKind uint8

// The kinds of operations, in the order in which a batch does them.
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

// Kernel is an IPVS table that can be read and changed: Linux, or
// ipvstest.Kernel. It is used by one goroutine.
type Kernel interface {
	// Dump returns the whole table. Services without destinations are in it.
	Dump() (Table, error)

	// Do does the operations in order, going on after one that fails. The
	// error is a *BatchError that says which failed and why; errors.Is finds
	// their errno: EEXIST, ENOENT (destination, scheduler), ESRCH (service).
	Do([]Op) error
}

// Ownership decides which rows a Diff may delete.
type Ownership struct {
	// RemoveForeign makes every row ours (foreign = "remove").
	RemoveForeign bool
	// Owned are the rows that are or were ours.
	Owned map[Row]struct{}
}
