//go:build integration

package integration

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/integration/vm"
)

// schedulerTests are all schedulers of the kernel with what is seen of each.
// Ports count from 1001 in their order; those of cache servers, which go by the
// destination's address, have firewall marks of the same numbers.
var schedulerTests = []struct {
	scheduler string
	more      string // arguments of the virtual server
	weights   []int
	caches    bool
	test      func(f *farm, number int)
}{
	{"rr", "one_packet = true", nil, false, func(f *farm, number int) {
		names := f.throwMany(1, 150, at(uint16(1000+number)))
		f.wantShares(names, 50, 50, 50)
		for round := range slices.Chunk(names, 3) {
			if got := lab.Shares(round); len(got) != 3 {
				f.Errorf("a round of three went to %v", round)
			}
		}
	}},
	{"wrr", "one_packet = true", []int{1, 2, 3}, false, func(f *farm, number int) {
		names := f.throwMany(1, 300, at(uint16(1000+number)))
		f.wantShares(names, 50, 100, 150)
		for round := range slices.Chunk(names, 6) {
			f.wantShares(round, 1, 2, 3)
		}
	}},
	// Fewest connections: who comes late gets all until it has as many.
	{"lc", "", nil, false, func(f *farm, number int) {
		to := at(uint16(1000 + number))
		f.weigh("lc", 2, 0)
		f.weigh("lc", 3, 0)
		f.wantShares(f.holdMany(1, 6, to), 6, 0, 0)
		f.unweigh("lc", 2)
		f.unweigh("lc", 3)
		f.wantShares(f.holdMany(101, 12, to), 0, 6, 6)
		f.wantShares(f.holdMany(201, 3, to), 1, 1, 1)
	}},
	// The same, by weight: an idle server is one like any other.
	{"wlc", "", []int{1, 2, 3}, false, func(f *farm, number int) {
		to := at(uint16(1000 + number))
		f.wantShares(f.holdMany(1, 3, to), 1, 1, 1)
		f.wantShares(f.holdMany(11, 3, to), 0, 1, 2)
		f.wantShares(f.holdMany(101, 54, to), 9, 18, 27)
	}},
	// Shortest expected delay: (connections + 1) / weight.
	{"sed", "", []int{1, 1, 8}, false, func(f *farm, number int) {
		to := at(uint16(1000 + number))
		f.wantShares(f.holdMany(1, 7, to), 0, 0, 7)
		f.wantShares(f.holdMany(101, 3, to), 1, 1, 1)
	}},
	// Never queue: an idle server first, then as sed.
	{"nq", "", []int{1, 1, 8}, false, func(f *farm, number int) {
		to := at(uint16(1000 + number))
		f.wantShares(f.holdMany(1, 3, to), 1, 1, 1)
		f.wantShares(f.holdMany(101, 14, to), 0, 0, 14)
	}},
	// The heaviest that is there.
	{"fo", "one_packet = true", []int{3, 2, 1}, false, func(f *farm, number int) {
		to := at(uint16(1000 + number))
		f.wantShares(f.throwMany(1, 5, to), 5, 0, 0)
		f.weigh("fo", 1, 0)
		f.wantShares(f.throwMany(1, 5, to), 0, 5, 0)
		f.weigh("fo", 2, 0)
		f.wantShares(f.throwMany(1, 5, to), 0, 0, 5)
		f.unweigh("fo", 1)
		f.wantShares(f.throwMany(1, 5, to), 5, 0, 0)
	}},
	// The heaviest that has no more connections than its weight.
	{"ovf", "", []int{5, 3, 1}, false, func(f *farm, number int) {
		to := at(uint16(1000 + number))
		f.wantShares(f.holdMany(1, 6, to), 6, 0, 0)
		f.wantShares(f.holdMany(11, 4, to), 0, 4, 0)
		f.wantShares(f.holdMany(21, 2, to), 0, 0, 2)
		if name := f.hold(client(31), to); name != nobody {
			f.Errorf("%s has taken one more than all are to", name)
		}
	}},
	{"sh", "one_packet = true", nil, false, func(f *farm, number int) {
		to := at(uint16(1000 + number))
		f.wantSticky(f.throwMany(1, 40, to), f.throwMany(1, 40, to))
		for port := 5000; port < 5010; port++ {
			if a, b := f.throw(client(1), port, to), f.throw(client(1), 4000, to); a != b {
				f.Errorf("from port %d to %s, from another to %s", port, a, b)
			}
		}
	}},
	{"mh", "one_packet = true", nil, false, func(f *farm, number int) {
		to := at(uint16(1000 + number))
		before := f.throwMany(1, 60, to)
		f.wantSticky(before, f.throwMany(1, 60, to))
		// Without one server, the clients of the others stay where they are.
		f.weigh("mh", 2, 0)
		for i, name := range f.throwMany(1, 60, to) {
			switch {
			case name == nobody || name == "rs2":
				f.Errorf("client %d has gone to %s, which has weight 0", i, name)
			case before[i] != "rs2" && name != before[i]:
				f.Errorf("client %d has moved from %s to %s", i, before[i], name)
			}
		}
		f.unweigh("mh", 2)
		f.wantSticky(before, f.throwMany(1, 60, to))
	}},
	{"dh", "one_packet = true", nil, true, func(f *farm, number int) {
		f.wantSticky(f.eachCached(f.throwOne, number, 1, 40), f.eachCached(f.throwOne, number, 101, 40))
	}},
	// Locality: a destination stays with its server until that has more connections
	// than its weight and another one less than half; then it moves.
	{"lblc", "", []int{4, 4, 4}, true, func(f *farm, number int) {
		f.wantLocality(number, 4, 4, 13)
	}},
	// The same, but it then has both servers.
	{"lblcr", "", []int{4, 4, 4}, true, func(f *farm, number int) {
		f.wantLocality(number, 7, 7, 7)
	}},
}

// TestSchedulers sends datagrams, and opens connections where a scheduler counts
// those, from many clients through every scheduler.
func TestSchedulers(t *testing.T) {
	var config, rules []string
	for i, tt := range schedulerTests {
		number := i + 1
		where := tcp(uint16(1000 + number))
		if strings.Contains(tt.more, "one_packet") {
			where = udp(uint16(1000 + number))
		}
		if tt.caches {
			where = fmt.Sprintf("fwmark = %d", number)
			rules = append(rules, fmt.Sprintf("ip daddr 10.80.%d.0/24 meta mark set %d", number, number))
		}
		config = append(config, pool(tt.scheduler, where, fmt.Sprintf("scheduler = %q; %s", tt.scheduler, tt.more), tt.weights...))
	}
	// Flags of the hash tables: the client's port counts, and a server of weight 0 is passed over.
	config = append(config,
		pool("sh-port", udp(1100), `scheduler = "sh"; scheduler_flags = ["sh-port"]; one_packet = true`),
		pool("sh-fallback", udp(1101), `scheduler = "sh"; scheduler_flags = ["sh-fallback"]; one_packet = true`),
		pool("mh-port", udp(1102), `scheduler = "mh"; scheduler_flags = ["mh-port"]; one_packet = true`))
	text := strings.Join(config, "")
	f := newFarm(t, text)
	f.mark(rules...)
	for i, tt := range schedulerTests {
		f.run(tt.scheduler, func(f *farm) { tt.test(f, i+1) })
	}
	for name, port := range map[string]uint16{"sh-port": 1100, "mh-port": 1102} {
		f.run(name, func(f *farm) {
			var before, after []string
			for i := range 40 {
				before = append(before, f.throw(client(1), 5000+i, at(port)))
				after = append(after, f.throw(client(1), 5000+i, at(port)))
			}
			f.wantSticky(before, after)
		})
	}
	f.run("sh without fallback", func(f *farm) {
		f.weigh("sh-port", 2, 0)
		lost := 0
		for i := range 30 {
			if f.throw(client(1), 5000+i, at(1100)) == nobody {
				lost++
			}
		}
		if lost == 0 {
			f.Error("a server of weight 0 was passed over, without sh-fallback")
		}
	})
	f.run("sh-fallback", func(f *farm) {
		f.weigh("sh-fallback", 2, 0)
		names := lab.Shares(f.throwMany(1, 30, at(1101)))
		if names["rs1"] == 0 || names["rs3"] == 0 || names["rs1"]+names["rs3"] != 30 {
			f.Errorf("clients went to %v", names)
		}
	})
	f.run("twos", func(f *farm) { f.wantTwos(text) })
}

// wantTwos configures a scheduler that kernels have since 5.15 and Debian does
// not build: the daemon says so, in one place, and the rest goes on.
func (f *farm) wantTwos(config string) {
	_, err := f.network.A.Run("modprobe", "-n", "ip_vs_twos")
	missing := err != nil
	must(f.T, f.director.Configure(config+pool("twos", udp(1200), `scheduler = "twos"; one_packet = true`)+
		pool("after", udp(1201), `scheduler = "rr"; one_packet = true`)))
	must(f.T, f.director.Reload())
	awaitRow(f.T, f.network.A, false, "-A", "10.0.0.100:1201", "rr")
	if !missing {
		awaitRow(f.T, f.network.A, false, "-A", "10.0.0.100:1200", "twos")
		if shares := lab.Shares(f.throwMany(1, 60, at(1200))); len(shares) != 3 || shares[nobody] > 0 {
			f.Errorf("clients went to %v", shares)
		}
		return
	}
	const why = "the kernel has no scheduler twos (module ip_vs_twos)"
	status, err := f.director.Status()
	must(f.T, err)
	must(f.T, contains(status.Kernel.LastError, why))
	must(f.T, contains(f.director.Log(), why))
	f.wantShares(f.throwMany(1, 3, at(1201)), 1, 1, 1)
	_, err = f.network.A.Run(os.Getenv(vm.ProgramVariable), "ipvs", "add", "-t", "10.0.0.100:1200", "-s", "twos")
	if err == nil {
		f.Fatal("director ipvs add has added a service with a scheduler that there is not")
	}
	must(f.T, contains(err.Error(), why))
}

// eachCached sends to each of count cached addresses, each from another client,
// by throwOne or hold, and returns who took it.
func (f *farm) eachCached(send func(netip.Addr, netip.AddrPort) string, group, firstClient, count int) []string {
	f.Helper()
	var names []string
	for i := range count {
		names = append(names, send(client(firstClient+i), cached(group, i+1)))
	}
	return names
}

// wantLocality connects to three destinations, which get a server each, and then 21
// times to a fourth one, which spreads over the servers, sorted, as wanted.
// Each server has had one connection then, of the four that its weight is.
func (f *farm) wantLocality(group int, want ...int) {
	f.Helper()
	first := f.eachCached(f.hold, group, 1, 3)
	f.wantShares(first, 1, 1, 1)
	var names []string
	for i := range 21 {
		names = append(names, f.hold(client(11+i), cached(group, 11)))
	}
	counts := slices.Sorted(maps.Values(lab.Shares(names)))
	if diff := cmp.Diff(want, counts); diff != "" {
		f.Errorf("shares of one destination (-want +got):\n%s\nin this order: %v", diff, names)
	}
	for moment := range slices.Chunk(names[:12], 4) {
		if got := lab.Shares(moment); len(got) != 1 {
			f.Errorf("a destination left its server early: %v", names)
			break
		}
	}
	if diff := cmp.Diff(first, f.eachCached(f.hold, group, 101, 3)); diff != "" {
		f.Errorf("the same destinations again (-before +after):\n%s", diff)
	}
}

// wantSticky compares who caught the same clients' datagrams at two times. All
// three servers are among them.
func (f *farm) wantSticky(before, after []string) {
	f.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		f.Errorf("not the same servers again (-before +after):\n%s", diff)
	}
	if shares := lab.Shares(before); len(shares) != 3 || shares[nobody] > 0 {
		f.Errorf("clients went to %v", shares)
	}
}

// wantShares compares how often the real servers caught something.
func (f *farm) wantShares(names []string, rs1, rs2, rs3 int) {
	f.Helper()
	want := map[string]int{}
	for i, count := range []int{rs1, rs2, rs3} {
		if count > 0 {
			want[fmt.Sprintf("rs%d", i+1)] = count
		}
	}
	if diff := cmp.Diff(want, lab.Shares(names)); diff != "" {
		f.Errorf("shares (-want +got):\n%s\nin this order: %v", diff, names)
	}
}
