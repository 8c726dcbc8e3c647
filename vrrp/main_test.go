package vrrp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// helperEnv makes the test binary a router of its own: the integration tests
// start it in network namespaces. It holds the Orders as JSON.
const helperEnv = "VRRP_TEST_ORDERS"

// serveEnv makes it a TCP server at an address: it says "hello" and echoes.
const serveEnv = "VRRP_TEST_SERVE"

func TestMain(m *testing.M) {
	if address := os.Getenv(serveEnv); address != "" {
		fmt.Fprintln(os.Stderr, serve(address))
		os.Exit(1)
	}
	if orders := os.Getenv(helperEnv); orders != "" {
		if err := runHelper(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if host := os.Getenv(pingEnv); host != "" {
		if err := ping(host); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// pingEnv makes it ping a host once, and fail when no answer comes in a second.
const pingEnv = "VRRP_TEST_PING"

func ping(host string) error {
	to, err := net.ResolveIPAddr("ip", host)
	if err != nil {
		return err
	}
	network, protocol, request, answer := "ip4:icmp", 1, icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply)
	if to.IP.To4() == nil {
		network, protocol, request, answer = "ip6:ipv6-icmp", 58, ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	c, err := icmp.ListenPacket(network, "")
	if err != nil {
		return err
	}
	defer c.Close()
	b, err := (&icmp.Message{Type: request, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Data: []byte(host)}}).Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(b, to); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	for buf := make([]byte, 1500); ; {
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		m, err := icmp.ParseMessage(protocol, buf[:n])
		if err != nil || m.Type != answer {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); ok && e.ID == os.Getpid()&0xffff && string(e.Data) == host {
			return nil
		}
	}
}

func serve(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			fmt.Fprintln(c, "hello")
			io.Copy(c, c)
		}()
	}
}

// runHelper runs a Router with the orders. It writes every report as a line of
// JSON, and takes Commands as lines of JSON.
func runHelper(orders string) error {
	var o Orders
	if err := json.Unmarshal([]byte(orders), &o); err != nil {
		return err
	}
	log, err := zap.NewDevelopment()
	if err != nil {
		return err
	}
	r := NewRouter(log)
	r.Order(Command{Orders: &o})
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			var c Command
			if err := json.Unmarshal(in.Bytes(), &c); err != nil {
				log.Error("bad command", zap.Error(err))
				continue
			}
			r.Order(c)
		}
	}()
	go func() {
		out := json.NewEncoder(os.Stdout)
		for report := range r.Reports() {
			if err := out.Encode(report); err != nil {
				return
			}
		}
	}()
	return r.Run(context.Background())
}
