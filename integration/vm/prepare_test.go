package vm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMissing(t *testing.T) {
	tests := []struct {
		name   string
		native bool
		has    []string
		want   []string
	}{
		{name: "all there", has: []string{"qemu-system-x86_64", "depmod", "modprobe", "ip", "ipvsadm", "keepalived", "vtysh", "nft", "tcpdump"}},
		{name: "each package once", has: []string{"ip"}, want: []string{"qemu-system-x86", "kmod", "ipvsadm", "keepalived", "frr", "nftables", "tcpdump"}},
		{name: "no guest, no qemu", native: true, has: []string{"modprobe", "ip"}, want: []string{"ipvsadm", "keepalived", "frr", "nftables", "tcpdump"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := missing(tt.native, func(name string) (string, error) {
				for _, h := range tt.has {
					if h == name {
						return "/bin/" + name, nil
					}
				}
				return "", errors.New("not found")
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("missing packages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseDepends(t *testing.T) {
	text := "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n  Recommends: something\n"
	if got, want := parseDepends(text), "linux-image-6.1.0-56-amd64"; got != want {
		t.Errorf("package %q, want %q", got, want)
	}
	if got := parseDepends("E: No packages found\n"); got != "" {
		t.Errorf("package %q of an error, want none", got)
	}
}

func TestParseShowDepends(t *testing.T) {
	text := "insmod /k/virtio.ko \nbuiltin pci\ninsmod /k/virtio_pci.ko force_legacy=1\n"
	want := []string{"/k/virtio.ko", "/k/virtio_pci.ko"}
	if diff := cmp.Diff(want, parseShowDepends(text)); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv("DIRECTOR_VM_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "/x")
	if got, err := CacheDir(); err != nil || got != "/x/director-vm" {
		t.Errorf("cache %q, %v", got, err)
	}
	t.Setenv("DIRECTOR_VM_CACHE", "/y")
	if got, err := CacheDir(); err != nil || got != "/y" {
		t.Errorf("cache %q, %v", got, err)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console")
	if err := os.WriteFile(path, []byte("one\r\ntwo\r\nthree\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := tail(path, 2), "two\nthree"; got != want {
		t.Errorf("tail %q, want %q", got, want)
	}
}

func TestCheckStatic(t *testing.T) {
	if err := checkStatic([]byte("#!/bin/sh\n")); err == nil {
		t.Error("a script passes for a static program")
	}
}

func TestMachineErrorShowsTheConsole(t *testing.T) {
	err := &MachineError{Err: errors.New("run guest: boom"), Console: "a\nb"}
	if got := err.Error(); !strings.Contains(got, "boom") || !strings.Contains(got, "  | a\n  | b") {
		t.Errorf("message is %q", got)
	}
}
