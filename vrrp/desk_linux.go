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

func (d *kernelDesk) wait(until time.Time) {
	if d.unread > 0 {
		d.poller.Look()
		return
	}
	d.poller.Sleep(until)
}

func (d *kernelDesk) nudge() { d.poller.Wake() }

func (d *kernelDesk) close() {
	for _, s := range d.sockets {
		s.close()
	}
	d.poller.Close()
}
