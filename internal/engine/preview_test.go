package engine

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

func TestPreview(t *testing.T) {
	t.Parallel()
	id := ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.10:80")}
	dest := func(addr string, weight uint32) ipvsctl.Destination {
		return ipvsctl.Destination{Addr: netip.MustParseAddrPort(addr), Forward: ipvsctl.NAT, Weight: weight}
	}
	web := &conf.VirtualServer{
		Name: "web", Services: []ipvsctl.Service{{ID: id, Scheduler: "wlc"}}, OnFailure: conf.Drain, Quorum: 1, DrainTimeout: time.Minute,
		Reals: []conf.RealServer{
			{Destination: dest("10.0.0.11:80", 10), Checks: []conf.Check{{Name: "tcp"}}},
			{Destination: dest("10.0.0.12:80", 10), Checks: []conf.Check{{Name: "tcp"}}},
		},
	}
	config := &conf.Config{
		VirtualServers: []*conf.VirtualServer{web},
		Groups:         []conf.GroupPolicy{{Group: "front", Sync: &ipvsctl.Daemon{Interface: "eth1", SyncID: 51}}},
	}
	table := func(dests ...ipvsctl.Destination) ipvsctl.Table {
		return ipvsctl.Table{Services: map[ipvsctl.ServiceID]ipvsctl.Service{id: {ID: id, Scheduler: "wlc", Destinations: dests}}}
	}
	status := func(role, first, second string) *Status {
		return &Status{
			VRRP: VRRPStatus{Groups: []GroupStatus{{Name: "front", State: role}}},
			VirtualServers: []*ServiceStatus{{Name: "web", State: "up", Reals: []*RealStatus{
				{Address: "10.0.0.11:80", State: first}, {Address: "10.0.0.12:80", State: second},
			}}},
		}
	}
	up, down := checks.Up.String(), checks.Down.String()
	fifty := uint32(50)
	adapted := &Status{VirtualServers: status("", up, up).VirtualServers}
	adapted.VirtualServers[0].Reals[0].Asked, adapted.VirtualServers[0].Reals[1].Ramp = &fifty, 30
	tests := []struct {
		name    string
		have    ipvsctl.Table
		running *Status
		over    overrides
		want    []string
	}{
		{"empty kernel, no daemon: nobody is known to be up", ipvsctl.Table{}, nil, nil, []string{
			"-A -t 192.0.2.10:80 -s wlc",
			"-a -t 192.0.2.10:80 -r 10.0.0.11:80 -m -w 0",
			"-a -t 192.0.2.10:80 -r 10.0.0.12:80 -m -w 0",
		}},
		{"no daemon: what the kernel holds keeps its weight", table(dest("10.0.0.11:80", 10), dest("10.0.0.12:80", 3)), nil, nil, nil},
		{"a daemon knows who is up and its role", table(dest("10.0.0.11:80", 5), dest("10.0.0.12:80", 10)),
			status(vrrp.Master.String(), up, down), nil, []string{
				"-e -t 192.0.2.10:80 -r 10.0.0.11:80 -m -w 10",
				"-e -t 192.0.2.10:80 -r 10.0.0.12:80 -m -w 0",
				"--start-daemon master --mcast-interface eth1 --syncid 51",
			}},
		{"weights that checks ask for, and a slow start", table(dest("10.0.0.11:80", 50), dest("10.0.0.12:80", 3)), adapted, nil, nil},
		{"overrides count", table(dest("10.0.0.11:80", 10), dest("10.0.0.12:80", 10)), nil,
			overrides{"web": {"10.0.0.12:80": {Mode: OverrideWeight, Weight: 4}, "10.0.0.11:80": {Mode: OverrideDrain}}},
			[]string{"-e -t 192.0.2.10:80 -r 10.0.0.12:80 -m -w 4", "-e -t 192.0.2.10:80 -r 10.0.0.11:80 -m -w 0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := *config
			c.StateDir = t.TempDir()
			if test.over != nil {
				if err := test.over.save(c.StateDir); err != nil {
					t.Fatal(err)
				}
			}
			ops, err := Preview(&c, test.have, test.running, zaptest.NewLogger(t))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, op := range ops {
				got = append(got, strings.TrimSpace(op.String()))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// A file takes a server into maintenance, and a sorry server that has ceased to
// serve is drained: a reload leaves both as they are.
func TestPreviewOfWhatIsDrained(t *testing.T) {
	t.Parallel()
	vs := pool(2, sorryDrained)
	config := &conf.Config{StateDir: t.TempDir(), MaintenanceDir: t.TempDir(), VirtualServers: []*conf.VirtualServer{vs}}
	touch(t, config.MaintenanceDir, "10.0.0.1")
	service := vs.Services[0]
	service.Destinations = []ipvsctl.Destination{vs.Reals[0].Destination, vs.Reals[1].Destination, vs.Sorry.Destination}
	service.Destinations[2].Weight = 0
	have := ipvsctl.Table{Services: map[ipvsctl.ServiceID]ipvsctl.Service{service.ID: service}}
	want := func(running *Status, lines ...string) {
		t.Helper()
		ops, err := Preview(config, have, running, zaptest.NewLogger(t))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, op := range ops {
			got = append(got, strings.TrimSpace(op.String()))
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
	}
	want(nil, "-e -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 0")
	touch(t, config.MaintenanceDir, "10.0.0.2:80")
	want(nil, "-e -t 192.0.2.1:80 -r 10.0.0.99:80 -m -w 1", "-e -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 0", "-e -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 0")
	down := &Status{VirtualServers: []*ServiceStatus{{Name: "web", State: "down", Sorry: &RealStatus{State: "down"}}}}
	want(down, "-e -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 0", "-e -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 0")
}

// A server that was ours and left the configuration is drained, by a reload and by a start.
func TestPreviewOfADeparture(t *testing.T) {
	t.Parallel()
	id := ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.10:80")}
	gone := ipvsctl.Destination{Addr: netip.MustParseAddrPort("10.0.0.99:80"), Forward: ipvsctl.NAT, Weight: 7}
	head := ipvsctl.Service{ID: id, Scheduler: "wlc"}
	config := &conf.Config{
		StateDir: t.TempDir(),
		VirtualServers: []*conf.VirtualServer{{
			Name: "web", Services: []ipvsctl.Service{head}, Quorum: 1, OnFailure: conf.Drain, DrainTimeout: time.Minute,
		}},
	}
	before := *config
	before.VirtualServers = []*conf.VirtualServer{{Services: []ipvsctl.Service{head}, Reals: []conf.RealServer{{Destination: gone}}}}
	own := loadOwned(config.StateDir, zaptest.NewLogger(t))
	if err := own.add(&before, nil, nil); err != nil {
		t.Fatal(err)
	}
	held := head
	held.Destinations = []ipvsctl.Destination{gone}
	have := ipvsctl.Table{Services: map[ipvsctl.ServiceID]ipvsctl.Service{id: held}}
	const want = "-e -t 192.0.2.10:80 -r 10.0.0.99:80 -m -w 0"
	for _, running := range []*Status{nil, {VirtualServers: []*ServiceStatus{{Name: "web", State: "down"}}}} {
		ops, err := Preview(config, have, running, zaptest.NewLogger(t))
		if err != nil || len(ops) != 1 || ops[0].String() != want {
			t.Errorf("ops %v, %v; want %s", ops, err, want)
		}
	}
}
