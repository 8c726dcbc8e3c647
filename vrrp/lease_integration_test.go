//go:build integration

package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	mnetlink "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestLeases puts addresses on an interface, renews them all at once, and has one
// among them refused. The monitor hears of none of it, but of what others do.
func TestLeases(t *testing.T) {
	h := emptyNamespace(t)
	lo := setUp(t, h, "lo") // the only one there is
	events := listenToAddresses(t)
	r := newRtnetlink()

	var list []holding
	for i := range renewSize {
		for _, p := range []string{"10.4.0.%d/32", "2001:db8::%d/128"} {
			list = append(list, holding{
				link: lo, lease: 50 * time.Second,
				prefix: netip.MustParsePrefix(fmt.Sprintf(p, i+1)), noRoute: i%2 == 0,
			})
		}
	}
	held := func(what string, seconds int) {
		t.Helper()
		addresses, err := h.AddrList(nil, netlink.FAMILY_ALL)
		if err != nil {
			t.Fatal(err)
		}
		is := make(map[netip.Prefix]netlink.Addr)
		for _, a := range addresses {
			p, _ := prefixOf(a)
			is[p] = a
		}
		for _, w := range list {
			a := is[w.prefix]
			if a.ValidLft > seconds || a.ValidLft < seconds-30 || w.prefix.Addr().Is6() != (a.PreferedLft == 0) ||
				w.noRoute != (a.Flags&unix.IFA_F_NOPREFIXROUTE != 0) || a.Protocol != addressMark {
				t.Errorf("%s: %s is %+v, want a lifetime of %d s", what, w.prefix, a, seconds)
			}
		}
	}
	for _, w := range list {
		if err := r.hold(w); err != nil {
			t.Fatal(err)
		}
	}
	held("put up", 50)
	for i := range list {
		list[i].lease = 100 * time.Second
	}
	if err := r.renew(list); err != nil {
		t.Error(err)
	}
	held("renewed", 100)

	for i := range list {
		list[i].lease = 200 * time.Second
	}
	some := append([]holding(nil), list...)
	some[7].link.index = 12345
	if err := r.renew(some); !errors.Is(err, unix.ENODEV) {
		t.Errorf("one interface is missing: %v", err)
	}
	if err := r.renew(list); err != nil { // nothing of what failed is in the way
		t.Error(err)
	}
	held("renewed after a refusal", 200)

	theirs, err := netlink.ParseAddr("10.4.1.1/32")
	if err != nil {
		t.Fatal(err)
	}
	device, err := h.LinkByIndex(lo.index)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddrAdd(device, theirs); err != nil {
		t.Fatal(err)
	}
	if got, want := events(), netip.MustParsePrefix("10.4.1.1/32"); got != want {
		t.Errorf("the first event is about %s, want %s", got, want)
	}
}

// listenToAddresses returns what waits for the next IPv4 address that is put up,
// as the monitor would.
func listenToAddresses(t *testing.T) func() netip.Prefix {
	t.Helper()
	conn, err := mnetlink.Dial(unix.NETLINK_ROUTE, &mnetlink.Config{Groups: groups(unix.RTNLGRP_IPV4_IFADDR)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	filter, err := passive()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(conn.SetBPF(filter), conn.SetReadDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	var queue []mnetlink.Message
	return func() netip.Prefix {
		t.Helper()
		for len(queue) == 0 {
			if queue, err = conn.Receive(); err != nil {
				t.Fatal(err)
			}
		}
		a := queue[0]
		queue = queue[1:]
		d, err := mnetlink.NewAttributeDecoder(a.Data[unix.SizeofIfAddrmsg:])
		if err != nil {
			t.Fatal(err)
		}
		for d.Next() {
			if d.Type() == unix.IFA_LOCAL {
				ip, _ := netip.AddrFromSlice(d.Bytes())
				return netip.PrefixFrom(ip, int(a.Data[1]))
			}
		}
		return netip.Prefix{}
	}
}
