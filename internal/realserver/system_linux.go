package realserver

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Linux is the machine itself, in the network namespace of the process.
type Linux struct{}

// Get returns the value of an item, empty when it does not exist.
func (Linux) Get(item Item) (string, error) {
	switch item.Kind {
	case Link:
		return linkState(item.Name)
	case Address:
		return addressState(item.Name)
	case Sysctl:
		return readFile(sysctlPath(item.Name))
	case FOU:
		return fouState(item.Name)
	case File:
		data, err := os.ReadFile(item.Name)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return string(data), err
	case Symlink:
		target, err := os.Readlink(item.Name)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return target, err
	}
	return "", fmt.Errorf("unknown kind %q", item.Kind)
}

// Set gives an item a value, which removes it when it is empty.
func (Linux) Set(item Item, value string) error {
	switch item.Kind {
	case Link:
		return setLink(item.Name, value)
	case Address:
		return setAddress(item.Name, value)
	case Sysctl:
		return os.WriteFile(sysctlPath(item.Name), []byte(value+"\n"), 0o644)
	case FOU:
		return setFOU(item.Name, value)
	case File:
		return setFile(item.Name, value)
	case Symlink:
		if value == "" {
			return os.Remove(item.Name)
		}
		return errors.Join(os.MkdirAll(filepath.Dir(item.Name), 0o755), os.Symlink(value, item.Name))
	}
	return fmt.Errorf("unknown kind %q", item.Kind)
}

// Holders returns the devices that hold an address.
func (Linux) Holders(v VIP) ([]string, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	var devices []string
	for _, l := range links {
		held, err := holds(l, v.Addr)
		if err != nil {
			return nil, err
		}
		if held {
			devices = append(devices, l.Attrs().Name)
		}
	}
	return devices, nil
}

func holds(l netlink.Link, addr netip.Addr) (bool, error) {
	addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return false, fmt.Errorf("list addresses of %s: %w", l.Attrs().Name, err)
	}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && ip.Unmap() == addr {
			return true, nil
		}
	}
	return false, nil
}

// findLink returns a device, nil when it does not exist.
func findLink(name string) (netlink.Link, error) {
	l, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return nil, nil
	}
	return l, err
}

func linkState(name string) (string, error) {
	l, err := findLink(name)
	switch {
	case err != nil || l == nil:
		return "", err
	case l.Attrs().RawFlags&unix.IFF_UP != 0:
		return "up", nil
	}
	return "down", nil
}

// modules are those that bring the devices that unpack any tunnel's packets.
var modules = map[string]string{"tunl0": "ipip", "ip6tnl0": "ip6_tunnel", "gre0": "ip_gre", "ip6gre0": "ip6_gre"}

// setLink sets a device up or down. A tunnel's device comes with its module and
// cannot be removed, so that one which was not there goes down.
func setLink(name, value string) error {
	l, err := findLink(name)
	if err != nil {
		return err
	}
	if l == nil {
		if value != "up" {
			return nil
		}
		module, ok := modules[name]
		if !ok {
			return fmt.Errorf("no device %s", name)
		}
		if out, err := exec.Command("modprobe", module).CombinedOutput(); err != nil {
			return fmt.Errorf("load module %s: %w: %s", module, err, strings.TrimSpace(string(out)))
		}
		if l, err = netlink.LinkByName(name); err != nil {
			return err
		}
	}
	if value == "up" {
		return netlink.LinkSetUp(l)
	}
	return netlink.LinkSetDown(l)
}

// cutAddress reads the name of an address: its device and prefix.
func cutAddress(name string) (netlink.Link, netip.Prefix, error) {
	device, text, _ := strings.Cut(name, " ")
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, prefix, err
	}
	l, err := findLink(device)
	return l, prefix, err
}

func addressState(name string) (string, error) {
	l, prefix, err := cutAddress(name)
	if err != nil || l == nil {
		return "", err
	}
	held, err := holds(l, prefix.Addr())
	if err != nil || !held {
		return "", err
	}
	return present, nil
}

func setAddress(name, value string) error {
	l, prefix, err := cutAddress(name)
	if err != nil {
		return err
	}
	if l == nil {
		return fmt.Errorf("no device for %s", prefix)
	}
	addr, err := netlink.ParseAddr(prefix.String())
	if err != nil {
		return err
	}
	if prefix.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD // every real server has it
	}
	if value == present {
		return netlink.AddrReplace(l, addr)
	}
	return netlink.AddrDel(l, addr)
}

// sysctlPath returns the file of a setting.
func sysctlPath(name string) string {
	return filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
}

func readFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// setFile writes a file whole or not at all.
func setFile(path, content string) error {
	if content == "" {
		return os.Remove(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// cutFOU reads the name of a port that unpacks GUE: its family and number.
func cutFOU(name string) (netlink.Fou, error) {
	family, text, _ := strings.Cut(name, " ")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return netlink.Fou{}, err
	}
	f := netlink.Fou{Family: unix.AF_INET, Port: int(port), EncapType: netlink.FOU_ENCAP_GUE}
	if family == "inet6" {
		f.Family = unix.AF_INET6
	}
	return f, nil
}

func fouState(name string) (string, error) {
	want, err := cutFOU(name)
	if err != nil {
		return "", err
	}
	ports, err := netlink.FouList(want.Family)
	if errors.Is(err, unix.ENOENT) { // the module is not loaded
		return "", nil
	}
	for _, f := range ports {
		if f.Family == want.Family && f.Port == want.Port {
			if f.EncapType == netlink.FOU_ENCAP_GUE {
				return "gue", nil
			}
			return "other", nil
		}
	}
	return "", err
}

func setFOU(name, value string) error {
	f, err := cutFOU(name)
	if err != nil {
		return err
	}
	if value != "gue" {
		return netlink.FouDel(f)
	}
	module := "fou"
	if f.Family == unix.AF_INET6 {
		module = "fou6"
	}
	if out, err := exec.Command("modprobe", module).CombinedOutput(); err != nil {
		return fmt.Errorf("load module %s: %w: %s", module, err, strings.TrimSpace(string(out)))
	}
	return netlink.FouAdd(f)
}
