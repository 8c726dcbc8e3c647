package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// sysctls are settings in a directory, as the kernel's are in /proc/sys.
type sysctls struct {
	t   *testing.T
	dir string
}

func newSysctls(t *testing.T, settings ipvsctl.Settings) sysctls {
	s := sysctls{t, t.TempDir()}
	for name, v := range settings {
		s.set(name, v)
	}
	return s
}

func (s sysctls) path(name string) string {
	return filepath.Join(s.dir, strings.ReplaceAll(name, ".", "/"))
}

func (s sysctls) set(name, v string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(v+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// want compares a setting.
func (s sysctls) want(name, want string) {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if got := strings.TrimSpace(string(text)); err != nil || got != want {
		s.t.Errorf("%s is %q (%v), want %q", name, got, err, want)
	}
}

const (
	reuse   = "net.ipv4.vs.conn_reuse_mode"
	forward = "net.ipv4.ip_forward"
)

func TestSettingsAreKeptAndPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newSysctls(t, ipvsctl.Settings{reuse: "1", forward: "0"})
		w := newWorld(t)
		w.settings = ipvsctl.SettingsTree(kernel.dir)
		w.config.IPVS.Settings = ipvsctl.Settings{reuse: "2", forward: "1"}
		w.start()
		kernel.want(reuse, "2")
		kernel.want(forward, "1")

		kernel.set(reuse, "0")
		w.after(6 * time.Second)
		kernel.want(reuse, "2")
		if got := w.events(KindDrift); len(got) != 1 || !strings.Contains(got[0], "0>2") {
			t.Errorf("events of drift: %q", got)
		}

		// Another run puts back what this one changed, once it is configured no more.
		w.stop(ErrLeave)
		kernel.want(reuse, "2")
		w.config.IPVS.Settings = ipvsctl.Settings{forward: "1"}
		w.start()
		kernel.want(reuse, "1")
		kernel.want(forward, "1")

		next := *w.config
		next.IPVS.RestoreSettings = true
		w.config = &next
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.stop(errSignal)
		kernel.want(forward, "0")
		if left := loadSettings("", w.config.StateDir, w.engine.log).original; len(left) > 0 {
			t.Errorf("remembered although put back: %v", left)
		}
	})
}

func TestSettingsThatCannotBeSetAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newSysctls(t, ipvsctl.Settings{reuse: "1"})
		w := newWorld(t)
		w.settings = ipvsctl.SettingsTree(kernel.dir)
		w.config.IPVS.Settings = ipvsctl.Settings{reuse: "0", "net.ipv4.vs.none": "1"}
		w.start()
		w.after(time.Minute)
		kernel.want(reuse, "0")
		if got := w.events(KindApply); len(got) != 1 {
			t.Errorf("events: %q, want one", got)
		}
		kernel.set("net.ipv4.vs.none", "0") // as when the module is loaded
		w.after(6 * time.Second)
		kernel.want("net.ipv4.vs.none", "1")
		w.stop(errSignal)
		kernel.want(reuse, "0")
	})
}

func TestAdvice(t *testing.T) {
	nat := pool(1)
	nat.Reals[0].Destination.Forward = ipvsctl.NAT
	dr := pool(1)
	dr.Reals[0].Destination.Forward = ipvsctl.DR
	tests := []struct {
		name string
		vs   *conf.VirtualServer
		has  ipvsctl.Settings
		want []string // beginnings
	}{
		{"nat without forwarding", nat, ipvsctl.Settings{forward: "0"}, []string{"net.ipv4.ip_forward is 0"}},
		{"nat with forwarding", nat, ipvsctl.Settings{forward: "1"}, nil},
		{"nat, unknown", nat, nil, nil},
		{"dr without forwarding", dr, ipvsctl.Settings{forward: "0"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, said := range advice(&conf.Config{VirtualServers: []*conf.VirtualServer{test.vs}}, func(name string) string { return test.has[name] }) {
				beginning, _, _ := strings.Cut(said, ":")
				got = append(got, beginning)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
