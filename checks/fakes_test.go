package checks

import (
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// say is a server that answers line after line: each item is sent after what
// was read holds the line before it.
func say(greeting string, turns ...string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, greeting)
		for i := 0; i+1 < len(turns); i += 2 {
			if !readUntil(c, turns[i]) {
				return
			}
			_, _ = io.WriteString(c, turns[i+1])
		}
		waitForEnd(c)
	}
}

// readUntil reads until what has come holds text.
func readUntil(c net.Conn, text string) bool {
	var all []byte
	buf := make([]byte, 1024)
	for !strings.Contains(string(all), text) {
		n, err := c.Read(buf)
		if err != nil {
			return false
		}
		all = append(all, buf[:n]...)
	}
	return true
}

const mysqlHello = "\x0a8.0.36\x00\x01\x00\x00\x00abcdefgh\x00\xff\xf7"

// mysqlGreeting is a greeting of MySQL 8 that names a plugin.
func mysqlGreeting(plugin string) string {
	return mysqlHello + "\xff\x02\x00\xff\xdf\x15" + strings.Repeat("\x00", 10) + "ijklmnopqrst\x00" + plugin
}

func framed(seq byte, s string) string { return string(mysqlFrame(seq, []byte(s))) }

// dnsServer answers a question over TCP with the message that answer makes of it.
func dnsServer(answer func(question []byte) []byte) func(net.Conn) {
	return func(c net.Conn) {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		b := answer(question)
		_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
		waitForEnd(c)
	}
}

// dnsAnswer answers with a response code and the addresses.
func dnsAnswer(rcode byte, addrs ...string) func(question []byte) []byte {
	return func(question []byte) []byte {
		b := append([]byte(nil), question...)
		b[2] |= 0x80
		b[3] = b[3]&0xf0 | rcode
		for _, a := range addrs {
			b = dnsAlso(b, 1, string(netip.MustParseAddr(a).AsSlice()))
		}
		return b
	}
}

// dnsRecord answers with one record, if the question was for its type.
func dnsRecord(kind uint16, data string) func(question []byte) []byte {
	return func(question []byte) []byte {
		b := dnsAnswer(0)(question)
		if asked := binary.BigEndian.Uint16(question[len(question)-4:]); asked == kind {
			b = dnsAlso(b, kind, data)
		}
		return b
	}
}

// dnsAlias answers with one CNAME for each of names, whatever was asked for.
func dnsAlias(names ...string) func(question []byte) []byte {
	return func(question []byte) []byte {
		b := dnsAnswer(0)(question)
		for _, name := range names {
			b = dnsAlso(b, 5, name)
		}
		return b
	}
}

// dnsAlso returns the answer b with one more record.
func dnsAlso(b []byte, kind uint16, data string) []byte {
	b[7]++
	b = append(binary.BigEndian.AppendUint16(append(b, 0xc0, 12), kind), 0, 1, 0, 0, 0, 60, 0, byte(len(data)))
	return append(b, data...)
}

// grpcServer says the state of the service web.
func grpcServer(state healthpb.HealthCheckResponse_ServingStatus) func(net.Conn) {
	return func(c net.Conn) {
		service := health.NewServer()
		service.SetServingStatus("web", state)
		s := grpc.NewServer()
		healthpb.RegisterHealthServer(s, service)
		closed := make(chan struct{})
		l := &oneConn{conn: watched{c, closed}, closed: closed, first: make(chan struct{}, 1)}
		l.first <- struct{}{}
		_ = s.Serve(l)
		s.Stop()
	}
}

// http2Server answers by HTTP/2, without TLS, what f says; nil is "ok".
func http2Server(f http.HandlerFunc) func(net.Conn) {
	if f == nil {
		f = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	}
	return func(c net.Conn) {
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		s := &http.Server{Handler: f, Protocols: &protocols, ErrorLog: log.New(io.Discard, "", 0)}
		closed := make(chan struct{})
		l := &oneConn{conn: watched{c, closed}, closed: closed, first: make(chan struct{}, 1)}
		l.first <- struct{}{}
		_ = s.Serve(l)
		s.Close()
	}
}

// oneConn is a listener with one connection, which ends when that does.
type oneConn struct {
	conn   net.Conn
	first  chan struct{}
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case <-l.first:
		return l.conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// watched tells when it was closed.
type watched struct {
	net.Conn
	closed chan struct{}
}

func (w watched) Close() error {
	select {
	case <-w.closed:
	default:
		close(w.closed)
	}
	return w.Conn.Close()
}

// single writes single bytes.
type single struct{ net.Conn }

func (s single) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := s.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}
