package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/vrrp/worker"
)

// result is what a command line left behind.
type result struct {
	code           int
	stdout, stderr string
}

// director runs one command line.
func director(t *testing.T, args ...string) result {
	t.Helper()
	return directorWithInput(t, "", args...)
}

func directorWithInput(t *testing.T, input string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(args, strings.NewReader(input), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want string // on standard error
	}{
		{[]string{"frobnicate"}, "unknown command"},
		{[]string{"status", "--bogus"}, "unknown flag: --bogus"},
		{[]string{"reload", "extra"}, "unknown command \"extra\""},
		{[]string{"log-level", "loud"}, "invalid argument"},
		{[]string{"log-level", "info", "debug"}, "accepts at most 1 arg"},
		{[]string{"status", "--json", "--watch"}, "if any flags in the group"},
		{[]string{"status", "--socket", "a", "--config", "b"}, "if any flags in the group"},
		{[]string{"tail", "--kind", "gossip"}, "--kind: \"gossip\" is none of start, check"},
		{[]string{"tail", "--since", "yesterday"}, "neither a duration nor a time"},
		{[]string{"tail", "--lines", "many"}, "invalid argument"},
		{[]string{"tail", "--lines", "-5"}, "-5 is not within 0"},
		{[]string{"ipvs", "lst"}, "unknown command \"lst\" for \"director ipvs\""},
		{[]string{"ipvs", "daemon", "begin"}, "unknown command \"begin\" for \"director ipvs daemon\""},
		{[]string{"ipvs", "add"}, "-A needs a service"},
		{[]string{"ipvs", "edit"}, "-E needs a service"},
		{[]string{"ipvs", "delete", "--netns", "/none"}, "-D needs a service"},
		{[]string{"ipvs", "daemon", "start"}, "--start-daemon needs master or backup"},
		{[]string{"ipvs", "daemon", "stop"}, "--stop-daemon needs master or backup"},
		{[]string{"ipvs", "zero", "-t", ""}, "--tcp-service: \"\" is not an address"},
		{[]string{"ipvs", "zero", "-f", ""}, "--fwmark-service: \"\""},
		{[]string{"realserver", "raise"}, "unknown command \"raise\" for \"director realserver\""},
		{[]string{"check", "web"}, "unknown command \"web\" for \"director check\""},
		{[]string{"completion", "csh"}, "unknown command \"csh\" for \"director completion\""},
		{[]string{"help", "frobnicate"}, "unknown command \"frobnicate\" for \"director\""},
		{[]string{"help", "ipvs", "lst"}, "unknown command \"lst\" for \"director ipvs\""},
		{[]string{"vrrp-worker"}, "\"socket\" not set"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			got := director(t, test.args...)
			if got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, test.want) {
				t.Errorf("%+v, want code 2 and %q", got, test.want)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"ipvs"}, {"help", "ipvs"}, {"help", "ipvs", "list"}, {"ipvs", "add", "--help"}, {"completion", "bash"}} {
		if got := director(t, args...); got.code != exitOK || got.stdout == "" || got.stderr != "" {
			t.Errorf("director %v: %+v", args, got)
		}
	}
	for _, args := range [][]string{{}, {"help"}, {"--help"}} {
		got := director(t, args...)
		for _, want := range []string{"run ", "validate", "fmt", "plan", "status", "tail", "reload", "failover", "log-level", "version"} {
			if got.code != exitOK || !strings.Contains(got.stdout, "\n  "+want) {
				t.Errorf("director %v: code %d without %q:\n%s", args, got.code, want, got.stdout)
			}
		}
		if strings.Contains(got.stdout, "vrrp-worker") {
			t.Errorf("director %v shows the hidden command", args)
		}
	}
	if got := director(t, "version"); got.code != exitOK || !strings.HasPrefix(got.stdout, "director "+version+" (go") ||
		!strings.HasSuffix(got.stdout, "\nvrrp protocol "+worker.Wire()+"\n") {
		t.Errorf("version: %+v", got)
	}
}

// Every command and every flag says what it is for.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	root := newRootCommand()
	for _, command := range root.Commands() {
		if command.Short == "" || (command.GroupID == "" && command.Name() != "help" && command.Name() != "completion") {
			t.Errorf("%s has no short description or no group", command.CommandPath())
		}
		if usage := command.LocalFlags().FlagUsages(); strings.Contains(usage, "   \n") {
			t.Errorf("%s has a flag without description:\n%s", command.CommandPath(), usage)
		}
	}
}

func TestNoDaemon(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "none.sock")
	for _, args := range [][]string{{"status"}, {"tail"}, {"reload"}, {"failover"}, {"log-level"}} {
		got := director(t, append(args, "--socket", socket)...)
		if got.code != exitFailure || !strings.Contains(got.stderr, "no director is running at "+socket) {
			t.Errorf("director %v: %+v", args, got)
		}
	}
}

const validConfig = `virtual_server "web" {
  address   = "192.0.2.10:80"
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"
  real_server "10.0.0.11:80" {}
  real_server "10.0.0.12:80" {}
}
`

func TestValidate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "d.hcl")
	writeFile(t, path, validConfig)
	want := path + " is valid: 0 VRRP groups, 1 virtual server, 2 real servers\n"
	if got := director(t, "validate", "--config", path); got != (result{exitOK, want, ""}) {
		t.Errorf("valid: %+v", got)
	}
	writeFile(t, path, strings.ReplaceAll(validConfig, "wlc", "chess"))
	got := director(t, "validate", "-c", path)
	for _, want := range []string{"d.hcl line 4", `scheduler = "chess"`, "director: " + path + " has 1 problem\n"} {
		if got.code != exitFailure || !strings.Contains(got.stderr, want) {
			t.Errorf("invalid: %+v, want %q", got, want)
		}
	}
	if got := director(t, "validate", "-c", path+".none"); got.code != exitFailure || !strings.Contains(got.stderr, "no such file") {
		t.Errorf("missing: %+v", got)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	crooked := strings.ReplaceAll(validConfig, "  ", " ")
	paths := []string{filepath.Join(dir, "a.hcl"), filepath.Join(dir, "b.hcl")}
	writeFile(t, paths[0], crooked)
	writeFile(t, paths[1], validConfig)
	link := filepath.Join(t.TempDir(), "link.hcl")
	if err := os.Symlink(paths[0], link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(paths[0], 0o604); err != nil {
		t.Fatal(err)
	}

	if got := director(t, "fmt", "--check", dir); got != (result{exitFinding, paths[0] + "\n", ""}) || readFile(t, paths[0]) != crooked {
		t.Errorf("check: %+v", got)
	}
	if got := director(t, "fmt", link); got != (result{exitOK, link + "\n", ""}) || readFile(t, paths[0]) != validConfig {
		t.Errorf("fmt: %+v, file %q", got, readFile(t, paths[0]))
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v, %v", info, err)
	}
	if info, err := os.Stat(paths[0]); err != nil || info.Mode().Perm() != 0o604 {
		t.Errorf("mode changed: %v, %v", info, err)
	}
	if got := director(t, "fmt", "--check", dir); got != (result{exitOK, "", ""}) {
		t.Errorf("check again: %+v", got)
	}
	if got := directorWithInput(t, crooked, "fmt", "-"); got != (result{exitOK, validConfig, ""}) {
		t.Errorf("standard input: %+v", got)
	}

	writeFile(t, paths[1], "virtual_server {{")
	got := director(t, "fmt", dir)
	if got.code != exitFailure || !strings.Contains(got.stderr, "b.hcl line 1") || readFile(t, paths[1]) != "virtual_server {{" {
		t.Errorf("broken file: %+v", got)
	}
}

// complete returns the words that a shell would offer.
func complete(t *testing.T, args ...string) []string {
	t.Helper()
	got := director(t, append([]string{cobra.ShellCompRequestCmd}, args...)...)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	return lines[:len(lines)-1] // the last is the directive
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, memoryKernel(), "")
	r.awaitStatus(t, "web up", webIsUp)
	real := ""
	for _, line := range complete(t, "drain", "-s", r.socket, "web", "") {
		if strings.HasPrefix(line, "127.0.0.1:") {
			real = line
		}
	}
	if !strings.HasSuffix(real, "\tup") {
		t.Errorf("drain web offers %q", real)
	}
	for want, args := range map[string][]string{
		"web\tup":                       {"status", "-s", r.socket, ""},
		"all\tevery real server of web": {"disable", "-s", r.socket, "web", ""},
		real:                            {"enable", "-s", r.socket, ""},
		"quorum":                        {"tail", "--kind", ""},
		"debug":                         {"log-level", ""},
	} {
		if got := complete(t, args...); !slices.Contains(got, want) {
			t.Errorf("%v offers %q, want %q among them", args, got, want)
		}
	}
	if got := complete(t, "status", "-s", r.socket+".none", ""); len(got) != 0 {
		t.Errorf("without a daemon it offers %q", got)
	}
}

func TestManualPages(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man")
	if got := director(t, "man", dir); got != (result{}) {
		t.Fatalf("man: %+v", got)
	}
	for _, name := range []string{"director.8", "director-run.8", "director-check-run.8", "director-status.8"} {
		if text := readFile(t, filepath.Join(dir, name)); !strings.HasPrefix(text, ".TH \"DIRECTOR") {
			t.Errorf("%s begins %.40q", name, text)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "director-vrrp-worker.8")); err == nil {
		t.Error("the hidden command has a page")
	}
}
