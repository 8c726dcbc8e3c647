package vrrp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	mnetlink "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	// addressDelay is how long changes of addresses are gathered before they
	// are read: a takeover of a thousand addresses is a thousand events. A
	// change of a link is read at once.
	addressDelay = 50 * time.Millisecond

	monitorBuffer = 4 << 20
	monitorRetry  = 200 * time.Millisecond
)

// monitor watches interfaces and addresses through route netlink. Its events
// only say that something changed; what is true is read by a dump, so that a
// lost event costs nothing but time. Only that a link has gone down is believed at
// once: a master has to leave.
type monitor struct {
	log   *zap.Logger
	known atomic.Pointer[known]
}

// changes are what the events have said and the table does not yet.
type changes struct {
	links, addresses chan struct{} // something about them
	fallen           chan int      // indices of links that have gone down
}

func newChanges() changes {
	return changes{make(chan struct{}, 1), make(chan struct{}, 1), make(chan int, 64)}
}

// fell notes that a link has gone down.
func (c changes) fell(index int) {
	select {
	case c.fallen <- index:
	default:
		mark(c.links)
	}
}

// known are the addresses of the last table: an event about one of them as it
// is was our own renewal, in IPv6.
type known map[knownAddress]bool

type knownAddress struct {
	index int
	ip    netip.Addr
	bits  int
}

func (m *monitor) watch(ctx context.Context, tell func(table)) error {
	for {
		err := m.subscribe(ctx, tell)
		if ctx.Err() != nil {
			return nil
		}
		m.log.Warn("watching interfaces failed, beginning anew", zap.Error(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(monitorRetry):
		}
	}
}

// subscribe watches until something fails.
func (m *monitor) subscribe(ctx context.Context, tell func(table)) error {
	conn, err := mnetlink.Dial(unix.NETLINK_ROUTE, &mnetlink.Config{
		Groups: groups(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
			unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE),
	})
	if err != nil {
		return fmt.Errorf("subscribe to interfaces: %w", err)
	}
	filter, err := passive()
	if err == nil {
		err = conn.SetBPF(filter)
	}
	if err != nil {
		conn.Close()
		return fmt.Errorf("filter interface events: %w", err)
	}
	if err := conn.SetReadBuffer(monitorBuffer); err != nil {
		m.log.Debug("cannot enlarge netlink buffer", zap.Error(err))
	}
	c := newChanges()
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return m.listen(conn, c) })
	group.Go(func() error {
		<-inner.Done()
		return conn.Close()
	})
	group.Go(func() error { return m.publish(inner, c, tell) })
	return group.Wait()
}

// listen sorts the events.
func (m *monitor) listen(conn *mnetlink.Conn, c changes) error {
	for {
		msgs, err := conn.Receive()
		if errors.Is(err, unix.ENOBUFS) {
			// Events were lost: read everything.
			mark(c.links)
			continue
		}
		if err != nil {
			return fmt.Errorf("receive interface events: %w", err)
		}
		for _, msg := range msgs {
			switch msg.Header.Type {
			case unix.RTM_NEWLINK:
				if index, down := linkDown(msg.Data); down {
					c.fell(index)
				} else {
					mark(c.links)
				}
			case unix.RTM_DELLINK:
				mark(c.links)
			case unix.RTM_NEWADDR:
				if !m.knows(msg.Data) {
					mark(c.addresses)
				}
			case unix.RTM_DELADDR, unix.RTM_DELROUTE, unix.RTM_DELRULE:
				mark(c.addresses)
			}
		}
	}
}

func mark(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// running are the flags of a link that is up, administratively and with a carrier.
const running = unix.IFF_UP | unix.IFF_RUNNING

// linkDown tells of which link an event says that it is not up.
func linkDown(data []byte) (index int, down bool) {
	if len(data) < unix.SizeofIfInfomsg || data[0] != unix.AF_UNSPEC {
		return 0, false
	}
	index = int(int32(binary.NativeEndian.Uint32(data[4:])))
	return index, binary.NativeEndian.Uint32(data[8:])&running != running
}

// knows tells whether an event is about an address as the last table had it.
func (m *monitor) knows(data []byte) bool {
	last := m.known.Load()
	if last == nil || len(data) < unix.SizeofIfAddrmsg {
		return false
	}
	key := knownAddress{index: int(binary.NativeEndian.Uint32(data[4:])), bits: int(data[1])}
	attributes, err := mnetlink.NewAttributeDecoder(data[unix.SizeofIfAddrmsg:])
	if err != nil {
		return false
	}
	for attributes.Next() {
		switch attributes.Type() {
		case unix.IFA_LOCAL:
			key.ip, _ = netip.AddrFromSlice(attributes.Bytes())
		case unix.IFA_ADDRESS:
			if !key.ip.IsValid() {
				key.ip, _ = netip.AddrFromSlice(attributes.Bytes())
			}
		case unix.IFA_FLAGS:
			if attributes.Uint32()&unix.IFA_F_TENTATIVE != 0 {
				return false
			}
		}
	}
	return (*last)[key]
}

// publish reads the table when there is cause and hands it out.
func (m *monitor) publish(ctx context.Context, c changes, tell func(table)) error {
	h, err := newHandle()
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	var is table
	for {
		before := is.links
		if is, err = read(h); err != nil {
			return err
		}
		is.rise(before)
		m.remember(is.links)
		tell(is)
		if is, err = await(ctx, c, is, tell); err != nil {
			return err
		}
	}
}

// await returns when the table is to be read again, and what is known of it by then.
func await(ctx context.Context, c changes, is table, tell func(table)) (table, error) {
	var due <-chan time.Time // for what can wait
	for {
		select {
		case <-ctx.Done():
			return is, ctx.Err()
		case index := <-c.fallen:
			// Who comes up again at once is to be read.
			if fallen, news := is.fall(index); news && len(c.links) == 0 {
				is = fallen
				tell(is)
			}
			due = soon(due)
		case <-c.addresses:
			due = soon(due)
		case <-due:
			return is, nil
		case <-c.links:
			for len(c.fallen) > 0 {
				<-c.fallen // the table will tell, perhaps that it is up again
			}
			return is, nil
		}
	}
}

// soon is due, or addressDelay from now if nothing is.
func soon(due <-chan time.Time) <-chan time.Time {
	if due != nil {
		return due
	}
	return time.After(addressDelay)
}

func (m *monitor) remember(ls links) {
	k := make(known)
	for _, l := range ls {
		for _, a := range l.addresses {
			if !a.unusable {
				k[knownAddress{l.index, a.prefix.Addr(), a.prefix.Bits()}] = true
			}
		}
	}
	m.known.Store(&k)
}

// read dumps interfaces and addresses. A dump that was torn by a change is
// read again.
func read(h *netlink.Handle) (table, error) {
	for range 10 {
		began := time.Now()
		ls, err := readOnce(h)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return table{ls, began}, err
		}
	}
	return table{}, errors.New("interfaces change too fast to be read")
}

func readOnce(h *netlink.Handle) (links, error) {
	list, err := h.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	addresses, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	ls := make(links, len(list))
	names := make(map[int]string, len(list))
	for _, k := range list {
		a := k.Attrs()
		names[a.Index] = a.Name
		ls[a.Name] = link{index: a.Index, name: a.Name, mac: a.HardwareAddr, mtu: a.MTU, up: a.RawFlags&running == running}
	}
	for _, a := range addresses {
		l, ok := ls[names[a.LinkIndex]]
		prefix, valid := prefixOf(a)
		if !ok || !valid {
			continue
		}
		l.addresses = append(l.addresses, linkAddress{
			prefix:    prefix,
			mine:      a.Protocol == addressMark,
			permanent: a.Flags&unix.IFA_F_PERMANENT != 0,
			unusable:  a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 && a.Flags&unix.IFA_F_OPTIMISTIC == 0,
		})
		ls[l.name] = l
	}
	return ls, nil
}

// prefixOf is the address in our words.
func prefixOf(a netlink.Addr) (netip.Prefix, bool) {
	ip, ok := netip.AddrFromSlice(a.IP)
	bits, _ := a.Mask.Size()
	return netip.PrefixFrom(ip.Unmap(), bits), ok
}
