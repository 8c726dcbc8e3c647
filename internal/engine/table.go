package engine

import (
	"errors"
	"io"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/ipvsctl"
)

// The waits between two tries to make the kernel follow, after a failure.
const (
	retryFirst = 100 * time.Millisecond
	retryLast  = 5 * time.Second
)

// table is the engine's side of the kernel's IPVS table: what is wanted, what
// the kernel is known to hold, and what is left to be done.
type table struct {
	open    func() (ipvsctl.Kernel, error)
	kernel  ipvsctl.Kernel // nil until it could be opened
	desired ipvsctl.Table
	known   ipvsctl.Table // what the kernel holds, as far as we know
	valid   bool          // whether known can be relied on
	touched map[ipvsctl.ServiceID]struct{}
	all     bool // everything is to be compared
	daemons bool // the daemons are to be compared
	own     owned
	prune   bool // rows may have ceased to be ours

	failures   int
	triedAt    time.Time
	changed    bool // something else is wanted than what was tried then
	lastError  string
	lastResync time.Time
	repairs    uint64
	operations uint64
}

// forget takes a service's old rows out of the desired table.
func (t *table) forget(services []ipvsctl.Service) {
	for _, s := range services {
		delete(t.desired.Services, s.ID)
		t.touch(s.ID)
	}
}

// want puts a service's rows into the desired table.
func (t *table) want(services []ipvsctl.Service) {
	if t.desired.Services == nil {
		t.desired.Services = make(map[ipvsctl.ServiceID]ipvsctl.Service)
	}
	for _, s := range services {
		t.desired.Services[s.ID] = s
		t.touch(s.ID)
	}
}

func (t *table) touch(id ipvsctl.ServiceID) {
	t.changed = true
	if t.touched == nil {
		t.touched = make(map[ipvsctl.ServiceID]struct{})
	}
	t.touched[id] = struct{}{}
}

// setTimeouts says which connection time-outs are wanted; zero leaves one alone.
func (t *table) setTimeouts(timeouts ipvsctl.Timeouts) {
	if t.desired.Timeouts != timeouts {
		t.desired.Timeouts, t.all, t.changed = timeouts, true, true
	}
}

// setDaemons says which sync daemons are to run; nil leaves them alone.
func (t *table) setDaemons(daemons map[ipvsctl.DaemonState]ipvsctl.Daemon) {
	if !maps.Equal(t.desired.Daemons, daemons) || t.desired.Daemons == nil {
		t.desired.Daemons, t.daemons, t.changed = daemons, true, true
	}
}

// view returns of a table what has been touched, with the daemons and time-outs.
func (t *table) view(of ipvsctl.Table) ipvsctl.Table {
	if t.all {
		return of
	}
	services := make(map[ipvsctl.ServiceID]ipvsctl.Service, len(t.touched))
	for id := range t.touched {
		if s, ok := of.Services[id]; ok {
			services[id] = s
		}
	}
	return ipvsctl.Table{Services: services, Daemons: of.Daemons, Timeouts: of.Timeouts}
}

// needed tells whether IPVS is needed at all: a machine that only runs VRRP has none.
func (t *table) needed() bool {
	return len(t.desired.Services) > 0 || len(t.desired.Daemons) > 0 || len(t.own.rows) > 0 || t.desired.Timeouts != ipvsctl.Timeouts{}
}

// pending tells whether there is something to compare.
func (t *table) pending() bool { return t.all || t.daemons || len(t.touched) > 0 || !t.valid }

// retryIn returns how long to wait before the next try, if the last one failed.
// What is refused again and again must not keep back what has changed since.
func (t *table) retryIn() (time.Duration, bool) {
	if t.failures == 0 {
		return 0, false
	}
	wait := retryFirst
	if !t.changed {
		wait = min(retryFirst<<min(t.failures-1, 10), retryLast)
	}
	return max(0, time.Until(t.triedAt.Add(wait))), true
}

// failed notes an error and when that was. It tells whether the error is news.
func (t *table) failed(err error) (news bool) {
	t.valid, t.all, t.changed = false, true, false
	t.failures++
	t.triedAt = time.Now()
	news = t.lastError != err.Error()
	t.lastError = err.Error()
	return news
}

// settled notes that the kernel holds what it should.
func (t *table) settled() {
	t.failures, t.lastError = 0, ""
	t.all, t.daemons, t.changed = false, false, false
	clear(t.touched)
}

// read makes known what the kernel holds.
func (t *table) read() error {
	if t.kernel == nil {
		kernel, err := t.open()
		if err != nil {
			return err
		}
		t.kernel = kernel
	}
	known, err := t.kernel.Dump()
	if err != nil {
		return err
	}
	t.known, t.valid = known, true
	return nil
}

// apply does the operations and keeps known true as far as it can be: where the
// kernel refuses some, it has done the others.
func (t *table) apply(ops []ipvsctl.Op) error {
	err := t.kernel.Do(ops)
	t.operations += uint64(len(ops))
	var refused []ipvsctl.OpError
	if batch, ok := errors.AsType[*ipvsctl.BatchError](err); ok {
		refused = batch.Failed
	} else if err != nil {
		return err
	}
	for i, op := range ops {
		if len(refused) > 0 && refused[0].Index == i {
			refused = refused[1:]
			continue
		}
		t.known.Apply(op)
	}
	return err
}

// close closes the kernel's table if it can be closed.
func (t *table) close() {
	if c, ok := t.kernel.(io.Closer); ok {
		_ = c.Close() // nothing is lost: every operation was acknowledged
	}
}

// reconcile makes the kernel hold what is wanted.
func (e *Engine) reconcile() {
	t := &e.table
	if wait, _ := t.retryIn(); !t.pending() || wait > 0 {
		return
	}
	if !t.needed() && t.kernel == nil {
		t.settled()
		t.valid = true
		e.openWays()
		e.becomeReady()
		return
	}
	if t.kernel == nil || !t.valid {
		if err := t.read(); err != nil {
			e.applyFailed(err)
			return
		}
		t.all = true
	}
	ops := ipvsctl.Diff(t.view(t.known), t.view(t.desired), e.ownership())
	if len(ops) > 0 {
		e.stale = true
		if err := t.apply(ops); err != nil {
			e.openWays() // what is refused is another row, perhaps for ever
			e.applyFailed(err)
			return
		}
	}
	t.settled()
	e.openWays()
	e.becomeReady()
}

// ownership says which rows a difference may remove.
func (e *Engine) ownership() ipvsctl.Ownership {
	return ipvsctl.Ownership{RemoveForeign: e.config.IPVS.RemoveForeign, Owned: e.table.own.rows}
}

// applyFailed tells of an operation that the kernel refused, once for each new reason.
func (e *Engine) applyFailed(err error) {
	e.stale = true
	if !e.table.failed(err) {
		return
	}
	reason := "cannot read or change the kernel's table; trying again"
	var batch *ipvsctl.BatchError
	if errors.As(err, &batch) {
		reason = "the kernel refused part of a change; reading its table and trying again"
	}
	e.event(Event{Kind: KindApply, Reason: reason, Error: err.Error()})
}

// becomeReady says once that the kernel holds what it should.
func (e *Engine) becomeReady() {
	select {
	case <-e.ready:
	default:
		close(e.ready)
	}
}

// look makes known what the kernel holds, and has repaired what it has lost. It
// does so also while the kernel refuses something; then reconcile reads it once
// more, and goes on.
func (e *Engine) look() (known bool) {
	t := &e.table
	if t.valid && !t.pending() {
		e.resync()
		return t.valid
	}
	if t.kernel == nil {
		return false
	}
	has, err := t.kernel.Dump()
	if err == nil {
		t.known = has
	}
	return err == nil
}

// driftShown is how many repaired rows are told one by one.
const driftShown = 20

// resync compares the kernel with what it should hold and has repaired what
// somebody else changed. A dump that another writer interleaves with can miss
// rows or show them twice, so only what a second dump confirms counts.
func (e *Engine) resync() {
	t := &e.table
	if t.kernel == nil || !t.valid || t.pending() {
		return // reconcile reads the kernel anyway
	}
	drift, err := e.drift()
	if err == nil && len(drift) > 0 {
		var again []ipvsctl.Op
		again, err = e.drift()
		drift = ipvsctl.Confirmed(drift, again)
	}
	if err != nil {
		e.applyFailed(err)
		return
	}
	t.lastResync = time.Now()
	e.rememberAgain()
	if len(drift) == 0 {
		e.forgetRows()
		return
	}
	t.all = true
	t.repairs += uint64(len(drift))
	for _, op := range drift[:min(len(drift), driftShown)] {
		e.event(Event{Kind: KindDrift, RealServer: realOf(op), Reason: "somebody else changed the kernel's table; repairing: " + op.String()})
	}
	if n := len(drift) - driftShown; n > 0 {
		e.event(Event{Kind: KindDrift, Reason: "and more rows repaired", Status: plural(n, "row")})
	}
}

// forgetRows stops remembering rows that are neither configured nor in the
// kernel any more, once after each change of the configuration.
func (e *Engine) forgetRows() {
	if !e.table.prune {
		return
	}
	e.table.prune = false
	if err := e.table.own.prune(e.config, e.ways.services, e.table.known); err != nil {
		e.log.Warn("cannot shorten the file of our rows", zap.Error(err))
	}
}

// drift reads the kernel and returns what would have to be done to it.
func (e *Engine) drift() ([]ipvsctl.Op, error) {
	if err := e.table.read(); err != nil {
		return nil, err
	}
	return ipvsctl.Diff(e.table.known, e.table.desired, e.ownership()), nil
}

// realOf names the destination of an operation, if it has one.
func realOf(op ipvsctl.Op) string {
	if op.Destination.Addr.IsValid() {
		return op.Destination.Addr.String()
	}
	return ""
}
