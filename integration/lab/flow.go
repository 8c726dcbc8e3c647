package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Flow is one TCP connection to an echo server that sends a message every 10 ms
// and reads it back, for as long as it lives.
type Flow struct {
	conn net.Conn
	wg   sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	err     error         // why the connection ended
	stall   time.Duration // the longest that an echo took
	echoes  uint64
	last    time.Time // of the last echo
}

// NewFlow connects from the box to an echo server.
func (n *Namespace) NewFlow(ctx context.Context, server netip.AddrPort) (*Flow, error) {
	conn, err := n.Dial(ctx, "tcp", server.String())
	if err != nil {
		return nil, fmt.Errorf("connect to %v: %w", server, err)
	}
	f := &Flow{conn: conn}
	f.wg.Go(f.run)
	return f, nil
}

func (f *Flow) run() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var message, answer [8]byte
	for i := uint64(0); ; i++ {
		<-tick.C
		binary.BigEndian.PutUint64(message[:], i)
		sent := time.Now()
		_, err := f.conn.Write(message[:])
		if err == nil {
			_, err = io.ReadFull(f.conn, answer[:])
		}
		if err == nil && answer != message {
			err = fmt.Errorf("echo of %x is %x", message, answer)
		}
		f.mu.Lock()
		if f.stopped {
			f.mu.Unlock()
			return
		}
		f.err = err
		f.echoes++
		f.last = time.Now()
		f.stall = max(f.stall, f.last.Sub(sent))
		f.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Source returns the connection's own end.
func (f *Flow) Source() netip.AddrPort { return f.conn.LocalAddr().(*net.TCPAddr).AddrPort() }

// Echoes returns how many messages came back.
func (f *Flow) Echoes() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.echoes
}

// Alive waits until messages come back again, and fails if the connection has
// ended or is silent.
func (f *Flow) Alive(limit time.Duration) error {
	before := f.Echoes()
	return Await(limit, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.err != nil {
			return fmt.Errorf("connection cut: %w", f.err)
		}
		if f.echoes < before+3 {
			return fmt.Errorf("no echo for %v", time.Since(f.last).Round(time.Millisecond))
		}
		return nil
	})
}

// Stall returns the longest time that an echo took.
func (f *Flow) Stall() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stall
}

// Close ends the connection.
func (f *Flow) Close() error {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	err := f.conn.Close()
	f.wg.Wait()
	return err
}
