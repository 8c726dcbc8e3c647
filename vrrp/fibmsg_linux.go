package vrrp

import (
	"encoding/binary"
	"net/netip"
	"slices"

	mnetlink "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Route netlink messages of routes and rules, both ways. The library that does
// the addresses drops a rule's action when it lists, and takes whole routing
// tables apart to find a handful of routes; hence this codec.

// From linux/fib_rules.h, which x/sys lacks.
const (
	fraDst      = 1
	fraSrc      = 2
	fraIIFName  = 3
	fraPriority = 6
	fraFwmark   = 10
	fraTable    = 15
	fraOIFName  = 17
	fraProtocol = 21
)

// actionTypes are the RTN_* of a route's and the FR_ACT_* of a rule's actions,
// which have the same numbers.
var actionTypes = [...]uint8{unix.RTN_UNICAST, unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT}

// unknownAction is one that no wish has.
const unknownAction = Action(255)

func actionOf(n uint8) Action {
	if i := slices.Index(actionTypes[:], n); i >= 0 {
		return Action(i)
	}
	return unknownAction
}

// number is the kernel's; 0 is any.
func (a Action) number() uint8 {
	if int(a) < len(actionTypes) {
		return actionTypes[a]
	}
	return 0
}

// header is a rtmsg, which begins messages about routes, or a fib_rule_hdr,
// which begins those about rules: 12 bytes, nearly alike.
type header struct {
	family, dst, src, tos, table uint8
	protocol, scope, kind        uint8 // of a rule: 0, 0, the action
	flags                        uint32
}

const headerSize = 12

func (h header) bytes() []byte {
	b := []byte{h.family, h.dst, h.src, h.tos, h.table, h.protocol, h.scope, h.kind}
	return binary.NativeEndian.AppendUint32(b, h.flags)
}

func parseHeader(b []byte) header {
	return header{
		b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
		binary.NativeEndian.Uint32(b[8:]),
	}
}

func family(v6 bool) uint8 {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// encodeRoute writes a route as it is added. index is of its interface.
func encodeRoute(r Route, mark uint8, index int) ([]byte, error) {
	h := header{
		family: family(r.V6()), dst: uint8(r.To.Bits()), protocol: mark,
		scope: uint8(r.Scope), kind: r.Action.number(),
	}
	if r.OnLink {
		h.flags = unix.RTNH_F_ONLINK
	}
	e := mnetlink.NewAttributeEncoder()
	putPrefix(e, unix.RTA_DST, r.To)
	putAddr(e, unix.RTA_GATEWAY, r.Via)
	putAddr(e, unix.RTA_PREFSRC, r.Source)
	putNumber(e, unix.RTA_OIF, uint32(index))
	putNumber(e, unix.RTA_PRIORITY, r.Metric)
	putNumber(e, unix.RTA_TABLE, r.Table)
	if r.MTU > 0 {
		e.Nested(unix.RTA_METRICS, func(e *mnetlink.AttributeEncoder) error {
			e.Uint32(unix.RTAX_MTU, r.MTU)
			return nil
		})
	}
	return message(h, e)
}

// encodeRouteKey writes what a route is removed by: all that no other route of
// the mark has, and nothing of which the kernel may show more than it takes.
func encodeRouteKey(r Route, mark uint8) ([]byte, error) {
	h := header{family: family(r.V6()), dst: uint8(r.To.Bits()), protocol: mark, scope: unix.RT_SCOPE_NOWHERE}
	e := mnetlink.NewAttributeEncoder()
	putPrefix(e, unix.RTA_DST, r.To)
	putNumber(e, unix.RTA_PRIORITY, r.Metric)
	putNumber(e, unix.RTA_TABLE, r.Table)
	return message(h, e)
}

// decodeRoute reads a route that the kernel shows, with the mark that it
// carries and the index of its interface.
func decodeRoute(b []byte) (r Route, mark uint8, index int, ok bool) {
	if len(b) < headerSize {
		return r, 0, 0, false
	}
	h := parseHeader(b)
	d, err := mnetlink.NewAttributeDecoder(b[headerSize:])
	if err != nil || h.flags&unix.RTM_F_CLONED != 0 {
		return r, 0, 0, false
	}
	r = Route{Action: actionOf(h.kind), Scope: Scope(h.scope), OnLink: h.flags&unix.RTNH_F_ONLINK != 0, Table: uint32(h.table)}
	dst := unspecified(h.family)
	for d.Next() {
		switch d.Type() {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_GATEWAY:
			r.Via, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_PREFSRC:
			r.Source, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_OIF:
			index = int(d.Uint32())
		case unix.RTA_PRIORITY:
			r.Metric = d.Uint32()
		case unix.RTA_TABLE:
			r.Table = d.Uint32()
		case unix.RTA_METRICS:
			d.Nested(func(d *mnetlink.AttributeDecoder) error {
				for d.Next() {
					if d.Type() == unix.RTAX_MTU {
						r.MTU = d.Uint32()
					}
				}
				return nil
			})
		}
	}
	r.To = netip.PrefixFrom(dst, int(h.dst))
	return r, h.protocol, index, d.Err() == nil && r.To.IsValid()
}

// encodeRule writes a rule, as it is added and as it is removed.
func encodeRule(r Rule, mark uint8) ([]byte, error) {
	h := header{family: family(r.V6), kind: r.Action.number()}
	e := mnetlink.NewAttributeEncoder()
	if r.From.IsValid() {
		h.src = uint8(r.From.Bits())
		putPrefix(e, fraSrc, r.From)
	}
	if r.To.IsValid() {
		h.dst = uint8(r.To.Bits())
		putPrefix(e, fraDst, r.To)
	}
	e.Uint32(fraPriority, r.Priority)
	putNumber(e, fraFwmark, r.Mark)
	putNumber(e, fraTable, r.Table)
	if r.In != "" {
		e.String(fraIIFName, r.In)
	}
	if r.Out != "" {
		e.String(fraOIFName, r.Out)
	}
	e.Uint8(fraProtocol, mark)
	return message(h, e)
}

// decodeRule reads a rule that the kernel shows, with the mark that it carries.
func decodeRule(b []byte) (r Rule, mark uint8, ok bool) {
	if len(b) < headerSize {
		return r, 0, false
	}
	h := parseHeader(b)
	d, err := mnetlink.NewAttributeDecoder(b[headerSize:])
	if err != nil {
		return r, 0, false
	}
	r = Rule{V6: h.family == unix.AF_INET6, Action: actionOf(h.kind), Table: uint32(h.table)}
	for d.Next() {
		switch d.Type() {
		case fraSrc:
			ip, _ := netip.AddrFromSlice(d.Bytes())
			r.From = netip.PrefixFrom(ip, int(h.src))
		case fraDst:
			ip, _ := netip.AddrFromSlice(d.Bytes())
			r.To = netip.PrefixFrom(ip, int(h.dst))
		case fraPriority:
			r.Priority = d.Uint32()
		case fraFwmark:
			r.Mark = d.Uint32()
		case fraTable:
			r.Table = d.Uint32()
		case fraIIFName:
			r.In = d.String()
		case fraOIFName:
			r.Out = d.String()
		case fraProtocol:
			mark = d.Uint8()
		}
	}
	return r, mark, d.Err() == nil
}

// message puts a header and attributes together.
func message(h header, e *mnetlink.AttributeEncoder) ([]byte, error) {
	attributes, err := e.Encode()
	if err != nil {
		return nil, err
	}
	return append(h.bytes(), attributes...), nil
}

func unspecified(family uint8) netip.Addr {
	if family == unix.AF_INET6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// putPrefix puts the address of a prefix; its length is in the header, and is
// 0 where every address is meant.
func putPrefix(e *mnetlink.AttributeEncoder, kind uint16, p netip.Prefix) {
	if p.Bits() > 0 {
		e.Bytes(kind, p.Addr().AsSlice())
	}
}

func putAddr(e *mnetlink.AttributeEncoder, kind uint16, a netip.Addr) {
	if a.IsValid() {
		e.Bytes(kind, a.AsSlice())
	}
}

func putNumber(e *mnetlink.AttributeEncoder, kind uint16, n uint32) {
	if n != 0 {
		e.Uint32(kind, n)
	}
}
