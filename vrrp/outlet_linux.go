package vrrp

import (
	"fmt"
	"net"
	"syscall"

	"github.com/mdlayher/packet"

	"github.com/lvs-director/director/internal/poller"
)

// outlet sends whole frames out of one interface, which the socket is bound to.
type outlet struct {
	conn  *packet.Conn
	raw   syscall.RawConn // the same
	out   poller.Datagram
	sent  func(fd uintptr)
	index int // of the interface
}

func newOutlet(ifi *net.Interface) (*outlet, error) {
	// Protocol 0 receives nothing: there is no queue that nobody reads.
	conn, err := packet.Listen(ifi, packet.Raw, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", needs(err, "CAP_NET_RAW"))
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	o := &outlet{conn: conn, raw: raw, index: ifi.Index}
	o.sent = o.out.Send
	return o, nil
}

// send sends a frame without waiting: a full queue is an error.
func (o *outlet) send(frame []byte) error {
	o.out.PrepareUnnamed(frame, nil) // it says itself where it goes
	err := o.raw.Control(o.sent)
	if err == nil && o.out.Err != 0 {
		err = o.out.Err
	}
	if err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	return nil
}

func (o *outlet) close() { o.conn.Close() }
