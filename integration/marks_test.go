//go:build integration

package integration

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// manyAddresses is a virtual server of 256 addresses, with two ports each,
// behind a mark: datagrams on the ports 9 and 19, which real servers catch on 9.
const manyAddresses = `addresses = ["10.80.9.0-10.80.9.255:9", "10.80.9.0-10.80.9.255:19"%s]
  fwmark = 9
  protocol = "udp"`

func shop(more string) string {
	return "ipvs { resync = \"500ms\" }\n" +
		pool("many", fmt.Sprintf(manyAddresses, more), "scheduler = \"rr\"") + `
virtual_server "shop" {
  addresses = ["10.80.8.0-10.80.8.15:80", "10.80.8.0-10.80.8.15:7"]
  fwmark    = 8
  scheduler = "rr"
  real_server "10.3.0.11" {}
  real_server "10.3.0.12" {}
}
`
}

// rows counts the destinations and services of the kernel.
func rows(t *testing.T, box *lab.Namespace) (services, destinations int) {
	t.Helper()
	text, err := box.Run("ipvsadm", "-Sn")
	must(t, err)
	return strings.Count(text, "-A "), strings.Count(text, "-a ")
}

// TestMarks has many addresses behind one service each: Director marks their packets.
func TestMarks(t *testing.T) {
	f := newFarm(t, shop(""))
	servers(t, f.network)
	echoes(t, f.network)

	for i, addr := range []string{"10.80.9.0:9", "10.80.9.255:9", "10.80.9.7:19"} {
		if got := f.throwOne(client(i), netip.MustParseAddrPort(addr)); got == nobody {
			t.Errorf("nobody took what went to %s", addr)
		}
	}
	for _, addr := range []string{"10.80.10.0:9", "10.80.9.7:29"} {
		if got := f.throwOne(client(1), netip.MustParseAddrPort(addr)); got != nobody {
			t.Errorf("%s took what went to %s, which is not configured", got, addr)
		}
	}
	if services, destinations := rows(t, f.network.A); services != 2 || destinations != 5 {
		t.Errorf("the kernel has %d services with %d destinations, want 2 with 5", services, destinations)
	}
	status, err := f.director.Command("status")
	must(t, err)
	if !strings.Contains(status, "fwmark 9 (udp 10.80.9.0:9 and 511 more)") {
		t.Errorf("the status does not tell of the mark:\n%s", status)
	}

	f.run("reload", func(f *farm) {
		flow, err := f.network.Client.NewFlow(f.Context(), netip.MustParseAddrPort("10.80.8.3:7"))
		must(f.T, err)
		defer flow.Close()
		must(f.T, flow.Alive(5*time.Second))
		monitor, err := f.network.A.Watch()
		must(f.T, err)
		began := time.Now()
		must(f.T, f.director.Configure(shop(`, "10.80.11.1:9"`)))
		plan, err := f.director.Plan()
		must(f.T, err)
		if plan != "mark udp 10.80.11.1:9 with 9\n" {
			t.Errorf("the plan is\n%s", plan)
		}
		_, err = f.director.Command("reload")
		must(f.T, err)
		if got := f.throwOne(client(1), netip.MustParseAddrPort("10.80.11.1:9")); got == nobody {
			f.Errorf("nobody took what went to the new address")
		}
		must(f.T, monitor.Close())
		if got := monitor.Count(began); len(got) != 0 {
			f.Errorf("the table of IPVS was changed: %v", got)
		}
		must(f.T, flow.Alive(5*time.Second))
	})

	f.run("repair", func(f *farm) {
		_, err := f.network.A.Run("nft", "delete table inet director")
		must(f.T, err)
		must(f.T, lab.Await(10*time.Second, func() error {
			if got := f.throwOne(client(1), netip.MustParseAddrPort("10.80.9.9:9")); got == nobody {
				return fmt.Errorf("nobody takes what is sent since the table was removed")
			}
			return nil
		}))
	})

	f.run("restart", func(f *farm) {
		load := f.network.Client.Load(f.Context(), netip.MustParseAddrPort("10.80.8.5:80"), 2)
		await := func(more int) {
			before := load.Requests()
			must(f.T, lab.Await(10*time.Second, func() error {
				if done := load.Requests() - before; done < more {
					return fmt.Errorf("%d requests", done)
				}
				return nil
			}))
		}
		await(20)
		must(f.T, f.director.Signal(syscall.SIGKILL))
		must(f.T, f.director.Wait(5*time.Second))
		await(20)
		must(f.T, f.director.Start())
		awaitReady(f.T, f.director)
		await(20)
		if _, failures := load.Stop(); len(failures) > 0 {
			f.Errorf("requests failed: %v", failures)
		}
	})

	f.run("stop", func(f *farm) {
		must(f.T, f.director.Signal(syscall.SIGTERM))
		must(f.T, f.director.Wait(10*time.Second))
		tables, err := f.network.A.Run("nft", "list", "tables")
		must(f.T, err)
		if strings.Contains(tables, "director") {
			f.Errorf("after the stop there is still %s", tables)
		}
		if services, _ := rows(f.T, f.network.A); services != 0 {
			f.Errorf("after the stop there are still %d services", services)
		}
	})
}
