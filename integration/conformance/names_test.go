//go:build conformance

package conformance

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"

	"github.com/lvs-director/director/checks"
)

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

func TestUnbound(t *testing.T) {
	l := newLab(t)
	at := l.port()
	conf := l.write("unbound.conf", fmt.Sprintf(`
server:
  interface: 127.0.0.1@%d
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "DIR"
  pidfile: ""
  use-syslog: no
  num-threads: 1
  module-config: "iterator"
  local-zone: "test." static
  local-data: "www.test. A 192.0.2.7"
  local-data: "www.test. AAAA 2001:db8::7"
  local-data: 'www.test. TXT "all is well"'
  local-data: "_sip._udp.test. SRV 1 2 5060 sip.test."
  local-data: 'www.test. CAA 0 issue "ca.test"'
  local-zone: "secret." refuse
remote-control:
  control-enable: no
`, at.Port()))
	ask := func(name, kind string, answer ...string) checks.DNS {
		return checks.DNS{Target: at, Name: name, Type: kind, Answer: answer}
	}
	byTCP := func(p checks.DNS) checks.DNS { p.TCP = true; return p }
	empty := ask("no.test", "A")
	empty.Empty = true
	ok := ask("www.test", "A", "192.0.2.7")
	l.start("", ok, "unbound", "-d", "-c", conf)
	l.all([]asked{
		{"A", ok, ""},
		{"A by TCP", byTCP(ok), ""},
		{"AAAA", ask("www.test.", "AAAA", "2001:db8::7"), ""},
		{"TXT", ask("www.test", "TXT", "all is well"), ""},
		{"SRV", ask("_sip._udp.test", "SRV", "sip.test:5060"), ""},
		{"CAA", ask("www.test", "CAA", `\# 14 0005 6973737565 63612e74657374`), ""},
		{"CAA by number, by TCP", byTCP(ask("www.test", "TYPE257")), ""},
		{"no such name is fine", empty, ""},
		{"wrong answer", ask("www.test", "A", "192.0.2.8"), "dns: answer has no 192.0.2.8, but 192.0.2.7"},
		{"no such name", ask("no.test", "A"), "dns: answer is NXDOMAIN, wanted NOERROR"},
		{"no such type", ask("www.test", "MX"), "dns: no MX record of www.test"},
		{"refused", ask("www.secret", "A"), "dns: answer is REFUSED, wanted NOERROR"},
	})
}

func TestSlapd(t *testing.T) {
	l := newLab(t)
	at := l.port()
	l.mkdir("data", "")
	conf := l.write("slapd.conf", `
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile DIR/pid
argsfile DIR/args
database mdb
suffix "dc=test"
rootdn "cn=check,dc=test"
rootpw secret
directory DIR/data
`)
	ok := checks.LDAP{Target: at}
	l.start("", ok, "slapd", "-d", "0", "-h", "ldap://"+at.String()+"/", "-f", conf)
	l.all([]asked{
		{"anonymous", ok, ""},
		{"right password", checks.LDAP{Target: at, DN: "cn=check,dc=test", Password: "secret"}, ""},
		{"wrong password", checks.LDAP{Target: at, DN: "cn=check,dc=test", Password: "other"}, "ldap: bind refused: invalid credentials"},
		{"another protocol", checks.Redis{Target: at}, "redis: no answer in 300ms"},
	})
}

func TestFreeRADIUS(t *testing.T) {
	l := newLab(t)
	at := l.port()
	l.mkdir("log", "")
	l.write("users", "check Cleartext-Password := \"secret\"\n")
	l.write("radiusd.conf", fmt.Sprintf(`
prefix = /usr
libdir = /usr/lib/freeradius
logdir = DIR/log
run_dir = DIR
log {
  destination = stdout
}
security {
  status_server = yes
  reject_delay = 0
}
client local {
  ipaddr = 127.0.0.1
  secret = shared
}
modules {
  pap {
  }
  files {
    usersfile = DIR/users
  }
}
server default {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = %d
  }
  authorize {
    files
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
  }
}
`, at.Port()))
	ok := checks.Radius{Target: at, Secret: "shared", User: "check", Password: "secret"}
	l.start("", ok, "freeradius", "-f", "-l", "stdout", "-d", l.dir, "-n", "radiusd")
	l.all([]asked{
		{"user", ok, ""},
		{"status", checks.Radius{Target: at, Secret: "shared"}, ""},
		{"wrong password", checks.Radius{Target: at, Secret: "shared", User: "check", Password: "other"}, "radius: user rejected"},
		{"nobody", checks.Radius{Target: at, Secret: "shared", User: "nobody", Password: "secret"}, "radius: user rejected"},
		{"wrong secret", checks.Radius{Target: at, Secret: "other", User: "check", Password: "secret"}, "radius: no answer in 300ms"},
	})
}
