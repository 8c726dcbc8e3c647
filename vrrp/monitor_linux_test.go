package vrrp

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestLinkDown(t *testing.T) {
	for _, tc := range []struct {
		name  string
		flags uint32
		cut   int
		kind  byte
		down  bool
	}{
		{"up", unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_MULTICAST, 0, unix.AF_UNSPEC, false},
		{"without a carrier", unix.IFF_UP | unix.IFF_MULTICAST, 0, unix.AF_UNSPEC, true},
		{"switched off", 0, 0, unix.AF_UNSPEC, true},
		{"port of a bridge", 0, 0, unix.AF_BRIDGE, false},
		{"cut short", 0, 1, unix.AF_UNSPEC, false},
	} {
		b := make([]byte, unix.SizeofIfInfomsg)
		b[0] = tc.kind
		binary.NativeEndian.PutUint32(b[4:], 7)
		binary.NativeEndian.PutUint32(b[8:], tc.flags)
		index, down := linkDown(b[tc.cut:])
		if down != tc.down || down && index != 7 {
			t.Errorf("%s: link %d, down %v", tc.name, index, down)
		}
	}
}

// TestTable follows links through tables: since when they are up, and that they fall.
func TestTable(t *testing.T) {
	began := time.Now()
	first := table{links{"eth0": {index: 2, up: true}, "eth1": {index: 3}}, began}
	first.rise(nil)
	second := table{links{"eth0": {index: 2, up: true}, "eth1": {index: 3, up: true}}, began.Add(time.Second)}
	second.rise(first.links)
	third := table{links{"eth0": {index: 2, up: true}, "eth1": {index: 4, up: true}}, began.Add(2 * time.Second)}
	third.rise(second.links)
	for i, is := range []table{first, second, third} {
		if got := is.links["eth0"].upSince; !got.Equal(began) {
			t.Errorf("table %d: eth0 is up since %v, want %v", i, got, began)
		}
	}
	if got := third.links["eth1"].upSince; !got.Equal(third.began) {
		t.Errorf("eth1 was made anew: up since %v, want %v", got, third.began)
	}

	fallen, news := third.fall(2)
	if !news || fallen.links["eth0"].up || !fallen.links["eth1"].up || !third.links["eth0"].up {
		t.Errorf("eth0 has fallen: %v, %v, and before %v", news, fallen, third)
	}
	for _, index := range []int{2, 5} {
		if _, news := fallen.fall(index); news {
			t.Errorf("link %d is news", index)
		}
	}
}

// TestAwait tells at once that a link has gone down, and has all read when the
// addresses have had their time; what comes up again is read at once.
func TestAwait(t *testing.T) {
	up := table{links: links{"eth0": {index: 2, up: true}}}
	for _, tc := range []struct {
		name string
		said func(c changes)
		told int // tables
		wait time.Duration
	}{
		{"address", func(c changes) { mark(c.addresses) }, 0, addressDelay},
		{"link", func(c changes) { mark(c.links) }, 0, 0},
		{"link is down", func(c changes) { c.fell(2) }, 1, addressDelay},
		{"twice", func(c changes) { c.fell(2); c.fell(2) }, 1, addressDelay},
		{"one that is not known", func(c changes) { c.fell(9) }, 0, addressDelay},
		{"link is down and up", func(c changes) { c.fell(2); mark(c.links) }, 0, 0},
		{"more than can be noted", func(c changes) {
			for range cap(c.fallen) + 1 {
				c.fell(2)
			}
		}, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newChanges()
			tc.said(c)
			began, told := time.Now(), 0
			is, err := await(t.Context(), c, up, func(is table) {
				told++
				if is.links["eth0"].up || time.Since(began) != 0 {
					t.Errorf("%s: told %v after %v", tc.name, is, time.Since(began))
				}
			})
			if took := time.Since(began); err != nil || told != tc.told || took != tc.wait || len(c.fallen) > 0 {
				t.Errorf("%s: told %d times, read after %v: %v", tc.name, told, took, err)
			}
			if is.links["eth0"].up == (tc.told > 0) {
				t.Errorf("%s: known is %v", tc.name, is)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := await(ctx, newChanges(), up, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("at the end: %v", err)
	}
}
