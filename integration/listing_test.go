//go:build integration

package integration

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/integration/vm"
)

// listings are ipvsadm's commands beside director's.
var listings = []struct{ ipvsadm, director string }{
	{"-Ln", "list -n"},
	{"-L", "list --names"},
	{"-Ln --sort", "list --sort"},
	{"-Ln --nosort", "list --nosort"},
	{"-Ln -t 10.0.0.100:80", "list -t 10.0.0.100:80"},
	{"-Ln -f 7", "list --fwmark-service 7"},
	{"-Ln --stats", "list -n --stats"},
	{"-L --stats", "list --names --stats"},
	{"-Ln --stats --exact", "list --stats --exact"},
	{"-Ln --rate", "list --rate"},
	{"-Ln --rate --exact", "list --rate --exact"},
	{"-Ln --thresholds", "list --thresholds"},
	{"-Ln --persistent-conn", "list --persistent-conn"},
	{"-Ln --tun-info", "list --tun-info"},
	{"-Ln --timeout", "list --timeout"},
	{"-Ln --timeout", "timeouts"},
	{"-Ln --daemon", "list --daemon"},
	{"-Ln --daemon", "daemon"},
	{"-Lnc", "list -n -c"},
	{"-Lnc", "connections"},
	{"-Lc", "connections --names"},
	{"-Lnc --persistent-conn", "connections --persistent-conn"},
	{"-Sn", "save -n"},
}

// TestListings compares what director ipvs prints with what ipvsadm prints, after
// traffic that has left connections in many states.
func TestListings(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 2})
	must(t, n.A.AddAddress("eth0", netip.PrefixFrom(lab.VIP(0), 24)))
	must(t, n.A.AddAddress("eth0", netip.PrefixFrom(lab.VIPv6(0), 64)))
	must(t, n.A.AddAddress("eth1", netip.PrefixFrom(lab.InsideVIP, 24)))
	must(t, n.A.AddAddress("eth1", netip.PrefixFrom(lab.InsideVIPv6, 64)))
	servers(t, n)
	echoes(t, n)
	ipvs(t, n.A,
		"add -t 10.0.0.100:80 -s wrr", "add -t 10.0.0.100:80 -r 10.3.0.11:80 -m -w 70000 -x 100000 -y 90000",
		"add -t 10.0.0.100:80 -r 10.3.0.12 --masquerading --weight=70000",
		"add --tcp-service 10.0.0.100:7 --scheduler rr -p", "add -t 10.0.0.100:7 -r 10.3.0.11:7 -m",
		"add -t 10.0.0.100:81 -s rr", "add -t 10.0.0.100:81 -r 10.3.0.99:81 -m", // who is not there
		"add -t 10.0.0.100:82 -s rr", "add -t 10.0.0.100:82 -r 10.3.0.11:82 -m", // who refuses
		"add -t [fd00:a::64]:80 -s mh -b mh-port,mh-fallback -p 100 -M 64", "add -t [fd00:a::64]:80 -r [fd00:b::b]:80 -m",
		"add -u 10.0.0.100:7 -s rr -p 100 -M 255.255.0.0", "add -u 10.0.0.100:7 -r 10.3.0.12:7 -m",
		"add -u 10.0.0.100:5060 -s rr -p 100 --pe sip -o", "add -u 10.0.0.100:5060 -r 10.3.0.12 -i --tun-type gue --tun-port 6080 --tun-csum",
		"add --sctp-service 10.0.0.100:80 -s rr", "add --sctp-service 10.0.0.100:80 -r 10.3.0.11:80 -m",
		"add -f 7 -s lblcr -p 100", "add -f 7 -r 127.0.0.1 -m -w 3",
		"timeouts 600 60 90", "daemon start backup --mcast-interface eth1 --syncid 9",
		"daemon start master --mcast-interface eth1 --syncid 9 --mcast-group 224.0.0.99 --mcast-ttl 2 --sync-maxlen 1000",
	)
	_, err := n.A.Run("nft", "table ip marks { chain pre { type filter hook prerouting priority mangle; ip daddr 10.0.0.100 tcp dport 90 meta mark set 7; }; }")
	must(t, err)

	// It stays open and says no more, so that what is counted stands still.
	conn, err := n.Client.Dial(t.Context(), "tcp", at(7).String())
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	for range 3 {
		_, err = conn.Write([]byte("echo"))
		must(t, err)
		_, err = io.ReadFull(conn, make([]byte, 4))
		must(t, err)
	}
	_, err = n.Client.GetAll(t.Context(), at(80), 10)
	must(t, err)
	_, err = n.Client.GetAll(t.Context(), netip.AddrPortFrom(lab.VIPv6(0), 80), 3)
	must(t, err)
	for _, port := range []uint16{81, 82, 90} {
		must(t, knock(n.Client, unix.IPPROTO_TCP, at(port)))
	}
	must(t, knock(n.Client, unix.IPPROTO_SCTP, at(80)))
	for call, port := range []uint16{7, 7, 5060, 5060} {
		must(t, n.Client.Do(func() error {
			conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at(port)))
			if err != nil {
				return err
			}
			_, err = conn.Write([]byte(invite(call)))
			return errors.Join(err, conn.Close())
		}))
	}
	states := []string{"ESTABLISHED", "SYN_RECV", "CLOSE", "TIME_WAIT", "UDP", "SCTP", "NONE", "sip", "[fd00:a::]:0"}
	must(t, lab.Await(20*time.Second, func() error {
		out, err := n.A.Run("ipvsadm", "-Lnc", "--persistent-conn")
		return errors.Join(err, contains(out, states...))
	}))
	// The kernel sums up what its processors have counted every two seconds.
	must(t, lab.Await(20*time.Second, func() error {
		out, err := n.A.Run("ipvsadm", "-Ln", "--stats")
		return errors.Join(err, contains(out, fmt.Sprintf("%-33s%9d", "TCP  10.0.0.100:80", 10), fmt.Sprintf("%-33s%9d", "TCP  [fd00:a::64]:80", 3)))
	}))
	for _, l := range listings {
		t.Run(l.director, func(t *testing.T) { sameListing(t, n.A, l.ipvsadm, l.director) })
	}

	t.Run("save, clear, restore", func(t *testing.T) {
		ipvs(t, n.A, "edit -t 10.0.0.100:80 -r 10.3.0.11:80 -m -w 7", "edit -t 10.0.0.100:80 -r 10.3.0.12:80 -m") // what ipvsadm reads back
		before := ipvs(t, n.A, "save")
		file := filepath.Join(t.TempDir(), "rules")
		for _, tools := range []string{"director ipvs save|ipvsadm -R", "ipvsadm -Sn|director ipvs restore", "director ipvs save|director ipvs restore"} {
			save, restore, _ := strings.Cut(tools, "|")
			for _, step := range []string{save + " >" + file, "director ipvs clear", restore + " <" + file} {
				_, err := n.A.Run("sh", "-c", strings.ReplaceAll(step, "director", os.Getenv(vm.ProgramVariable)))
				must(t, err)
			}
			if diff := cmp.Diff(before, ipvs(t, n.A, "save")); diff != "" {
				t.Errorf("%s (-before +after):\n%s", tools, diff)
			}
		}
	})
}

// ipvs runs director ipvs in a box, once for each line of arguments, and
// returns what the last one printed.
func ipvs(t *testing.T, box *lab.Namespace, lines ...string) string {
	t.Helper()
	var out string
	for _, line := range lines {
		var err error
		out, err = box.Run(append([]string{os.Getenv(vm.ProgramVariable), "ipvs"}, strings.Fields(line)...)...)
		must(t, err)
	}
	return out
}

// clock is how long a connection has to live yet, as listings tell it.
var clock = regexp.MustCompile(` \d\d:\d\d `)

// atTime returns our text as of the time of the one before, if all its clocks lie
// between those of the texts before and after.
func atTime(before, ours, after string) string {
	b, o, a := clock.FindAllString(before, -1), clock.FindAllString(ours, -1), clock.FindAllString(after, -1)
	if len(o) != len(b) || len(o) != len(a) {
		return ours
	}
	for i := range o {
		if o[i] > b[i] || o[i] < a[i] {
			return ours
		}
	}
	i := -1
	return clock.ReplaceAllStringFunc(ours, func(string) string { i++; return b[i] })
}

// sameListing compares two texts. Time-outs tick and rates change between one
// and the other, so it tries more than once.
func sameListing(t *testing.T, box *lab.Namespace, ipvsadm, director string) {
	t.Helper()
	// Who looks names up is refused at once, instead of waiting for servers that are not there.
	resolver := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(resolver, []byte("nameserver 127.0.0.1\n"), 0o644))
	run := func(program, args string) string {
		t.Helper()
		out, err := box.Run(append([]string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, resolver, program}, strings.Fields(args)...)...)
		must(t, err)
		return out
	}
	must(t, lab.Await(20*time.Second, func() error {
		before, ours, after := run("ipvsadm", ipvsadm), run(os.Getenv(vm.ProgramVariable), "ipvs "+director), run("ipvsadm", ipvsadm)
		if diff := cmp.Diff(before, atTime(before, ours, after)); diff != "" {
			return fmt.Errorf("ipvsadm %s and director ipvs %s (-ipvsadm +director):\n%s", ipvsadm, director, diff)
		}
		return nil
	}))
}

// knock sends the first packet of a connection and waits for nothing.
func knock(box *lab.Namespace, protocol int, to netip.AddrPort) error {
	return box.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return fmt.Errorf("knock at %v: %w", to, err)
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); !errors.Is(err, unix.EINPROGRESS) {
			return fmt.Errorf("knock at %v: %w", to, err)
		}
		return nil
	})
}
