//go:build integration

package integration

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// talker is a client that sends datagrams to an echo from one port, one after
// the other: for IPVS one connection, as long as it talks.
type talker struct {
	conn net.Conn
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int // by the name of the server
}

// echoPorts counts the ports of dialEcho.
var echoPorts atomic.Uint32

// dialEcho returns a socket of the client for an echo, with a port of its own:
// one that was used before would be a connection that IPVS knows.
func dialEcho(t *testing.T, n *lab.Network, echo netip.AddrPort) net.Conn {
	t.Helper()
	const first, count = 10000, 50000
	dialer := net.Dialer{LocalAddr: &net.UDPAddr{Port: first + int(echoPorts.Add(1)%count)}}
	var conn net.Conn
	must(t, n.Client.Do(func() (err error) {
		conn, err = dialer.DialContext(t.Context(), "udp", echo.String())
		return err
	}))
	return conn
}

// ask sends one datagram and returns the name of the server that answers, "" if
// none does.
func ask(conn net.Conn) string {
	answer := make([]byte, 64)
	if _, err := conn.Write([]byte("?")); err != nil {
		return "" // the ICMP error of an earlier one
	}
	_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	size, err := conn.Read(answer)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(string(answer[:size]), "?")
}

// askNew asks from a new port until somebody answers.
func askNew(t *testing.T, n *lab.Network, echo netip.AddrPort) (name string) {
	t.Helper()
	conn := dialEcho(t, n, echo)
	defer conn.Close()
	must(t, lab.Await(10*time.Second, func() error {
		if name = ask(conn); name == "" {
			return fmt.Errorf("no answer from %v", echo)
		}
		return nil
	}))
	return name
}

// talk starts a client that talks until it is closed.
func talk(t *testing.T, n *lab.Network, echo netip.AddrPort) *talker {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	k := &talker{conn: dialEcho(t, n, echo), stop: stop, answers: map[string]int{}}
	k.wg.Go(func() {
		pace := time.NewTicker(20 * time.Millisecond)
		defer pace.Stop()
		for ctx.Err() == nil {
			if name := ask(k.conn); name != "" {
				k.mu.Lock()
				k.answers[name]++
				k.mu.Unlock()
			}
			<-pace.C
		}
	})
	t.Cleanup(k.close)
	return k
}

// close ends the client; it may be closed again.
func (k *talker) close() {
	k.stop()
	k.wg.Wait()
	_ = k.conn.Close()
}

// only waits for more answers, and fails unless all that ever came are of one server.
func (k *talker) only(t *testing.T, server string) {
	t.Helper()
	count := func() (of, all int) {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, n := range k.answers {
			all += n
		}
		return k.answers[server], all
	}
	_, before := count()
	must(t, lab.Await(10*time.Second, func() error {
		if of, all := count(); of != all || all < before+5 {
			return fmt.Errorf("%d of %d answers are of %s, %d new", of, all, server, all-before)
		}
		return nil
	}))
}
