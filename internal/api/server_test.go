package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvs-director/director/internal/engine"
)

func TestStatusIsTheSnapshot(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	d.engine.status = sampleStatus()
	got, err := d.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleStatus(), got, cmpopts.IgnoreUnexported(engine.CheckStatus{})); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestCommandsReachTheEngineWithTheirOperator(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	if err := d.client.Reload(t.Context()); err != nil {
		t.Errorf("reload: %v", err)
	}
	if err := d.client.Failover(t.Context(), []string{"front", "inside"}); err != nil {
		t.Errorf("failover: %v", err)
	}
	if err := d.client.Failover(t.Context(), nil); err != nil {
		t.Errorf("failover of all: %v", err)
	}
	who := fmt.Sprintf("(uid %d, pid %d)", os.Getuid(), os.Getpid())
	want := []string{"reload", "failover front inside", "failover"}
	if len(d.engine.commands) != len(want) {
		t.Fatalf("commands: %q", d.engine.commands)
	}
	for i, c := range d.engine.commands {
		name, by, _ := strings.Cut(c, " by ")
		if name != want[i] || !strings.HasSuffix(by, who) {
			t.Errorf("command %d is %q, want %q by … %s", i, c, want[i], who)
		}
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body Override
		want string // empty: refused
	}{
		{Override{VirtualServer: "web", RealServer: "10.0.0.11:80", Mode: "drain", Reason: "kernel update"}, "override web 10.0.0.11:80 drain kernel update"},
		{Override{RealServer: "10.0.0.11", Mode: "disable"}, "override 10.0.0.11 disable "},
		{Override{VirtualServer: "web", RealServer: "all", Mode: "weight", Weight: 5}, "override web all weight 5 "},
		{Override{RealServer: "10.0.0.11", Mode: "none", Reason: "done"}, "override 10.0.0.11  "},
		{Override{RealServer: "all", Mode: "drain"}, ""},
		{Override{RealServer: "10.0.0.11", Mode: "explode"}, ""},
		{Override{RealServer: "10.0.0.11", Mode: "weight", Weight: 1 << 31}, ""},
		{Override{RealServer: "10.0.0.11"}, ""},
		{Override{RealServer: "10.0.0.11", Mode: "drain", Reason: strings.Repeat("x", 1025)}, ""},
	}
	for _, test := range tests {
		d := startDaemon(t)
		n, err := d.client.SetOverride(t.Context(), test.body)
		if test.want == "" {
			if err == nil || len(d.engine.commands) != 0 {
				t.Errorf("%+v: taken as %q", test.body, d.engine.commands)
			}
			continue
		}
		if err != nil || n != 2 || len(d.engine.commands) != 1 || !strings.HasPrefix(d.engine.commands[0], test.want+" by ") {
			t.Errorf("%+v: %d, %v, %q; want %q", test.body, n, err, d.engine.commands, test.want)
		}
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	if n, err := d.client.Connections(t.Context(), "web", "10.0.0.11:80"); n != 7 || err != nil {
		t.Errorf("%d connections, %v", n, err)
	}
	if _, err := d.client.Connections(t.Context(), "", "all"); err == nil {
		t.Error("connections of nobody were counted")
	}
}

func TestRefusalKeepsTheEnginesWords(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	d.engine.err = errors.New("director.hcl:3,1-7: Unsupported argument\n  second line")
	err := d.client.Reload(t.Context())
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Code != http.StatusUnprocessableEntity || err.Error() != d.engine.err.Error() {
		t.Errorf("reload: %v", err)
	}
}

func TestTCPOnlyReads(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	tests := []struct {
		method, path string
		want         int
	}{
		{"GET", "/v1/status", 200},
		{"GET", "/v1/events", 200},
		{"GET", "/v1/log-level", 200},
		{"GET", "/metrics", 200},
		{"GET", "/healthz", 200},
		{"GET", "/readyz", 503}, // nothing is in sync
		{"GET", "/v1/events?since=yesterday", 400},
		{"POST", "/v1/reload", 404},
		{"POST", "/v1/failover", 404},
		{"PUT", "/v1/log-level", 405},
		{"PUT", "/v1/override", 404},
		{"POST", "/v1/status", 405},
		{"GET", "/", 404},
	}
	client := httpClient(t)
	for _, test := range tests {
		request, err := http.NewRequestWithContext(t.Context(), test.method, d.tcp+test.path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%s %s: status %d, want %d", test.method, test.path, response.StatusCode, test.want)
		}
	}
	if len(d.engine.commands) != 0 {
		t.Errorf("commands came through: %q", d.engine.commands)
	}
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kernel engine.KernelStatus
		code   int
		body   string
	}{
		{engine.KernelStatus{InSync: true}, 200, "ok\n"},
		{engine.KernelStatus{}, 503, `{"error":"kernel not in sync yet"}` + "\n"},
		{engine.KernelStatus{LastError: "open ipvs: operation not permitted"}, 503,
			`{"error":"kernel not in sync: open ipvs: operation not permitted"}` + "\n"},
	}
	client := httpClient(t)
	for _, test := range tests {
		d := startDaemon(t)
		d.engine.status = &engine.Status{Kernel: test.kernel}
		response, err := client.Get(d.tcp + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != test.code || string(body) != test.body {
			t.Errorf("%+v: %d %q, want %d %q", test.kernel, response.StatusCode, body, test.code, test.body)
		}
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	if err := d.client.SetLogLevel(t.Context(), "debug"); err != nil {
		t.Fatal(err)
	}
	if got, err := d.client.LogLevel(t.Context()); err != nil || got != "debug" {
		t.Errorf("level %q, %v", got, err)
	}
	for _, bad := range []string{"", "loud", "fatal"} {
		if err := d.client.SetLogLevel(t.Context(), bad); err == nil {
			t.Errorf("level %q was taken", bad)
		}
	}
	if got := d.level.Level().String(); got != "debug" {
		t.Errorf("a refused level changed it to %s", got)
	}
}

func TestRequestBodiesAreBoundedAndStrict(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	for name, body := range map[string]string{
		"not json":      "{",
		"unknown field": `{"group": "front"}`,
		"wrong type":    `{"groups": "front"}`,
		"too large":     `{"groups": ["` + strings.Repeat("x", maxBody) + `"]}`,
	} {
		response, err := d.client.send(t.Context(), http.MethodPost, "/v1/failover", strings.NewReader(body))
		if err == nil {
			response.Body.Close()
			t.Errorf("%s: taken", name)
			continue
		}
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Code != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(d.engine.commands) != 0 {
		t.Errorf("commands came through: %q", d.engine.commands)
	}
}

// A command that waits when the server stops is told so; nothing hangs.
func TestStopEndsWaitingCommandsAndStreams(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	d.engine.wait = make(chan struct{})
	command := make(chan error, 1)
	go func() { command <- d.client.Reload(context.Background()) }()
	stream := make(chan error, 1)
	first := make(chan struct{})
	go func() {
		for e, err := range d.client.Events(context.Background(), Query{Follow: true}) {
			if err != nil {
				stream <- err
				return
			}
			if e.Seq == 1 {
				close(first)
			}
		}
		stream <- nil
	}()
	d.journal.live <- engine.Event{Seq: 1, Kind: engine.KindStart}
	<-first
	if err := d.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := <-command; err == nil {
		t.Error("the command succeeded")
	}
	if err := <-stream; err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := os.Stat(d.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// sampleStatus is one of everything.
func sampleStatus() *engine.Status {
	at := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	return &engine.Status{
		Node: "lb-a", Version: "1.0", Started: at,
		Config: engine.ConfigStatus{Loaded: at, Reloads: 2},
		Kernel: engine.KernelStatus{InSync: true, LastResync: at.Add(time.Minute), Repairs: 3, Operations: 40},
		Checks: engine.PaceStatus{Probes: 2, InFlight: 1, Waiting: 4, Started: 1000, LeftOut: 5, Repeated: 6, FailedHere: 7, Lag: 270 * time.Millisecond, Late: true},
		VRRP: engine.VRRPStatus{Connected: true, Groups: []engine.GroupStatus{
			{Name: "front", State: "MASTER", Since: at, Priority: 150, Addresses: []string{"192.0.2.10/24"}, Sent: 60, Received: 1, Dropped: 2,
				Tracks: []engine.TrackStatus{{Kind: "interface", Name: "eth1", State: "up"}, {Kind: "file", Name: "load", State: "up", Value: 7, Points: -14}}},
		}},
		Hooks: engine.HookStatus{Running: 16, Waiting: 40, Failed: 2, Dropped: 1},
		FIFOs: []engine.FIFOStatus{{Path: "/run/director/notify", Written: 12, Dropped: 3, Full: true}},
		BFD: &engine.BFDStatus{Dropped: map[string]uint64{"ttl": 2, "no_session": 1}, Sessions: []engine.SessionStatus{
			{Name: "core", Neighbor: "192.0.2.1", State: "up", Since: at, Detection: 900 * time.Millisecond, Sent: 100, Received: 99, Downs: 1},
			{Name: "new", Neighbor: "192.0.2.3", State: "unknown"},
		}},
		VirtualServers: []*engine.ServiceStatus{{
			Name: `we"b\`, Addresses: []string{"tcp 192.0.2.10:80"}, Scheduler: "wlc", Forward: "nat",
			State: "up", Since: at, WeightUp: 10, Quorum: 2,
			Sorry: &engine.RealStatus{Address: "10.0.0.99:80", State: "down", Checks: []engine.CheckStatus{{Name: "tcp", State: "down", LastAt: at}}},
			Reals: []*engine.RealStatus{
				{Address: "10.0.0.11:80", State: "up", Since: at, Weight: 10, Configured: 10, InTable: true, Checks: []engine.CheckStatus{
					{Name: "healthz", Kind: "http", State: "up", Since: at, Status: "200", Latency: 1500 * time.Microsecond, LastAt: at},
				}},
				{Address: "10.0.0.12:80", State: "unknown", Configured: 10, Checks: []engine.CheckStatus{
					{Name: "healthz", Kind: "http", State: "unknown"},
				}},
			},
		}},
	}
}

func TestRefusalIsJSON(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	response, err := httpClient(t).Get(d.tcp + "/v1/events?bogus=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body refusal
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.Error != `unknown parameter "bogus"` {
		t.Errorf("body %+v, %v", body, err)
	}
}

// A daemon that is stopped takes connections, and never answers.
func TestClientGivesUpOnASilentDaemon(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newClient(socket, time.Millisecond, time.Millisecond)
	defer c.Close()
	const want = "does not answer: it is stopped or hangs"
	if _, err := c.Status(t.Context()); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("status: %v, want %q", err, want)
	}
	if err := c.Reload(t.Context()); err == nil || !strings.HasSuffix(err.Error(), want+"; what it was asked for may still be done") {
		t.Errorf("reload: %v, want %q and that it may be done", err, want)
	}
	for _, err := range c.Events(t.Context(), Query{Follow: true}) {
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("events: %v, want %q", err, want)
		}
	}
}

func TestPanicOfAHandlerIsLogged(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s := New(Options{Log: zap.New(core)})
	go func() {
		ended <- s.serve(ctx, l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	}()
	if answer, err := http.Get("http://" + l.Addr().String()); err == nil {
		answer.Body.Close()
		t.Errorf("a handler that panics answers %s", answer.Status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := len(logs.Filter(func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, "boom") }).All()); n != 1 {
		t.Errorf("%d lines tell of the panic: %v", n, logs.All())
	}
}
