//go:build conformance

package conformance

import (
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lvs-director/director/checks"
)

// TestHAProxyAgent lets HAProxy and a probe ask the same agent, and wants them
// to understand the same.
func TestHAProxyAgent(t *testing.T) {
	l := newLab(t)
	stats := l.port()
	var line atomic.Pointer[string]
	agent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var loop sync.WaitGroup
	loop.Go(func() {
		for {
			c, err := agent.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, *line.Load()+"\n")
			c.Close()
		}
	})
	t.Cleanup(func() { agent.Close(); loop.Wait() })
	ready := "ready up"
	line.Store(&ready)
	at := agent.Addr().(*net.TCPAddr).AddrPort()
	conf := l.write("haproxy.cfg", fmt.Sprintf(`
defaults
  mode http
  timeout client 5s
  timeout connect 5s
  timeout server 5s
listen stats
  bind %s
  stats enable
  stats uri /
backend all
  server one %s weight 100 check inter 50ms agent-check agent-port %d agent-inter 50ms
`, stats, stats, at.Port()))
	l.start("", checks.HTTP{Target: stats}, "haproxy", "-db", "-f", conf)

	for _, say := range []string{"up 75%", "ready 50%", "drain", "ready up 100%", "down #backup runs", "up", "0%", "10%", "maint", "ready", "fail", "up 20%", "stopped",
		"UP 60%", "drain 50%", "Ready 40%", "50% DRAIN", "drain ready 70%", "ready drain 70%", "READY 20% MaxConn:30", "MAINT"} {
		line.Store(&say)
		seen := ask(checks.Agent{Target: at, Weight: 100}, 20*time.Second)
		want := "down"
		if seen.OK && seen.Weight != nil {
			want = "up " + strconv.Itoa(*seen.Weight)
		} else if seen.OK {
			want = "up" // with the weight that it had
		}
		// Each line means something else than the one before.
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			got := haproxyServer(t, stats.String())
			if strings.HasPrefix(got+" ", want+" ") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%q: HAProxy has %q, the probe %q (%+v)", say, got, want, seen)
			}
		}
	}
}

// haproxyServer returns "up" and the weight, or "down", of the only server.
func haproxyServer(t *testing.T, stats string) string {
	t.Helper()
	answer, err := http.Get("http://" + stats + "/;csv")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	rows, err := csv.NewReader(answer.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	name, status, weight := slices.Index(rows[0], "svname"), slices.Index(rows[0], "status"), slices.Index(rows[0], "weight")
	for _, row := range rows {
		if row[name] != "one" {
			continue
		}
		switch state, _, _ := strings.Cut(row[status], " "); state {
		case "UP":
			return "up " + row[weight]
		case "DRAIN":
			return "up 0"
		case "DOWN", "MAINT":
			return "down"
		default:
			return row[status]
		}
	}
	t.Fatalf("no server in %v", rows)
	return ""
}
