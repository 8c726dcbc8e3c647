package vrrp

import (
	"errors"
	"fmt"
	"time"

	mnetlink "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// fib is the kernel's forwarding information base: routes and rules, and the
// static addresses; and the filter beside it. Only its fitter uses it.
type fib struct {
	conn   *mnetlink.Conn  // routes and rules
	handle *netlink.Handle // addresses and links
	filter filter

	// added are the static addresses of this run: kernels before 5.18 keep no
	// mark of an address.
	added map[StaticAddress]bool
}

func (f *fib) shown(mark uint8) (scene, error) {
	if err := f.open(); err != nil {
		return scene{}, err
	}
	x, err := f.read(mark)
	f.settle(err)
	if err != nil {
		return scene{}, err
	}
	list, err := f.filter.read(mark)
	if err != nil {
		list = unreadable // a change will say why; routes do not wait for it
	}
	return scene{x, list}, nil
}

func (f *fib) do(mark uint8, o op) error {
	if o.closed != nil {
		return f.filter.write(mark, *o.closed)
	}
	if err := f.open(); err != nil {
		return err
	}
	err := f.change(mark, o)
	f.settle(err)
	switch {
	case o.kind == opRemove && (errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) ||
		errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV)):
		return nil
	case errors.Is(err, unix.EEXIST):
		return errForeign
	}
	return needs(err, "CAP_NET_ADMIN")
}

// open opens the sockets that are not.
func (f *fib) open() error {
	if f.added == nil {
		f.added = make(map[StaticAddress]bool)
	}
	if f.handle == nil {
		h, err := newHandle()
		if err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		f.handle = h
	}
	if f.conn == nil {
		c, err := mnetlink.Dial(unix.NETLINK_ROUTE, nil)
		if err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		// With strict checking the kernel filters by protocol (Linux 4.20): of
		// a full routing table only ours is sent. Without it the filter of
		// read does the same, slower.
		_ = c.SetOption(mnetlink.GetStrictCheck, true)
		_ = c.SetOption(mnetlink.ExtendedAcknowledge, true)
		f.conn = c
	}
	return nil
}

// settle throws the sockets away when a call failed for another reason than a
// refusal, so that a late answer meets nobody.
func (f *fib) settle(err error) {
	if err == nil || errors.Is(err, errNoInterface) {
		return
	}
	var errno unix.Errno
	if errors.As(err, &errno) && errno != unix.EAGAIN && errno != unix.ENOBUFS {
		return
	}
	f.conn.Close()
	f.handle.Close()
	f.conn, f.handle = nil, nil
}

// read reads what carries the mark.
func (f *fib) read(mark uint8) (Fixtures, error) {
	var x Fixtures
	names := make(map[int]string)
	for _, v6 := range [2]bool{false, true} {
		h := header{family: family(v6), protocol: mark}
		msgs, err := f.dump(unix.RTM_GETROUTE, h)
		if err != nil {
			return x, fmt.Errorf("list routes: %w", err)
		}
		for _, m := range msgs {
			r, by, index, ok := decodeRoute(m.Data)
			if !ok || by != mark || r.V6() != v6 {
				continue
			}
			r.Interface = f.nameOf(index, names)
			x.Routes = append(x.Routes, r)
		}
		h.protocol = 0
		if msgs, err = f.dump(unix.RTM_GETRULE, h); err != nil {
			return x, fmt.Errorf("list rules: %w", err)
		}
		for _, m := range msgs {
			if r, by, ok := decodeRule(m.Data); ok && by == mark && r.V6 == v6 {
				x.Rules = append(x.Rules, r)
			}
		}
	}
	list, err := f.handle.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return x, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range list {
		p, ok := prefixOf(a)
		if !ok || a.Protocol != int(mark) && a.Protocol != 0 {
			continue
		}
		s := StaticAddress{Interface: f.nameOf(a.LinkIndex, names), Prefix: p}
		if a.Protocol == int(mark) || f.added[s] {
			x.Addresses = append(x.Addresses, s)
		}
	}
	return x, nil
}

// dump asks for a list. One that was torn by a change is asked for again.
func (f *fib) dump(kind mnetlink.HeaderType, h header) ([]mnetlink.Message, error) {
	for range 10 {
		msgs, err := f.exchange(kind, mnetlink.Dump, h.bytes())
		if err != nil {
			return nil, err
		}
		torn := false
		for _, m := range msgs {
			torn = torn || m.Header.Flags&mnetlink.DumpInterrupted != 0
		}
		if !torn {
			return msgs, nil
		}
	}
	return nil, errors.New("they change too fast to be read")
}

// exchange sends a request and receives the answer, in bounded time.
func (f *fib) exchange(kind mnetlink.HeaderType, flags mnetlink.HeaderFlags, data []byte) ([]mnetlink.Message, error) {
	if err := f.conn.SetDeadline(time.Now().Add(netlinkPatience)); err != nil {
		return nil, err
	}
	return f.conn.Execute(mnetlink.Message{
		Header: mnetlink.Header{Type: kind, Flags: mnetlink.Request | flags},
		Data:   data,
	})
}

// errNoInterface says that there is no interface of a name.
var errNoInterface = errors.New("no such interface")

// change makes one change.
func (f *fib) change(mark uint8, o op) error {
	switch {
	case o.address != nil:
		return f.changeAddress(mark, o.kind, *o.address)
	case o.rule != nil:
		b, err := encodeRule(*o.rule, mark)
		if err != nil {
			return err
		}
		return f.write(unix.RTM_NEWRULE, unix.RTM_DELRULE, o.kind, b)
	case o.kind == opRemove || o.kind == opReplace && o.route.V6():
		// IPv6 replaces only a route that is of the same kind.
		b, err := encodeRouteKey(*o.route, mark)
		if err != nil {
			return err
		}
		if err := f.write(unix.RTM_NEWROUTE, unix.RTM_DELROUTE, opRemove, b); err != nil || o.kind == opRemove {
			return err
		}
		o.kind = opAdd
	}
	index := 0
	if name := o.route.Interface; name != "" {
		k, err := f.handle.LinkByName(name)
		var missing netlink.LinkNotFoundError
		switch {
		case errors.As(err, &missing):
			return fmt.Errorf("%w: %s", errNoInterface, name)
		case err != nil:
			return err
		}
		index = k.Attrs().Index
	}
	b, err := encodeRoute(*o.route, mark, index)
	if err != nil {
		return err
	}
	return f.write(unix.RTM_NEWROUTE, unix.RTM_DELROUTE, o.kind, b)
}

// write sends one change and waits for its acknowledgement.
func (f *fib) write(add, remove mnetlink.HeaderType, kind opKind, b []byte) error {
	flags := mnetlink.Acknowledge
	switch kind {
	case opAdd:
		flags |= mnetlink.Create | mnetlink.Excl
	case opReplace:
		flags |= mnetlink.Create | mnetlink.Replace
	case opRemove:
		add = remove
	}
	_, err := f.exchange(add, flags, b)
	return err
}

// changeAddress puts up or takes off a static address.
func (f *fib) changeAddress(mark uint8, kind opKind, a StaticAddress) error {
	k, err := f.handle.LinkByName(a.Interface)
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("%w: %s", errNoInterface, a.Interface)
	case err != nil:
		return err
	}
	is := address(link{index: k.Attrs().Index}, a.Prefix)
	if kind == opRemove {
		delete(f.added, a)
		return f.handle.AddrDel(nil, is)
	}
	is.Protocol = int(mark)
	if err := f.handle.AddrAdd(nil, is); err != nil {
		return err
	}
	f.added[a] = true
	return nil
}

// nameOf returns the name of an interface, and remembers it for one reading.
func (f *fib) nameOf(index int, names map[int]string) string {
	if index == 0 {
		return ""
	}
	name, ok := names[index]
	if !ok {
		if k, err := f.handle.LinkByIndex(index); err == nil {
			name = k.Attrs().Name
		}
		names[index] = name
	}
	return name
}
