//go:build integration

package ipvstext_test

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
	"github.com/lvs-director/director/ipvsctl/ipvstext"
)

// corpus are tables that between them use every option of ipvsadm(8).
func corpus() map[string]string {
	const dest = "\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 "
	tables := map[string]string{
		"empty": "",
		"addresses that ipvsadm cannot order": "-A -t 10.0.0.1:80 -s rr\n-A -t 100.0.0.1:80 -s rr\n-A -t 192.0.2.1:80 -s rr\n" +
			"-A -t 172.16.0.1:80 -s rr\n-A -t 1.0.0.1:80 -s rr\n-a -t 1.0.0.1:80 -r 10.0.0.1:80 -m\n-a -t 1.0.0.1:80 -r 192.168.0.1:80 -m\n" +
			"-a -t 1.0.0.1:80 -r 100.64.0.1:80 -m\n-a -t 1.0.0.1:80 -r 200.64.0.1:80 -m",
		"long addresses": "-A -t [2001:db8:1111:2222:3333:4444:5555:6666]:65535 -s rr\n" +
			"-a -t [2001:db8:1111:2222:3333:4444:5555:6666]:65535 -r [2001:db8:1111:2222:3333:4444:7777:8888]:65535 -m -w 65535",
		"all protocols": "-A -t 192.0.2.1:80 -s rr\n-A -u 192.0.2.1:80 -s rr\n-A --sctp-service 192.0.2.1:80 -s rr\n" +
			"-A -t [2001:db8::1]:80 -s rr\n-A -u [2001:db8::1]:80 -s rr\n-A --sctp-service [2001:db8::1]:80 -s rr\n" +
			"-A -f 2147483647 -s rr\n-A -f 7 -s rr\n-A -f 7 -6 -s rr\n-A -f 8 -6 -s rr",
		"fwmark":                    "-A -f 7 -s rr -p 100\n-a -f 7 -r 10.0.0.1:0 -g\n-a -f 7 -r 10.0.0.2:80 -m\n-A -f 7 -6 -s rr\n-a -f 7 -6 -r [2001:db8::9]:0 -g",
		"port 0":                    "-A -t 192.0.2.1:0 -s rr -p\n-a -t 192.0.2.1:0 -r 10.0.0.1:0 -m",
		"persistence engine":        "-A -u 192.0.2.1:5060 -s rr -p 60 --pe sip -o\n-A -u 192.0.2.1:5061 -s rr -p 60 -M 255.255.0.0 --pe sip",
		"one packet":                "-A -u 192.0.2.1:53 -s rr -o\n-A -f 7 -s rr -o\n-A -u 192.0.2.1:54 -s sh -o -b sh-port",
		"families in one service":   "-A -t [2001:db8::1]:80 -s rr\n-a -t [2001:db8::1]:80 -r 10.0.0.1:80 -i\n-a -t [2001:db8::1]:80 -r [2001:db8::2]:80 -i",
		"IPv4 service, IPv6 tunnel": "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r [2001:db8::2]:80 -i\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g",
		"the director itself":       "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 127.0.0.1:80 -m\n-a -t 192.0.2.1:80 -r 10.0.0.254:80 -g",
		"many ports of one server":  "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.1:81 -m\n-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m\n-a -t 192.0.2.1:80 -r 10.0.0.1:79 -m",
	}
	for _, s := range []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"} {
		tables["scheduler "+s] = "-A -t 192.0.2.1:80 -s " + s + dest + "-m -w 1"
	}
	for _, f := range []string{"sh -b sh-port", "sh -b sh-fallback", "sh -b sh-port,sh-fallback", "mh -b mh-port", "mh -b mh-port,mh-fallback",
		"mh -b flag-3,mh-port", "rr -b flag-1", "rr -b flag-2,flag-3", "wlc -b flag-1,flag-2,flag-3"} {
		tables["flags "+f] = "-A -t 192.0.2.1:80 -s " + f
	}
	for _, p := range []string{"-p", "-p 1", "-p 2147483", "-p 300 -M 255.255.255.0", "-p 300 -M 128.0.0.0", "-p 300 -M 255.255.255.255"} {
		tables["persistence "+p] = "-A -t 192.0.2.1:80 -s rr " + p
	}
	for _, p := range []string{"-p 300", "-p 300 -M 64", "-p 300 -M 1", "-p 300 -M 128"} {
		tables["persistence of IPv6 "+p] = "-A -t [2001:db8::1]:80 -s rr " + p
	}
	for _, d := range []string{"-m", "-g", "-i", "-m -w 0", "-m -w 65535", "-m -x 10", "-m -x 100000 -y 99999",
		"-i --tun-type ipip", "-i --tun-type gue --tun-port 1", "-i --tun-type gue --tun-port 6080 --tun-nocsum",
		"-i --tun-type gue --tun-port 6080 --tun-csum", "-i --tun-type gue --tun-port 65535 --tun-remcsum",
		"-i --tun-type gre", "-i --tun-type gre --tun-csum", "-i --tun-type gre --tun-nocsum"} {
		tables["destination "+d] = "-A -t 192.0.2.1:80 -s rr" + dest + d
	}
	for i := range 20 {
		tables[fmt.Sprintf("generated %d", i)] = generated(i)
	}
	var large strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&large, "-A -t 192.0.%d.%d:80 -s rr\n-a -t 192.0.%d.%d:80 -r 10.%d.0.1:80 -m\n", n/256, n%256, n/256, n%256, n%200)
	}
	tables["1,000 services"] = large.String()
	return tables
}

// generated returns a table of the contract's generator, within what ipvsadm
// takes: no mark that is a negative number, weights of 16 bits, and with
// anything but NAT the service's port.
func generated(seed int) string {
	t := ipvstest.Tables().Example(seed)
	t.Timeouts, t.Daemons = ipvsctl.Timeouts{}, nil
	for id, s := range t.Services {
		if id.FWMark > math.MaxInt32 {
			delete(t.Services, id)
			continue
		}
		for i := range s.Destinations {
			d := &s.Destinations[i]
			d.Weight %= 65536
			if d.Forward != ipvsctl.NAT && id.FWMark == 0 {
				d.Addr = netip.AddrPortFrom(d.Addr.Addr(), id.Addr.Port())
			}
		}
		t.Services[id] = s
	}
	return t.String()
}

// enterNamespace puts the test on a thread of its own in a new network namespace,
// as well as the programs that it starts.
func enterNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: ipvstest.Interface}}
	addr, err := netlink.ParseAddr("10.0.0.254/24")
	if err != nil {
		t.Fatal(err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{netlink.LinkSetUp(lo), netlink.LinkAdd(link), netlink.LinkSetUp(link), netlink.AddrAdd(link, addr)} {
		if err != nil {
			t.Fatalf("make interface: %v", err)
		}
	}
}

func open(t *testing.T) *ipvsctl.Linux {
	t.Helper()
	k, err := ipvsctl.Open(ipvsctl.Options{})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// ipvsadm runs the real one in the thread's namespace.
func ipvsadm(t *testing.T, input string, args ...string) string {
	t.Helper()
	cmd := exec.Command("ipvsadm", args...)
	cmd.Stdin = strings.NewReader(input)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ipvsadm %v: %v: %s", args, err, errs.String())
	}
	return string(out)
}

func list(t *testing.T, k *ipvsctl.Linux, o ipvstext.ListOptions) string {
	t.Helper()
	entries, err := k.List()
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	var b strings.Builder
	if err := ipvstext.List(&b, k.Info(), entries, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func save(t *testing.T, k *ipvsctl.Linux) string {
	t.Helper()
	entries, err := k.List()
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	var b strings.Builder
	if err := ipvstext.Save(&b, entries); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var views = []struct {
	args    string
	options ipvstext.ListOptions
}{
	{"-Ln", ipvstext.ListOptions{}},
	{"-Ln --sort", ipvstext.ListOptions{}},
	{"-Ln --nosort", ipvstext.ListOptions{NoSort: true}},
	{"-Ln --stats", ipvstext.ListOptions{View: ipvstext.Stats}},
	{"-Ln --stats --exact", ipvstext.ListOptions{View: ipvstext.Stats, Exact: true}},
	{"-Ln --rate", ipvstext.ListOptions{View: ipvstext.Rate}},
	{"-Ln --rate --exact", ipvstext.ListOptions{View: ipvstext.Rate, Exact: true}},
	{"-Ln --thresholds", ipvstext.ListOptions{View: ipvstext.Thresholds}},
	{"-Ln --persistent-conn", ipvstext.ListOptions{View: ipvstext.PersistentConn}},
	{"-Ln --tun-info", ipvstext.ListOptions{View: ipvstext.TunnelInfo}},
}

// TestCorpus compares every listing with ipvsadm's, and restores with either
// what the other one has saved.
func TestCorpus(t *testing.T) {
	tables := corpus()
	if len(tables) < 60 {
		t.Fatalf("the corpus has %d tables", len(tables))
	}
	for name, rules := range tables {
		t.Run(name, func(t *testing.T) {
			enterNamespace(t)
			k := open(t)
			ipvsadm(t, rules, "-R")
			for _, v := range views {
				if diff := cmp.Diff(ipvsadm(t, "", strings.Fields(v.args)...), list(t, k, v.options)); diff != "" {
					t.Errorf("%s (-ipvsadm +director):\n%s", v.args, diff)
				}
			}
			theirs, ours := ipvsadm(t, "", "-Sn"), save(t, k)
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Fatalf("-Sn (-ipvsadm +director):\n%s", diff)
			}
			clearTable(t, k)
			ipvsadm(t, ours, "-R")
			if diff := cmp.Diff(ours, save(t, k)); diff != "" {
				t.Errorf("restored by ipvsadm (-saved +restored):\n%s", diff)
			}
			clearTable(t, k)
			ops, err := ipvstext.Restore(strings.NewReader(theirs))
			if err != nil {
				t.Fatalf("restore: %v", err)
			}
			if err := k.Do(ops); err != nil {
				t.Fatalf("restore: %v", err)
			}
			if diff := cmp.Diff(theirs, ipvsadm(t, "", "-Sn")); diff != "" {
				t.Errorf("restored by director (-saved +restored):\n%s", diff)
			}
		})
	}
}

func clearTable(t *testing.T, k *ipvsctl.Linux) {
	t.Helper()
	if err := k.Clear(); err != nil {
		t.Fatalf("clear: %v", err)
	}
	if s := save(t, k); s != "" {
		t.Fatalf("after clear:\n%s", s)
	}
}

// TestTraffic compares counters, connections, time-outs and daemons.
func TestTraffic(t *testing.T) {
	enterNamespace(t)
	k := open(t)
	ipvsadm(t, "-A -t 10.0.0.254:80 -s rr\n-a -t 10.0.0.254:80 -r 10.0.0.1:8080 -m\n"+
		"-A -u 10.0.0.254:53 -s rr -p 60 -M 255.255.255.0\n-a -u 10.0.0.254:53 -r 10.0.0.2:53 -g\n"+
		"-A -u 10.0.0.254:5060 -s rr -p 60 --pe sip\n-a -u 10.0.0.254:5060 -r 10.0.0.3:5060 -m\n", "-R")
	ipvsadm(t, "", "--start-daemon", "master", "--mcast-interface", ipvstest.Interface, "--syncid", "7")
	ipvsadm(t, "", "--start-daemon", "backup", "--mcast-interface", ipvstest.Interface, "--mcast-ttl", "3", "--mcast-port", "9000")
	ipvsadm(t, "", "--set", "600", "60", "61")
	sendTraffic(t)
	waitCounted(t, k, fmt.Sprintf("%-33s%9d", "TCP  10.0.0.254:80", 1))

	same(t, "-Ln --timeout", func() string { return ipvsadm(t, "", "-Ln", "--timeout") }, func(b *strings.Builder) error {
		timeouts, err := k.Timeouts()
		if err != nil {
			return err
		}
		return ipvstext.Timeouts(b, timeouts)
	})
	same(t, "-Ln --daemon", func() string { return ipvsadm(t, "", "-Ln", "--daemon") }, func(b *strings.Builder) error {
		daemons, err := k.Daemons()
		if err != nil {
			return err
		}
		return ipvstext.Daemons(b, daemons)
	})
	for _, v := range views {
		same(t, v.args, func() string { return ipvsadm(t, "", strings.Fields(v.args)...) }, func(b *strings.Builder) error {
			b.WriteString(list(t, k, v.options))
			return nil
		})
	}
	for _, persistent := range []bool{false, true} {
		args := []string{"-Lnc"}
		if persistent {
			args = append(args, "--persistent-conn")
		}
		text := same(t, strings.Join(args, " "), func() string { return ipvsadm(t, "", args...) }, func(b *strings.Builder) error {
			return ipvstext.Connections(b, k.ConnectionTable(), persistent, nil)
		})
		if strings.Count(text, "\n") < 5 {
			t.Errorf("few connections:\n%s", text)
		}
	}
	if err := k.Zero(); err != nil {
		t.Fatalf("zero: %v", err)
	}
	if s := list(t, k, ipvstext.ListOptions{View: ipvstext.Stats}); !strings.Contains(s, fmt.Sprintf("%-33s%9d", "TCP  10.0.0.254:80", 0)) {
		t.Errorf("after zero:\n%s", s)
	}
}

// waitCounted waits for a line of the statistics. The kernel sums up what its
// processors have counted every two seconds.
func waitCounted(t *testing.T, k *ipvsctl.Linux, line string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		s := list(t, k, ipvstext.ListOptions{View: ipvstext.Stats})
		if strings.Contains(s, line) {
			return
		}
		if time.Now().After(end) {
			t.Errorf("no line %q in\n%s", line, s)
			return
		}
	}
}

// sendTraffic opens connections to the services; nobody answers them.
func sendTraffic(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 80, Addr: [4]byte{10, 0, 0, 254}}); err != unix.EINPROGRESS {
		t.Fatalf("connect: %v", err)
	}
	const invite = "INVITE sip:a@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.254\r\nCall-ID: 2046@10.0.0.254\r\nCSeq: 1 INVITE\r\n\r\n"
	for _, port := range []int{53, 5060} {
		c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(10, 0, 0, 254), Port: port})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(invite)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// same compares two texts. Time-outs tick and rates change between one and the
// other, so it tries more than once.
func same(t *testing.T, name string, theirs func() string, ours func(*strings.Builder) error) string {
	t.Helper()
	var diff string
	for range 10 {
		want := theirs()
		var got strings.Builder
		if err := ours(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff = cmp.Diff(want, got.String()); diff == "" {
			return want
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s (-ipvsadm +director):\n%s", name, diff)
	return ""
}
