// Package lab is a small network on one kernel, for watching load-balancer
// directors at work: namespaces that are a client, two directors and their real
// servers; what the boxes run; and what the client sees.
//
//	client 10.0.0.10 ---+                                 +--- rs1 10.3.0.11
//	                    |--- front --- dirA --- back -----|
//	VIP 10.0.0.100+  ---+     (.1) --- dirB     (.1, .2)  +--- rsN 10.3.0.1N
//
// The same numbers hold for IPv6 in fd00:a::/64 (front) and fd00:b::/64 (back).
// Everything stays inside these namespaces. Times are monotonic. The package
// needs root and is used in the guest of package vm.
package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netnsDir is where `ip netns` looks for namespaces by name, so that a person
// can enter them too.
const netnsDir = "/run/netns"

// Namespace is one box: a network namespace with a name.
type Namespace struct {
	Name string

	file  *os.File
	links *netlink.Handle
	ports atomic.Int64 // source ports given out
}

// newNamespace makes a namespace whose loopback is up.
func newNamespace(name string) (*Namespace, error) {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return nil, fmt.Errorf("make namespace: %w", err)
	}
	path := filepath.Join(netnsDir, name)
	n := &Namespace{Name: name}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
		if err != nil {
			return err
		}
		file.Close()
		if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
		if n.file, err = os.Open(path); err != nil {
			return err
		}
		n.links, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		n.close()
		return nil, fmt.Errorf("make namespace %s: %w", name, err)
	}
	lo, err := n.links.LinkByName("lo")
	if err == nil {
		err = n.links.LinkSetUp(lo)
	}
	// A connection that was closed while its cable was cut keeps its namespace,
	// and IPVS's modules with it, for as long as the kernel repeats what nobody
	// acknowledges: 100 seconds by default.
	if err == nil {
		err = n.Sysctl("ipv4/tcp_orphan_retries", "1")
	}
	if err != nil {
		n.close()
		return nil, fmt.Errorf("make namespace %s: %w", name, err)
	}
	return n, nil
}

// close gives the namespace up. It ends when nothing is in it any more.
func (n *Namespace) close() error {
	if n.links != nil {
		n.links.Close()
	}
	if n.file != nil {
		n.file.Close()
	}
	path := filepath.Join(netnsDir, n.Name)
	return errors.Join(unix.Unmount(path, unix.MNT_DETACH), os.Remove(path))
}

// onThread runs f, which changes its network namespace, on a thread that comes
// back from there and ends if it cannot. The process's first thread cannot end.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		own, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- fmt.Errorf("open own namespace: %w", err)
			return
		}
		defer own.Close()
		err = f()
		if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// Do runs f inside the namespace. Sockets that f opens and programs that it
// starts stay there; goroutines that it starts do not.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter namespace %s: %w", n.Name, err)
		}
		return f()
	})
}

// Sysctl sets a network setting of the box, as "ipv4/ip_forward".
func (n *Namespace) Sysctl(name, value string) error {
	return n.Do(func() error {
		if err := os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0); err != nil {
			return fmt.Errorf("set %s of %s: %w", name, n.Name, err)
		}
		return nil
	})
}

// AddAddress puts an address on an interface, without duplicate detection.
func (n *Namespace) AddAddress(link string, prefix netip.Prefix) error {
	l, err := n.links.LinkByName(link)
	if err != nil {
		return fmt.Errorf("find %s of %s: %w", link, n.Name, err)
	}
	addr, err := netlink.ParseAddr(prefix.String())
	if err != nil {
		return fmt.Errorf("add address %v: %w", prefix, err)
	}
	addr.Flags = unix.IFA_F_NODAD
	if err := n.links.AddrReplace(l, addr); err != nil {
		return fmt.Errorf("add address %v to %s of %s: %w", prefix, link, n.Name, err)
	}
	return nil
}

// HasAddress says whether any interface of the box has the address.
func (n *Namespace) HasAddress(addr netip.Addr) (bool, error) {
	list, err := n.links.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return false, fmt.Errorf("list addresses of %s: %w", n.Name, err)
	}
	for _, a := range list {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && ip.Unmap() == addr {
			return true, nil
		}
	}
	return false, nil
}

// MAC returns the hardware address of an interface.
func (n *Namespace) MAC(link string) (string, error) {
	l, err := n.links.LinkByName(link)
	if err != nil {
		return "", fmt.Errorf("find %s of %s: %w", link, n.Name, err)
	}
	return l.Attrs().HardwareAddr.String(), nil
}

// Neighbour returns the hardware address that the box would send to for addr,
// "" if it knows none. This is its ARP table, or IPv6's neighbours.
func (n *Namespace) Neighbour(addr netip.Addr) (string, error) {
	list, err := n.links.NeighList(0, netlink.FAMILY_ALL)
	if err != nil {
		return "", fmt.Errorf("list neighbours of %s: %w", n.Name, err)
	}
	for _, e := range list {
		if ip, ok := netip.AddrFromSlice(e.IP); ok && ip.Unmap() == addr {
			return e.HardwareAddr.String(), nil
		}
	}
	return "", nil
}

// DefaultRoute sends what the box does not know to gateway.
func (n *Namespace) DefaultRoute(gateway netip.Addr) error {
	if err := n.links.RouteReplace(&netlink.Route{Gw: gateway.AsSlice()}); err != nil {
		return fmt.Errorf("route %s by %v: %w", n.Name, gateway, err)
	}
	return nil
}

// Route sends a network by a gateway.
func (n *Namespace) Route(to netip.Prefix, gateway netip.Addr) error {
	if err := n.links.RouteReplace(&netlink.Route{Dst: ipNet(to), Gw: gateway.AsSlice()}); err != nil {
		return fmt.Errorf("route %v in %s: %w", to, n.Name, err)
	}
	return nil
}

// LocalRoute makes every address of a network the box's own.
func (n *Namespace) LocalRoute(to netip.Prefix) error {
	lo, err := n.links.LinkByName("lo")
	if err == nil {
		err = n.links.RouteReplace(&netlink.Route{
			Dst: ipNet(to), LinkIndex: lo.Attrs().Index,
			Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST,
		})
	}
	if err != nil {
		return fmt.Errorf("take %v in %s: %w", to, n.Name, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// SetUp sets an interface up.
func (n *Namespace) SetUp(link string) error {
	l, err := n.links.LinkByName(link)
	if err == nil {
		err = n.links.LinkSetUp(l)
	}
	if err != nil {
		return fmt.Errorf("set %s of %s up: %w", link, n.Name, err)
	}
	return nil
}
