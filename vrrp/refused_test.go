package vrrp

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefusedAddress says what the kernel refused, and tries again.
func TestRefusedAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		h.refuse = errors.New("operation not permitted")
		r := h.boot(t, orders(front(150)))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.problems(); got != "group front: add 10.0.0.100/24 to eth0: operation not permitted" {
			t.Errorf("problems %q", got)
		}
		h.set(func(h *lanHost) { h.refuse = nil })
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if !h.holds(vip) {
			t.Error("the address was not tried again")
		}
		r.end()
	})
}

// TestRefusedSocket waits in FAULT until the socket can be opened.
func TestRefusedSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		h.noport = errors.New("create socket: operation not permitted")
		r := h.boot(t, orders(front(150)))
		time.Sleep(time.Second)
		want(t, r, "front INIT>FAULT: open VRRP socket on eth0: create socket: operation not permitted")
		h.set(func(h *lanHost) { h.noport = nil })
		time.Sleep(2 * time.Second)
		want(t, r, "front FAULT>BACKUP: started\nfront BACKUP>MASTER: no master heard for 341ms")
		r.end()
	})
}
