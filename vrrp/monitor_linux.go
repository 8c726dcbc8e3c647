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
// lost event costs nothing but time.
type monitor struct {
	log   *zap.Logger
	known atomic.Pointer[known]
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
	links, addresses := make(chan struct{}, 1), make(chan struct{}, 1)
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return m.listen(conn, links, addresses) })
	group.Go(func() error {
		<-inner.Done()
		return conn.Close()
	})
	group.Go(func() error { return m.publish(inner, links, addresses, tell) })
	return group.Wait()
}

// listen sorts the events.
func (m *monitor) listen(conn *mnetlink.Conn, links, addresses chan struct{}) error {
	for {
		msgs, err := conn.Receive()
		if errors.Is(err, unix.ENOBUFS) {
			// Events were lost: read everything.
			mark(links)
			continue
		}
		if err != nil {
			return fmt.Errorf("receive interface events: %w", err)
		}
		for _, msg := range msgs {
			switch msg.Header.Type {
			case unix.RTM_NEWLINK, unix.RTM_DELLINK:
				mark(links)
			case unix.RTM_NEWADDR:
				if !m.knows(msg.Data) {
					mark(addresses)
				}
			case unix.RTM_DELADDR, unix.RTM_DELROUTE, unix.RTM_DELRULE:
				mark(addresses)
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
func (m *monitor) publish(ctx context.Context, changed, addresses <-chan struct{}, tell func(table)) error {
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
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-addresses:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			case <-time.After(addressDelay):
			}
		}
	}
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
		const up = unix.IFF_UP | unix.IFF_RUNNING
		ls[a.Name] = link{index: a.Index, name: a.Name, mac: a.HardwareAddr, mtu: a.MTU, up: a.RawFlags&up == up}
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
