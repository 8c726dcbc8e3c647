package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/checks"
)

// TestLoaderShares changes a configuration step by step and looks at which
// virtual servers are the very same values as before.
func TestLoaderShares(t *testing.T) {
	const (
		locals  = "locals {\n  web = [\"10.0.0.1:80\"]\n}\n"
		check   = "check \"tcp\" \"alive\" {\n  port = 81\n}\n"
		plain   = "virtual_server \"plain\" {\n  address = \"192.0.2.1:80\"\n  check \"tcp\" {}\n  real_server \"10.0.0.1:80\" { weight = 5 }\n}\n"
		checked = "virtual_server \"checked\" {\n  address = \"192.0.2.2:80\"\n  checks  = [\"alive\"]\n  real_server \"10.0.0.1:80\" {}\n}\n"
		dynamic = "virtual_server \"dynamic\" {\n  address = \"192.0.2.3:80\"\n  dynamic \"real_server\" {\n    for_each = local.web\n    labels   = [real_server.value]\n    content {}\n  }\n}\n"
		script  = "virtual_server \"script\" {\n  address = \"192.0.2.4:80\"\n  check \"script\" { command = [\"/bin/true\"] }\n  real_server \"10.0.0.1:80\" {}\n}\n"
	)
	steps := []struct {
		name string
		text string
		same string // names of the virtual servers that are the same as a step before
	}{
		{"first", locals + check + plain + checked + dynamic + script, ""},
		{"again", locals + check + plain + checked + dynamic + script, "plain checked dynamic script"},
		{"moved", "# new\n\n" + script + locals + check + dynamic + plain + checked, "script dynamic plain checked"},
		{"weight", locals + check + strings.Replace(plain, "5", "6", 1) + checked + dynamic + script, "checked dynamic script"},
		{"local", strings.Replace(locals, "80", "81", 1) + check + plain + checked + dynamic + script, ""},
		{"check", strings.Replace(locals, "80", "81", 1) + strings.Replace(check, "81", "82", 1) + plain + checked + dynamic + script, "plain"},
		{"check again", strings.Replace(locals, "80", "81", 1) + strings.Replace(check, "81", "82", 1) + plain + checked + dynamic + script, "plain checked dynamic script"},
		{"user", "scripts { user = \"nobody\" }\n" + check + plain + script, "plain"},
		{"mistake", "nod = 1\nscripts { user = \"nobody\" }\n" + check + plain + checked, ""},
		{"mended", "scripts { user = \"nobody\" }\n" + check + plain + script, "plain script"},
		{"mistake", "nod = 1\nscripts { user = \"www-data\" }\n" + check + plain + script, ""},
		{"mended again", "scripts { user = \"www-data\" }\n" + check + plain + script, "plain"},
	}
	name := filepath.Join(t.TempDir(), "director.hcl")
	l := NewLoader(name)
	before := map[string]*VirtualServer{}
	for _, step := range steps {
		if err := os.WriteFile(name, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := l.Load()
		if step.name == "mistake" {
			if err == nil {
				t.Fatalf("%s: no error", step.name)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		fresh, err := Load(name)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(string(dump(fresh)), string(dump(c))); diff != "" {
			t.Errorf("%s: a new Loader and an old one (-new +old):\n%s", step.name, diff)
		}
		var same []string
		for _, v := range c.VirtualServers {
			if before[v.Name] == v {
				same = append(same, v.Name)
			}
			before[v.Name] = v
		}
		if got := strings.Join(same, " "); got != step.same {
			t.Errorf("%s: the same are %q, want %q", step.name, got, step.same)
		}
	}
}

// TestLoaderSeesHiddenLocals changes a local that lies in a piece cut wrongly.
func TestLoaderSeesHiddenLocals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b.hcl", "virtual_server \"web\" {\n  address = \"192.0.2.10:80\"\n  real_server \"10.0.0.1:80\" { weight = local.w }\n}\n")
	l := NewLoader(dir)
	for _, w := range []uint32{10, 20, 30} {
		hide := `node = "${replace("[a", "[", "")}"` + "\n"
		if w == 30 {
			hide = "" // and back in the open
		}
		write("a.hcl", fmt.Sprintf("%slocals { w = %d }\n", hide, w))
		c, err := l.Load()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.VirtualServers[0].Reals[0].Destination.Weight; got != w {
			t.Errorf("weight %d, want %d", got, w)
		}
	}
}

// TestLoaderForgets makes sure that a program which is looked for on the disk
// is looked for at each load.
func TestLoaderForgets(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "director.hcl")
	text := "scripts { paths = [\"" + dir + "\"] }\nvirtual_server \"a\" {\n  address = \"192.0.2.1:80\"\n  check \"script\" { command = [\"probe\"] }\n}\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l := NewLoader(name)
	if _, err := l.Load(); err == nil || !strings.Contains(err.Error(), "no such program") {
		t.Fatalf("without the program: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "probe"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(); err != nil {
		t.Fatalf("with the program: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "probe")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(); err == nil {
		t.Fatal("without it again: no error")
	}
}

// TestLoaderForgetsInputs makes sure that the same holds for what depends on a
// named check that reads a file.
func TestLoaderForgetsInputs(t *testing.T) {
	dir := t.TempDir()
	name, secret := filepath.Join(dir, "director.hcl"), filepath.Join(dir, "secret")
	text := "check \"redis\" \"cache\" { password_file = \"" + secret + "\" }\nvirtual_server \"a\" {\n  address = \"192.0.2.1:80\"\n  checks  = [\"cache\"]\n  real_server \"10.0.0.1:80\" {}\n}\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l := NewLoader(name)
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(secret, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := l.Load()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.VirtualServers[0].Reals[0].Checks[0].Monitor.Probe.(checks.Redis).Password; got != want {
			t.Errorf("password %q, want %q", got, want)
		}
	}
}

func TestReadSources(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.hcl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load(no file) = %v", err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "no *.hcl file") {
		t.Errorf("Load(empty directory) = %v", err)
	}
}
