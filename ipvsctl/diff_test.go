package ipvsctl_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
)

func tcp(addr string) ipvsctl.ServiceID {
	return ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort(addr)}
}

func real(addr string, weight uint32) ipvsctl.Destination {
	return ipvsctl.Destination{Addr: netip.MustParseAddrPort(addr), Forward: ipvsctl.NAT, Weight: weight}
}

func table(services ...ipvsctl.Service) ipvsctl.Table {
	t := ipvsctl.Table{Services: map[ipvsctl.ServiceID]ipvsctl.Service{}}
	for _, s := range services {
		t.Services[s.ID] = s
	}
	return t
}

func virtual(id ipvsctl.ServiceID, dests ...ipvsctl.Destination) ipvsctl.Service {
	return ipvsctl.Service{ID: id, Scheduler: "wrr", Destinations: dests}
}

// owns returns the ownership of rows given as a service and, perhaps, a destination.
func owns(rows ...ipvsctl.Row) ipvsctl.Ownership {
	o := ipvsctl.Ownership{Owned: map[ipvsctl.Row]struct{}{}}
	for _, r := range rows {
		o.Owned[r] = struct{}{}
	}
	return o
}

func row(service, dest string) ipvsctl.Row {
	r := ipvsctl.Row{Service: tcp(service)}
	if dest != "" {
		r.Destination = netip.MustParseAddrPort(dest)
	}
	return r
}

func daemons(t ipvsctl.Table, d map[ipvsctl.DaemonState]ipvsctl.Daemon) ipvsctl.Table {
	t.Daemons = d
	return t
}

func TestDiff(t *testing.T) {
	const web, tls = "192.0.2.1:80", "192.0.2.1:443"
	kernelDaemon := ipvsctl.Daemon{
		Interface: "eth1", SyncID: 51, MaxLen: 1472, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1,
	}
	tests := []struct {
		name       string
		have, want ipvsctl.Table
		own        ipvsctl.Ownership
		ops        []string
	}{
		{
			name: "nothing",
		},
		{
			name: "who comes is there before who leaves",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 1), real("10.0.0.2:80", 0))),
			want: table(virtual(tcp(web), real("10.0.0.1:80", 0), real("10.0.0.2:80", 1), real("10.0.0.3:80", 1))),
			ops: []string{
				"-e -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 1",
				"-a -t 192.0.2.1:80 -r 10.0.0.3:80 -m -w 1",
				"-e -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 0",
			},
		},
		{
			name: "from empty, service by service",
			want: table(virtual(tcp(tls), real("10.0.0.2:443", 2), real("10.0.0.1:443", 1)), virtual(tcp(web), real("10.0.0.1:80", 1))),
			ops: []string{
				"-A -t 192.0.2.1:80 -s wrr",
				"-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1",
				"-A -t 192.0.2.1:443 -s wrr",
				"-a -t 192.0.2.1:443 -r 10.0.0.1:443 -m -w 1",
				"-a -t 192.0.2.1:443 -r 10.0.0.2:443 -m -w 2",
			},
		},
		{
			name: "to empty, the last row first",
			have: table(virtual(tcp(tls), real("10.0.0.2:443", 2)), virtual(tcp(web), real("10.0.0.1:80", 1), real("10.0.0.2:80", 1), real("10.0.0.3:80", 1))),
			own:  owns(row(tls, ""), row(tls, "10.0.0.2:443"), row(web, ""), row(web, "10.0.0.1:80"), row(web, "10.0.0.3:80")),
			ops: []string{
				"-D -t 192.0.2.1:443",
				"-d -t 192.0.2.1:80 -r 10.0.0.3:80",
				"-d -t 192.0.2.1:80 -r 10.0.0.1:80",
			},
		},
		{
			name: "one weight",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 1), real("10.0.0.2:80", 1))),
			want: table(virtual(tcp(web), real("10.0.0.1:80", 1), real("10.0.0.2:80", 3))),
			ops:  []string{"-e -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 3"},
		},
		{
			name: "a scheduler is edited in place",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 1))),
			want: table(ipvsctl.Service{ID: tcp(web), Scheduler: "sh", Flags: ipvsctl.SHPort, Destinations: []ipvsctl.Destination{real("10.0.0.1:80", 1)}}),
			ops:  []string{"-E -t 192.0.2.1:80 -s sh -b sh-port"},
		},
		{
			name: "additions come before deletions",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 1)), virtual(tcp("192.0.2.0:1"))),
			want: table(virtual(tcp(web), real("10.0.0.2:80", 1)), virtual(tcp(tls))),
			own:  owns(row(web, ""), row(web, "10.0.0.1:80"), row("192.0.2.0:1", "")),
			ops: []string{
				"-a -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 1",
				"-A -t 192.0.2.1:443 -s wrr",
				"-d -t 192.0.2.1:80 -r 10.0.0.1:80",
				"-D -t 192.0.2.0:1",
			},
		},
		{
			name: "rows of others are left alone",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 1), real("10.0.0.9:80", 1)), virtual(tcp(tls), real("10.0.0.9:443", 1))),
			want: table(virtual(tcp(web), real("10.0.0.1:80", 1))),
			own:  owns(row(web, ""), row(web, "10.0.0.1:80")),
		},
		{
			name: "rows of others are removed when told so",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 1), real("10.0.0.9:80", 1)), virtual(tcp(tls), real("10.0.0.9:443", 1))),
			want: table(virtual(tcp(web), real("10.0.0.1:80", 1))),
			own:  ipvsctl.Ownership{RemoveForeign: true},
			ops:  []string{"-d -t 192.0.2.1:80 -r 10.0.0.9:80", "-D -t 192.0.2.1:443"},
		},
		{
			name: "a wanted row is adopted",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 7))),
			want: table(virtual(tcp(web), real("10.0.0.1:80", 1))),
			ops:  []string{"-e -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1"},
		},
		{
			name: "our service stays for the destination of others",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 1), real("10.0.0.9:80", 1))),
			own:  owns(row(web, ""), row(web, "10.0.0.1:80")),
			ops:  []string{"-d -t 192.0.2.1:80 -r 10.0.0.1:80"},
		},
		{
			name: "our destination leaves the service of others",
			have: table(virtual(tcp(web), real("10.0.0.1:80", 1))),
			own:  owns(row(web, "10.0.0.1:80")),
			ops:  []string{"-d -t 192.0.2.1:80 -r 10.0.0.1:80"},
		},
		{
			name: "spelling does not matter",
			have: table(ipvsctl.Service{
				ID: tcp(web), Scheduler: "wrr", Flags: 0x2,
				Persistence:  ipvsctl.Persistence{Timeout: 2 * time.Second, Prefix: 32},
				Destinations: []ipvsctl.Destination{real("10.0.0.1:80", 1), real("10.0.0.2:80", 1)},
			}),
			want: table(ipvsctl.Service{
				ID: tcp("[::ffff:192.0.2.1]:80"), Scheduler: "wrr",
				Persistence:  ipvsctl.Persistence{Timeout: 1500 * time.Millisecond},
				Destinations: []ipvsctl.Destination{real("[::ffff:10.0.0.2]:80", 1), real("10.0.0.1:80", 1)},
			}),
			own: owns(ipvsctl.Row{Service: tcp("[::ffff:192.0.2.1]:80")}),
		},
		{
			name: "time-outs",
			have: ipvsctl.Table{Timeouts: ipvsctl.Timeouts{TCP: 900 * time.Second, TCPFin: 120 * time.Second, UDP: 300 * time.Second}},
			want: ipvsctl.Table{Timeouts: ipvsctl.Timeouts{TCP: 900 * time.Second, UDP: 299500 * time.Millisecond, TCPFin: time.Minute}},
			ops:  []string{"--set 900 60 300"},
		},
		{
			name: "time-outs that are zero stay",
			have: ipvsctl.Table{Timeouts: ipvsctl.Timeouts{TCP: 900 * time.Second, TCPFin: 120 * time.Second, UDP: 300 * time.Second}},
			want: ipvsctl.Table{Timeouts: ipvsctl.Timeouts{TCP: 900 * time.Second}},
		},
		{
			name: "daemons of others",
			have: daemons(table(), map[ipvsctl.DaemonState]ipvsctl.Daemon{ipvsctl.SyncMaster: kernelDaemon}),
		},
		{
			name: "a daemon with the kernel's defaults",
			have: daemons(table(), map[ipvsctl.DaemonState]ipvsctl.Daemon{ipvsctl.SyncMaster: kernelDaemon}),
			want: daemons(table(), map[ipvsctl.DaemonState]ipvsctl.Daemon{ipvsctl.SyncMaster: {Interface: "eth1", SyncID: 51}}),
		},
		{
			name: "daemons change their roles around the table's changes",
			have: daemons(table(), map[ipvsctl.DaemonState]ipvsctl.Daemon{ipvsctl.SyncMaster: kernelDaemon}),
			want: daemons(table(virtual(tcp(web))), map[ipvsctl.DaemonState]ipvsctl.Daemon{ipvsctl.SyncBackup: {Interface: "eth1", SyncID: 51}}),
			ops: []string{
				"--stop-daemon master",
				"-A -t 192.0.2.1:80 -s wrr",
				"--start-daemon backup --mcast-interface eth1 --syncid 51",
			},
		},
		{
			name: "a daemon starts again with other parameters",
			have: daemons(table(), map[ipvsctl.DaemonState]ipvsctl.Daemon{ipvsctl.SyncMaster: kernelDaemon, ipvsctl.SyncBackup: kernelDaemon}),
			want: daemons(table(), map[ipvsctl.DaemonState]ipvsctl.Daemon{
				ipvsctl.SyncMaster: {Interface: "eth1", SyncID: 51, MaxLen: 1400}, ipvsctl.SyncBackup: kernelDaemon,
			}),
			ops: []string{"--stop-daemon master", "--start-daemon master --mcast-interface eth1 --syncid 51 --sync-maxlen 1400"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, op := range ipvsctl.Diff(tt.have, tt.want, tt.own) {
				got = append(got, op.String())
			}
			if diff := cmp.Diff(tt.ops, got); diff != "" {
				t.Errorf("operations (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDiffConverges checks, for any two tables and any ownership, that the
// operations are all accepted, that a second difference is empty, that every
// wanted row is there and that of the others exactly the foreign ones are left.
func TestDiffConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := ipvstest.New()
		have, want := ipvstest.Tables().Draw(t, "have"), ipvstest.Tables().Draw(t, "want")
		own := ipvsctl.Ownership{RemoveForeign: rapid.Bool().Draw(t, "remove"), Owned: map[ipvsctl.Row]struct{}{}}
		for _, r := range rows(have) {
			if rapid.Bool().Draw(t, "owned") {
				own.Owned[r] = struct{}{}
			}
		}
		if err := k.Set(have); err != nil {
			t.Fatalf("set: %v", err)
		}
		if foreignMix(have, own) && len(want.Daemons) > 0 {
			want.Daemons = map[ipvsctl.DaemonState]ipvsctl.Daemon{} // the two exclude each other
		}
		have = k.Table()
		ops := ipvsctl.Diff(have, want, own)
		if err := k.Do(ops); err != nil {
			t.Fatalf("do %v: %v", ops, err)
		}
		got := k.Table()
		if left := ipvsctl.Diff(got, want, own); len(left) > 0 {
			t.Fatalf("still different after %v: %v", ops, left)
		}
		wanted, had := rows(want), rows(have)
		for _, r := range wanted {
			if !slices.Contains(rows(got), r) {
				t.Fatalf("row %v is missing", r)
			}
		}
		for _, r := range had {
			_, owned := own.Owned[r]
			foreign := !owned && !own.RemoveForeign
			if foreign && !slices.Contains(rows(got), r) {
				t.Fatalf("foreign row %v was deleted", r)
			}
		}
		for _, r := range rows(got) {
			if !slices.Contains(wanted, r) && !slices.Contains(had, r) {
				t.Fatalf("row %v came from nowhere", r)
			}
		}
	})
}

// rows lists the rows of a table in order.
func rows(t ipvsctl.Table) []ipvsctl.Row {
	t = t.Normal()
	var all []ipvsctl.Row
	for _, id := range t.SortedIDs() {
		all = append(all, ipvsctl.Row{Service: id})
		for _, d := range t.Services[id].Destinations {
			all = append(all, ipvsctl.Row{Service: id, Destination: d.Addr})
		}
	}
	return all
}

// foreignMix tells whether destinations of another family than their service
// may stay in the table because others own them.
func foreignMix(t ipvsctl.Table, own ipvsctl.Ownership) bool {
	return slices.ContainsFunc(rows(t), func(r ipvsctl.Row) bool {
		_, owned := own.Owned[r]
		return r.Destination.IsValid() && !owned && !own.RemoveForeign &&
			ipvsctl.FamilyOf(r.Destination.Addr()) != r.Service.AddressFamily()
	})
}

func TestConfirmed(t *testing.T) {
	want := table(virtual(tcp("192.0.2.1:80"), real("10.0.0.1:80", 1), real("10.0.0.2:80", 1)))
	first := table(virtual(tcp("192.0.2.1:80"), real("10.0.0.1:80", 2)))
	second := table(virtual(tcp("192.0.2.1:80"), real("10.0.0.1:80", 2), real("10.0.0.2:80", 1)))
	own := ipvsctl.Ownership{}
	ops := ipvsctl.Confirmed(ipvsctl.Diff(first, want, own), ipvsctl.Diff(second, want, own))
	if len(ops) != 1 || ops[0].String() != "-e -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1" {
		t.Errorf("confirmed %v", ops)
	}
}

func TestNormalSharesNothing(t *testing.T) {
	before := table(virtual(tcp("192.0.2.1:80"), real("10.0.0.1:80", 1)))
	after := before.Normal()
	after.Services[tcp("192.0.2.1:80")].Destinations[0].Weight = 9
	maps.DeleteFunc(after.Services, func(ipvsctl.ServiceID, ipvsctl.Service) bool { return true })
	if w := before.Services[tcp("192.0.2.1:80")].Destinations[0].Weight; w != 1 {
		t.Errorf("weight %d through the copy", w)
	}
}
