package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Mode is how a Server behaves.
type Mode int

// The modes. All but Refuse accept connections.
const (
	Healthy  Mode = iota // answers 200 with its name
	Broken               // answers 503
	Hanging              // takes the request and never answers
	Dripping             // answers byte by byte, one in 200 ms, without end
	Refusing             // has closed its port
)

// Server is an HTTP server in a box that names itself in each answer.
type Server struct {
	Name string

	box      *Namespace
	addr     string
	mode     atomic.Int32
	requests atomic.Int64
	stop     chan struct{} // closed when the server ends: ends what hangs

	mu   sync.Mutex // of what follows
	http *http.Server
}

// NewServer starts a healthy server on a port of all addresses of the box. Its
// name is the box's. Close ends it.
func NewServer(box *Namespace, port int) (*Server, error) {
	s := &Server{Name: box.Name, box: box, addr: ":" + strconv.Itoa(port), stop: make(chan struct{})}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		return nil
	}
	listener, err := s.box.Listen(s.addr)
	if err != nil {
		return err
	}
	s.http = &http.Server{Handler: s}
	go s.http.Serve(listener)
	return nil
}

func (s *Server) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	s.http = nil
	return err
}

// Set changes how the server behaves from the next request on.
func (s *Server) Set(m Mode) error {
	s.mode.Store(int32(m))
	if m == Refusing {
		return s.close()
	}
	return s.open()
}

// Requests returns how many requests came.
func (s *Server) Requests() int64 { return s.requests.Load() }

// Close ends the server.
func (s *Server) Close() error {
	close(s.stop)
	return s.close()
}

// ServeHTTP answers as the mode says.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	w.Header().Set("Server-Name", s.Name)
	switch Mode(s.mode.Load()) {
	case Broken:
		http.Error(w, s.Name+" is broken", http.StatusServiceUnavailable)
	case Hanging:
		select {
		case <-r.Context().Done():
		case <-s.stop:
		}
	case Dripping:
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			case <-s.stop:
				return
			}
			io.WriteString(w, "x")
			http.NewResponseController(w).Flush() // an error ends the request's context too
		}
	default:
		io.WriteString(w, s.Name)
	}
}

// Listen listens on a TCP address in the box.
func (n *Namespace) Listen(addr string) (net.Listener, error) {
	var l net.Listener
	err := n.Do(func() (err error) {
		l, err = net.Listen("tcp", addr)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s in %s: %w", addr, n.Name, err)
	}
	return l, nil
}

// Echo is a server in a box that sends back what it gets.
type Echo struct {
	closers []io.Closer
	wg      sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// NewEcho starts a TCP and a UDP echo on a port of all addresses of the box. UDP
// answers have the box's name after what came.
func NewEcho(box *Namespace, port int) (*Echo, error) {
	addr := ":" + strconv.Itoa(port)
	listener, err := box.Listen(addr)
	if err != nil {
		return nil, err
	}
	e := &Echo{closers: []io.Closer{listener}, conns: map[net.Conn]struct{}{}}
	var packets *udpEcho
	err = box.Do(func() (err error) {
		packets, err = newUDPEcho(port, box.Name)
		return err
	})
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("echo udp %s in %s: %w", addr, box.Name, err)
	}
	e.closers = append(e.closers, packets)
	e.wg.Go(func() { e.serveTCP(listener) })
	return e, nil
}

func (e *Echo) serveTCP(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.conns[conn] = struct{}{}
		e.mu.Unlock()
		e.wg.Go(func() {
			io.Copy(conn, conn)
			conn.Close()
			e.mu.Lock()
			delete(e.conns, conn)
			e.mu.Unlock()
		})
	}
}

// Close ends the server with its connections.
func (e *Echo) Close() error {
	var errs []error
	for _, c := range e.closers {
		errs = append(errs, c.Close())
	}
	e.mu.Lock()
	for c := range e.conns {
		c.Close()
	}
	e.mu.Unlock()
	e.wg.Wait()
	return errors.Join(errs...)
}

// NewSink starts a server in a box that accepts TCP connections and closes them.
func NewSink(box *Namespace, port int) (io.Closer, error) {
	listener, err := box.Listen(":" + strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return listener, nil
}

// Get asks a web server once over a new connection from the box, and returns the
// answer's body, trimmed to 200 bytes. Any status but 200 is an error.
func (n *Namespace) Get(ctx context.Context, server netip.AddrPort, timeout time.Duration) (string, error) {
	return n.GetFrom(ctx, netip.Addr{}, server, timeout)
}

// GetFrom is Get from one of the box's addresses.
func (n *Namespace) GetFrom(ctx context.Context, source netip.Addr, server netip.AddrPort, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return n.dial(ctx, source, network, addr)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server.String()+"/", nil)
	if err != nil {
		return "", err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("get from %v: %w", server, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 200))
	if err != nil {
		return "", fmt.Errorf("get from %v: %w", server, err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("get from %v: %s: %s", server, response.Status, body)
	}
	return string(body), nil
}

// Dial connects from the box to a literal address. Every connection has a source
// port of its own: the kernel draws them by lot and soon takes one again, for
// which IPVS, which remembers a closed connection for two minutes, then asks no scheduler.
func (n *Namespace) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return n.dial(ctx, netip.Addr{}, network, addr)
}

// dial is Dial from one of the box's addresses; the zero one leaves the choice
// to the kernel.
func (n *Namespace) dial(ctx context.Context, source netip.Addr, network, addr string) (net.Conn, error) {
	const first, count = 10000, 50000
	port := first + int(n.ports.Add(1)%count)
	var conn net.Conn
	err := n.Do(func() (err error) {
		conn, err = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: source.AsSlice(), Port: port}}).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// GetAll asks a web server a number of times, one after the other, and returns who
// answered.
func (n *Namespace) GetAll(ctx context.Context, server netip.AddrPort, requests int) ([]string, error) {
	var names []string
	for i := range requests {
		name, err := n.Get(ctx, server, 5*time.Second)
		if err != nil {
			return names, fmt.Errorf("request %d of %d: %w", i+1, requests, err)
		}
		names = append(names, name)
	}
	return names, nil
}

// Shares returns how often each name is there.
func Shares(names []string) map[string]int {
	shares := map[string]int{}
	for _, name := range names {
		shares[name]++
	}
	return shares
}
