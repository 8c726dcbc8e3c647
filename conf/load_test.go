package conf

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/checks"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with the file called name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestLoadGood(t *testing.T) {
	paths, _ := filepath.Glob("testdata/good/*")
	for _, path := range paths {
		if filepath.Ext(path) == ".want" {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".hcl")+".want", dump(c))
		})
	}
}

func TestLoadBad(t *testing.T) {
	paths, _ := filepath.Glob("testdata/bad/*")
	for _, path := range paths {
		if filepath.Ext(path) == ".want" {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := Load(path)
			p, ok := errors.AsType[*Problems](err)
			if !ok {
				t.Fatalf("Load(%s) = %v, want *Problems", path, err)
			}
			var b bytes.Buffer
			if err := p.Write(&b, 0, false); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".hcl")+".want", b.Bytes())
		})
	}
}

// dump writes v as indented text: fields that are not zero, each in a line.
func dump(v any) []byte {
	var b bytes.Buffer
	dumpValue(&b, reflect.ValueOf(v), "")
	return b.Bytes()
}

func dumpValue(b *bytes.Buffer, v reflect.Value, indent string) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if s, ok := v.Interface().(fmt.Stringer); ok {
		fmt.Fprintf(b, " %s\n", s)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		fmt.Fprintf(b, " %s\n", v.Type())
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !v.Field(i).IsZero() && f.Type != reflect.TypeFor[checks.Key]() {
				fmt.Fprintf(b, "%s  %s:", indent, f.Name)
				dumpValue(b, v.Field(i), indent+"  ")
			}
		}
	case reflect.Slice:
		if e := v.Type().Elem().Kind(); e != reflect.Struct && e != reflect.Pointer || v.Len() == 0 || isStringer(v.Index(0)) {
			fmt.Fprintf(b, " %q\n", fmt.Sprint(v.Interface()))
			return
		}
		b.WriteByte('\n')
		for i := range v.Len() {
			fmt.Fprintf(b, "%s  -", indent)
			dumpValue(b, v.Index(i), indent+"  ")
		}
	case reflect.Map:
		b.WriteByte('\n')
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		for _, key := range keys {
			fmt.Fprintf(b, "%s  %s:", indent, key)
			dumpValue(b, v.MapIndex(key), indent+"  ")
		}
	case reflect.String:
		fmt.Fprintf(b, " %q\n", v.String())
	default:
		fmt.Fprintf(b, " %v\n", v.Interface())
	}
}

func isStringer(v reflect.Value) bool {
	_, ok := v.Interface().(fmt.Stringer)
	return ok
}
