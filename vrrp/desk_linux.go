package vrrp

import (
	"time"

	"github.com/lvs-director/director/internal/poller"
)

// kernelDesk waits for raw sockets.
type kernelDesk struct {
	poller  *poller.Poller
	sockets map[int]*socket // by descriptor
	unread  int             // sockets that may have more than has been received
}

func newKernelDesk() (desk, error) {
	d := &kernelDesk{sockets: make(map[int]*socket)}
	var err error
	if d.poller, err = poller.New(d.ready); err != nil {
		return nil, err
	}
	return d, nil
}

// ready notes that something has come to a socket.
func (d *kernelDesk) ready(fd int, _ uint32) bool {
	if s := d.sockets[fd]; s != nil && !s.unread {
		s.unread = true
		d.unread++
	}
	return true
}

// emptied notes that a socket has nothing more.
func (d *kernelDesk) emptied(s *socket) {
	if s.unread {
		s.unread = false
		d.unread--
	}
}

// eve is how long before a time that is to be met the desk does not sleep any
// more: to be woken takes up to a millisecond, or two in a virtual machine.
const eve = 2 * time.Millisecond

func (d *kernelDesk) wait(until time.Time, punctual bool) {
	switch {
	case d.unread > 0:
		d.poller.Look()
	case !punctual:
		d.poller.Sleep(until)
	case time.Until(until) > eve:
		d.poller.Sleep(until.Add(-eve))
	default:
		for !d.poller.Look() && time.Now().Before(until) {
		}
	}
}

func (d *kernelDesk) nudge() { d.poller.Wake() }

func (d *kernelDesk) close() {
	for _, s := range d.sockets {
		s.close()
	}
	d.poller.Close()
}
