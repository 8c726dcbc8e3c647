package realserver_test

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lvs-director/director/internal/realserver"
)

// machine is a System in memory. It refuses what Linux refuses: an address on a
// device that does not exist.
type machine struct {
	mu      sync.Mutex // two commands may use it
	values  map[realserver.Item]string
	holders map[netip.Addr][]string
	fail    realserver.Item // that cannot be set
	sets    int
	killed  int  // with this set, from 1 on; 0 is never
	late    bool // that set is made
}

var (
	errFailed = errors.New("failed")
	errKilled = errors.New("killed")
)

func newMachine() *machine {
	return &machine{
		values: map[realserver.Item]string{
			{Kind: realserver.Link, Name: "lo"}:                               "up",
			{Kind: realserver.Sysctl, Name: "net.ipv4.conf.all.arp_ignore"}:   "0",
			{Kind: realserver.Sysctl, Name: "net.ipv4.conf.all.arp_announce"}: "0",
			{Kind: realserver.Sysctl, Name: "net.ipv4.conf.tunl0.rp_filter"}:  "0",
			{Kind: realserver.Sysctl, Name: "net.ipv4.conf.gre0.rp_filter"}:   "1",
		},
		holders: map[netip.Addr][]string{},
	}
}

func (m *machine) Get(i realserver.Item) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[i], nil
}

func (m *machine) Set(i realserver.Item, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i == m.fail {
		return errFailed
	}
	if device, _, _ := strings.Cut(i.Name, " "); i.Kind == realserver.Address && m.values[realserver.Item{Kind: realserver.Link, Name: device}] == "" {
		return errors.New("no device " + device)
	}
	if m.sets++; m.sets == m.killed && !m.late {
		panic(errKilled)
	}
	if m.values[i] = value; value == "" {
		delete(m.values, i)
	}
	if m.sets == m.killed {
		panic(errKilled)
	}
	return nil
}

func (m *machine) Holders(v realserver.VIP) ([]string, error) { return m.holders[v.Addr], nil }

func vip(addr string, mode realserver.Mode) realserver.VIP {
	v := realserver.VIP{Addr: netip.MustParseAddr(addr), Mode: mode}
	if mode == realserver.GUE {
		v.Port = 6080
	}
	return v
}

func TestUpDownStatus(t *testing.T) {
	tests := []struct {
		vip  realserver.VIP
		want map[string]string // what is other than before
	}{
		{vip("192.0.2.1", realserver.DR), map[string]string{
			"sysctl net.ipv4.conf.all.arp_ignore": "1", "sysctl net.ipv4.conf.all.arp_announce": "2",
			"address lo 192.0.2.1/32": "present",
		}},
		{vip("2001:db8::1", realserver.DR), map[string]string{"address lo 2001:db8::1/128": "present"}},
		{vip("192.0.2.1", realserver.IPIP), map[string]string{
			"sysctl net.ipv4.conf.all.arp_ignore": "1", "sysctl net.ipv4.conf.all.arp_announce": "2",
			"link tunl0": "up", "sysctl net.ipv4.conf.tunl0.rp_filter": "2", "address tunl0 192.0.2.1/32": "present",
		}},
		{vip("2001:db8::1", realserver.IPIP), map[string]string{"link ip6tnl0": "up", "address ip6tnl0 2001:db8::1/128": "present"}},
		{vip("192.0.2.1", realserver.GRE), map[string]string{
			"sysctl net.ipv4.conf.all.arp_ignore": "1", "sysctl net.ipv4.conf.all.arp_announce": "2",
			"link gre0": "up", "sysctl net.ipv4.conf.gre0.rp_filter": "2", "address gre0 192.0.2.1/32": "present",
		}},
		{vip("2001:db8::1", realserver.GUE), map[string]string{
			"link ip6tnl0": "up", "fou inet6 6080": "gue", "address ip6tnl0 2001:db8::1/128": "present",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.vip.String(), func(t *testing.T) {
			m := newMachine()
			before := maps.Clone(m.values)
			var s realserver.State
			problems, err := s.Status(m, tt.vip)
			if err != nil || len(problems) != len(tt.want) {
				t.Errorf("status before: %v, %v", problems, err)
			}
			if err := s.Up(m, tt.vip); err != nil {
				t.Fatalf("up: %v", err)
			}
			got := map[string]string{}
			for i, value := range m.values {
				if before[i] != value {
					got[i.String()] = value
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			if problems, err := s.Status(m); err != nil || len(problems) > 0 {
				t.Errorf("status after: %v, %v", problems, err)
			}
			m.sets = 0
			if err := s.Up(m, tt.vip); err != nil || m.sets > 0 {
				t.Errorf("up again: %d changes, %v", m.sets, err)
			}
			if err := s.Down(m); err != nil {
				t.Fatalf("down: %v", err)
			}
			if diff := cmp.Diff(before, m.values); diff != "" {
				t.Errorf("after down (-before +after):\n%s", diff)
			}
			if len(s.VIPs) > 0 || len(s.Changes) > 0 {
				t.Errorf("left to undo: %+v", s)
			}
		})
	}
}

// Any addresses go up and, in any order, down again: what the others need stays,
// and in the end all is as it was.
func TestAnyOrder(t *testing.T) {
	all := []realserver.VIP{
		vip("192.0.2.1", realserver.DR), vip("192.0.2.2", realserver.IPIP), vip("192.0.2.3", realserver.GUE),
		vip("2001:db8::1", realserver.DR), vip("2001:db8::2", realserver.GRE),
	}
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		before := maps.Clone(m.values)
		var s realserver.State
		for _, v := range rapid.Permutation(all).Draw(t, "up") {
			if err := s.Up(m, v); err != nil {
				t.Fatalf("up %s: %v", v, err)
			}
		}
		for _, v := range rapid.Permutation(all).Draw(t, "down") {
			if err := s.Down(m, v); err != nil {
				t.Fatalf("down %s: %v", v, err)
			}
			if problems, err := s.Status(m); len(s.VIPs) > 0 && (err != nil || len(problems) > 0) {
				t.Fatalf("after down %s: %v, %v", v, problems, err)
			}
		}
		if diff := cmp.Diff(before, m.values); diff != "" {
			t.Fatalf("in the end (-before +after):\n%s", diff)
		}
	})
}

func TestDownLeavesWhatOthersChanged(t *testing.T) {
	m := newMachine()
	var s realserver.State
	if err := s.Up(m, vip("192.0.2.1", realserver.DR)); err != nil {
		t.Fatalf("up: %v", err)
	}
	ignore := realserver.Item{Kind: realserver.Sysctl, Name: "net.ipv4.conf.all.arp_ignore"}
	m.values[ignore] = "8"
	if err := s.Down(m); err != nil {
		t.Fatalf("down: %v", err)
	}
	if m.values[ignore] != "8" {
		t.Errorf("arp_ignore is %s, which somebody else has set to 8", m.values[ignore])
	}
}

func TestFailureIsRemembered(t *testing.T) {
	m := newMachine()
	address := realserver.Item{Kind: realserver.Address, Name: "lo 192.0.2.1/32"}
	m.fail = address
	var s realserver.State
	if err := s.Up(m, vip("192.0.2.1", realserver.DR)); !errors.Is(err, errFailed) {
		t.Fatalf("up: %v", err)
	}
	if len(s.Changes) != 2 {
		t.Errorf("done before the failure: %v", s.Changes)
	}
	m.fail = realserver.Item{Kind: realserver.Sysctl, Name: "net.ipv4.conf.all.arp_ignore"}
	if err := s.Down(m); !errors.Is(err, errFailed) || len(s.Changes) != 1 || s.Changes[0].Item != m.fail {
		t.Errorf("down: %v, left %v", err, s.Changes)
	}
}

func TestStatusOtherDevice(t *testing.T) {
	m := newMachine()
	v := vip("192.0.2.1", realserver.DR)
	m.holders[v.Addr] = []string{"lo", "eth0"}
	var s realserver.State
	if err := s.Up(m, v); err != nil {
		t.Fatalf("up: %v", err)
	}
	problems, err := s.Status(m)
	if err != nil || len(problems) != 1 || problems[0].Item.Name != "eth0 192.0.2.1" {
		t.Errorf("status: %v, %v", problems, err)
	}
}

func TestUpRefuses(t *testing.T) {
	for _, tt := range []struct {
		vip  realserver.VIP
		want string
	}{
		{realserver.VIP{Mode: realserver.DR}, "invalid IP cannot be a virtual address"},
		{vip("224.0.0.1", realserver.DR), "224.0.0.1 cannot be a virtual address"},
		{vip("192.0.2.1", "nat"), `mode "nat" is not one of dr, tun, gre and gue`},
		{realserver.VIP{Addr: netip.MustParseAddr("192.0.2.1"), Mode: realserver.GUE}, "mode gue needs the UDP port of the tunnel"},
		{realserver.VIP{Addr: netip.MustParseAddr("192.0.2.1"), Mode: realserver.DR, Port: 1}, "only mode gue has a port"},
		{vip("192.0.2.9", realserver.IPIP), "192.0.2.9 is served as dr: take it down first"},
	} {
		m := newMachine()
		s := realserver.State{VIPs: []realserver.VIP{vip("192.0.2.9", realserver.DR)}}
		if err := s.Up(m, tt.vip); err == nil || err.Error() != tt.want || m.sets > 0 {
			t.Errorf("up %s: %v after %d changes, want %s", tt.vip, err, m.sets, tt.want)
		}
	}
}

func TestPersist(t *testing.T) {
	m := newMachine()
	before := maps.Clone(m.values)
	unit := realserver.Item{Kind: realserver.File, Name: "/etc/systemd/system/director-realserver.service"}
	var s realserver.State
	if err := s.Up(m, vip("192.0.2.1", realserver.DR), vip("192.0.2.2", realserver.GUE)); err != nil {
		t.Fatalf("up: %v", err)
	}
	if err := s.Persist(m, []string{"/usr/bin/director", "realserver"}); err != nil {
		t.Fatalf("persist: %v", err)
	}
	for _, line := range []string{
		"ExecStart=/usr/bin/director realserver up --vip 192.0.2.1 --mode dr\n",
		"ExecStart=/usr/bin/director realserver up --vip 192.0.2.2 --mode gue --gue-port 6080\n",
	} {
		if !strings.Contains(m.values[unit], line) {
			t.Errorf("the unit has no %q:\n%s", line, m.values[unit])
		}
	}
	if err := s.Down(m, vip("192.0.2.1", realserver.DR)); err != nil {
		t.Fatalf("down: %v", err)
	}
	if u := m.values[unit]; strings.Contains(u, "192.0.2.1 ") || !strings.Contains(u, "192.0.2.2 ") {
		t.Errorf("the unit after one went down:\n%s", u)
	}
	if err := s.Down(m); err != nil {
		t.Fatalf("down: %v", err)
	}
	if diff := cmp.Diff(before, m.values); diff != "" {
		t.Errorf("after down (-before +after):\n%s", diff)
	}
}
