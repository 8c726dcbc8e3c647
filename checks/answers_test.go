package checks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseAgent(t *testing.T) {
	tests := []struct {
		line   string
		ok     bool
		weight int // -1 is none
		reason string
	}{
		{"up", true, -1, ""},
		{"ready 75%", true, 8, ""},
		{"100%", true, 10, ""},
		{"1%", true, 1, ""},
		{"0%", true, 0, ""},
		{"200%", true, 20, ""},
		{"drain", true, 0, ""},
		{"up,50%,maxconn:30", true, 5, ""},
		{"UP 50% MaxConn:30", true, 5, ""},
		{"drain 50%", true, 0, ""},
		{"50% Drain", true, 0, ""},
		{"up drain,100% # leaves", true, 0, ""},
		{"ready drain", true, 0, ""},
		{"drain ready", true, -1, ""},
		{"DRAIN Ready 50%", true, 5, ""},
		{"Down drain #why", false, 0, "down: why"},
		{"MAINT", false, -1, "maint"},
		{"Stopped", false, -1, "stopped"},
		{"down #why not", false, -1, "down: why not"},
		{"maint", false, -1, "maint"},
		{"stopped\t# by hand", false, -1, "stopped: by hand"},
		{"fail", false, -1, "fail"},
		{"", false, -1, "empty answer"},
		{"# comment", false, -1, "empty answer"},
		{"-5%", false, -1, `no percentage: "-5%"`},
		{"many%", false, -1, `no percentage: "many%"`},
		{"Sideways", false, -1, `unknown word "Sideways"`},
	}
	for _, tt := range tests {
		seen := parseAgent(tt.line, 10)
		weight := -1
		if seen.Weight != nil {
			weight = *seen.Weight
		}
		if seen.OK != tt.ok || weight != tt.weight || seen.Reason != tt.reason {
			t.Errorf("%q: saw %+v, weight %d", tt.line, seen, weight)
		}
	}
}

func FuzzParseAgent(f *testing.F) {
	f.Add("up 75% #fine")
	f.Add("down,maint")
	f.Fuzz(func(t *testing.T, line string) {
		seen := parseAgent(line, 100)
		if seen.OK == (seen.Reason != "") {
			t.Errorf("%q: saw %+v", line, seen)
		}
		if seen.Weight != nil && *seen.Weight < 0 {
			t.Errorf("%q: weight %d", line, *seen.Weight)
		}
	})
}

func FuzzLDAP(f *testing.F) {
	f.Add([]byte("\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add([]byte("\x02\x01\x01\x61\x84\xff\xff\xff\xff\x0a\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if ldapProblem(b) == "" && !strings.Contains(string(b), "\x0a\x01\x00") {
			t.Errorf("% x is taken for a good answer", b)
		}
	})
}

func FuzzMySQL(f *testing.F) {
	f.Add([]byte(mysqlHello))
	f.Add([]byte(mysqlGreeting("caching_sha2_password\x00")))
	f.Add([]byte("\xff\x10\x04#08004Too many connections"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, problem := parseMySQLGreeting(b); problem == "" && b[0] != 9 && b[0] != 10 {
			t.Errorf("% x is taken for a greeting", b)
		}
		if plugin := mysqlPlugin(b); len(plugin) > 64 || strings.Contains(plugin, "\x00") {
			t.Errorf("plugin %q", plugin)
		}
		_ = pgsqlError(b)
	})
}

func TestBER(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 40000} {
		content := []byte(strings.Repeat("x", n))
		tag, got, rest, ok := cutBER(append(ber(berOctets, content), 7))
		if tag != berOctets || string(got) != string(content) || len(rest) != 1 || !ok {
			t.Errorf("%d bytes do not come back", n)
		}
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	if err := os.WriteFile(full, []byte("state=ok\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	tests := []struct {
		name   string
		probe  File
		reason string
	}{
		{"exists", File{Path: full}, ""},
		{"does not", File{Path: none}, "file " + none + " does not exist"},
		{"is absent", File{Path: none, Absent: true}, ""},
		{"is not absent", File{Path: full, Absent: true}, "file " + full + " exists"},
		{"content", File{Path: full, Expect: Expect{Matches: "state=(ok|fine)"}}, ""},
		{"other content", File{Path: full, Expect: Expect{Contains: "down"}}, "file " + full + `: wanted "down", has "state=ok\n"`},
		{"a pipe", File{Path: pipe, Expect: Expect{Contains: "x"}}, pipe + " is no regular file"},
		{"a pipe exists", File{Path: pipe}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := runBothWays(t, tt.probe, 20*time.Second)
			if seen.OK != (tt.reason == "") || seen.Reason != tt.reason {
				t.Errorf("saw %+v, want %q", seen, tt.reason)
			}
		})
	}
	for _, p := range []Probe{File{Expect: Expect{Matches: "("}}, TCP{Steps: []Step{{"", Expect{Matches: "("}}}}, UDP{Expect: Expect{Matches: "("}}, Text{Protocol: "gopher"}, DNS{Name: strings.Repeat("a", 300)}} {
		if seen := p.Run(t.Context()); !seen.Ours {
			t.Errorf("%+v: saw %+v, want a failure of our own", p, seen)
		}
	}
}
