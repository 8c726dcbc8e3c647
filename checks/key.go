package checks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
)

// Key returns the identity of the monitor: its probe's key and a digest of the
// schedule, which is no secret and gets by with a cheap one. It is stable across
// restarts, so that a state file may use it, and tells nothing of the passwords
// that a probe may hold.
func (m Monitor) Key() Key {
	probe := "none"
	if m.Probe != nil {
		probe = m.Probe.Key()
	}
	m.Probe = nil
	sum := fnv.New64a()
	sum.Write(canonical(make([]byte, 0, 256), reflect.ValueOf(m)))
	return Key(probe + "-" + strconv.FormatUint(sum.Sum64(), 16))
}

// digest returns kind and a digest of v, which must be made of plain values:
// the same for two values exactly when reflect.DeepEqual says they are equal.
// All probes make their keys with it, so that a new field cannot be forgotten.
func digest(kind string, v any) string {
	sum := sha256.Sum256(canonical(make([]byte, 0, 256), reflect.ValueOf(v)))
	return kind + "-" + hex.EncodeToString(sum[:16])
}

// canonical appends v as text that no different value has. Zero fields are
// left out: a field added later does not change the keys of those without it.
func canonical(b []byte, v reflect.Value) []byte {
	if !v.IsValid() {
		return append(b, "nil"...)
	}
	// netip's addresses hide their value in unexported fields.
	if s, ok := v.Interface().(fmt.Stringer); ok && v.Kind() == reflect.Struct {
		return strconv.AppendQuote(b, s.String())
	}
	switch v.Kind() {
	case reflect.Struct:
		b = append(append(b, v.Type().Name()...), '{')
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				b = append(append(b, v.Type().Field(i).Name...), ':')
				b = append(canonical(b, v.Field(i)), ' ')
			}
		}
		return append(b, '}')
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return append(b, "nil"...)
		}
		return canonical(append(b, '&'), v.Elem())
	case reflect.Slice, reflect.Array:
		b = append(b, '[')
		for i := range v.Len() {
			b = append(canonical(b, v.Index(i)), ' ')
		}
		return append(b, ']')
	case reflect.String:
		return strconv.AppendQuote(b, v.String())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
	default:
		// Maps have no order and funcs no value: a probe must hold neither.
		panic("checks: a probe cannot hold a " + v.Kind().String())
	}
}
