package conf

import (
	"strings"
	"testing"
)

func TestParseServer(t *testing.T) {
	tests := []struct {
		in       string
		optional bool
		want     string // "" is refused
		wrong    string
	}{
		{in: "10.0.0.1:80", want: "10.0.0.1:80"},
		{in: "[2001:db8::1]:80", want: "[2001:db8::1]:80"},
		{in: "10.0.0.1", optional: true, want: "10.0.0.1:0"},
		{in: "2001:db8::1", optional: true, want: "[2001:db8::1]:0"},
		{in: "[::ffff:10.0.0.1]:80", want: "10.0.0.1:80"},
		{in: "10.0.0.1", wrong: "want IP:PORT"},
		{in: "", wrong: "want IP:PORT"},
		{in: ":", wrong: "want IP:PORT"},
		{in: ":80", wrong: "want IP:PORT"},
		{in: "[]:80", wrong: "want IP:PORT"},
		{in: "[:80", wrong: "want IP:PORT"},
		{in: "[10.0.0.1]:80", wrong: "want IP:PORT"},
		{in: "2001:db8::1:80", wrong: "want IP:PORT"},
		{in: "web:80", wrong: "want IP:PORT"},
		{in: "10.0.0.1:http", wrong: `port "http": want 1 to 65535`},
		{in: "10.0.0.1:0", wrong: "port 0: want 1 to 65535"},
		{in: "10.0.0.1:65536", wrong: "port 65536: want 1 to 65535"},
		{in: "10.0.0.1:-1", wrong: `port "-1": want 1 to 65535`},
		{in: "0.0.0.0:80", wrong: "unspecified"},
		{in: "224.0.0.1:80", wrong: "multicast"},
		{in: "[fe80::1%eth0]:80", wrong: "zone"},
	}
	for _, test := range tests {
		got, wrong := parseServer(test.in, test.optional)
		if test.wrong == "" && (wrong != "" || got.String() != test.want) || test.wrong != "" && !strings.Contains(wrong, test.wrong) {
			t.Errorf("parseServer(%q) = %v, %q; want %q, %q", test.in, got, wrong, test.want, test.wrong)
		}
	}
}

func TestParseListen(t *testing.T) {
	tests := []struct{ in, want, wrong string }{
		{in: "192.0.2.1:80", want: "192.0.2.1:80"},
		{in: "192.0.2.1:80-82", want: "192.0.2.1:80 192.0.2.1:81 192.0.2.1:82"},
		{in: "192.0.2.255-192.0.3.0:80", want: "192.0.2.255:80 192.0.3.0:80"},
		{in: "192.0.2.1-192.0.2.2:80-81", want: "192.0.2.1:80 192.0.2.1:81 192.0.2.2:80 192.0.2.2:81"},
		{in: "[2001:db8::1-2001:db8::2]:80", want: "[2001:db8::1]:80 [2001:db8::2]:80"},
		{in: "255.255.255.254-255.255.255.255:65535", want: "255.255.255.254:65535 255.255.255.255:65535"},
		{in: "192.0.2.2-192.0.2.1:80", wrong: "lower to the higher"},
		{in: "192.0.2.1:81-80", wrong: "lower to the higher"},
		{in: "192.0.2.1-2001:db8::1:80", wrong: "want IP:PORT"},
		{in: "192.0.2.1-:80", wrong: "want IP:PORT"},
		{in: "192.0.2.1:80-", wrong: "port"},
		{in: "192.0.2.1", wrong: "want IP:PORT"},
		{in: "10.0.0.1-10.255.255.255:1-65535", wrong: "more than 4096"},
	}
	for _, test := range tests {
		addrs, wrong := parseListen(test.in)
		var got []string
		for _, a := range addrs {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != test.want || !strings.Contains(wrong, test.wrong) || (wrong == "") != (test.wrong == "") {
			t.Errorf("parseListen(%q) = %v, %q; want %q, %q", test.in, got, wrong, test.want, test.wrong)
		}
	}
}
