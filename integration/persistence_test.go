//go:build integration

package integration

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// TestPersistence holds clients to their servers: by address, by prefix, by SIP
// call, over several ports by a firewall mark, and not longer than the time-out.
func TestPersistence(t *testing.T) {
	f := newFarm(t, strings.Join([]string{
		pool("plain", udp(1001), `scheduler = "rr"; one_packet = true; persistence { timeout = "1h" }`),
		pool("prefix", udp(1002), `scheduler = "rr"; one_packet = true; persistence { prefix = 24 }`),
		pool("short", udp(1003), `scheduler = "rr"; one_packet = true; persistence { timeout = "3s" }`),
		pool("sip", udp(1004), `scheduler = "rr"; one_packet = true; persistence { engine = "sip" }`),
		pool("web", "fwmark = 7", `scheduler = "rr"; persistence { timeout = "1h" }`),
	}, ""))
	f.mark("ip daddr 10.0.0.100 tcp dport { 80, 443 } meta mark set 7")

	f.run("address", func(f *farm) {
		var first []string
		for i := range 6 {
			first = append(first, f.throw(client(1+i), 4000, at(1001)))
		}
		f.wantShares(first, 2, 2, 2)
		for port := 5000; port < 5005; port++ {
			for i, want := range first {
				if name := f.throw(client(1+i), port, at(1001)); name != want {
					f.Errorf("client %d has moved from %s to %s", i, want, name)
				}
			}
		}
		// A server that gets no new clients keeps those that it has.
		f.weigh("plain", 1, 0)
		for i, want := range first {
			if name := f.throw(client(1+i), 6000, at(1001)); name != want {
				f.Errorf("client %d has moved from %s to %s, whose weight has changed", i, want, name)
			}
		}
		f.wantShares(f.throwMany(100, 6, at(1001)), 0, 3, 3)
	})

	f.run("prefix", func(f *farm) {
		var first, second []string
		for i := range 6 {
			first = append(first, f.throw(client(i<<8+1), 4000, at(1002)))
		}
		for i := range 6 {
			second = append(second, f.throw(client(i<<8+200), 4000, at(1002)))
		}
		f.wantShares(first, 2, 2, 2)
		f.wantSticky(first, second)
	})

	f.run("time-out", func(f *farm) {
		name := f.throw(client(1), 4000, at(1003))
		number := int(name[len(name)-1] - '0')
		f.weigh("short", number, 0)
		if again := f.throw(client(1), 4001, at(1003)); again != name {
			f.Errorf("the client has moved from %s to %s within the time-out", name, again)
		}
		must(f.T, lab.Await(60*time.Second, func() error {
			out, err := f.network.A.Run("ipvsadm", "-Lnc")
			if err == nil && strings.Contains(out, "10.0.0.100:1003") {
				err = fmt.Errorf("the client is not forgotten:\n%s", out)
			}
			return err
		}))
		if again := f.throw(client(1), 4002, at(1003)); again == name || again == nobody {
			f.Errorf("the client is at %s after the time-out, it was at %s, which has weight 0", again, name)
		}
	})

	// A call stays at its server whichever port it comes from, and the calls of one
	// client are spread, as they would not be by its address alone.
	f.run("SIP", func(f *farm) {
		var first, second []string
		for call := range 6 {
			first = append(first, f.throwText(client(1), 4000, at(1004), invite(call)))
		}
		for call := range 6 {
			second = append(second, f.throwText(client(1), 5000+call, at(1004), invite(call)))
		}
		f.wantShares(first, 2, 2, 2)
		f.wantSticky(first, second)
	})

	f.run("HTTP and HTTPS by a mark", func(f *farm) {
		for _, port := range []int{80, 443} {
			for _, box := range f.network.Servers {
				s, err := lab.NewServer(box, port)
				must(f.T, err)
				f.Cleanup(func() { must(f.T, s.Close()) })
			}
		}
		var first, second []string
		for i := range 6 {
			first = append(first, f.get(client(1+i), at(80)))
		}
		for i := range 6 {
			second = append(second, f.get(client(1+i), at(443)))
		}
		f.wantShares(first, 2, 2, 2)
		f.wantSticky(first, second)
	})
}

// get asks a web server from one of the client's addresses who it is.
func (f *farm) get(source netip.Addr, server netip.AddrPort) string {
	f.Helper()
	name, err := f.network.Client.GetFrom(f.Context(), source, server, 10*time.Second)
	must(f.T, err)
	return name
}

// invite is the beginning of a SIP call.
func invite(call int) string {
	return fmt.Sprintf("INVITE sip:a@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 10.64.0.1\r\nCall-ID: %d@example.net\r\nCSeq: 1 INVITE\r\n\r\n", call+1000)
}

// TestOnePacket sends many datagrams from one port of one client: with
// one-packet scheduling each goes where it is its turn, without they stay together.
func TestOnePacket(t *testing.T) {
	f := newFarm(t, pool("each", udp(1001), `scheduler = "rr"; one_packet = true`)+pool("flow", udp(1002), `scheduler = "rr"`))
	var each, flow []string
	for range 9 {
		each = append(each, f.throw(client(1), 4000, at(1001)))
		flow = append(flow, f.throw(client(1), 4000, at(1002)))
	}
	f.wantShares(each, 3, 3, 3)
	if got := lab.Shares(flow); len(got) != 1 {
		f.Errorf("the datagrams of one flow went to %v", flow)
	}
}

// TestThresholds fills real servers up to their limits, which are then changed
// in place: nothing is added or removed, and connections stay.
func TestThresholds(t *testing.T) {
	limited := func(upper int) string {
		return strings.Replace(pool("dns", udp(1001), `scheduler = "rr"`),
			fmt.Sprintf("%v:9\" { weight = 1 }", lab.ServerAddr(1)), fmt.Sprintf("%v:9\" { upper_threshold = %d }", lab.ServerAddr(1), upper), 1)
	}
	f := newFarm(t, limited(3))
	f.wantShares(f.throwMany(1, 15, at(1001)), 3, 6, 6)
	monitor, err := f.network.A.Watch()
	must(t, err)
	t.Cleanup(func() { must(t, monitor.Close()) })
	since := time.Now()
	must(t, f.director.Configure(limited(5)))
	must(t, f.director.Reload())
	must(t, lab.Await(10*time.Second, func() error {
		out, err := f.network.A.Run("ipvsadm", "-Ln", "--thresholds")
		if err == nil && !strings.Contains(strings.Join(strings.Fields(out), " "), "-> 10.3.0.11:9 5 0 0 3") {
			err = fmt.Errorf("no limit of 5 with the three connections of before:\n%s", out)
		}
		return err
	}))
	if got := monitor.Count(since); len(got) != 1 || got["SET_DEST"] != 1 {
		t.Errorf("changes asked of the kernel: %v, want one SET_DEST", got)
	}
	f.wantShares(f.throwMany(101, 12, at(1001)), 2, 5, 5)
}
