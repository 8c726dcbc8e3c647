package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckRun(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	up := server.Addr().String()
	const down = "127.0.0.1:1"
	path := filepath.Join(t.TempDir(), "d.hcl")
	// Two virtual servers share the probes: each is asked once.
	text := ""
	for _, vs := range []string{"a", "b"} {
		text += `virtual_server "` + vs + `" {
  address   = "192.0.2.10:8` + map[string]string{"a": "0", "b": "1"}[vs] + `"
  scheduler = "wlc"
  forward   = "nat"
  checks    = ["port"]
  real_server "` + up + `" {}
  real_server "` + down + `" {}
  sorry_server "127.0.0.1:2" {
    check "tcp" {}
    check "tcp" { port = 3 }
  }
}
`
	}
	writeFile(t, path, "check \"tcp\" \"port\" {\n  timeout = \"5s\"\n}\n"+text)

	got := director(t, "check", "run", "port", up, "-c", path)
	if got.code != exitOK || strings.Count(got.stdout, "\n") != 1 || !strings.HasPrefix(got.stdout, up+" port (tcp): ok in ") || !strings.HasSuffix(got.stdout, " of 5s\n") {
		t.Errorf("up: %+v", got)
	}
	got = director(t, "check", "run", "port", "-c", path)
	if got.code != exitFailure || !strings.Contains(got.stdout, down+" port (tcp): FAILED") ||
		!strings.Contains(got.stdout, "  reason   connect: connection refused\n") || got.stderr != "director: 1 of 2 probes failed\n" {
		t.Errorf("one of two down: %+v", got)
	}
	got = director(t, "check", "run", "tcp", "-c", path)
	if got.code != exitFailure || !strings.HasPrefix(got.stdout, "127.0.0.1:2 tcp (tcp): FAILED") || !strings.Contains(got.stdout, "127.0.0.1:2 tcp-2 (tcp): FAILED") ||
		got.stderr != "director: 2 of 2 probes failed\n" {
		t.Errorf("the sorry server's own: %+v", got)
	}
	if got = director(t, "check", "run", "tcp-2", "-c", path); got.code != exitFailure || got.stderr != "director: 1 of 1 probe failed\n" {
		t.Errorf("the second of the sorry server's own: %+v", got)
	}
	if got = director(t, "check", "run", "nope", "-c", path); got.code != exitFailure || !strings.Contains(got.stderr, `no check "nope"`) {
		t.Errorf("unknown check: %+v", got)
	}
	if got = director(t, "check", "run", "port", "10.9.9.9", "-c", path); got.code != exitFailure || !strings.Contains(got.stderr, "such a real server") {
		t.Errorf("unknown server: %+v", got)
	}
	if got = director(t, "check", "run", "port", "web", "-c", path); got.code != exitUsage {
		t.Errorf("no address: %+v", got)
	}
}
