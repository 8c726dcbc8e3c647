package engine

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

func sampleRows() map[ipvsctl.Row]struct{} {
	tcp := ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.1:80")}
	six := ipvsctl.ServiceID{Protocol: ipvsctl.UDP, Addr: netip.MustParseAddrPort("[2001:db8::1]:53")}
	mark := ipvsctl.ServiceID{FWMark: 7, Family: ipvsctl.IPv6}
	return map[ipvsctl.Row]struct{}{
		{Service: tcp}: {},
		{Service: tcp, Destination: netip.MustParseAddrPort("10.0.0.1:80")}:  {},
		{Service: six, Destination: netip.MustParseAddrPort("[fd00::1]:53")}: {},
		{Service: mark}: {},
		{Service: mark, Destination: netip.MustParseAddrPort("[fd00::1]:0")}: {},
	}
}

func TestRowsRoundTrip(t *testing.T) {
	var b bytes.Buffer
	for row := range sampleRows() {
		writeRow(&b, row)
	}
	got, err := parseRows(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(sampleRows()) {
		t.Fatalf("%d rows, want %d", len(got), len(sampleRows()))
	}
	for row := range sampleRows() {
		if _, ok := got[row]; !ok {
			t.Errorf("row %v is missing", row)
		}
	}
}

func TestOwnedSurvivesDamage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ownedFile), []byte("6 192.0.2.1:80 -\ngarbage\n6 192.0.2.1:80 - 10.0.0.1:99999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := loadOwned(dir, zaptest.NewLogger(t))
	if len(o.rows) != 1 {
		t.Errorf("%d rows from one good line and two bad ones, want 1", len(o.rows))
	}
}

// TestStateIsNoPipe wants state files that are named pipes to be told of, and not
// to be waited for: a daemon that waits there hears no signal.
func TestStateIsNoPipe(t *testing.T) {
	tests := map[string]func(dir string, log *zap.Logger) error{
		ownedFile:     func(dir string, log *zap.Logger) error { loadOwned(dir, log); return nil },
		waysFile:      func(dir string, log *zap.Logger) error { loadWayNumbers(dir, log); return nil },
		settingsFile:  func(dir string, log *zap.Logger) error { loadSettings("", dir, log); return nil },
		overridesFile: func(dir string, log *zap.Logger) error { _, err := readOverrides(dir); return err },
	}
	for name, load := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
				t.Fatal(err)
			}
			core, logged := observer.New(zap.WarnLevel)
			err := load(dir, zap.New(core))
			for _, entry := range logged.All() {
				err = fmt.Errorf("%s: %v", entry.Message, entry.ContextMap())
			}
			if err == nil || !strings.Contains(err.Error(), "named pipe") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOwnedAddAndPrune(t *testing.T) {
	dir := t.TempDir()
	log := zaptest.NewLogger(t)
	o := loadOwned(dir, log)
	if err := o.add(&conf.Config{VirtualServers: []*conf.VirtualServer{pool(2, sorry)}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := loadOwned(dir, log); len(got.rows) != 4 {
		t.Errorf("%d rows on disk, want service, 2 real servers and the sorry server", len(got.rows))
	}
	smaller := &conf.Config{VirtualServers: []*conf.VirtualServer{pool(1)}}
	known := ipvsctl.Table{Services: map[ipvsctl.ServiceID]ipvsctl.Service{}}
	s := pool(2).Services[0]
	s.Destinations = []ipvsctl.Destination{pool(2).Reals[1].Destination}
	known.Services[s.ID] = s
	if err := o.prune(smaller, nil, known); err != nil {
		t.Fatal(err)
	}
	got := loadOwned(dir, log).rows
	want := map[ipvsctl.Row]struct{}{
		{Service: s.ID}: {},
		{Service: s.ID, Destination: pool(2).Reals[0].Destination.Addr}: {}, // configured
		{Service: s.ID, Destination: pool(2).Reals[1].Destination.Addr}: {}, // still in the kernel
	}
	if diff := cmp.Diff(len(want), len(got)); diff != "" {
		t.Errorf("number of rows (-want +got):\n%s", diff)
	}
	for row := range want {
		if _, ok := got[row]; !ok {
			t.Errorf("row %v is missing", row)
		}
	}
}

// A row that has gone leaves the file also when all others are in the kernel.
func TestOwnedForgetsOnDisk(t *testing.T) {
	dir, log := t.TempDir(), zaptest.NewLogger(t)
	o := loadOwned(dir, log)
	if err := o.add(&conf.Config{VirtualServers: []*conf.VirtualServer{pool(2)}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	s := pool(1).Services[0]
	s.Destinations = []ipvsctl.Destination{pool(1).Reals[0].Destination}
	known := ipvsctl.Table{Services: map[ipvsctl.ServiceID]ipvsctl.Service{s.ID: s}}
	if err := o.prune(&conf.Config{VirtualServers: []*conf.VirtualServer{pool(1)}}, nil, known); err != nil {
		t.Fatal(err)
	}
	if got := loadOwned(dir, log).rows; len(got) != 2 {
		t.Errorf("on disk are %v, want a service and its real server", got)
	}
}

// Rows that could not be written are written with the next change, new or not.
func TestOwnedIsWrittenLater(t *testing.T) {
	dir, log := filepath.Join(t.TempDir(), "late"), zaptest.NewLogger(t)
	config := &conf.Config{VirtualServers: []*conf.VirtualServer{pool(2)}}
	o := loadOwned(dir, log)
	if err := o.add(config, nil, nil); err == nil {
		t.Fatal("rows were written into a directory that does not exist")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := o.add(config, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := loadOwned(dir, log).rows; len(got) != 3 {
		t.Errorf("on disk are %v, want a service and 2 real servers", got)
	}
}

func FuzzParseRows(f *testing.F) {
	f.Add([]byte("6 192.0.2.1:80 -\nfwmark 7 10 [fd00::1]:0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, _ := parseRows(data)
		var b bytes.Buffer
		for row := range rows {
			writeRow(&b, row)
		}
		again, err := parseRows(b.Bytes())
		if err != nil || len(again) != len(rows) {
			t.Errorf("%d rows, written and read again %d, error %v", len(rows), len(again), err)
		}
	})
}
