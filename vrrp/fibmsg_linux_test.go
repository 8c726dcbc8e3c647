package vrrp

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestRouteMessages writes routes and rules and reads them again.
func TestRouteMessages(t *testing.T) {
	routes := []Route{
		{To: prefix("0.0.0.0/0"), Via: ip("10.0.0.1"), Source: ip("10.0.0.9"), Metric: 7, Table: 254, MTU: 1400, OnLink: true},
		{To: prefix("10.0.0.0/8"), Table: 1000, Scope: ScopeLink},
		{To: prefix("::/0"), Via: ip("fe80::1"), Metric: 1024, Table: 254},
		{To: prefix("2001:db8::/32"), Action: Prohibit, Metric: 1024, Table: 100},
	}
	for _, r := range routes {
		b, err := encodeRoute(r, 118, 3)
		if err != nil {
			t.Fatal(err)
		}
		got, mark, index, ok := decodeRoute(b)
		if diff := cmp.Diff(r, got, compareAddr); diff != "" || mark != 118 || index != 3 || !ok {
			t.Errorf("mark %d, index %d, %v (-want +got):\n%s", mark, index, ok, diff)
		}
	}
	rules := []Rule{
		{Priority: 1000, From: prefix("10.0.0.0/8"), To: prefix("10.1.0.0/16"), Table: 300},
		{V6: true, Priority: 1001, Mark: 7, In: "eth0", Out: "eth1", Action: Unreachable},
	}
	for _, r := range rules {
		b, err := encodeRule(r, 119)
		if err != nil {
			t.Fatal(err)
		}
		got, mark, ok := decodeRule(b)
		if diff := cmp.Diff(r, got, compareAddr); diff != "" || mark != 119 || !ok {
			t.Errorf("mark %d, %v (-want +got):\n%s", mark, ok, diff)
		}
	}
}

var compareAddr = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// FuzzRouteMessages holds the decoders to any bytes.
func FuzzRouteMessages(f *testing.F) {
	for _, r := range []Route{{To: prefix("10.0.0.0/8"), Via: ip("10.0.0.1"), Table: 1000, MTU: 9000}, {To: prefix("::/0"), Table: 254}} {
		b, err := encodeRoute(r, 118, 3)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	b, err := encodeRule(Rule{Priority: 1, From: prefix("10.0.0.0/8"), In: "eth0", Table: 300}, 118)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, _, _, ok := decodeRoute(b); ok && !r.To.IsValid() {
			t.Errorf("a route to nowhere: %+v", r)
		}
		r, _, _ := decodeRule(b)
		_ = r.String()
	})
}

// TestPassive runs the monitor's filter.
func TestPassive(t *testing.T) {
	program, err := passive()
	if err != nil {
		t.Fatal(err)
	}
	instructions, _ := bpf.Disassemble(program)
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		kind     uint16
		protocol uint8
		want     bool
		sequence uint32
	}{
		{"link", unix.RTM_NEWLINK, 0, true, 0},
		{"address", unix.RTM_DELADDR, 0, true, 0},
		{"our route removed", unix.RTM_DELROUTE, DefaultMark, true, 0},
		{"the lowest mark", unix.RTM_DELROUTE, MinMark, true, 0},
		{"the highest mark", unix.RTM_DELROUTE, MaxMark, true, 0},
		{"below", unix.RTM_DELROUTE, MinMark - 1, false, 0},
		{"BGP's route removed", unix.RTM_DELROUTE, 186, false, 0},
		{"our route added", unix.RTM_NEWROUTE, DefaultMark, false, 0},
		{"rule removed", unix.RTM_DELRULE, 0, true, 0},
		{"rule added", unix.RTM_NEWRULE, 0, false, 0},
		{"address added", unix.RTM_NEWADDR, 0, true, 7},
		{"lease renewed", unix.RTM_NEWADDR, 0, false, leaseSequence},
		{"lease removed", unix.RTM_DELADDR, 0, true, leaseSequence},
	}
	for _, test := range tests {
		message := binary.NativeEndian.AppendUint16([]byte{28, 0, 0, 0}, test.kind)
		message = append(message, make([]byte, 22)...)
		binary.NativeEndian.PutUint32(message[8:], test.sequence)
		message[unix.SizeofNlMsghdr+5] = test.protocol
		n, err := vm.Run(message)
		if err != nil || n > 0 != test.want {
			t.Errorf("%s: %d bytes pass, %v", test.name, n, err)
		}
	}
}
