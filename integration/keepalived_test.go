//go:build integration

package integration

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// keepalivedConfig is the group "front" as keepalived says it.
func keepalivedConfig(priority int, interval time.Duration) string {
	return fmt.Sprintf(`global_defs {
    router_id keepalived
}
vrrp_instance front {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority %d
    version 3
    advert_int %.2f
    virtual_ipaddress {
        10.0.0.100/24
    }
}
`, priority, interval.Seconds())
}

// TestKeepalived pairs a director with Debian's keepalived, each as master and
// as backup, and lets mastership go over and back: by a stop, by a crash, and by
// preemption.
func TestKeepalived(t *testing.T) {
	const interval = 200 * time.Millisecond
	tests := []struct {
		name                 string
		director, keepalived int // priorities
	}{
		{"director is master", 150, 100},
		{"keepalived is master", 100, 150},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t, lab.Options{})
			d := startDirector(t, n, n.A, group{priority: tt.director, interval: interval, lease: 2 * time.Second}.String())
			start := func() *lab.Keepalived {
				k, err := n.StartKeepalived(n.B, keepalivedConfig(tt.keepalived, interval))
				must(t, err)
				return k
			}
			k := start()
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("log of keepalived:\n%s", lastLines(k.Log(), 40))
				}
			})
			ping, err := n.Client.Ping(lab.VIP(0), 5*time.Millisecond)
			must(t, err)
			defer ping.Stop()
			// settled waits until one is master and the other is not.
			settled := func() {
				t.Helper()
				state, who := "MASTER", "A"
				if tt.keepalived > tt.director {
					state, who = "BACKUP", "B"
				}
				must(t, d.AwaitGroup("front", state, 20*time.Second))
				must(t, n.A.AwaitAddress(lab.VIP(0), who == "A", 5*time.Second))
				must(t, n.B.AwaitAddress(lab.VIP(0), who == "B", 20*time.Second))
				_, err := ping.Await(who, time.Now(), 10*time.Second)
				must(t, err)
			}
			settled()
			// upset does something to the master, and the backup takes over.
			upset := func(what string, do func() error) {
				t.Helper()
				at := time.Now()
				must(t, do())
				who := "B"
				if tt.keepalived > tt.director {
					who = "A"
				}
				took, err := ping.Await(who, at, 10*time.Second)
				must(t, err)
				t.Logf("%s: %s answers after %v", what, who, took.Round(time.Millisecond))
			}
			if tt.director > tt.keepalived {
				upset("stop", func() error { return d.Signal(syscall.SIGTERM) })
				must(t, d.Wait(10*time.Second))
				must(t, d.Start())
				settled()
				upset("crash", d.Kill)
				must(t, d.Start())
				settled()
				upset("handover", d.Failover)
				return
			}
			upset("stop", func() error { return k.Signal(syscall.SIGTERM) })
			must(t, k.Wait(20*time.Second))
			must(t, d.AwaitGroup("front", "MASTER", 5*time.Second))
			k = start()
			settled()
			upset("crash", k.Kill)
			must(t, d.AwaitGroup("front", "MASTER", 5*time.Second))
			k = start()
			settled()
		})
	}
}
