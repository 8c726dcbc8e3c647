package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

var errForeign = errors.New("not an answer to us")

// stampArrivals has the kernel note when each packet comes: on a busy machine the
// reader may come to it much later.
func stampArrivals(conn syscall.Conn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("stamp arrivals: %w", err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) }); err != nil {
		return fmt.Errorf("stamp arrivals: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("stamp arrivals: %w", failed)
	}
	return nil
}

// arrival returns when a packet came, from what recvmsg(2) tells beside it.
func arrival(control []byte) (time.Time, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Time{}, fmt.Errorf("read time of arrival: %w", err)
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) == 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:]))), nil
		}
	}
	return time.Time{}, errors.New("read time of arrival: there is none")
}

// pingWire is ICMP echo. The sequence number on the wire has only 16 bits, so
// the whole number is in the data.
type pingWire struct {
	conn    *net.IPConn
	to      *net.IPAddr
	id      uint16
	buf     [256]byte
	control [64]byte
}

func (w *pingWire) send(seq uint32) error {
	echo := &icmp.Echo{ID: int(w.id), Seq: int(uint16(seq)), Data: binary.BigEndian.AppendUint32(nil, seq)}
	packet, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: echo}).Marshal(nil)
	if err != nil {
		return err
	}
	_, err = w.conn.WriteTo(packet, w.to)
	return err
}

func (w *pingWire) receive() (answer, error) {
	size, told, _, _, err := w.conn.ReadMsgIP(w.buf[:], w.control[:])
	if err != nil {
		return answer{}, err
	}
	at, err := arrival(w.control[:told])
	if err != nil {
		return answer{}, err
	}
	header, err := ipv4.ParseHeader(w.buf[:size])
	if err != nil {
		return answer{}, err
	}
	message, err := icmp.ParseMessage(1, w.buf[header.Len:size]) // 1 is IPPROTO_ICMP
	if err != nil {
		return answer{}, err
	}
	echo, ok := message.Body.(*icmp.Echo)
	if !ok || message.Type != ipv4.ICMPTypeEchoReply || echo.ID != int(w.id) || len(echo.Data) != 4 {
		return answer{}, errForeign
	}
	who := strconv.Itoa(header.TTL)
	switch header.TTL {
	case TTLA:
		who = "A"
	case TTLB:
		who = "B"
	}
	return answer{binary.BigEndian.Uint32(echo.Data), who, at}, nil
}

func (w *pingWire) Close() error { return w.conn.Close() }

// askWire is a UDP echo that adds its name.
type askWire struct {
	conn    *net.UDPConn
	buf     [256]byte
	control [64]byte
}

func (w *askWire) send(seq uint32) error {
	_, err := w.conn.Write(binary.BigEndian.AppendUint32(nil, seq))
	return err
}

func (w *askWire) receive() (answer, error) {
	size, told, _, _, err := w.conn.ReadMsgUDP(w.buf[:], w.control[:])
	if err != nil {
		return answer{}, err
	}
	if size < 4 {
		return answer{}, errForeign
	}
	at, err := arrival(w.control[:told])
	return answer{binary.BigEndian.Uint32(w.buf[:4]), string(w.buf[4:size]), at}, err
}

func (w *askWire) Close() error { return w.conn.Close() }
