package bfd

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest"
)

// pair runs a test with two hosts whose session is up.
func pair(t *testing.T, f func(t *testing.T, l *lan, a, b *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, b := l.add(t, "192.0.2.1"), l.add(t, "192.0.2.2")
		a.start(map[string]Session{"b": a.to(b)})
		b.start(map[string]Session{"a": b.to(a)})
		time.Sleep(2 * time.Second)
		a.want("Up")
		b.want("Up")
		f(t, l, a, b)
		a.stop(nil)
		b.stop(nil)
	})
}

func TestUp(t *testing.T) {
	pair(t, func(t *testing.T, l *lan, a, b *host) {
		s := a.session()
		if s.Interval != 100*time.Millisecond || s.Detection != 300*time.Millisecond || s.Remote != b.session().Local {
			t.Errorf("session %+v", s)
		}
		// For an hour nothing happens, at the rate agreed upon, jittered.
		began := time.Now()
		time.Sleep(time.Hour)
		a.want("")
		b.want("")
		if n := l.count(a.addr, began); n < 36_000 || n > 48_000 {
			t.Errorf("%d packets in an hour at 100 ms", n)
		}
		if l.polls(a.addr, began) {
			t.Error("the poll sequence never ended")
		}
	})
}

func TestCut(t *testing.T) {
	pair(t, func(t *testing.T, l *lan, a, b *host) {
		l.lose(func(_, _ netip.Addr) bool { return true })
		began := time.Now()
		time.Sleep(301 * time.Millisecond)
		a.want("Down: control detection time expired")
		b.want("Down: control detection time expired")
		if since := a.session().Since.Sub(began); since < 200*time.Millisecond || since > 300*time.Millisecond {
			t.Errorf("down after %v", since)
		}
		// A session that is down speaks once a second.
		began = time.Now()
		time.Sleep(time.Minute)
		if n := l.count(a.addr, began); n < 59 || n > 81 {
			t.Errorf("%d packets in a minute while down", n)
		}
		l.lose(func(_, _ netip.Addr) bool { return false })
		time.Sleep(2 * time.Second)
		if s := a.session(); s.State != Up || s.Downs != 1 || s.Diagnostic != NoDiagnostic {
			t.Errorf("after the cut: %+v", s)
		}
	})
}

// TestOneWay: who hears nothing says so, and the other goes down for it.
func TestOneWay(t *testing.T) {
	pair(t, func(t *testing.T, l *lan, a, b *host) {
		l.lose(func(from, _ netip.Addr) bool { return from == b.addr })
		time.Sleep(400 * time.Millisecond)
		a.want("Down: control detection time expired")
		b.want("Down: neighbor signaled session down: control detection time expired")
		time.Sleep(time.Minute)
		b.want("Init: neighbor signaled session down: control detection time expired")
		if a.session().State != Down || b.session().State == Up {
			t.Error("up while one hears nothing")
		}
	})
}

// TestLoss: with half of the packets lost a session flaps, and is up again when
// they all come; both sides agree in the end, whatever the chance.
func TestLoss(t *testing.T) {
	for seed := range uint64(50) {
		pair(t, func(t *testing.T, l *lan, a, b *host) {
			chance := rand.New(rand.NewPCG(seed, 1))
			l.lose(func(_, _ netip.Addr) bool { return chance.IntN(2) == 0 })
			time.Sleep(time.Minute)
			l.lose(func(_, _ netip.Addr) bool { return false })
			time.Sleep(6 * time.Second)
			if a.session().State != Up || b.session().State != Up {
				t.Errorf("seed %d: %v and %v", seed, a.session().State, b.session().State)
			}
		})
	}
}

// TestRestart: a silent end whose successor is there before the detection time
// is over costs no more than a moment.
func TestRestart(t *testing.T) {
	pair(t, func(t *testing.T, _ *lan, a, b *host) {
		a.stop(ErrSilent)
		time.Sleep(50 * time.Millisecond)
		b.want("")
		began := time.Now()
		a.start(map[string]Session{"b": a.to(b)})
		time.Sleep(50 * time.Millisecond)
		if s := b.session(); s.State != Up || s.Downs != 1 || !s.Since.Equal(began) {
			t.Errorf("the neighbour after a restart: %+v", s)
		}
		a.told()
		b.told()
	})
}

// TestAdminDown: an end by rule, and a session that is taken away, tell the
// neighbour at once.
func TestAdminDown(t *testing.T) {
	pair(t, func(t *testing.T, _ *lan, a, b *host) {
		a.speaker.Set(nil)
		b.want("Down: neighbor is administratively down")
		if n := len(a.report().Sessions); n != 0 {
			t.Errorf("%d sessions after they were taken away", n)
		}
		time.Sleep(time.Second)
		b.want("")
		a.speaker.Set(map[string]Session{"b": a.to(b)})
		time.Sleep(2 * time.Second)
		a.want("Up")
		if b.session().State != Up {
			t.Error("not up again")
		}
		b.told()
		a.stop(errors.New("stopped"))
		b.want("Down: neighbor is administratively down")
		a.start(nil)
	})
}

// TestFarewell: an end by rule takes until the neighbour knows, also when packets
// are lost, and does not wait for ever for one that is gone.
func TestFarewell(t *testing.T) {
	tests := []struct {
		name        string
		lost        time.Duration // what is sent for so long
		least, most time.Duration // that the end takes
		story       string
	}{
		{"it hears the first", 0, 0, 10 * time.Millisecond, "Down: neighbor is administratively down"},
		{"it hears a later one", 200 * time.Millisecond, 200 * time.Millisecond, slow, "Down: control detection time expired"}, // it knew already, and says so
		{"it is gone", time.Hour, 3 * slow, farewell, "Down: control detection time expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pair(t, func(t *testing.T, l *lan, a, b *host) {
				began := time.Now()
				l.lose(func(from, _ netip.Addr) bool { return from == a.addr && time.Since(began) < tt.lost })
				a.stop(errors.New("stopped"))
				if took := time.Since(began); took < tt.least || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.least, tt.most)
				}
				b.want(tt.story)
				a.start(nil)
			})
		})
	}
}

// TestReconfigure changes the timing without losing the session.
func TestReconfigure(t *testing.T) {
	pair(t, func(t *testing.T, l *lan, a, b *host) {
		slower := a.to(b)
		slower.Transmit, slower.Receive, slower.Multiplier = 500*time.Millisecond, 500*time.Millisecond, 4
		a.speaker.Set(map[string]Session{"b": slower})
		time.Sleep(5 * time.Second)
		a.want("")
		b.want("")
		if s := b.session(); s.Interval != 500*time.Millisecond || s.Detection != 2*time.Second {
			t.Errorf("the neighbour: %+v", s)
		}
		a.speaker.Set(map[string]Session{"b": a.to(b)})
		time.Sleep(5 * time.Second)
		a.want("")
		b.want("")
		if s := b.session(); s.Interval != 100*time.Millisecond || s.Detection != 300*time.Millisecond {
			t.Errorf("the neighbour, back: %+v", s)
		}
	})
}

// TestNeverUp: a neighbour that is not there counts as down after a while, and
// says what is wrong.
func TestNeverUp(t *testing.T) {
	tests := []struct {
		name   string
		lost   func(a, b netip.Addr) func(from, to netip.Addr) bool
		reason string
	}{
		{"nothing heard", func(_, _ netip.Addr) func(_, _ netip.Addr) bool { return func(_, _ netip.Addr) bool { return true } }, "Down: no packet from 192.0.2.2 yet"},
		{"not heard", func(a, _ netip.Addr) func(_, _ netip.Addr) bool {
			return func(from, _ netip.Addr) bool { return from == a }
		},
			"Init: packets come in, but the neighbor does not hear ours"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLAN()
				a, b := l.add(t, "192.0.2.1"), l.add(t, "192.0.2.2")
				l.lose(tt.lost(a.addr, b.addr))
				a.start(map[string]Session{"b": a.to(b)})
				b.start(map[string]Session{"a": b.to(a)})
				time.Sleep(patience - time.Millisecond)
				a.want("")
				time.Sleep(2 * time.Millisecond)
				a.want(tt.reason)
				a.stop(nil)
				b.stop(nil)
			})
		})
	}
}

// TestDrops: what is not the neighbour's moves nothing.
func TestDrops(t *testing.T) {
	pair(t, func(t *testing.T, l *lan, a, b *host) {
		inject := func(change func(*Datagram, *packet)) {
			d := Datagram{Port: Port{}, Source: b.addr, To: a.addr, Interface: "eth0", TTL: 255}
			p := packet{state: Down, multiplier: 3, mine: 9, yours: a.session().Local, minTx: time.Second, minRx: time.Second}
			change(&d, &p)
			bytes := p.appendTo(nil)
			d.Size = copy(d.Payload[:], bytes)
			a.speaker.packets <- d
			time.Sleep(1100 * time.Millisecond) // for a report
		}
		inject(func(d *Datagram, _ *packet) { d.TTL = 254 })
		inject(func(d *Datagram, _ *packet) { d.Source = netip.MustParseAddr("192.0.2.9") })
		inject(func(_ *Datagram, p *packet) { p.yours++ })
		inject(func(d *Datagram, _ *packet) { d.Port.Multihop = true })
		inject(func(d *Datagram, p *packet) { p.yours, d.To = 0, b.addr })
		inject(func(_ *Datagram, p *packet) { p.multiplier = 0 })
		a.want("")
		r := a.report()
		if r.Dropped["ttl"] != 1 || r.Dropped["no_session"] != 4 || r.Dropped["multiplier"] != 1 || r.Sessions[0].Dropped != 1 {
			t.Errorf("dropped %v, of the session %d", r.Dropped, r.Sessions[0].Dropped)
		}
	})
}

// TestMultihop takes packets that came over routers, down to min_ttl.
func TestMultihop(t *testing.T) {
	for _, tt := range []struct {
		ttl  uint8
		want State
	}{{250, Up}, {249, Down}} {
		synctest.Test(t, func(t *testing.T) {
			l := newLAN()
			l.ttl = tt.ttl
			a, b := l.add(t, "2001:db8::1"), l.add(t, "2001:db8::2")
			for _, h := range []*host{a, b} {
				s := h.to(map[*host]*host{a: b, b: a}[h])
				s.Multihop, s.MinTTL = true, 250
				h.start(map[string]Session{"s": s})
			}
			time.Sleep(5 * time.Second)
			if got := a.session().State; got != tt.want {
				t.Errorf("ttl %d: %v, want %v", tt.ttl, got, tt.want)
			}
			if want := "packets come in with TTL 249, want at least 250"; tt.want == Down && a.session().Reason != want {
				t.Errorf("reason %q, want %q", a.session().Reason, want)
			}
			a.stop(nil)
			b.stop(nil)
		})
	}
}

// TestListenAgain: a port that another program has is tried until it is free.
func TestListenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, b := l.add(t, "192.0.2.1"), l.add(t, "192.0.2.2")
		a.refuses = errors.New("address already in use")
		a.start(map[string]Session{"b": a.to(b)})
		b.start(map[string]Session{"a": b.to(a)})
		time.Sleep(1500 * time.Millisecond)
		if p := a.report().Problems; len(p) != 1 || p[0] != "listen on udp 0.0.0.0:3784: address already in use" {
			t.Errorf("problems %q", p)
		}
		a.mu.Lock()
		a.refuses = nil
		a.mu.Unlock()
		time.Sleep(3 * time.Second)
		if r := a.report(); len(r.Problems) != 0 || a.session().State != Up {
			t.Errorf("problems %q, %v", r.Problems, a.session().State)
		}
		a.stop(nil)
		b.stop(nil)
	})
}

func TestConflicts(t *testing.T) {
	at := netip.MustParseAddr
	one := Session{Peer: at("192.0.2.1"), Source: at("192.0.2.2"), Interface: "eth0"}
	with := func(change func(*Session)) Session { s := one; change(&s); return s }
	for _, tt := range []struct {
		name  string
		other Session
		want  bool
	}{
		{"same", one, true},
		{"no interface", with(func(s *Session) { s.Interface = "" }), true},
		{"no source", with(func(s *Session) { s.Source = netip.Addr{} }), true},
		{"another neighbour", with(func(s *Session) { s.Peer = at("192.0.2.3") }), false},
		{"another interface", with(func(s *Session) { s.Interface = "eth1" }), false},
		{"another source", with(func(s *Session) { s.Source = at("192.0.2.4") }), false},
		{"multihop", with(func(s *Session) { s.Multihop = true }), false},
	} {
		if one.Conflicts(tt.other) != tt.want || tt.other.Conflicts(one) != tt.want {
			t.Errorf("%s: want %v", tt.name, tt.want)
		}
	}
}

// TestStandstill: a machine that did not look for a while holds nothing against
// the neighbour, whose packets may still lie in a queue, and finds it dead all
// the same when none were there.
func TestStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, b := l.add(t, "192.0.2.1"), l.add(t, "192.0.2.2")
		s := NewSpeaker(zaptest.NewLogger(t), a)
		s.install(map[string]Session{"b": a.to(b)})
		p := s.byName["b"]
		for _, state := range []State{Down, Up} {
			d := Datagram{Source: b.addr, To: a.addr, TTL: 255}
			d.Size = copy(d.Payload[:], packet{state: state, multiplier: 3, mine: 9, yours: p.machine.mine,
				minTx: 100 * time.Millisecond, minRx: 100 * time.Millisecond}.appendTo(nil))
			s.take(d)
		}
		if p.machine.state != Up {
			t.Fatalf("%v", p.machine.state)
		}
		s.armed = p.next()
		time.Sleep(10 * time.Second)
		s.tick(time.Now())
		if p.machine.state != Up {
			t.Error("went down for a time in which nobody looked")
		}
		s.armed = time.Now().Add(300 * time.Millisecond)
		time.Sleep(300 * time.Millisecond)
		s.tick(time.Now())
		if p.machine.state != Down || p.machine.diag != DetectionExpired {
			t.Errorf("%v (%v) after the detection time", p.machine.state, p.machine.diag)
		}
	})
}
