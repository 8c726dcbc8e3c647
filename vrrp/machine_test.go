package vrrp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// text renders actions for tables: "send 100, hold, set main 1s".
func text(list []action) string {
	var out []string
	names := [timers]string{"main", "delay", "leave"}
	for _, a := range list {
		switch a.kind {
		case actSend:
			out = append(out, fmt.Sprintf("send %d", a.priority))
		case actSet:
			out = append(out, fmt.Sprintf("set %s %s", names[a.timer], a.after))
		case actStop: // every change of state stops all timers; not worth a column
		case actHold:
			out = append(out, "hold")
		case actDrop:
			out = append(out, strings.TrimSuffix(fmt.Sprintf("drop after %s", a.after), " after 0s"))
		case actAnnounce:
			out = append(out, "announce")
		case actProblem:
			out = append(out, "problem")
		default:
			out = append(out, fmt.Sprintf("action %d", a.kind))
		}
	}
	return strings.Join(out, ", ")
}

var (
	selfIP   = netip.MustParseAddr("192.0.2.2")
	lowerIP  = netip.MustParseAddr("192.0.2.1")
	higherIP = netip.MustParseAddr("192.0.2.3")
)

// row is one sentence of the RFC: what happens in a state, and what must follow.
type row struct {
	name  string
	given func(*machine)
	event event
	want  string
	state State
	wants bool
}

func advertised(priority uint8, src netip.Addr) event {
	return event{kind: evAdvert, advert: heard{priority: priority, interval: time.Second, src: src}}
}

func fires(t timer) event { return event{kind: evTimer, timer: t} }

// base is a version 3 router of priority 128, whose skew is half an interval.
var base = params{version: 3, priority: 128, interval: time.Second, preempt: true, self: selfIP}

func with(change func(*params)) params {
	p := base
	change(&p)
	return p
}

func started(p params) func(*machine) {
	return func(m *machine) { m.step(event{kind: evStartup, params: p}) }
}

// following has accepted a master's advertisement.
func following(p params, priority uint8) func(*machine) {
	return func(m *machine) {
		started(p)(m)
		m.step(advertised(priority, higherIP))
	}
}

// serving is master since nobody else was.
func serving(p params) func(*machine) {
	return func(m *machine) {
		started(p)(m)
		m.step(fires(mainTimer))
		m.step(event{kind: evPromote})
	}
}

// then does more events.
func then(first func(*machine), more ...event) func(*machine) {
	return func(m *machine) {
		first(m)
		for _, ev := range more {
			m.step(ev)
		}
	}
}

func runRows(t *testing.T, rows []row) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var m machine
			r.given(&m)
			got := text(m.step(r.event))
			if diff := cmp.Diff(r.want, got); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if m.state != r.state || m.wants != r.wants {
				t.Errorf("state %s, wants %t; want %s, %t", m.state, m.wants, r.state, r.wants)
			}
			if m.reason.String() == "" {
				t.Error("a state without a reason")
			}
		})
	}
}

// TestInitialize is RFC 9568, section 6.4.1.
func TestInitialize(t *testing.T) {
	runRows(t, []row{
		{name: "startup", given: func(*machine) {}, event: event{kind: evStartup, params: base},
			want: "set main 3.5s", state: Backup},
		{name: "startup of the owner", given: func(*machine) {},
			event: event{kind: evStartup, params: with(func(p *params) { p.priority = owner })},
			want:  "set main 3.00390625s", state: Backup, wants: true},
		{name: "the owner becomes master at once",
			given: started(with(func(p *params) { p.priority = owner })), event: event{kind: evPromote},
			want: "send 255, hold, set main 1s", state: Master},
		{name: "version 2 skews by parts of a second", given: func(*machine) {},
			event: event{kind: evStartup, params: with(func(p *params) { p.version, p.interval = 2, 2*time.Second })},
			want:  "set main 6.5s", state: Backup},
		{name: "version 3 skews by parts of the interval", given: func(*machine) {},
			event: event{kind: evStartup, params: with(func(p *params) { p.interval = 100 * time.Millisecond })},
			want:  "set main 350ms", state: Backup},
		{name: "a fault before the startup", given: func(*machine) {},
			event: event{kind: evFault, reason: "interface eth0 is missing", hard: true}, want: "drop", state: Fault},
		{name: "what follows a fault",
			given: then(func(*machine) {}, event{kind: evFault, reason: "interface eth0 is missing", hard: true}),
			event: event{kind: evStartup, params: base}, want: "set main 3.5s", state: Backup},
	})
}

// TestBackup is RFC 9568, section 6.4.2.
func TestBackup(t *testing.T) {
	spare := with(func(p *params) { p.preempt = false })
	delayed := with(func(p *params) { p.preemptDelay = 5 * time.Second })
	v2 := with(func(p *params) { p.version = 2 })
	runRows(t, []row{
		{name: "shutdown", given: following(base, 200), event: event{kind: evShutdown, reason: "stopped"},
			want: "drop", state: Initialize},
		{name: "the timer fires", given: following(base, 200), event: fires(mainTimer),
			want: "", state: Backup, wants: true},
		{name: "and makes it master", given: then(following(base, 200), fires(mainTimer)), event: event{kind: evPromote},
			want: "send 128, hold, set main 1s", state: Master},
		{name: "priority 0", given: following(base, 200), event: advertised(0, higherIP),
			want: "set main 500ms", state: Backup},
		{name: "higher priority", given: started(base), event: advertised(200, lowerIP),
			want: "set main 3.5s, drop", state: Backup},
		{name: "equal priority", given: following(base, 200), event: advertised(128, lowerIP),
			want: "set main 3.5s", state: Backup},
		{name: "lower priority is discarded", given: following(base, 200), event: advertised(100, lowerIP),
			want: "", state: Backup},
		{name: "lower priority without preempt is obeyed", given: following(spare, 200), event: advertised(100, lowerIP),
			want: "set main 3.5s", state: Backup},
		{name: "the owner preempts whatever it was told", given: following(with(func(p *params) {
			p.preempt, p.priority = false, owner
		}), 200), event: advertised(254, lowerIP), want: "", state: Backup, wants: true},
		{name: "the master's interval is learned", given: started(base),
			event: event{kind: evAdvert, advert: heard{priority: 200, interval: 2 * time.Second, src: higherIP}},
			want:  "set main 7s, drop", state: Backup},
		{name: "the master's interval counts for the skew after priority 0",
			given: then(started(base), event{kind: evAdvert, advert: heard{priority: 200, interval: 2 * time.Second, src: higherIP}}),
			event: advertised(0, higherIP), want: "set main 1s", state: Backup},
		{name: "version 2 learns nothing", given: started(v2),
			event: event{kind: evAdvert, advert: heard{priority: 200, interval: 9 * time.Second, src: higherIP}},
			want:  "set main 3.5s, drop", state: Backup},
		{name: "a live lower master is preempted with addresses first",
			given: then(started(base), advertised(100, lowerIP), fires(mainTimer)), event: event{kind: evPromote},
			want: "hold, set main 100ms", state: Master},
		{name: "preempt_delay begins with the first lower advertisement",
			given: started(delayed), event: advertised(100, lowerIP), want: "set delay 5s, set main 3.5s, drop", state: Backup},
		{name: "and spares the lower master", given: then(started(delayed), advertised(100, lowerIP)),
			event: advertised(100, lowerIP), want: "set main 3.5s", state: Backup},
		{name: "until it is over", given: then(started(delayed), advertised(100, lowerIP), fires(delayTimer)),
			event: advertised(100, lowerIP), want: "", state: Backup},
		{name: "a higher master ends it", given: then(started(delayed), advertised(100, lowerIP)),
			event: advertised(200, lowerIP), want: "set main 3.5s", state: Backup},
		{name: "a higher master begins it anew",
			given: then(started(delayed), advertised(100, lowerIP), fires(delayTimer), advertised(200, higherIP)),
			event: advertised(100, lowerIP), want: "set delay 5s, set main 3.5s", state: Backup},
		{name: "a stalled router listens first", given: following(base, 200),
			event: event{kind: evTimer, timer: mainTimer, late: 2 * time.Second},
			want:  "set main 20ms", state: Backup},
		{name: "and decides after", given: then(following(base, 200), event{kind: evTimer, timer: mainTimer, late: 2 * time.Second}),
			event: fires(mainTimer), want: "", state: Backup, wants: true},
		{name: "or hears its master",
			given: then(following(base, 200), event{kind: evTimer, timer: mainTimer, late: 2 * time.Second}),
			event: advertised(200, higherIP), want: "set main 3.5s", state: Backup},
		{name: "waiting for its sync group it may hear the master again",
			given: then(following(base, 200), fires(mainTimer)), event: advertised(200, higherIP),
			want: "set main 3.5s", state: Backup},
		{name: "waiting for its sync group it stays ready when the master leaves",
			given: then(following(base, 200), fires(mainTimer)), event: advertised(0, higherIP),
			want: "", state: Backup, wants: true},
		{name: "fault", given: following(base, 200), event: event{kind: evFault, reason: "script uplink exit status 1"},
			want: "drop", state: Fault},
		{name: "raised to owner", given: following(base, 200), event: event{kind: evParams, params: with(func(p *params) { p.priority = owner })},
			want: "", state: Backup, wants: true},
	})
}

// TestMaster is RFC 9568, section 6.4.3.
func TestMaster(t *testing.T) {
	preempting := then(started(base), advertised(100, lowerIP), fires(mainTimer), event{kind: evPromote})
	asleep := then(serving(base), event{kind: evTimer, timer: mainTimer, late: 5 * time.Second})
	runRows(t, []row{
		{name: "the timer fires", given: serving(base), event: fires(mainTimer),
			want: "send 128, set main 1s", state: Master},
		{name: "priority 0", given: serving(base), event: advertised(0, lowerIP),
			want: "send 128, announce, set main 1s", state: Master},
		{name: "higher priority", given: serving(base), event: advertised(129, lowerIP),
			want: "send 128, set main 3.5s, drop after 50ms", state: Backup},
		{name: "equal priority, higher address", given: serving(base), event: advertised(128, higherIP),
			want: "send 128, set main 3.5s, drop after 50ms", state: Backup},
		{name: "equal priority, lower address", given: serving(base), event: advertised(128, lowerIP),
			want: "send 128, announce", state: Master},
		{name: "lower priority", given: serving(base), event: advertised(127, higherIP),
			want: "send 128, announce", state: Master},
		{name: "lower priority again in the same interval", given: then(serving(base), advertised(127, higherIP)),
			event: advertised(127, higherIP), want: "", state: Master},
		{name: "lower priority in the next interval", given: then(serving(base), advertised(127, higherIP), fires(mainTimer)),
			event: advertised(127, higherIP), want: "send 128, announce", state: Master},
		{name: "shutdown", given: serving(base), event: event{kind: evShutdown, reason: "stopped"},
			want: "send 0, set main 1s, set leave 2.05s", state: Master},
		{name: "a new priority is told at once", given: serving(base),
			event: event{kind: evParams, params: with(func(p *params) { p.priority = 90 })},
			want:  "send 90, set main 1s", state: Master},
		{name: "a new address of its own is not", given: serving(base),
			event: event{kind: evParams, params: with(func(p *params) { p.self = lowerIP })}, want: "", state: Master},
		{name: "the interface goes", given: serving(base),
			event: event{kind: evFault, reason: "interface eth0 is down", hard: true}, want: "send 0, drop", state: Fault},
		{name: "a tracked script fails", given: serving(base),
			event: event{kind: evFault, reason: "script uplink exit status 1"},
			want:  "send 0, set main 1s, set leave 2.05s", state: Master},
		{name: "a partner is lost", given: serving(base), event: event{kind: evDemote, reason: "sync partner inside: peer priority higher"},
			want: "send 0, set main 1s, set leave 2.05s", state: Master},
		{name: "preempting: addresses are up", given: preempting, event: event{kind: evHeld},
			want: "send 128, set main 1s", state: Master},
		{name: "preempting: addresses take too long", given: preempting, event: fires(mainTimer),
			want: "send 128, set main 1s", state: Master},
		{name: "preempting: the old master is not answered yet", given: preempting, event: advertised(100, lowerIP),
			want: "", state: Master},
		{name: "addresses are up after an ordinary takeover", given: serving(base), event: event{kind: evHeld},
			want: "", state: Master},
		{name: "late, but a router of lower priority waits yet", given: serving(base),
			event: event{kind: evTimer, timer: mainTimer, late: 2499 * time.Millisecond}, want: "send 128, set main 1s", state: Master},
		{name: "so late that others may have taken over", given: serving(base),
			event: event{kind: evTimer, timer: mainTimer, late: 2500 * time.Millisecond}, want: "set main 20ms", state: Master},
		{name: "but they have not", given: asleep, event: fires(mainTimer),
			want: "announce, send 128, set main 1s", state: Master},
		{name: "one of lower priority has", given: asleep, event: advertised(100, lowerIP),
			want: "set main 3.5s, drop", state: Backup},
		{name: "one of higher priority has", given: asleep, event: advertised(200, lowerIP),
			want: "set main 3.5s, drop", state: Backup},
		{name: "one had and left", given: asleep, event: advertised(0, lowerIP),
			want: "", state: Master},
	})
}

// TestLeave is the part that the RFC has not: a master that has said goodbye
// serves until somebody else does.
func TestLeave(t *testing.T) {
	stopping := then(serving(base), event{kind: evShutdown, reason: "stopped"})
	handing := then(serving(base), event{kind: evHandover, reason: "failover"})
	failing := then(serving(base), event{kind: evFault, reason: "script uplink exit status 1"})
	runRows(t, []row{
		{name: "the successor is heard", given: stopping, event: advertised(1, lowerIP),
			want: "drop after 50ms", state: Initialize},
		{name: "somebody else leaves too", given: stopping, event: advertised(0, lowerIP), want: "", state: Master},
		{name: "goodbye is said again", given: stopping, event: fires(mainTimer), want: "send 0, set main 1s", state: Master},
		{name: "nobody comes", given: stopping, event: fires(leaveTimer), want: "drop", state: Initialize},
		{name: "failover: the successor is heard", given: handing, event: advertised(100, lowerIP),
			want: "set main 3.5s, set delay 3s, drop after 50ms", state: Backup},
		{name: "failover: nobody comes", given: handing, event: fires(leaveTimer),
			want: "problem, announce, send 128, set main 1s", state: Master},
		{name: "failover, and then the sync group must go", given: then(handing, event{kind: evDemote, reason: "sync partner"}),
			event: fires(leaveTimer), want: "set main 3.5s, drop", state: Backup},
		{name: "fault: the successor is heard", given: failing, event: advertised(100, lowerIP),
			want: "drop after 50ms", state: Fault},
		{name: "fault: nobody comes", given: failing, event: fires(leaveTimer), want: "drop", state: Fault},
		{name: "fault: it passes", given: failing, event: event{kind: evStartup},
			want: "announce, send 128, set main 1s", state: Master},
		{name: "fault: the interface goes as well", given: failing,
			event: event{kind: evFault, reason: "interface eth0 is down", hard: true}, want: "send 0, drop", state: Fault},
		{name: "failover: and stop", given: then(handing, event{kind: evShutdown, reason: "stopped"}),
			event: fires(leaveTimer), want: "drop", state: Initialize},
	})
}

func TestTimes(t *testing.T) {
	tests := []struct {
		p                    params
		skew, down, handover time.Duration
	}{
		{params{version: 3, priority: 254, interval: time.Second}, 7812500, 3007812500, 2050 * time.Millisecond},
		{params{version: 3, priority: 1, interval: time.Second}, 996093750, 3996093750, 2050 * time.Millisecond},
		{params{version: 3, priority: 128, interval: 10 * time.Millisecond}, 5 * time.Millisecond, 35 * time.Millisecond, 70 * time.Millisecond},
		{params{version: 2, priority: 128, interval: 3 * time.Second}, 500 * time.Millisecond, 9500 * time.Millisecond, 6050 * time.Millisecond},
		{params{version: 3, priority: 128, interval: 40 * time.Second}, 20 * time.Second, 140 * time.Second, handoverMax},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("v%d/%d/%s", test.p.version, test.p.priority, test.p.interval), func(t *testing.T) {
			if got := test.p.skew(test.p.interval); got != test.skew {
				t.Errorf("skew %s, want %s", got, test.skew)
			}
			if got := test.p.masterDown(test.p.interval); got != test.down {
				t.Errorf("masterDown %s, want %s", got, test.down)
			}
			if got := test.p.handover(); got != test.handover {
				t.Errorf("handover %s, want %s", got, test.handover)
			}
		})
	}
}
