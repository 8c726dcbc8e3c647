//go:build integration

package vrrp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// hostility is one kind of packet that must be dropped, and why.
type hostility struct {
	reason  drop
	payload []byte
	to      envelope
}

// hostileGroups are a group of each kind, side by side on one interface.
func hostileGroups() []Group {
	cases := interopCases()
	four, six, two := cases[0], cases[1], cases[2]
	four.Interval, six.Interval = 500*time.Millisecond, 500*time.Millisecond
	signed := func(g Group, name string, id uint8, address string) Group {
		g.Name, g.RouterID, g.Addresses = name, id, []netip.Prefix{netip.MustParsePrefix(address)}
		g.HMAC = &HMAC{Active: 1, Clock: true, Keys: []Key{{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}}}
		return g
	}
	six.RouterID = 52
	two.RouterID, two.Password, two.Addresses = 53, "secret12", []netip.Prefix{netip.MustParsePrefix("192.0.2.103/24")}
	return []Group{four, six, two,
		signed(four, "four signed", 54, "192.0.2.104/24"), signed(six, "six signed", 55, "fe80::105/64")}
}

// hostile are packets that would make a router of the group yield, or put its
// takeover off, if any of them were taken.
func hostile(g Group) []hostility {
	src, dst := netip.MustParseAddr("192.0.2.66"), group4
	if g.v6() {
		src, dst = netip.MustParseAddr("fe80::66"), group6
	}
	good := advert{version: uint8(g.Version), id: g.RouterID, priority: 254, interval: g.Interval}
	for _, p := range g.Addresses {
		good.addresses = append(good.addresses, p.Addr())
	}
	if g.Password != "" {
		good.auth = authPassword
		copy(good.password[:], g.Password)
	}
	to := envelope{src: src, dst: dst, ttl: 255, mac: net.HardwareAddr{2, 0, 0, 0, 0, 0x66}}
	sum := func(b []byte) []byte {
		binary.BigEndian.PutUint16(b[checksumAt:], 0)
		var pseudo uint32
		if g.Version == 3 {
			pseudo = pseudoHeader(src, dst, len(b))
		}
		binary.BigEndian.PutUint16(b[checksumAt:], checksum(b, pseudo))
		return b
	}
	message := func(change func(*advert)) []byte {
		a := good
		change(&a)
		return a.appendTo(nil, src, dst)
	}
	same := func(*advert) {}
	var list []hostility
	add := func(reason drop, payload []byte) { list = append(list, hostility{reason, payload, to}) }

	near := to
	near.ttl = 254
	list = append(list, hostility{dropTTL, message(same), near})
	add(dropLength, message(same)[:7])
	add(dropLength, message(same)[:headerLen])
	many := message(same)
	many[3] = 255
	add(dropLength, sum(many))
	flipped := message(same)
	flipped[2] = 255
	add(dropChecksum, flipped)
	old := message(same)
	old[0] = 1<<4 | typeAdvertisement
	add(dropVersion, sum(old))
	typed := message(same)
	typed[0] = uint8(g.Version)<<4 | 2
	add(dropType, sum(typed))
	goodbye := message(func(a *advert) { a.priority = 0 })
	goodbye[checksumAt] ^= 1
	add(dropChecksum, goodbye)
	if g.Version == 2 {
		add(dropInterval, message(func(a *advert) { a.interval = 2 * g.Interval }))
		add(dropAuth, message(func(a *advert) { a.password[0]++ }))
		add(dropAuth, message(func(a *advert) { a.auth = authNone }))
		add(dropVersion, sum(message(func(a *advert) { a.version = 3 })))
	} else {
		add(dropInterval, message(func(a *advert) { a.interval = 0 }))
	}
	if h := g.HMAC; h != nil {
		now := sequenceAt(time.Now())
		trailer := func(key Key, at sequence) []byte {
			b := key.appendTrailer(message(same), 0, src, at)
			if g.v6() {
				sum(b)
			}
			return b
		}
		add(dropUnsigned, message(same))
		add(dropUnsigned, message(func(a *advert) { a.priority = 0 }))
		cut := trailer(h.Keys[0], now)
		cut = cut[:len(cut)-4]
		if g.v6() {
			sum(cut)
		}
		add(dropTrailer, cut)
		add(dropKey, trailer(Key{ID: 9, Secret: h.Keys[0].Secret}, now))
		add(dropHMAC, trailer(Key{ID: 1, Secret: []byte("not the secret, not the secret !")}, now))
		add(dropStale, trailer(h.Keys[0], now-sequence(60)<<32)) // one that was recorded
	}
	return list
}

// rawSocket opens a packet socket in a namespace: what it sends reaches the other one.
func rawSocket(ns string) (*packet.Conn, error) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine that has changed it
	file, err := os.Open("/run/netns/" + ns)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	ifi, err := net.InterfaceByName("eth0")
	if err != nil {
		return nil, err
	}
	return packet.Listen(ifi, packet.Raw, 0, nil)
}

// flood sends hostile packets to the other machine, each kind in its turn, a
// thousand a second, until it is told to stop, and then says how many.
func (w *wire) flood(ns string, list []hostility) (stop func() int) {
	w.t.Helper()
	var conn *packet.Conn
	opened := make(chan error)
	go func() {
		var err error
		conn, err = rawSocket(ns)
		opened <- err
	}()
	if err := <-opened; err != nil {
		w.t.Fatalf("flood: %v", err)
	}
	quit := make(chan struct{})
	var running sync.WaitGroup
	sent := 0
	stop = sync.OnceValue(func() int {
		close(quit)
		running.Wait()
		conn.Close()
		return sent
	})
	w.t.Cleanup(func() { stop() })
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		var frame []byte
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			for range 10 {
				h := list[sent%len(list)]
				mac := multicastMAC(h.to.dst)
				frame = appendFrame(frame[:0], mac, h.payload, h.to)
				if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: mac}); err != nil {
					w.t.Errorf("flood: %v", err)
					return
				}
				sent++
			}
		}
	})
	return stop
}

// TestHostileFlood sends a thousand bad packets a second to a master and to its
// backup: each is counted with its reason, and none moves a state or a timer.
// The backup hears its master all the time, and when that one dies it takes
// over as if it were quiet.
func TestHostileFlood(t *testing.T) {
	w := newWire(t)
	var mine, theirs []Group
	var list []hostility
	reasons := make(map[string]map[string]bool) // by group
	for _, g := range hostileGroups() {
		mine, theirs = append(mine, priority(g, 150)), append(theirs, priority(g, 100))
		reasons[g.Name] = make(map[string]bool)
		for _, h := range hostile(g) {
			list = append(list, h)
			reasons[g.Name][h.reason.String()] = true
		}
	}
	a := w.director(w.a, orders(mine...))
	for _, g := range mine {
		w.eventually(g.Name+" is master", starting, func() bool { return w.addressesUp(w.a, g) })
	}
	b := w.director(w.b, orders(theirs...))
	for _, g := range theirs {
		w.eventually("the backup hears the master of "+g.Name, starting, func() bool {
			s := b.status(g.Name)
			return s.State == Backup && s.Stats.Received > 0
		})
	}
	before := make(map[*process]map[string]Status)
	for _, d := range []*process{a, b} {
		before[d] = make(map[string]Status)
		for _, g := range mine {
			before[d][g.Name] = d.status(g.Name)
		}
	}

	stopA, stopB := w.flood(w.a, list), w.flood(w.b, list)
	const adverts = 4 // of each group during the flood
	for _, g := range mine {
		w.eventually("the backup goes on to hear the master of "+g.Name, 30*time.Second, func() bool {
			return b.status(g.Name).Stats.Received >= before[b][g.Name].Stats.Received+adverts
		})
		for _, d := range []*process{a, b} {
			w.eventually("every kind of packet is counted for "+g.Name, 10*time.Second, func() bool {
				return len(d.status(g.Name).Stats.Dropped) >= len(reasons[g.Name])
			})
		}
	}
	for d, name := range map[*process]string{a: "master", b: "backup"} {
		for _, g := range mine {
			s, was := d.status(g.Name), before[d][g.Name]
			if s.State != was.State || !s.Since.Equal(was.Since) || s.Stats.BecameMaster != was.Stats.BecameMaster {
				t.Errorf("%s, %s: %s since %s (%s), was %s since %s", g.Name, name, s.State, s.Since, s.Reason, was.State, was.Since)
			}
			if s.MasterPrio != 150 {
				t.Errorf("%s, %s: believes in a master of priority %d", g.Name, name, s.MasterPrio)
			}
			if s.Split.Adverts != 0 {
				t.Errorf("%s, %s: believes in a second master: %+v", g.Name, name, s.Split)
			}
			for reason, n := range s.Stats.Dropped {
				if !reasons[g.Name][reason] {
					t.Errorf("%s, %s: %d dropped because of %s", g.Name, name, n, reason)
				}
			}
			t.Logf("%s, %s: dropped %v", g.Name, name, s.Stats.Dropped)
		}
	}

	a.signal(syscall.SIGKILL)
	killed := time.Now()
	for _, g := range theirs {
		_, down := times(g)
		w.eventually("the backup takes over "+g.Name, down-time.Since(killed), func() bool { return w.addressesUp(w.b, g) })
	}
	t.Logf("took over within %s of the kill; sent %d and %d bad packets", time.Since(killed).Round(time.Millisecond), stopA(), stopB())
}
