package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// program is something that must be installed, and the Debian package that has it.
type program struct {
	name, pkg string
	vmOnly    bool
}

var programs = []program{
	{"qemu-system-x86_64", "qemu-system-x86", true},
	{"depmod", "kmod", true},
	{"modprobe", "kmod", false},
	{"ip", "iproute2", false},
	{"ipvsadm", "ipvsadm", false},
	{"keepalived", "keepalived", false},
	{"vtysh", "frr", false},
	{"nft", "nftables", false},
	{"tcpdump", "tcpdump", false},
}

// missing returns the packages that are to be installed, each once.
func missing(native bool, look func(string) (string, error)) []string {
	var pkgs []string
	for _, p := range programs {
		if native && p.vmOnly {
			continue
		}
		if _, err := look(p.name); err != nil && !slices.Contains(pkgs, p.pkg) {
			pkgs = append(pkgs, p.pkg)
		}
	}
	return pkgs
}

// install installs the missing packages, or says exactly which those are.
func install(ctx context.Context, native bool, say func(string, ...any)) error {
	pkgs := missing(native, exec.LookPath)
	if len(pkgs) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("install packages: missing %s; as root on Debian: apt-get install --no-install-recommends %s",
			strings.Join(pkgs, ", "), strings.Join(pkgs, " "))
	}
	say("installing %s", strings.Join(pkgs, ", "))
	if _, err := output(ctx, "/", "apt-get", "update", "-qq"); err != nil {
		return fmt.Errorf("install packages: %w", err)
	}
	allow, err := forbidServices()
	if err != nil {
		return fmt.Errorf("install packages: %w", err)
	}
	defer allow()
	args := append([]string{"apt-get", "install", "-y", "-qq", "--no-install-recommends"}, pkgs...)
	if _, err := output(ctx, "/", args...); err != nil {
		return fmt.Errorf("install packages: %w", err)
	}
	if left := missing(native, exec.LookPath); len(left) > 0 {
		return fmt.Errorf("install packages: installed, and still missing: %s", strings.Join(left, ", "))
	}
	return nil
}

// forbidServices keeps a package's own service from starting on this machine
// (invoke-rc.d asks policy-rc.d; 101 is "action forbidden by policy"). A policy
// that is there already is left to decide.
func forbidServices() (allow func(), err error) {
	const policy = "/usr/sbin/policy-rc.d"
	file, err := os.OpenFile(policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString("#!/bin/sh\nexit 101\n")
	if err := errors.Join(err, file.Close()); err != nil {
		os.Remove(policy)
		return nil, err
	}
	return func() { os.Remove(policy) }, nil
}
