package vrrp

import "time"

// desk is where the loop sits: whatever is to reach it comes here, and wakes it
// once. There are two: one of the kernel's, and one of the tests' simulated LAN.
type desk interface {
	// open joins the VRRP group of a family on an interface.
	open(l link, v6 bool) (port, error)
	// wait returns when until has come, a packet at a port, or a nudge, or was
	// since the last wait; perhaps sooner. When it is to be punctual it does not
	// sleep at the end.
	wait(until time.Time, punctual bool)
	// nudge ends the present wait, or the next. Any goroutine may.
	nudge()
	close()
}

// port is a way to the other routers on one interface, in one family. Neither
// sending nor receiving waits.
type port interface {
	// send sends a packet's payload.
	send(payload []byte, to envelope) error
	// receive puts the next packet that has come into f, and reports whether
	// there was one.
	receive(f *frame) (bool, error)
	close() error
}
