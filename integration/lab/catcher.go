package lab

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Catcher takes UDP datagrams and TCP connections in several boxes and tells
// which of them one has reached: a cheap way to ask a scheduler many questions.
// To IPVS a datagram from a client's new address or port is a new connection,
// but never an active one, which only TCP's are.
type Catcher struct {
	closers []io.Closer
	caught  chan catch
	wg      sync.WaitGroup
	last    uint32 // datagram thrown

	mu   sync.Mutex
	held []net.Conn // TCP connections, both ends
}

// catch is a datagram that has arrived.
type catch struct {
	number uint32
	box    string
}

// NewCatcher listens on a port of all addresses of the boxes. Close ends it.
func NewCatcher(port int, boxes ...*Namespace) (*Catcher, error) {
	c := &Catcher{caught: make(chan catch, 16)}
	for _, box := range boxes {
		var conn *net.UDPConn
		err := box.Do(func() (err error) {
			conn, err = net.ListenUDP("udp", &net.UDPAddr{Port: port})
			return err
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("catch datagrams in %s: %w", box.Name, err), c.Close())
		}
		c.closers = append(c.closers, conn)
		c.wg.Go(func() { c.catch(conn, box.Name) })
		listener, err := box.Listen(fmt.Sprint(":", port))
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.closers = append(c.closers, listener)
		c.wg.Go(func() { c.accept(listener, box.Name) })
	}
	return c, nil
}

func (c *Catcher) catch(conn *net.UDPConn, box string) {
	buf := make([]byte, 2048)
	for {
		size, _, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || size < 4 {
			continue // an ICMP error, or not ours
		}
		select {
		case c.caught <- catch{binary.BigEndian.Uint32(buf[size-4:]), box}:
		default: // nobody waits for it any more
		}
	}
}

// accept tells each that connects the box's name.
func (c *Catcher) accept(listener net.Listener, box string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		c.hold(conn)
		io.WriteString(conn, box+"\n") // an error ends the other end too
	}
}

func (c *Catcher) hold(conn net.Conn) {
	c.mu.Lock()
	c.held = append(c.held, conn)
	c.mu.Unlock()
}

// Connect opens a TCP connection from one of a box's addresses, which stays open,
// and returns the name of the box that it reached, "" when nobody takes it.
func (c *Catcher) Connect(from *Namespace, source netip.Addr, to netip.AddrPort) (string, error) {
	var conn net.Conn
	err := from.Do(func() (err error) {
		conn, err = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: source.AsSlice()}, Timeout: 10 * time.Second}).Dial("tcp", to.String())
		return err
	})
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("connect from %v: %w", source, err)
	}
	c.hold(conn)
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	name, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(name), err
}

// Throw sends a datagram that begins with text from a source in a box and
// returns the name of the box that it reached, "" when nobody takes it: the
// director then says that the port is closed.
func (c *Catcher) Throw(from *Namespace, source, to netip.AddrPort, text string) (string, error) {
	c.last++
	var conn *net.UDPConn
	err := from.Do(func() (err error) {
		conn, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(source), net.UDPAddrFromAddrPort(to))
		return err
	})
	if err == nil {
		_, err = conn.Write(binary.BigEndian.AppendUint32([]byte(text), c.last))
	}
	if err != nil {
		return "", fmt.Errorf("throw from %v to %v: %w", source, to, err)
	}
	refused := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNREFUSED) {
			close(refused)
		}
	})
	defer wg.Wait()
	defer conn.Close()
	limit := time.After(10 * time.Second)
	for {
		select {
		case got := <-c.caught:
			if got.number == c.last {
				return got.box, nil
			}
		case <-refused:
			return "", nil
		case <-limit:
			return "", fmt.Errorf("throw from %v to %v: it reached nobody", source, to)
		}
	}
}

// Close ends the catcher and the connections.
func (c *Catcher) Close() error {
	var errs []error
	for _, closer := range c.closers {
		errs = append(errs, closer.Close())
	}
	c.mu.Lock()
	for _, conn := range c.held {
		conn.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
	return errors.Join(errs...)
}
