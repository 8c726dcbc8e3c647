//go:build integration

package vrrp

import (
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// serve starts a TCP server in a namespace.
func (w *wire) serve(ns, address string) {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	p := w.start(ns, []string{serveEnv + "=" + address}, self)
	w.eventually("a server listens at "+address, starting, func() bool { return strings.Contains(p.log.String(), "listening") })
}

// talk connects from a namespace and returns the first line that it is told.
func (w *wire) talk(ns, host, port string) string {
	w.t.Helper()
	out, _ := exec.Command("ip", "netns", "exec", ns, "timeout", "1", "bash", "-c",
		"exec 3<>/dev/tcp/"+host+"/"+port+" && head -n1 <&3").CombinedOutput()
	return string(out)
}

// pings tells whether an address answers a ping from a namespace.
func (w *wire) pings(ns, host string) bool {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	c := exec.Command("ip", "netns", "exec", ns, self)
	c.Env = append(os.Environ(), pingEnv+"="+host)
	return c.Run() == nil
}

// TestClosed has addresses that only IPVS answers for. What is not IPVS's is
// dropped, on the macvlan of a virtual MAC address too.
func TestClosed(t *testing.T) {
	for _, vmac := range []bool{false, true} {
		name := "plain"
		if vmac {
			name = "virtual MAC"
		}
		t.Run(name, func(t *testing.T) { testClosed(t, vmac) })
	}
}

func testClosed(t *testing.T, vmac bool) {
	w := newWire(t)
	server := w.a + "s"
	w.ip("netns", "add", server)
	t.Cleanup(func() { w.ip("netns", "del", server) })
	w.ip("link", "add", "eth1", "netns", w.a, "type", "veth", "peer", "name", "eth0", "netns", server)
	for _, args := range []string{
		"-n " + w.a + " link set eth1 up", "-n " + w.a + " addr add 10.0.0.1/24 dev eth1",
		"-n " + server + " link set eth0 up", "-n " + server + " addr add 10.0.0.2/24 dev eth0",
		"-n " + server + " route add default via 10.0.0.1",
		"-n " + w.b + " addr add 2001:db8::2/64 dev eth0 nodad", "-n " + w.b + " addr add 198.51.100.2/24 dev eth0",
		"netns exec " + w.a + " sysctl -qw net.ipv4.ip_forward=1",
		"netns exec " + w.a + " ipvsadm -A -t 192.0.2.100:80 -s rr", "netns exec " + w.a + " ipvsadm -a -t 192.0.2.100:80 -r 10.0.0.2:80 -m",
	} {
		w.ip(strings.Fields(args)...)
	}
	w.serve(server, "10.0.0.2:80")
	w.serve(w.a, "[::]:2222") // of the director's machine itself

	g := priority(interopCases()[0], 150)
	g.VirtualMAC = vmac
	g.Addresses = g.Addresses[:1]
	g.Excluded = []netip.Prefix{prefix("2001:db8::100/64"), prefix("fe80::100/64")}
	open, shut := g, g
	shut.Closed = true
	d := w.director(w.a, orders(open))
	w.eventually("master", starting, func() bool { return d.status(g.Name).State == Master && len(d.status(g.Name).Addresses) == 3 })
	hosts := []string{"192.0.2.100", "2001:db8::100", "fe80::100%eth0"}
	for _, host := range hosts {
		w.eventually("a ping of "+host+" is answered", starting, func() bool { return w.pings(w.b, host) })
	}
	w.eventually("the machine's own server answers", starting, func() bool { return w.talk(w.b, hosts[0], "2222") == "hello\n" })
	w.eventually("IPVS forwards", starting, func() bool { return w.talk(w.b, hosts[0], "80") == "hello\n" })

	o := orders(shut)
	d.order(Command{Orders: &o})
	closes := func() bool { return d.status(g.Name).Closed == 3 }
	w.eventually("the addresses are closed", starting, closes)
	check := func() {
		t.Helper()
		w.ip("-n", w.b, "neigh", "flush", "dev", "eth0")
		var asking sync.WaitGroup // together: to be sure of no answer takes a second
		for _, host := range hosts {
			asking.Go(func() {
				if w.pings(w.b, host) {
					t.Errorf("a ping of %s is answered", host)
				}
			})
			asking.Go(func() {
				if got := w.talk(w.b, host, "2222"); got != "" {
					t.Errorf("the machine's own server answers at %s: %q", host, got)
				}
			})
		}
		asking.Wait()
		for _, host := range hosts {
			is := w.ip("-n", w.b, "neigh", "show", strings.TrimSuffix(host, "%eth0"), "dev", "eth0")
			if !strings.Contains(is, "lladdr") {
				t.Errorf("the neighbour %s is not found: %s", host, is)
			}
		}
		if !w.pings(w.b, "192.0.2.1") || !w.pings(w.a, hosts[0]) {
			t.Error("the machine's own address is closed, or it does not reach itself")
		}
		w.eventually("IPVS forwards still", starting, func() bool { return w.talk(w.b, hosts[0], "80") == "hello\n" })
	}
	check()

	// A connection that IPVS has lost is answered with a reset.
	c := exec.Command("ip", "netns", "exec", w.b, "bash", "-c", "exec 3<>/dev/tcp/192.0.2.100/80; head -n1 <&3; read; echo x >&3; head -n1 <&3")
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	var complaint lockedBuffer
	c.Stderr = &complaint
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("hello\n"))); err != nil {
		t.Fatal(err)
	}
	w.ip("netns", "exec", w.a, "ipvsadm", "-C")
	io.WriteString(in, "\n")
	_, _ = io.ReadAll(out)
	if _ = c.Wait(); !strings.Contains(complaint.String(), "reset") {
		t.Errorf("a lost connection ends with %q", complaint.String())
	}
	w.ip("netns", "exec", w.a, "ipvsadm", "-A", "-t", "192.0.2.100:80", "-s", "rr")
	w.ip("netns", "exec", w.a, "ipvsadm", "-a", "-t", "192.0.2.100:80", "-r", "10.0.0.2:80", "-m")

	table := func() string {
		out, _ := exec.Command("ip", "netns", "exec", w.a, "nft", "list", "tables").CombinedOutput()
		return string(out)
	}
	for _, harm := range []string{"flush ruleset", "add table inet director_vrrp_118 { flags dormant; }", "insert rule inet director_vrrp_118 input accept"} {
		if vmac && harm != "flush ruleset" {
			continue // what is noticed does not depend on the interface
		}
		w.run("ip", append([]string{"netns", "exec", w.a, "nft"}, strings.Fields(harm)...)...)
		w.eventually("the filter is back after "+harm, starting, func() bool { return strings.Contains(table(), "director_vrrp_118") && !w.pings(w.b, hosts[0]) })
	}

	// What a kill leaves behind closes nothing once a run that accepts has begun.
	d.signal(syscall.SIGKILL)
	<-d.done
	if !strings.Contains(table(), "director_vrrp_118") {
		t.Error("a kill leaves nothing behind")
	}
	d = w.director(w.a, orders(open))
	w.eventually("a run that accepts answers", starting, func() bool { return w.pings(w.b, hosts[0]) })
	w.eventually("and has removed the filter", starting, func() bool { return table() == "" })
	d.order(Command{Orders: &o})
	w.eventually("closed again", starting, closes)
	check()
	d.order(Command{Stop: true})
	<-d.done
	if is := table(); is != "" {
		t.Errorf("after a stop there is %s", is)
	}
}
