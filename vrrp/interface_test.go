package vrrp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestInterface follows the interface: missing, there, down, up, replaced.
func TestInterface(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		good := a.host.links["eth0"]
		good.addresses = good.addresses[:2]
		becomes := func(f func(*link)) {
			l := good
			f(&l)
			a.host.change(func(ls links) { ls["eth0"] = l })
		}
		becomes(func(l *link) { l.up = false })
		time.Sleep(gathering)
		want(t, a, "front MASTER>FAULT: interface eth0 is down")
		time.Sleep(time.Second)
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 silent for 361ms")

		a.host.change(func(ls links) { delete(ls, "eth0") })
		time.Sleep(time.Second)
		synctest.Wait()
		if s := a.status("front"); s.Reason != "interface eth0 is missing" {
			t.Errorf("reason %q", s.Reason)
		}

		becomes(func(l *link) { l.index, l.addresses = 7, nil })
		time.Sleep(time.Second)
		synctest.Wait()
		if s := a.status("front"); s.Reason != "interface eth0 has no IPv4 address to send from" {
			t.Errorf("reason %q", s.Reason)
		}

		becomes(func(l *link) { l.index = 7 })
		time.Sleep(time.Second)
		want(t, a, "front FAULT>BACKUP: started\nfront BACKUP>MASTER: preempts 10.0.0.2 (priority 150 > 100)")
	})
}

// TestCableBack plugs the master's cable back into a switch that takes a moment
// to forward: both are master until it does, and then the neighbours must learn
// at once that the better one is, not at the end of their ARP timeout.
func TestCableBack(t *testing.T) {
	for _, deaf := range []time.Duration{0, 350 * time.Millisecond, 400 * time.Millisecond, 700 * time.Millisecond, 3 * time.Second} {
		t.Run(deaf.String(), func(t *testing.T) {
			duo(t, func(t *testing.T, a, b *router) {
				a.host.change(func(ls links) { l := ls["eth0"]; l.up = false; ls["eth0"] = l })
				time.Sleep(time.Second)
				a.host.set(func(h *lanHost) { h.cut = true })
				a.host.change(func(ls links) { l := ls["eth0"]; l.up = true; ls["eth0"] = l })
				time.Sleep(deaf)
				a.host.set(func(h *lanHost) { h.cut = false })
				for range 2000 {
					synctest.Wait()
					holder := a.host.lan.at("10.0.0.100")
					if !a.host.lan.hosts[holder].holds(vip) {
						// The burst in progress may have to end first.
						time.Sleep(burstGap - 50*time.Millisecond)
						synctest.Wait()
						holder = a.host.lan.at("10.0.0.100")
						if !a.host.lan.hosts[holder].holds(vip) {
							t.Fatalf("the neighbours ask %d, which has nothing", holder)
						}
					}
					time.Sleep(time.Millisecond)
				}
				if at := a.host.lan.at("10.0.0.100"); at != 0 || a.status("front").State != Master {
					t.Errorf("the neighbours ask %d", at)
				}
			})
		})
	}
}

// TestAddressStolen puts an address back that somebody has removed, without a
// change of state, and announces it.
func TestAddressStolen(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		for range 3 {
			a.host.lan.mu.Lock()
			a.host.lan.arp[netip.MustParseAddr("10.0.0.100")] = 9
			a.host.lan.mu.Unlock()
			a.host.change(func(ls links) {
				l := ls["eth0"]
				l.addresses = l.addresses[:2]
				ls["eth0"] = l
			})
			time.Sleep(burstGap)
			if !a.host.holds(vip) {
				t.Error("the address is not back")
			}
			if at := a.host.lan.at("10.0.0.100"); at != 0 {
				t.Errorf("the neighbours think it is at %d", at)
			}
			want(t, a, "")
		}
	})
}
