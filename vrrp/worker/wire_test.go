package worker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/vrrp"
)

// filled returns a value of type T in which nothing is zero, so that a field
// that the encoding loses is noticed whoever adds it.
func filled[T any](t *testing.T) T {
	t.Helper()
	var v T
	fill(t, reflect.ValueOf(&v).Elem(), 1)
	return v
}

func fill(t *testing.T, v reflect.Value, n int) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 11, 23, 10, 11, 12, n*1000+7, time.UTC)
		return
	case *netip.Addr:
		*x = netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
		return
	case *netip.Prefix:
		*x = netip.MustParsePrefix("2001:db8::1/64")
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("text \"\x01€\" " + strings.Repeat("x", n))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(-n))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(n))
	case reflect.Float64:
		v.SetFloat(float64(n) / 3)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), n+i+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), n+i)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, elem, n)
		v.SetMapIndex(key, elem)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n+i)
		}
	default:
		t.Fatalf("a %v crosses the socket, which this test does not know", v.Type())
	}
}

func transfer(f *frame) (*frame, error) {
	var wire bytes.Buffer
	e := encoder{w: &wire}
	if err := e.encode(f); err != nil {
		return nil, err
	}
	d := decoder{r: &wire}
	return d.decode(maxFrame)
}

var exact = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func TestNothingIsLostOnTheWire(t *testing.T) {
	o := filled[vrrp.Orders](t)
	r := filled[report](t)
	for _, f := range []*frame{
		{Hello: &hello{Magic: magic, Protocol: 7, Schema: "s", Instance: "i", Yield: true}},
		{Command: &vrrp.Command{Orders: &o}},
		{Command: &vrrp.Command{Orders: &vrrp.Orders{}}},
		{Command: &vrrp.Command{Failover: []string{}}},
		{Command: &vrrp.Command{Failover: []string{"a", "b"}}},
		{Command: &vrrp.Command{Stop: true}},
		{Again: true},
		{Ack: 1<<64 - 1},
		{Report: &r},
		{Report: &report{}},
		{Bye: "why"},
	} {
		got, err := transfer(f)
		if err != nil {
			t.Errorf("%+v: %v", f, err)
			continue
		}
		if diff := cmp.Diff(f, got, exact); diff != "" {
			t.Errorf("(-sent +arrived):\n%s", diff)
		}
	}
}

func TestTenThousandGroupsFit(t *testing.T) {
	o := orders(10000)
	for i := range o.Config.Groups {
		g := &o.Config.Groups[i]
		g.Name = strings.Repeat("n", 100)
		for range 4 {
			g.Addresses = append(g.Addresses, netip.MustParsePrefix("2001:db8:1234:5678:9abc:def0:1234:5678/128"))
		}
	}
	if _, err := transfer(&frame{Command: &vrrp.Command{Orders: o}}); err != nil {
		t.Error(err)
	}
}

func framed(payload string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

func TestBadFrames(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, io.EOF},
		{"half a length", []byte{0, 0}, io.ErrUnexpectedEOF},
		{"half a frame", framed(`{"again":true}`)[:10], io.ErrUnexpectedEOF},
		{"length without a frame", []byte{0, 0, 0, 9}, io.ErrUnexpectedEOF},
		{"too long", []byte{0xff, 0xff, 0xff, 0xff}, errFrame},
		{"empty", framed(""), errFrame},
		{"no JSON", framed("GET / HTTP/1.0\r\n\r\n"), errFrame},
		{"two values", framed(`{"again":true}{"again":true}`), errFrame},
		{"no message", framed(`{}`), errFrame},
		{"null", framed(`null`), errFrame},
		{"two messages", framed(`{"again":true,"ack":3}`), errFrame},
		{"no command", framed(`{"command":{}}`), errFrame},
		{"two commands", framed(`{"command":{"Stop":true,"Failover":[]}}`), errFrame},
		{"wrong type", framed(`{"command":{"Orders":7}}`), errFrame},
		{"bad address", framed(`{"command":{"Orders":{"Config":{"Groups":[{"Addresses":["x"]}]}}}}`), errFrame},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := decoder{r: bytes.NewReader(tt.in)}
			if f, err := d.decode(maxFrame); !errors.Is(err, tt.want) {
				t.Errorf("decode = %+v, %v; want %v", f, err, tt.want)
			}
		})
	}
}

// A length that is only announced must not cost memory.
func TestAnnouncedLengthCostsNothing(t *testing.T) {
	in := binary.BigEndian.AppendUint32(nil, maxFrame)
	cost := testing.AllocsPerRun(10, func() {
		d := decoder{r: bytes.NewReader(in)}
		if _, err := d.decode(maxFrame); err == nil {
			t.Error("decoded nothing")
		}
		if d.buf.Cap() > 64<<10 {
			t.Errorf("%d bytes were allocated for a frame that never came", d.buf.Cap())
		}
	})
	if cost > 50 {
		t.Errorf("%v allocations", cost)
	}
}

func TestTooLargeIsNotSent(t *testing.T) {
	var wire bytes.Buffer
	e := encoder{w: &wire}
	err := e.encode(&frame{Bye: strings.Repeat("x", maxFrame)})
	if !errors.Is(err, errFrame) || wire.Len() > 0 {
		t.Errorf("encode = %v with %d bytes written, want %v and none", err, wire.Len(), errFrame)
	}
}

func TestSchemaTellsTypesApart(t *testing.T) {
	type inner struct{ A int }
	type one struct{ X []inner }
	seen := map[string]string{}
	for name, typ := range map[string]reflect.Type{
		"one":        reflect.TypeFor[one](),
		"other name": reflect.TypeFor[struct{ Y []inner }](),
		"other tag": reflect.TypeFor[struct {
			X []inner `json:"x"`
		}](),
		"other element": reflect.TypeFor[struct{ X []struct{ A int8 } }](),
		"another field": reflect.TypeFor[struct {
			X []inner
			Z bool
		}](),
	} {
		s := schemaOf(typ)
		if other, ok := seen[s]; ok {
			t.Errorf("%s and %s have the same schema", name, other)
		}
		seen[s] = name
	}
	if s := schemaOf(reflect.TypeFor[one]()); seen[s] != "one" {
		t.Error("a type's schema differs from itself")
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"hello":{"magic":"director vrrp","protocol":1,"schema":"x"}}`,
		`{"command":{"Orders":{"Config":{"Groups":[{"Name":"a","Addresses":["10.0.0.1/24"]}],"EngineGrace":1}}}}`,
		`{"command":{"Failover":[]}}`, `{"again":true}`, `{"ack":1}`, `{"bye":"x"}`,
		`{"report":{"Transitions":[{"Group":"a","At":"2026-01-01T00:00:00Z"}],"first":3}}`,
	} {
		f.Add(framed(s))
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 'x'})
	f.Fuzz(func(t *testing.T, in []byte) {
		d := decoder{r: bytes.NewReader(in)}
		for {
			got, err := d.decode(maxFrame)
			if err != nil {
				return
			}
			if err := got.check(); err != nil {
				t.Fatalf("decoded what is no frame: %v", err)
			}
			// What was understood can be said again, and means the same.
			again, err := transfer(got)
			if err != nil {
				t.Fatalf("%+v: %v", got, err)
			}
			if !reflect.DeepEqual(got, again) {
				t.Fatalf("got %+v, then %+v", got, again)
			}
		}
	})
}
