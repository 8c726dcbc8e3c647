package bfd

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// quick is a session with the timing that most tests have.
var quick = Session{Transmit: 100 * time.Millisecond, Receive: 100 * time.Millisecond, Multiplier: 3}

// in brings a machine into a state as packets would.
func in(t *testing.T, state State, config Session) *machine {
	t.Helper()
	m := newMachine(config, 1, start)
	drain(m, start)
	from := packet{mine: 2, yours: 1, multiplier: 3, minTx: time.Second, minRx: 50 * time.Millisecond}
	switch state {
	case AdminDown:
		m.disable(start)
	case Init:
		from.state = Down
		m.receive(start, from)
	case Up:
		from.state = Init
		m.receive(start, from)
		drain(m, start)
		from.state, from.final, from.minTx = Up, true, 100*time.Millisecond
		m.receive(start, from)
	}
	drain(m, start)
	if m.state != state {
		t.Fatalf("state %v, want %v", m.state, state)
	}
	return m
}

// drain returns what a machine sends now.
func drain(m *machine, now time.Time) []packet {
	var all []packet
	for {
		p, ok := m.output(now, 1)
		if !ok {
			return all
		}
		all = append(all, p)
	}
}

// TestTransitions is the state machine of RFC 5880, section 6.8.6 and figure
// 6.2, in full: what each state becomes by each state that the neighbour tells.
func TestTransitions(t *testing.T) {
	const none = NoDiagnostic
	tests := []struct {
		from, heard, to State
		diag            Diagnostic
	}{
		{Down, AdminDown, Down, none},
		{Down, Down, Init, none},
		{Down, Init, Up, none},
		{Down, Up, Down, none},
		{Init, AdminDown, Down, NeighborSignaled},
		{Init, Down, Init, none},
		{Init, Init, Up, none},
		{Init, Up, Up, none},
		{Up, AdminDown, Down, NeighborSignaled},
		{Up, Down, Down, NeighborSignaled},
		{Up, Init, Up, none},
		{Up, Up, Up, none},
		{AdminDown, AdminDown, AdminDown, AdministratorDown},
		{AdminDown, Down, AdminDown, AdministratorDown},
		{AdminDown, Init, AdminDown, AdministratorDown},
		{AdminDown, Up, AdminDown, AdministratorDown},
	}
	for _, tt := range tests {
		t.Run(tt.from.String()+" hears "+tt.heard.String(), func(t *testing.T) {
			m := in(t, tt.from, quick)
			why := m.receive(start, packet{state: tt.heard, mine: 2, yours: 1, multiplier: 3, minTx: time.Second, minRx: time.Second})
			if m.state != tt.to || m.diag != tt.diag {
				t.Errorf("%v (%v), want %v (%v)", m.state, m.diag, tt.to, tt.diag)
			}
			want := kept
			if tt.from == AdminDown {
				want = dropAdmin
			}
			if why != want {
				t.Errorf("dropped for %v, want %v", why, want)
			}
			// A change is told at once.
			sent := drain(m, start)
			if told := len(sent) > 0; told != (tt.from != tt.to) || told && sent[0].state != tt.to {
				t.Errorf("sent %+v", sent)
			}
		})
	}
}

// TestExpiry: "the session has gone down -- the system MUST set
// bfd.SessionState to Down and bfd.LocalDiag to 1" (section 6.8.4).
func TestExpiry(t *testing.T) {
	for _, state := range []State{Down, Init, Up, AdminDown} {
		t.Run(state.String(), func(t *testing.T) {
			m := in(t, state, quick)
			wait := 3 * 100 * time.Millisecond
			if state == Init {
				wait = 3 * time.Second // the neighbour's packets come once a second
			}
			m.tick(start.Add(wait - time.Millisecond))
			if m.state != state {
				t.Fatalf("%v too early", m.state)
			}
			m.tick(start.Add(wait))
			want, diag := Down, DetectionExpired
			switch state {
			case AdminDown:
				want, diag = AdminDown, AdministratorDown
			case Down:
				diag = NoDiagnostic
			}
			if m.state != want || m.diag != diag || m.theirs != 0 {
				t.Errorf("%v (%v), neighbour %d", m.state, m.diag, m.theirs)
			}
		})
	}
}

// A machine that is late again and again misses a neighbour all the same, and one
// long pause is pardoned as a whole.
func TestPardon(t *testing.T) {
	m := in(t, Up, quick)
	m.pardon(start.Add(10*time.Second), 10*time.Second-time.Millisecond)
	if left := m.expiry().Sub(start.Add(10 * time.Second)); left <= 0 {
		t.Errorf("after a pause of 10 s the detection time is over since %v", -left)
	}
	m = in(t, Up, quick)
	now := start
	for range 100 {
		now = now.Add(25 * time.Millisecond)
		m.pardon(now, 25*time.Millisecond)
		m.tick(now)
	}
	if m.state != Down {
		t.Errorf("%v after %v without a packet, looking 25 ms late each time", m.state, now.Sub(start))
	}
	m = in(t, Up, quick)
	m.pardon(start, 25*time.Millisecond)
	if m.heard.After(start) {
		t.Error("heard in the future")
	}
}

func TestJitter(t *testing.T) {
	for _, tt := range []struct {
		multiplier uint8
		chance     float64
		want       time.Duration
	}{
		{3, 0, 75 * time.Millisecond}, {3, 1, 100 * time.Millisecond}, {3, 0.5, 87500 * time.Microsecond},
		{1, 0, 75 * time.Millisecond}, {1, 1, 90 * time.Millisecond},
	} {
		if got := jittered(100*time.Millisecond, tt.multiplier, tt.chance); got != tt.want {
			t.Errorf("multiplier %d, chance %v: %v, want %v", tt.multiplier, tt.chance, got, tt.want)
		}
	}
}

// TestIntervals: the larger of what we want and the neighbour can take, and
// never less than a second while not up (sections 6.8.2 and 6.8.3).
func TestIntervals(t *testing.T) {
	m := in(t, Down, quick)
	if got := m.interval(); got != time.Second {
		t.Errorf("down: %v, want 1s", got)
	}
	m = in(t, Up, quick)
	if got := m.interval(); got != 100*time.Millisecond {
		t.Errorf("up: %v, want 100ms", got)
	}
	up := packet{state: Up, mine: 2, yours: 1, multiplier: 5, minTx: 400 * time.Millisecond, minRx: 250 * time.Millisecond}
	m.receive(start, up)
	if got := m.interval(); got != 250*time.Millisecond {
		t.Errorf("up, neighbour slow: %v, want 250ms", got)
	}
	if got := m.detection(); got != 2*time.Second {
		t.Errorf("detection time %v, want 5 x 400ms", got)
	}
	up.state = Down
	m.receive(start, up)
	if got := m.interval(); got != time.Second {
		t.Errorf("down again: %v, want 1s", got)
	}
}

// TestPoll follows a poll sequence (sections 6.5 and 6.8.3): what would hurt
// before the neighbour knows waits for its end.
func TestPoll(t *testing.T) {
	up := packet{state: Up, mine: 2, yours: 1, multiplier: 3, minTx: 50 * time.Millisecond, minRx: 50 * time.Millisecond}
	t.Run("coming up", func(t *testing.T) {
		m := in(t, Init, quick)
		m.receive(start, up)
		if sent := drain(m, start); len(sent) != 1 || !sent[0].poll || sent[0].final || sent[0].minTx != quick.Transmit {
			t.Fatalf("sent %+v, want one with a poll", sent)
		}
		m.tick(start.Add(100 * time.Millisecond))
		if sent := drain(m, start.Add(100*time.Millisecond)); len(sent) != 1 || !sent[0].poll {
			t.Errorf("sent %+v, want the poll again", sent)
		}
		up := up
		up.final = true
		m.receive(start.Add(110*time.Millisecond), up)
		m.tick(start.Add(200 * time.Millisecond))
		if sent := drain(m, start.Add(200*time.Millisecond)); len(sent) != 1 || sent[0].poll {
			t.Errorf("sent %+v, want no poll after its end", sent)
		}
	})
	t.Run("slower", func(t *testing.T) {
		m := in(t, Up, quick)
		slower := quick
		slower.Transmit, slower.Receive = 400*time.Millisecond, 20*time.Millisecond
		m.configure(start, slower)
		if m.interval() != 100*time.Millisecond || m.detection() != 300*time.Millisecond {
			t.Errorf("interval %v, detection %v: changed before the neighbour knows", m.interval(), m.detection())
		}
		if sent := drain(m, start); len(sent) != 1 || !sent[0].poll || sent[0].minTx != slower.Transmit || sent[0].minRx != slower.Receive {
			t.Errorf("sent %+v", sent)
		}
		up := up
		up.final = true
		m.receive(start, up)
		if m.interval() != 400*time.Millisecond || m.detection() != 150*time.Millisecond {
			t.Errorf("interval %v, detection %v: not changed at the end", m.interval(), m.detection())
		}
	})
	t.Run("faster", func(t *testing.T) {
		m := in(t, Up, quick)
		faster := quick
		faster.Transmit, faster.Receive = 60*time.Millisecond, 500*time.Millisecond
		m.configure(start, faster)
		if m.interval() != 60*time.Millisecond || m.detection() != 1500*time.Millisecond {
			t.Errorf("interval %v, detection %v: both may change at once", m.interval(), m.detection())
		}
	})
	t.Run("the neighbour's", func(t *testing.T) {
		for _, state := range []State{Init, Up} {
			m := in(t, state, quick)
			m.polling = true
			up := up
			up.poll = true
			m.receive(start, up)
			sent := drain(m, start)
			if len(sent) == 0 || !sent[0].final || sent[0].poll {
				t.Errorf("%v: sent %+v, want an answer with final and without poll", state, sent)
			}
		}
	})
}

// TestSilence: when no packets may be sent (section 6.8.7).
func TestSilence(t *testing.T) {
	passive := quick
	passive.Passive = true
	up := packet{state: Up, mine: 2, yours: 1, multiplier: 3, minTx: 100 * time.Millisecond, minRx: 100 * time.Millisecond}
	with := func(change func(*packet)) packet { p := up; change(&p); return p }
	t.Run("passive", func(t *testing.T) {
		m := newMachine(passive, 1, start)
		if m.tick(start); len(drain(m, start)) > 0 || !m.next().IsZero() {
			t.Error("a passive side spoke first")
		}
		m.receive(start, packet{state: Down, mine: 2, multiplier: 3, minTx: time.Second, minRx: time.Second})
		if len(drain(m, start)) != 1 || m.state != Init {
			t.Error("no answer")
		}
		later := start.Add(3 * time.Second)
		if m.tick(later); len(drain(m, later)) > 0 || m.state != Down {
			t.Error("spoke to a neighbour that has gone")
		}
	})
	tests := []struct {
		name string
		p    packet
	}{
		{"the neighbour takes no packets", with(func(p *packet) { p.minRx = 0 })},
		{"demand mode", with(func(p *packet) { p.demand = true })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := in(t, Up, quick)
			m.receive(start, tt.p)
			if later := start.Add(150 * time.Millisecond); len(drain(m, later)) > 0 {
				t.Error("sent a periodic packet")
			}
			if want := start.Add(300 * time.Millisecond); !m.next().Equal(want) {
				t.Errorf("next at %v, want the detection time all the same", m.next())
			}
			poll := tt.p
			poll.poll = true
			m.receive(start, poll)
			if sent := drain(m, start); len(sent) != 1 || !sent[0].final {
				t.Errorf("a poll was answered by %+v", sent)
			}
			m.receive(start, up)
			if m.tick(start.Add(time.Millisecond)); len(drain(m, start.Add(time.Millisecond))) != 1 {
				t.Error("the silence did not end")
			}
		})
	}
}

// TestOutput: a packet tells what the RFC wants of it.
func TestOutput(t *testing.T) {
	m := newMachine(quick, 7, start)
	want := packet{state: Down, multiplier: 3, mine: 7, minTx: time.Second, minRx: 100 * time.Millisecond}
	if sent := drain(m, start); len(sent) != 1 || sent[0] != want {
		t.Errorf("first packet %+v, want %+v", sent, want)
	}
	if !m.next().Equal(start.Add(time.Second)) {
		t.Errorf("next at %v, want after 1s", m.next())
	}
	m.disable(start)
	if sent := drain(m, start); len(sent) != 1 || sent[0].state != AdminDown || sent[0].diag != AdministratorDown {
		t.Errorf("last packet %+v", sent)
	}
}

// FuzzMachine: whatever a neighbour says, what is sent is a packet that the RFC
// allows, and time goes on: nothing stays due once it has been done.
func FuzzMachine(f *testing.F) {
	seed := func(packets ...packet) {
		var all []byte
		for _, p := range packets {
			all = p.appendTo(append(all, 10))
		}
		f.Add(all, false)
		f.Add(all, true)
	}
	seed(packet{state: Down, mine: 2, multiplier: 3, minTx: time.Second, minRx: time.Second},
		packet{state: Up, mine: 2, yours: 1, multiplier: 3, poll: true, minTx: time.Millisecond})
	seed(packet{state: Init, mine: 2, yours: 1, multiplier: 1, demand: true, minRx: time.Microsecond},
		packet{state: AdminDown, mine: 3, yours: 1, multiplier: 255, final: true, minTx: time.Hour})
	f.Fuzz(func(t *testing.T, b []byte, passive bool) {
		config := quick
		config.Passive = passive
		now := start
		m := newMachine(config, 1, now)
		check := func() {
			for range 4 {
				p, ok := m.output(now, 0)
				if !ok {
					break
				}
				if _, why := parse(p.appendTo(nil)); why != kept {
					t.Fatalf("sent a packet that is dropped for %v: %+v", why, p)
				}
				if p.state != Up && p.minTx < slow {
					t.Fatalf("promises %v while %v", p.minTx, p.state)
				}
			}
			if at := m.next(); !at.IsZero() && !at.After(now) {
				m.tick(now)
				m.output(now, 0)
				if at = m.next(); !at.IsZero() && !at.After(now) {
					t.Fatalf("still due after it was done: %+v", m)
				}
			}
		}
		check()
		for len(b) > packetSize {
			now = now.Add(time.Duration(b[0]) * 10 * time.Millisecond)
			if p, why := parse(b[1 : 1+packetSize]); why == kept {
				m.receive(now, p)
			} else {
				m.tick(now)
			}
			check()
			b = b[1+packetSize:]
		}
	})
}
