package ipvsctl

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"strconv"
	"time"
)

// Connection is an entry of the kernel's connection table: a connection, or a
// persistence template (its client has no port), or one that is expected.
type Connection struct {
	Protocol    string // TCP, UDP, SCTP, or IP for a template of a fwmark service
	Client      netip.AddrPort
	Virtual     netip.AddrPort
	Destination netip.AddrPort
	State       string        // ESTABLISHED, TIME_WAIT, NONE and so on
	Expires     time.Duration // whole seconds
	Engine      string        // persistence engine
	EngineData  string        // what the engine goes by, a SIP call for example
}

// maxConnectionLine is far more than the kernel writes; a longer line is no
// connection table.
const maxConnectionLine = 4 << 10

var errBadConnection = errors.New("malformed connection")

// ReadConnections reads the text of /proc/net/ip_vs_conn line by line, so that
// a table of a million connections takes no more memory than one. It ends with
// the first error.
func ReadConnections(r io.Reader) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, maxConnectionLine), maxConnectionLine)
		for n := 1; lines.Scan(); n++ {
			if n == 1 && bytes.HasPrefix(lines.Bytes(), []byte("Pro ")) {
				continue
			}
			c, err := parseConnection(lines.Bytes())
			if err != nil {
				yield(Connection{}, fmt.Errorf("read connections: line %d: %w", n, err))
				return
			}
			if !yield(c, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Connection{}, fmt.Errorf("read connections: %w", err))
		}
	}
}

// parseConnection reads a line: protocol, three times address and port in
// hexadecimal, state, seconds, and perhaps the engine and its data.
func parseConnection(line []byte) (Connection, error) {
	f := bytes.Fields(line)
	if len(f) < 9 {
		return Connection{}, errBadConnection
	}
	c := Connection{Protocol: string(f[0]), State: string(f[7])}
	for i, into := range []*netip.AddrPort{&c.Client, &c.Virtual, &c.Destination} {
		addr, err := parseHexAddr(f[1+2*i])
		if err != nil {
			return Connection{}, err
		}
		port, err := strconv.ParseUint(string(f[2+2*i]), 16, 16)
		if err != nil {
			return Connection{}, errBadConnection
		}
		*into = netip.AddrPortFrom(addr, uint16(port))
	}
	seconds, err := strconv.ParseUint(string(f[8]), 10, 32)
	if err != nil {
		return Connection{}, errBadConnection
	}
	c.Expires = time.Duration(seconds) * time.Second
	if len(f) > 9 {
		c.Engine = string(f[9])
	}
	if len(f) > 10 {
		c.EngineData = string(f[10])
	}
	return c, nil
}

// parseHexAddr reads 8 hexadecimal digits, or IPv6 in full, brackets around it or not.
func parseHexAddr(b []byte) (netip.Addr, error) {
	if len(b) == 8 {
		var a [4]byte
		if _, err := hex.Decode(a[:], b); err != nil {
			return netip.Addr{}, errBadConnection
		}
		return netip.AddrFrom4(a), nil
	}
	a, err := netip.ParseAddr(string(bytes.Trim(b, "[]")))
	if err != nil || !a.Is6() || a.Zone() != "" {
		return netip.Addr{}, errBadConnection
	}
	return a, nil
}
