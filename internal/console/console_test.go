package console

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/internal/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 11, 23, 7, 55, 30, 0, time.UTC)

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func ago(d time.Duration) time.Time { return now.Add(-d) }

// healthy is a pair's master on a good day.
func healthy() *engine.Status {
	web := &engine.ServiceStatus{
		Name: "web", Addresses: []string{"tcp 192.0.2.10:80"}, Scheduler: "wlc", Forward: "nat",
		State: "up", Since: ago(3 * time.Hour), WeightUp: 20, Quorum: 2,
		Reals: []*engine.RealStatus{
			{Address: "10.0.0.11:80", State: "up", Since: ago(3 * time.Hour), Weight: 10, Configured: 10, InTable: true, Checks: []engine.CheckStatus{
				{Name: "healthz", Kind: "http", State: "up", Status: "200", Latency: 12345 * time.Microsecond},
				{Name: "icmp", Kind: "icmp", State: "up", Latency: 150 * time.Microsecond},
			}},
			{Address: "10.0.0.12:80", State: "up", Since: ago(40 * time.Second), Weight: 10, Configured: 10, InTable: true},
		},
	}
	return &engine.Status{
		Node: "lb-a", Version: "1.0.0", Started: ago(4*24*time.Hour + 3*time.Hour),
		Config: engine.ConfigStatus{Loaded: ago(12 * time.Minute), Reloads: 1},
		Kernel: engine.KernelStatus{InSync: true, LastResync: ago(2 * time.Second), Operations: 42, Sync: "master on eth1, id 51"},
		Checks: engine.PaceStatus{Probes: 3, InFlight: 1, Lag: 3 * time.Millisecond},
		VRRP: engine.VRRPStatus{Connected: true, Groups: []engine.GroupStatus{
			{Name: "front", State: "MASTER", Since: ago(3 * time.Hour), Reason: "no master heard", Interface: "eth0", RouterID: 51, Priority: 150, Master: "192.0.2.2", Addresses: []string{"192.0.2.10/24"}},
			{Name: "inside", State: "BACKUP", Since: ago(time.Minute), Reason: "peer priority higher (200 > 150)", Interface: "eth1", RouterID: 52, Priority: 150, Master: "10.0.0.3"},
		}},
		BFD: &engine.BFDStatus{Sessions: []engine.SessionStatus{
			{Name: "core", Neighbor: "192.0.2.254", Interface: "eth0", State: "up", Since: ago(2 * time.Hour), Interval: 300 * time.Millisecond, Detection: 900 * time.Millisecond, Downs: 1},
			{Name: "far", Neighbor: "2001:db8::1", Multihop: true, State: "unknown", Since: ago(time.Second), Interval: time.Second, Reason: "no packet from 2001:db8::1 yet"},
		}},
		VirtualServers: []*engine.ServiceStatus{web},
	}
}

// bad is the same at 3 am.
func bad() *engine.Status {
	s := healthy()
	s.Config.LastError = "Error: Unsupported argument\n\n  on /etc/director/web.hcl line 3:\n   3:   colour = \"blue\"\n\nAn argument named \"colour\" is not expected here."
	s.Config.LastErrorAt = ago(5 * time.Minute)
	s.BFD.Problems = []string{"listen on udp [::]:4784: address already in use"}
	core := &s.BFD.Sessions[0]
	core.State, core.Since, core.Reason, core.Problem = "init", ago(3*time.Second), "control detection time expired", "send: network is unreachable"
	s.Kernel = engine.KernelStatus{LastError: "dial ipvs: operation not permitted"}
	s.FIFOs = []engine.FIFOStatus{{Path: "/run/director/idle"}, {Path: "/run/director/notify", Written: 12, Dropped: 3, Full: true}}
	s.Checks = engine.PaceStatus{Probes: 3, Lag: 1234 * time.Millisecond, LeftOut: 12, Repeated: 3, Late: true, Since: ago(20 * time.Second),
		Reason: "probes start up to 1.234s late; the machine gives the director too little processor time"}
	s.VRRP.Problems = []string{"group inside: no such interface"}
	s.VRRP.Groups[1] = engine.GroupStatus{Name: "inside", State: "FAULT", Since: ago(2 * time.Minute), Reason: "interface eth1 is down", Interface: "eth1", RouterID: 52}
	s.VRRP.Groups[0].Split = "192.0.2.2 (priority 100) since 2026-01-01T00:00:00Z"
	s.VRRP.Groups[0].Stranger = "02:00:00:00:00:63 claims 192.0.2.10 since 2026-01-01T00:00:00Z"
	soon := now.Add(2500 * time.Millisecond)
	s.VRRP.Groups[0].Tracks = []engine.TrackStatus{{Kind: "interface", Name: "eth1", State: "up", Changes: &soon}, {Kind: "bfd", Name: "core", State: "up"}}
	web := s.VirtualServers[0]
	web.State, web.Since, web.Reason, web.WeightUp = "down", ago(12*time.Second), "below quorum: weight 1 of 2 up", 1
	web.SorryInUse = true
	web.Sorry = &engine.RealStatus{Address: "10.0.0.99:80", State: "up", Since: ago(time.Hour), Weight: 1, Configured: 1, InTable: true, Checks: []engine.CheckStatus{{Name: "tcp", State: "up", Latency: time.Millisecond}}}
	down := &engine.RealStatus{
		Address: "10.0.0.12:80", State: "down", Since: ago(12 * time.Second), Weight: 0, Configured: 10, InTable: true,
		Reason: "healthz: http status 503, wanted 200-299",
		Checks: []engine.CheckStatus{{Name: "healthz", State: "down", Status: "503"}},
	}
	web.Reals[1] = down
	web.Reals = append(web.Reals,
		&engine.RealStatus{Address: "10.0.0.13:80", State: "down", Since: ago(time.Hour), Configured: 10, Checks: []engine.CheckStatus{
			{Name: "load", State: "down", Reason: "\x1b[2Jload is 99\nand more"}, // a script that plays tricks
		}},
		&engine.RealStatus{Address: "10.0.0.14:80", State: "unknown", Configured: 10},
		&engine.RealStatus{Address: "10.0.0.15:80", State: "up", Since: ago(time.Hour), Weight: 0, Configured: 10, InTable: true, Override: "drain", OverriddenBecause: "kernel \x1b[31mupdate"},
		&engine.RealStatus{Address: "10.0.0.16:80", State: "up", Since: ago(time.Hour), Weight: 0, Configured: 10, InTable: true, Maintenance: "10.0.0.16"},
	)
	for _, name := range []string{"a", "b", "c", "d"} {
		s.VirtualServers = append(s.VirtualServers, &engine.ServiceStatus{Name: name, Addresses: []string{"udp 192.0.2.11:53"}, Scheduler: "sh", Forward: "dr", State: "up", Since: ago(time.Hour), Quorum: 1, Reals: []*engine.RealStatus{down}})
	}
	return s
}

func TestStatusGolden(t *testing.T) {
	t.Parallel()
	plain := Style{Now: now}
	tests := []struct {
		name   string
		style  Style
		status *engine.Status
		view   View
	}{
		{"healthy", plain, healthy(), View{}},
		{"bad", plain, bad(), View{}},
		{"bad-color", Style{Now: now, Color: true}, bad(), View{}},
		{"bad-problems", plain, bad(), View{Problems: true}},
		{"one-virtual-server", plain, bad(), View{VirtualServers: []string{"a"}}},
		{"before-start", plain, &engine.Status{Node: "lb-a", Version: "1.0.0"}, View{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			golden(t, test.name, test.style.Status(test.status, test.view))
		})
	}
}

func TestProblemsAreCutUnlessAskedFor(t *testing.T) {
	t.Parallel()
	s := healthy()
	for i := range 30 {
		s.VRRP.Groups = append(s.VRRP.Groups, engine.GroupStatus{Name: string(rune('a' + i)), State: "FAULT"})
	}
	text := Style{Now: now}.Status(s, View{})
	if n := strings.Count(text, "is FAULT"); n != maxProblems || !strings.Contains(text, "and 10 more") {
		t.Errorf("%d problems of 30 are shown:\n%s", n, text)
	}
	if n := strings.Count(Style{Now: now}.Status(s, View{Problems: true}), "is FAULT"); n != 30 {
		t.Errorf("--problems shows %d of 30", n)
	}
}

func TestEventGolden(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 7, 55, 30, 123e6, time.UTC)
	events := []engine.Event{
		{Kind: engine.KindStart, To: "started", Reason: "version 1.0.0"},
		{Kind: engine.KindCheck, VirtualServer: "web", RealServer: "10.0.0.11:80", Check: "healthz", From: "up", To: "down",
			Reason: "http status 503, wanted 200-299", Status: "503", Latency: 12 * time.Millisecond},
		{Kind: engine.KindReal, VirtualServer: "web", RealServer: "10.0.0.11:80", From: "unknown", To: "up"},
		{Kind: engine.KindQuorum, VirtualServer: "web", From: "up", To: "down", Reason: "below quorum: weight 1 of 2 up"},
		{Kind: engine.KindRole, Group: "front", From: "BACKUP", To: "MASTER", Reason: "no master heard"},
		{Kind: engine.KindApply, Error: "add service tcp 192.0.2.10:80: operation not permitted"},
		{Kind: engine.KindOperator, Group: "front", To: "failover", Operator: "root (uid 0, pid 4711)"},
		{Kind: engine.KindCheck, Reason: "evil \x1b]0;title\x07 script\r\noutput", To: "down"},
		{Kind: "gap", Reason: "12 events lost: this reader is too slow"},
	}
	for _, style := range []struct {
		name string
		Style
	}{{"events", Style{}}, {"events-color", Style{Color: true}}} {
		var b strings.Builder
		for _, e := range events {
			e.Time = at
			b.WriteString(style.Event(e, time.UTC) + "\n")
		}
		golden(t, style.name, b.String())
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s":     -time.Second, // a clock that was set back
		"59s":    59*time.Second + 999*time.Millisecond,
		"1m":     time.Minute,
		"59m59s": time.Hour - 1,
		"23h59m": 24*time.Hour - 1,
		"10d1h":  10*24*time.Hour + 119*time.Minute,
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestScreenIsCutToTheTerminal(t *testing.T) {
	t.Parallel()
	text := "first line\n" + red + "second" + reset + " line\nthird\n"
	want := clearScreen + "first l\r\n" + red + "second" + reset + " "
	if got := Screen(text, 7, 2); got != want {
		t.Errorf("screen %q, want %q", got, want)
	}
	want = clearScreen + "fir\r\n" + red + "sec" + reset + "\r\nthi"
	if got := Screen(text, 3, 24); got != want {
		t.Errorf("screen %q, want %q", got, want)
	}
}

func FuzzScreen(f *testing.F) {
	f.Add("first line\n"+red+"second"+reset+" line\n", 5, 2)
	f.Fuzz(func(t *testing.T, text string, width, height int) {
		if width < 0 || height < 0 || strings.ContainsAny(text, "\x1b\r") {
			return
		}
		screen := strings.TrimPrefix(Screen(text, width, height), clearScreen)
		rows := strings.Split(screen, "\r\n")
		if len(rows) > max(1, height) {
			t.Fatalf("%d rows on a screen of %d: %q", len(rows), height, screen)
		}
		for _, row := range rows {
			if n := utf8.RuneCountInString(row); n > width {
				t.Fatalf("a row of %d columns on a screen of %d: %q", n, width, row)
			}
		}
	})
}
