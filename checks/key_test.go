package checks

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// allProbes has one value of every kind of probe.
func allProbes() []Probe {
	return []Probe{
		TCP{}, HTTP{}, ICMP{}, Script{}, UDP{}, DNS{}, Text{}, Redis{}, MySQL{}, PostgreSQL{}, LDAP{}, SIP{}, Radius{},
		GRPC{}, Certificate{}, File{}, Agent{}, Process{}, BFD{},
	}
}

// TestKeyCoversEveryField changes every field of every probe and of a monitor,
// however deep, and wants another key each time.
func TestKeyCoversEveryField(t *testing.T) {
	for _, p := range allProbes() {
		seen := map[string]string{p.Key(): "nothing"}
		eachChange(reflect.ValueOf(p), func(path string, changed reflect.Value) {
			key := changed.Interface().(Probe).Key()
			if other, twice := seen[key]; twice {
				t.Errorf("%T: changing %s and changing %s give the same key", p, path, other)
			}
			seen[key] = path
		})
		if len(seen) < 2 {
			t.Errorf("%T: no field was changed", p)
		}
	}
	m := Monitor{Probe: TCP{}}
	seen := map[Key]string{m.Key(): "nothing"}
	eachChange(reflect.ValueOf(m), func(path string, changed reflect.Value) {
		key := changed.Interface().(Monitor).Key()
		if other, twice := seen[key]; twice {
			t.Errorf("Monitor: changing %s and changing %s give the same key", path, other)
		}
		seen[key] = path
	})
}

// eachChange calls f with copies of v in which one field each is not zero.
func eachChange(v reflect.Value, f func(path string, changed reflect.Value)) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		for j, value := range samples(v.Field(i).Type()) {
			changed := reflect.New(v.Type()).Elem()
			changed.Set(v)
			changed.Field(i).Set(value)
			f(fmt.Sprintf("%s (%d)", name, j), changed)
		}
	}
}

// samples returns values of type t that all differ, none of them zero.
func samples(t reflect.Type) []reflect.Value {
	switch t {
	case reflect.TypeFor[netip.AddrPort]():
		return []reflect.Value{
			reflect.ValueOf(netip.MustParseAddrPort("10.0.0.1:80")), reflect.ValueOf(netip.MustParseAddrPort("10.0.0.1:81")),
			reflect.ValueOf(netip.MustParseAddrPort("[::1]:80")),
		}
	case reflect.TypeFor[netip.Addr]():
		return []reflect.Value{reflect.ValueOf(netip.MustParseAddr("10.0.0.1")), reflect.ValueOf(netip.MustParseAddr("fe80::1%eth0"))}
	case reflect.TypeFor[Probe]():
		return []reflect.Value{reflect.ValueOf(HTTP{}), reflect.ValueOf(TCP{Target: netip.MustParseAddrPort("10.0.0.1:80")})}
	}
	one := reflect.New(t).Elem()
	var all []reflect.Value
	switch t.Kind() {
	case reflect.Bool:
		one.SetBool(true)
	case reflect.Int, reflect.Int64, reflect.Int32:
		one.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		one.SetUint(7)
	case reflect.Float64:
		one.SetFloat(0.5)
	case reflect.String:
		one.SetString("x")
	case reflect.Pointer:
		one.Set(reflect.New(t.Elem()))
		for _, s := range samples(t.Elem()) {
			p := reflect.New(t.Elem())
			p.Elem().Set(s)
			all = append(all, p)
		}
	case reflect.Slice:
		one.Set(reflect.MakeSlice(t, 1, 1))
		all = append(all, reflect.MakeSlice(t, 2, 2))
		for _, s := range samples(t.Elem()) {
			all = append(all, reflect.Append(reflect.MakeSlice(t, 0, 1), s))
		}
	case reflect.Struct:
		eachChange(one, func(_ string, changed reflect.Value) { all = append(all, changed) })
		return all
	default:
		panic("no sample of " + t.String())
	}
	return append(all, one)
}

func TestKeyIsStable(t *testing.T) {
	m := Monitor{Probe: TCP{Target: netip.MustParseAddrPort("10.0.0.1:80")}, Interval: time.Second, Rise: 1, Fall: 1}
	// State files that other versions have written hold this key.
	const want = "tcp-b103a56609258094828c5fec3bf1adf5-431060666096c8a1"
	if got := m.Key(); got != want {
		t.Errorf("key is %s, was %s", got, want)
	}
}

// TestKeyBoundaries wants different keys where a careless encoding runs
// neighbouring values together.
func TestKeyBoundaries(t *testing.T) {
	pairs := [][2]Probe{
		{Script{Command: Command{Argv: []string{"a", "b"}}}, Script{Command: Command{Argv: []string{"a b"}}}},
		{Script{Command: Command{Argv: []string{"a"}, Env: []string{"b"}}}, Script{Command: Command{Argv: []string{"a", "b"}}}},
		{HTTP{Method: "a", Path: ""}, HTTP{Method: "", Path: "a"}},
		{HTTP{Path: `"`}, HTTP{Path: `\"`}},
		{HTTP{Headers: []Header{}}, HTTP{}},
	}
	for _, p := range pairs {
		if p[0].Key() == p[1].Key() {
			t.Errorf("%+v and %+v have the same key", p[0], p[1])
		}
	}
}
