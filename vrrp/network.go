package vrrp

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Multicast destinations (RFC 9568, sections 5.1.1.2 and 5.1.2.2).
var (
	group4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})
	group6 = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12})
)

// maxPayload is more than any advertisement needs: 255 IPv6 addresses and a trailer.
const maxPayload = headerLen + 255*16 + 64

// host is the machine as routers need it. There are two: Linux, and the
// simulated one of the tests.
type host struct {
	network network
	kernel  kernel
	tables  tables
	watch   watcher
}

// network opens ways to the other routers.
type network interface {
	// sit makes the desk of a loop.
	sit() (desk, error)
	// overhear hears who else claims any of some addresses of a family on an interface.
	overhear(l link, v6 bool, addrs []netip.Addr) (ear, error)
	asker
}

// envelope is how a payload is to be sent.
type envelope struct {
	src, dst netip.Addr
	ttl      int
	mac      net.HardwareAddr // source; nil: the interface's
}

// frame is a received packet.
type frame struct {
	at       time.Time // when it did
	src, dst netip.Addr
	ttl      int
	n        int
	buf      [maxPayload]byte
}

// kernel changes the addresses of interfaces. Its calls may take a while, but
// end by themselves.
type kernel interface {
	// hold puts an address on an interface, or renews it, for the time of the lease.
	hold(h holding) error
	// renew does that for many at once, sooner. An error says that it did not
	// for at least one of them.
	renew(list []holding) error
	// release takes an address off; one that is not there is no error.
	release(l link, p netip.Prefix) error
	// announce tells the neighbours that an address is here (RFC 9568,
	// section 6.4.1: gratuitous ARP, unsolicited neighbour advertisement).
	announce(l link, ip netip.Addr) error
	// prepare opens what a takeover on the link will need, and goes through the
	// motions with one of its addresses: it changes nothing.
	prepare(l link, ip netip.Addr) error
	// forget makes the kernel ask anew for neighbours on the link that have not
	// answered so far.
	forget(l link) error
}

// holding is how an address is put on an interface.
type holding struct {
	link    link
	prefix  netip.Prefix
	lease   time.Duration
	noRoute bool // none to the prefix: another address makes it
}

// watcher tells of interfaces.
type watcher interface {
	// watch tells the interfaces whenever they change, at first at once,
	// until ctx is done.
	watch(ctx context.Context, tell func(table)) error
}
