//go:build integration

package vrrp

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// frr is FRR's vrrpd, with the zebra that it needs, in a namespace.
type frr struct {
	w           *wire
	ns, folder  string
	groups      []Group
	zebra, vrrp *process
}

// frrGroups are the kinds of groups that FRR speaks. It has one virtual router
// for both families of version 3.
func frrGroups() []Group {
	cases := interopCases()
	four, six, two := cases[0], cases[1], cases[2]
	four.Interval, six.Interval = 200*time.Millisecond, 200*time.Millisecond
	four.Addresses = four.Addresses[:1]
	six.Addresses = six.Addresses[1:]
	two.RouterID, two.Addresses = 53, []netip.Prefix{netip.MustParsePrefix("192.0.2.103/24")}
	return []Group{four, six, two}
}

// frr starts zebra and makes the interfaces that FRR wants of its operator: a
// macvlan for each virtual router and family, with its addresses.
func (w *wire) frr(ns string, groups []Group) *frr {
	w.t.Helper()
	f := &frr{w: w, ns: ns, folder: w.t.TempDir(), groups: groups}
	for _, g := range groups {
		name := fmt.Sprintf("frr%d", g.RouterID)
		if g.v6() {
			name += "six"
		}
		w.ip("-n", ns, "link", "add", name, "link", "eth0", "type", "macvlan", "mode", "bridge")
		w.ip("-n", ns, "link", "set", name, "address", virtualMAC(g.RouterID, g.v6()).String())
		w.run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf."+name+".accept_dad=0")
		for _, p := range g.Addresses {
			w.ip("-n", ns, "addr", "add", p.String(), "dev", name)
		}
		w.ip("-n", ns, "link", "set", name, "up")
	}
	// The daemons run as frr and open their sockets and files there.
	own, err := user.Lookup("frr")
	if err != nil {
		w.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(own.Uid)
	gid, _ := strconv.Atoi(own.Gid)
	if err := os.Chown(f.folder, uid, gid); err != nil {
		w.t.Fatal(err)
	}
	for at := f.folder; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	f.zebra = f.daemon("zebra", "/dev/null")
	w.eventually("zebra is up", starting, func() bool {
		_, err := os.Stat(filepath.Join(f.folder, "zserv.api"))
		return err == nil
	})
	return f
}

func (f *frr) daemon(name, config string) *process {
	return f.w.start(f.ns, nil, "/usr/lib/frr/"+name, "-i", filepath.Join(f.folder, name+".pid"), "-z", filepath.Join(f.folder, "zserv.api"),
		"--vty_socket", f.folder, "-P", "0", "-f", config, "--log", "stdout")
}

// speak starts vrrpd with a priority for all groups.
func (f *frr) speak(priority uint8) {
	f.w.t.Helper()
	text := "interface eth0\n"
	seen := make(map[uint8]bool)
	for _, g := range f.groups {
		say := func(format string, args ...any) {
			text += fmt.Sprintf(" vrrp %d ", g.RouterID) + fmt.Sprintf(format, args...) + "\n"
		}
		if !seen[g.RouterID] {
			seen[g.RouterID] = true
			say("version %d", g.Version)
			say("priority %d", priority)
			say("advertisement-interval %d", g.Interval.Milliseconds())
		}
		for _, p := range g.Addresses {
			family := "ip"
			if g.v6() {
				family = "ipv6"
			}
			say("%s %s", family, p.Addr())
		}
	}
	config := filepath.Join(f.folder, "vrrpd.conf")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		f.w.t.Fatal(err)
	}
	f.vrrp = f.daemon("vrrpd", config)
}

// state is a group's state as FRR tells it ("Master", "Backup"), or nothing yet.
func (f *frr) state(g Group) string {
	out, err := exec.Command("vtysh", "--vty_socket", f.folder, "-d", "vrrpd", "-c", "show vrrp json").Output()
	if err != nil {
		return "" // it is not up yet
	}
	type half struct{ Status string }
	var routers []struct {
		VRID   uint8
		V4, V6 half
	}
	if json.Unmarshal(out, &routers) != nil {
		return ""
	}
	for _, r := range routers {
		switch {
		case r.VRID != g.RouterID:
		case g.v6():
			return r.V6.Status
		default:
			return r.V4.Status
		}
	}
	return ""
}

// all waits until FRR has a state for each of its groups.
func (f *frr) all(what, state string, limit time.Duration) {
	f.w.t.Helper()
	for _, g := range f.groups {
		f.w.eventually(what+": "+g.Name, limit, func() bool { return f.state(g) == state })
	}
}

// TestFRR pairs a director with FRR's vrrpd for version 2 and 3 and both
// families at once, each as master and as backup, and lets mastership go over
// and back: by a stop, by a death, and by preemption.
func TestFRR(t *testing.T) {
	groups := frrGroups()
	_, down := times(priority(groups[2], 100)) // of version 2, the slowest
	with := func(p uint8) Orders {
		var list []Group
		for _, g := range groups {
			list = append(list, priority(g, p))
		}
		return orders(list...)
	}
	// heard fails the test unless everything that FRR said was taken.
	heard := func(t *testing.T, d *process) {
		t.Helper()
		for _, g := range groups {
			s := d.status(g.Name)
			if s.Stats.Received == 0 || len(s.Stats.Dropped) != 0 || s.Stats.Mismatched != 0 || s.Stats.SendErrors != 0 {
				t.Errorf("%s: FRR's packets: %+v", g.Name, s.Stats)
			}
		}
	}
	t.Run("director is master", func(t *testing.T) {
		t.Parallel()
		w := newWire(t)
		up := func(held bool) func() bool {
			return func() bool {
				for _, g := range groups {
					if held && !w.addressesUp(w.a, g) || !held && !w.addressesOff(w.a, g) {
						return false
					}
				}
				return true
			}
		}
		f := w.frr(w.b, groups)
		d := w.director(w.a, with(150))
		w.eventually("director is master", starting, up(true))
		f.speak(100)
		f.all("FRR is backup", "Backup", starting)
		w.never("FRR takes over from a live master", time.Second, func() bool { return f.state(groups[0]) != "Backup" })

		d.order(Command{Stop: true})
		f.all("FRR follows a director that stops", "Master", down)
		<-d.done
		d = w.director(w.a, with(150))
		w.eventually("director preempts", starting, up(true))
		f.all("FRR yields", "Backup", down)
		heard(t, d)
		d.signal(syscall.SIGKILL)
		f.all("FRR follows a director that died", "Master", down)
	})
	t.Run("FRR is master", func(t *testing.T) {
		t.Parallel()
		w := newWire(t)
		is := func(d *process, s State) func() bool {
			return func() bool {
				for _, g := range groups {
					if d.status(g.Name).State != s || s == Master && !w.addressesUp(w.a, g) || s == Backup && !w.addressesOff(w.a, g) {
						return false
					}
				}
				return true
			}
		}
		f := w.frr(w.b, groups)
		f.speak(150)
		f.all("FRR is master", "Master", starting)
		d := w.director(w.a, with(100))
		w.eventually("director is backup", starting, is(d, Backup))
		w.never("director takes over from a live master", time.Second, func() bool { return !is(d, Backup)() })

		f.vrrp.signal(syscall.SIGTERM)
		w.eventually("director follows an FRR that stops", down, is(d, Master))
		<-f.vrrp.done
		f.speak(150)
		w.eventually("director yields", starting, is(d, Backup))
		f.all("FRR preempts", "Master", down)
		f.vrrp.signal(syscall.SIGKILL)
		w.eventually("director follows an FRR that died", down, is(d, Master))
		heard(t, d)
		if log := f.vrrp.log.String(); strings.Contains(log, "checksum") {
			t.Errorf("FRR complains of checksums:\n%s", log)
		}
	})
}
