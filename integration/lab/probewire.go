package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/poller"
)

// wire carries a Probe's questions by number, and answers, on a connected socket.
type wire struct {
	fd       int
	question func(seq uint32) []byte
	answer   func(packet []byte) (seq uint32, who string, ok bool)

	out, in poller.Datagram
	buf     [256]byte
	control [64]byte
}

// answer is one to a question, and who gave it.
type answer struct {
	seq uint32
	who string
	at  time.Time // when it came, however late it was read
}

// dial opens a wire to an address.
func dial(to netip.AddrPort, kind, protocol int) (*wire, error) {
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// The kernel notes when each packet comes: on a busy machine the reader may come
	// to it much later.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	return &wire{fd: fd}, nil
}

// send asks. What could not be sent was not answered.
func (w *wire) send(seq uint32) {
	w.out.PrepareUnnamed(w.question(seq), nil)
	w.out.Send(uintptr(w.fd))
}

// receive returns the next answer that has come, if there is one.
func (w *wire) receive() (answer, bool) {
	for {
		w.in.PrepareUnnamed(w.buf[:], w.control[:])
		if !w.in.Receive(uintptr(w.fd)) || w.in.Err != 0 { // what ICMP tells is told once
			return answer{}, false
		}
		at, err := arrival(w.control[:w.in.Header.Controllen])
		if err != nil {
			continue
		}
		if seq, who, ok := w.answer(w.buf[:w.in.N]); ok {
			return answer{seq, who, at}, true
		}
	}
}

func (w *wire) close() { unix.Close(w.fd) }

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
func pingWire(to netip.Addr) (*wire, error) {
	w, err := dial(netip.AddrPortFrom(to, 0), unix.SOCK_RAW, unix.IPPROTO_ICMP)
	if err != nil {
		return nil, err
	}
	id := int(uint16(time.Now().UnixNano()))
	w.question = func(seq uint32) []byte {
		echo := &icmp.Echo{ID: id, Seq: int(uint16(seq)), Data: binary.BigEndian.AppendUint32(nil, seq)}
		packet, _ := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: echo}).Marshal(nil) // it fails for other bodies only
		return packet
	}
	w.answer = func(packet []byte) (uint32, string, bool) {
		header, err := ipv4.ParseHeader(packet)
		if err != nil {
			return 0, "", false
		}
		message, err := icmp.ParseMessage(unix.IPPROTO_ICMP, packet[header.Len:])
		if err != nil {
			return 0, "", false
		}
		echo, ok := message.Body.(*icmp.Echo)
		if !ok || message.Type != ipv4.ICMPTypeEchoReply || echo.ID != id || len(echo.Data) != 4 {
			return 0, "", false
		}
		who := strconv.Itoa(header.TTL)
		switch header.TTL {
		case TTLA:
			who = "A"
		case TTLB:
			who = "B"
		}
		return binary.BigEndian.Uint32(echo.Data), who, true
	}
	return w, nil
}

// askWire is a UDP echo that adds its name.
func askWire(server netip.AddrPort) (*wire, error) {
	w, err := dial(server, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	w.question = func(seq uint32) []byte { return binary.BigEndian.AppendUint32(nil, seq) }
	w.answer = func(packet []byte) (uint32, string, bool) {
		if len(packet) < 4 {
			return 0, "", false
		}
		return binary.BigEndian.Uint32(packet), string(packet[4:]), true
	}
	return w, nil
}
