package ipvstext_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
	"github.com/lvs-director/director/ipvsctl/ipvstext"
)

// Every operation reads back from its text as the same operation.
func TestParseRuleOfOp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have, want := ipvstest.Tables().Draw(t, "have"), ipvstest.Tables().Draw(t, "want")
		for _, op := range ipvsctl.Diff(have, want, ipvsctl.Ownership{RemoveForeign: true}) {
			// The text has names for the first two flags of these.
			if s := op.Service.Scheduler; s == "sh" || s == "mh" {
				op.Service.Flags &^= ipvsctl.SchedFlag3
			}
			got, err := ipvstext.ParseRule(op.String())
			if err != nil {
				t.Fatalf("%s: %v", op, err)
			}
			if got.Kind != op.Kind || got.Service.ID.Normal() != op.Service.ID || got.String() != op.String() {
				t.Fatalf("%s reads back as %s", op, got)
			}
		}
	})
}

func TestParseRule(t *testing.T) {
	tests := []struct{ line, want string }{
		{"-A -t 192.0.2.1:80", "-A -t 192.0.2.1:80 -s wlc"},
		{"--add-service --tcp-service=192.0.2.1:80 --scheduler=rr", "-A -t 192.0.2.1:80 -s rr"},
		{"-A -t 192.0.2.1:80 -p -s rr", "-A -t 192.0.2.1:80 -s rr -p 360"},
		{"-A -t 192.0.2.1 -p 10 -M 255.255.0.0", "-A -t 192.0.2.1:0 -s wlc -p 10 -M 255.255.0.0"},
		{"-E -f 7 -6 -s rr -p 10 -M 64", "-E -f 7 -6 -s rr -p 10 -M 64"},
		{"-A -u 192.0.2.1:53 -s sh -o -b sh-port,sh-fallback", "-A -u 192.0.2.1:53 -s sh -o -b sh-fallback,sh-port"},
		{"-A --sctp-service [2001:db8::1]:99 -s fo", "-A --sctp-service [2001:db8::1]:99 -s fo"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1", "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 1"},
		{"-a -f 7 -6 -r [2001:db8::9] -m", "-a -f 7 -6 -r [2001:db8::9]:0 -m -w 1"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 0 -x 9 -y 3", "-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 0 -x 9 -y 3"},
		{"-e -t 192.0.2.1:80 -r 10.0.0.1:80 -i --tun-type gue --tun-port 6080", "-e -t 192.0.2.1:80 -r 10.0.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum"},
		{"-d -t 192.0.2.1:80 -r 10.0.0.1:80", "-d -t 192.0.2.1:80 -r 10.0.0.1:80"},
		{"-D -f 7", "-D -f 7"},
		{"--start-daemon backup --mcast-interface eth0", "--start-daemon backup --mcast-interface eth0 --syncid 0"},
		{"--stop-daemon master", "--stop-daemon master"},
		{"--set 1 0 3", "--set 1 0 3"},
	}
	for _, tt := range tests {
		op, err := ipvstext.ParseRule(tt.line)
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
			continue
		}
		if diff := cmp.Diff(tt.want, op.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.line, diff)
		}
	}
}

func TestParseRuleBad(t *testing.T) {
	tests := []struct{ line, want string }{
		{"", "no command"},
		{"-X", `unknown command "-X"`},
		{"-A", "-A needs a service: -t, -u, --sctp-service or -f"},
		{"-A -t", "-t needs a value"},
		{"-A -t web:http", `-t: "web:http" is not an address with a port; names are not looked up`},
		{"-A -t 192.0.2.1:70000", `-t: "192.0.2.1:70000" is not an address with a port; names are not looked up`},
		{"-A -t 192.0.2.1:80 -u 192.0.2.1:80", "-u: there is a service already"},
		{"-A -t 192.0.2.1:80 -t 192.0.2.1:80", "-t is given twice"},
		{"-A -t 192.0.2.1:80 -r 10.0.0.1:80", `-A does not take "-r"`},
		{"-A -t 192.0.2.1:80 service x", `-A does not take "service"`},
		{"-A -t 192.0.2.1:0", "port 0 needs -p"},
		{"-A -t 192.0.2.1:80 -M 255.255.255.0", "-M needs -p"},
		{"-A -t 192.0.2.1:80 --pe sip", "--pe needs -p"},
		{"-A -t 192.0.2.1:80 -o", "-o is for UDP and fwmark services only"},
		{"-A -t 192.0.2.1:80 -p 1 -M 255.0.255.0", "-M: 255.0.255.0 is not a mask of leading bits"},
		{"-A -t [2001:db8::1]:80 -p 1 -M 129", `-M: "129" is not a prefix length from 1 to 128`},
		{"-A -t 192.0.2.1:80 -6", "-6 goes with -f only"},
		{"-A -t 192.0.2.1:80 -s rr -b sh-port", "-b: scheduler flag sh-port is not one of rr"},
		{"-A -t 192.0.2.1:80 -b none", `-b: unknown scheduler flag "none"`},
		{"-A -t 192.0.2.1:80 -p 0", `-p: "0" is not a number from 1 to 2147483`},
		{"-A -f 0", `-f: "0" is not a number from 1 to 4294967295`},
		{"-a -t 192.0.2.1:80", "-a needs -r"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 -m -g", "-g: there is -m already"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 -w -1", "-w needs a value"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 -m=1", "-m takes no value"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 --tun-type gue", "options about a tunnel need -i"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gue", "--tun-type gue needs --tun-port"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-port 1", "--tun-port is for gue only"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gre --tun-remcsum", "--tun-remcsum is for gue only"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-csum", "--tun-csum is for gue and gre only"},
		{"-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type sit", `--tun-type: unknown type "sit", not one of ipip, gue and gre`},
		{"--start-daemon", "--start-daemon needs master or backup"},
		{"--start-daemon master", "--start-daemon needs --mcast-interface"},
		{"--start-daemon master --mcast-interface eth0 --mcast-group 192.0.2.1", "--mcast-group: 192.0.2.1 is no multicast address"},
		{"--set 1 2", "--set needs three numbers of seconds: tcp, tcpfin, udp"},
	}
	for _, tt := range tests {
		op, err := ipvstext.ParseRule(tt.line)
		if err == nil {
			t.Errorf("%q was read as %s", tt.line, op)
			continue
		}
		if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.line, diff)
		}
	}
}

func TestRestore(t *testing.T) {
	ops, err := ipvstext.Restore(strings.NewReader("# saved\n-A -t 192.0.2.1:80 -s rr\n\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n"))
	if err != nil || len(ops) != 2 {
		t.Errorf("restore: %v, %v", ops, err)
	}
	_, err = ipvstext.Restore(strings.NewReader("-A -t 192.0.2.1:80 -s rr\n-Z\nnone\n"))
	if want := "line 2: unknown command \"-Z\"\nline 3: unknown command \"none\""; err == nil || err.Error() != want {
		t.Errorf("restore: %v, want %s", err, want)
	}
	if _, err := ipvstext.Restore(strings.NewReader(strings.Repeat("x\n", 1000))); strings.Count(err.Error(), "\n") > 30 {
		t.Errorf("the error has %d lines", strings.Count(err.Error(), "\n"))
	}
	if _, err := ipvstext.Restore(strings.NewReader(strings.Repeat("x", 1<<20))); err == nil {
		t.Error("a line without an end was taken")
	}
}

// What is taken from anything reads back the same from its own text.
func FuzzParseRule(f *testing.F) {
	f.Add("-A -t 192.0.2.1:80 -s wrr -p 300 -M 255.255.255.0")
	f.Add("-a -f 7 -6 -r [2001:db8::9]:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum")
	f.Add("--start-daemon master --mcast-interface eth0 --syncid 5 --mcast-group 224.0.0.99")
	f.Fuzz(func(t *testing.T, line string) {
		op, err := ipvstext.ParseRule(line)
		if err != nil {
			return
		}
		again, err := ipvstext.ParseRule(op.String())
		if err != nil {
			t.Fatalf("%q is %q: %v", line, op, err)
		}
		if again.String() != op.String() {
			t.Fatalf("%q is %q and then %q", line, op, again)
		}
	})
}
