package lab

import "testing"

func TestParseSyncDaemon(t *testing.T) {
	text := "master sync daemon (mcast=eth1, syncid=51, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n" +
		"backup sync daemon (mcast=eth0, syncid=0)\n"
	if got, want := parseSyncDaemon(text), "backup eth0 0\nmaster eth1 51"; got != want {
		t.Errorf("daemons %q, want %q", got, want)
	}
	if got := parseSyncDaemon(""); got != "" {
		t.Errorf("daemons %q, want none", got)
	}
}
