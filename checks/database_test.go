package checks

import (
	"io"
	"strings"
	"testing"
	"time"
)

// answered holds a conversation with a server that says come and closes, and
// returns what it was told.
func answered(come string, converse func(*talk)) (seen Observation, told string) {
	var sent strings.Builder
	t := &talk{attempt: attempt{begin: time.Now(), limit: time.Second}, verb: "probe"}
	t.stream = struct {
		io.Reader
		io.Writer
	}{strings.NewReader(come), &sent}
	converse(t)
	return t.verdict(), sent.String()
}

// TestMySQLLogin wants an empty password to be given to whichever plugin asks for it.
func TestMySQLLogin(t *testing.T) {
	const (
		ok      = "\x00\x00\x00\x02\x00\x00\x00"
		again   = "\xfecaching_sha2_password\x00ABCDEFGHIJKLMNOPQRST\x00"
		more    = "\x01\x04"
		denied  = "\xff\x15\x04#28000Access denied"
		rest    = "\x00\x00\x00\x01\x21" // size of packets, UTF-8
		neither = "\x00\x82\x00\x00"     // protocol 4.1, secure
		plugins = "\x00\x82\x08\x00"     // and plugins
		needs   = "probe: user check needs a password"
	)
	login := func(capabilities, plugin string) string {
		return framed(1, capabilities+rest+strings.Repeat("\x00", 23)+"check\x00\x00"+plugin)
	}
	old := login(neither, "")
	by := func(plugin string) string { return login(plugins, plugin+"\x00") }
	empty, quit := framed(3, ""), framed(0, "\x01")
	tests := []struct {
		name, greeting string
		answers        []string
		told, reason   string
	}{
		{"no plugins", mysqlHello, []string{ok}, old + quit, ""},
		{"default", mysqlGreeting("caching_sha2_password\x00"), []string{ok}, by("caching_sha2_password") + quit, ""},
		{"another", mysqlGreeting("mysql_native_password\x00"), []string{again, ok}, by("mysql_native_password") + empty + quit, ""},
		{"another, denied", mysqlGreeting("x\x00"), []string{again, denied}, by("x") + empty, "probe: Access denied"},
		{"another, password", mysqlGreeting("x\x00"), []string{again, more}, by("x") + empty, needs},
		{"and another", mysqlGreeting("x\x00"), []string{again, again}, by("x") + empty, needs},
		{"password", mysqlGreeting("x\x00"), []string{more}, by("x"), needs},
		{"another without a name", mysqlHello, []string{"\xfe"}, old, needs},
		{"denied", mysqlGreeting("x\x00"), []string{denied}, by("x"), "probe: Access denied"},
		{"name without an end", mysqlGreeting("x"), []string{ok}, old + quit, ""},
		{"long name", mysqlGreeting(strings.Repeat("x", 65) + "\x00"), []string{ok}, old + quit, ""},
		{"plugins that are not known of", strings.Replace(mysqlGreeting("x\x00"), "\xff\xdf", "\x00\x00", 1), []string{ok}, old + quit, ""},
		{"closes", mysqlGreeting("x\x00"), []string{again}, by("x") + empty, "probe: connection closed by the server"},
	}
	for _, tt := range tests {
		come := framed(0, tt.greeting)
		for i, answer := range tt.answers {
			come += framed(byte(2+2*i), answer)
		}
		seen, told := answered(come, MySQL{User: "check"}.converse)
		if seen.OK != (tt.reason == "") || seen.Reason != tt.reason {
			t.Errorf("%s: saw %+v, want %q", tt.name, seen, tt.reason)
		}
		if told != tt.told {
			t.Errorf("%s: it was told %q, want %q", tt.name, told, tt.told)
		}
	}
}

// TestPostgreSQLLeave wants a server to be told of the end by none whom it has not
// let in: it would log a failure to log in.
func TestPostgreSQLLeave(t *testing.T) {
	const leave = "X\x00\x00\x00\x04"
	startup := string(PostgreSQL{}.startup())
	tests := []struct{ name, come, told, reason string }{
		{"let in", "R\x00\x00\x00\x08\x00\x00\x00\x00", startup + leave, ""},
		{"MD5", "R\x00\x00\x00\x0c\x00\x00\x00\x05salt", startup, ""},
		{"SCRAM", "R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00", startup, ""},
		{"no code", "R\x00\x00\x00\x06\x00\x00", startup, "probe: the server does not speak PostgreSQL"},
		{"cut", "R\x00\x00\x00\x08\x00\x00", startup, "probe: connection closed by the server"},
	}
	for _, tt := range tests {
		seen, told := answered(tt.come, PostgreSQL{}.converse)
		if seen.OK != (tt.reason == "") || seen.Reason != tt.reason {
			t.Errorf("%s: saw %+v, want %q", tt.name, seen, tt.reason)
		}
		if told != tt.told {
			t.Errorf("%s: it was told %q, want %q", tt.name, told, tt.told)
		}
	}
}
