package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Change is a message to the kernel that asks it to change IPVS.
type Change struct {
	Time time.Time
	Name string // as linux/ip_vs.h names the command: "SET_DEST"
}

// changes names the commands of the IPVS family that change something
// (linux/ip_vs.h, IPVS_CMD_*). All others read.
var changes = map[uint8]string{
	1: "NEW_SERVICE", 2: "SET_SERVICE", 3: "DEL_SERVICE",
	5: "NEW_DEST", 6: "SET_DEST", 7: "DEL_DEST",
	9: "NEW_DAEMON", 10: "DEL_DAEMON", 12: "SET_CONFIG", 16: "ZERO", 17: "FLUSH",
}

// Monitor records every change of a box's IPVS table that any program asks for,
// from the netlink messages themselves (an nlmon interface sees them all).
type Monitor struct {
	socket int
	family uint16 // the IPVS family's number
	stop   [2]int // a pipe whose end of file stops the reader
	done   chan struct{}

	mu      sync.Mutex
	changes []Change
	err     error
}

// monitorLink is the interface on which netlink messages appear.
const monitorLink = "nlmon0"

// Watch starts to record.
func (n *Namespace) Watch() (*Monitor, error) {
	m := &Monitor{done: make(chan struct{})}
	err := n.Do(func() error {
		conn, err := genetlink.Dial(nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		family, err := conn.GetFamily("IPVS")
		if err != nil {
			return fmt.Errorf("find IPVS: %w", err)
		}
		m.family = family.ID
		link := &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: monitorLink}, LinkType: "nlmon"}
		if err := n.links.LinkAdd(link); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add %s: %w", monitorLink, err)
		}
		found, err := n.links.LinkByName(monitorLink)
		if err != nil {
			return err
		}
		if err := n.links.LinkSetUp(found); err != nil {
			return err
		}
		all := int(binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})) // in network order
		if m.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(m.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
			unix.Bind(m.socket, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: found.Attrs().Index}),
			unix.Pipe2(m.stop[:], unix.O_CLOEXEC),
		)
	})
	if err != nil {
		return nil, fmt.Errorf("watch netlink of %s: %w", n.Name, err)
	}
	go m.run()
	return m, nil
}

func (m *Monitor) run() {
	defer close(m.done)
	buf := make([]byte, 1<<20)
	for {
		poll := []unix.PollFd{{Fd: int32(m.socket), Events: unix.POLLIN}, {Fd: int32(m.stop[0]), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			m.fail(err)
			return
		}
		if poll[0].Revents == 0 {
			return // stopped, and nothing is left to read
		}
		size, _, err := unix.Recvfrom(m.socket, buf, unix.MSG_TRUNC)
		if err != nil {
			m.fail(err)
			return
		}
		if size > len(buf) {
			m.fail(fmt.Errorf("message of %d bytes cut", size))
			return
		}
		m.record(parseChanges(buf[:size], m.family))
	}
}

func (m *Monitor) fail(err error) {
	m.mu.Lock()
	m.err = err
	m.mu.Unlock()
}

func (m *Monitor) record(names []string) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		m.changes = append(m.changes, Change{Time: now, Name: name})
	}
}

// parseChanges returns the changes in one packet of netlink messages: struct
// nlmsghdr (length, type, flags, sequence, port), then genlmsghdr (command first).
// What is not a request is the kernel's answer.
func parseChanges(packet []byte, family uint16) []string {
	var names []string
	for len(packet) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(packet))
		if size < unix.NLMSG_HDRLEN || size > len(packet) {
			break
		}
		kind, flags := binary.NativeEndian.Uint16(packet[4:]), binary.NativeEndian.Uint16(packet[6:])
		if kind == family && flags&unix.NLM_F_REQUEST != 0 && size > unix.NLMSG_HDRLEN {
			if name, ok := changes[packet[unix.NLMSG_HDRLEN]]; ok {
				names = append(names, name)
			}
		}
		packet = packet[min(len(packet), (size+3)&^3):]
	}
	return names
}

// Count returns how many changes of each name were asked for after since.
func (m *Monitor) Count(since time.Time) map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	count := map[string]int{}
	for _, c := range m.changes {
		if c.Time.After(since) {
			count[c.Name]++
		}
	}
	return count
}

// Close ends the recording. An error says that it missed something.
func (m *Monitor) Close() error {
	unix.Close(m.stop[1])
	<-m.done
	dropped, err := unix.GetsockoptTpacketStats(m.socket, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err == nil && dropped.Drops > 0 {
		err = fmt.Errorf("watch netlink: %d messages lost", dropped.Drops)
	}
	unix.Close(m.stop[0])
	unix.Close(m.socket)
	return errors.Join(m.err, err)
}
