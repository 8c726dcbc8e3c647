package realserver_test

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvs-director/director/internal/realserver"
)

// open opens a state until the test ends, or it is closed.
func open(t *testing.T, path string) *realserver.State {
	t.Helper()
	s, err := realserver.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "realserver.json")
	m := newMachine()
	before := maps.Clone(m.values)
	s := open(t, path)
	if err := s.Up(m, vip("192.0.2.1", realserver.GUE)); err != nil {
		t.Fatalf("up: %v", err)
	}
	s.Close()
	again := open(t, path)
	same := []cmp.Option{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.IgnoreUnexported(realserver.State{})}
	if diff := cmp.Diff(s, again, same...); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	for range 2 {
		if err := again.Down(m); err != nil {
			t.Errorf("down: %v", err)
		}
	}
	if diff := cmp.Diff(before, m.values); diff != "" {
		t.Errorf("after down (-before +after):\n%s", diff)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after down: %v, want no file", err)
	}
}

// Whenever a command is killed, the next one undoes what it did.
func TestKilled(t *testing.T) {
	program := []string{"/usr/bin/director", "realserver"}
	one, two := vip("192.0.2.1", realserver.DR), vip("192.0.2.2", realserver.IPIP)
	up := func(s *realserver.State, m *machine, vips ...realserver.VIP) {
		if err := errors.Join(s.Up(m, vips...), s.Persist(m, program)); err != nil {
			t.Fatalf("up: %v", err)
		}
	}
	steps := []func(*realserver.State, *machine){
		func(s *realserver.State, m *machine) { up(s, m, one) },
		func(s *realserver.State, m *machine) { up(s, m, two) },
		func(s *realserver.State, m *machine) {
			if err := s.Down(m, one); err != nil {
				t.Fatalf("down: %v", err)
			}
		},
	}
	killed := func(s *realserver.State, m *machine, step func(*realserver.State, *machine)) (was bool) {
		defer func() {
			if r := recover(); r != nil && r != errKilled {
				panic(r)
			} else if r != nil {
				was = true
			}
		}()
		step(s, m)
		return false
	}
	for _, late := range []bool{false, true} {
		for n, was := 1, true; was; n++ {
			path := filepath.Join(t.TempDir(), "realserver.json")
			m := newMachine()
			before := maps.Clone(m.values)
			m.killed, m.late, was = n, late, false
			for _, step := range steps {
				s := open(t, path)
				was = was || killed(s, m, step)
				s.Close()
				if was {
					break
				}
			}
			m.killed = 0
			s := open(t, path)
			if err := s.Down(m); err != nil {
				t.Fatalf("down: %v", err)
			}
			s.Close()
			if diff := cmp.Diff(before, m.values); diff != "" {
				t.Errorf("killed in change %d, made %v: after down (-before +after):\n%s", n, late, diff)
			}
			if !was && n < 12 {
				t.Errorf("only %d changes", n)
			}
		}
	}
}

// Nothing is changed that cannot be remembered.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "realserver.json")
	m := newMachine()
	before := maps.Clone(m.values)
	one, two := vip("192.0.2.1", realserver.DR), vip("192.0.2.2", realserver.IPIP)
	s := open(t, path)
	if err := s.Up(m, one); err != nil {
		t.Fatalf("up: %v", err)
	}
	s.Close()
	if err := os.Mkdir(path+".new", 0o700); err != nil { // where the next one is to be written
		t.Fatal(err)
	}
	m.sets = 0
	s = open(t, path)
	if err := s.Up(m, two); err == nil || m.sets > 0 {
		t.Errorf("up: %v after %d changes", err, m.sets)
	}
	s.Close()
	s = open(t, path)
	delete(m.values, realserver.Item{Kind: realserver.Address, Name: "lo 192.0.2.1/32"}) // by a boot
	if err := s.Up(m, one); err != nil || m.sets != 1 {
		t.Errorf("up of what is remembered: %v after %d changes", err, m.sets)
	}
	if err := s.Down(m); err != nil {
		t.Errorf("down: %v", err)
	}
	if diff := cmp.Diff(before, m.values); diff != "" {
		t.Errorf("after down (-before +after):\n%s", diff)
	}
}

// Of two at the same time the second waits, and sees what the first has done.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "realserver.json")
	m := newMachine()
	before := maps.Clone(m.values)
	first := open(t, path)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := realserver.Open(over, path); err == nil || !strings.Contains(err.Error(), "another director realserver is at work") {
		t.Errorf("the second, when its time is over: %v", err)
	}
	second := make(chan error, 1)
	go func() {
		s, err := realserver.Open(t.Context(), path)
		if err == nil {
			err = errors.Join(s.Up(m, vip("192.0.2.2", realserver.DR)), s.Close())
		}
		second <- err
	}()
	if err := first.Up(m, vip("192.0.2.1", realserver.DR)); err != nil {
		t.Fatalf("up: %v", err)
	}
	first.Close()
	if err := <-second; err != nil {
		t.Fatalf("the second: %v", err)
	}
	s := open(t, path)
	if err := s.Down(m); err != nil {
		t.Fatalf("down: %v", err)
	}
	if diff := cmp.Diff(before, m.values); diff != "" {
		t.Errorf("after down (-before +after):\n%s", diff)
	}
}
