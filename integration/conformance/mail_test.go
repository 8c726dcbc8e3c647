//go:build conformance

package conformance

import (
	"fmt"
	"net"
	"testing"

	"github.com/lvs-director/director/checks"
)

func TestPostfix(t *testing.T) {
	l := newLab(t)
	at, refusing := l.port(), l.port()
	ca, _ := l.certificate()
	l.mkdir("spool", "")
	l.run("", "chmod", "755", l.dir+"/spool")
	l.mkdir("data", "postfix")
	l.write("main.cf", `
compatibility_level = 3.6
queue_directory = DIR/spool
data_directory = DIR/data
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
inet_protocols = ipv4
myhostname = mx.test
mydestination =
alias_maps =
local_recipient_maps =
smtpd_tls_cert_file = DIR/cert.pem
smtpd_tls_key_file = DIR/key.pem
smtpd_tls_security_level = may
`)
	l.write("master.cf", fmt.Sprintf(`
%s inet n - n - - smtpd
%s inet n - n - - smtpd -o smtpd_tls_security_level=none -o smtpd_peername_lookup=no -o smtpd_delay_reject=no -o smtpd_client_restrictions=reject
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
`, at, refusing))
	ok := checks.Text{Protocol: "smtp", Target: at, Hello: "director.test"}
	secure := ok
	secure.StartTLS, secure.TLS = true, &checks.TLS{CAFile: ca}
	unknown := secure
	unknown.TLS = &checks.TLS{}
	plain := secure
	plain.Target = refusing
	l.run("", "postfix", "-c", l.dir, "check") // makes the directories of the queue
	// Not by postfix(1), which does not hand its signals on.
	l.start("", ok, "/usr/lib/postfix/sbin/master", "-c", l.dir, "-d", "-s")
	l.all([]asked{
		{"right", ok, ""},
		{"STARTTLS", secure, ""},
		{"STARTTLS, unknown", unknown, "tls: certificate signed by an unknown authority"},
		{"refused", plain, `smtp: greeting is "554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: Access…`},
		{"another protocol", checks.Text{Protocol: "imap", Target: at}, `imap: greeting is "220 mx.test ESMTP Postfix…`},
	})
}

func TestDovecot(t *testing.T) {
	l := newLab(t)
	imap, imaps, pop := l.port(), l.port(), l.port()
	ca, _ := l.certificate()
	conf := l.write("dovecot.conf", fmt.Sprintf(`
base_dir = DIR/run
state_dir = DIR/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <DIR/cert.pem
ssl_key = <DIR/key.pem
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=DIR
}
service imap-login {
  inet_listener imap {
    port = %d
  }
  inet_listener imaps {
    port = %d
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = %d
  }
  inet_listener pop3s {
    port = 0
  }
}
`, imap.Port(), imaps.Port(), pop.Port()))
	known := &checks.TLS{CAFile: ca}
	ok := checks.Text{Protocol: "imap", Target: imap}
	l.start("", ok, "dovecot", "-F", "-c", conf)
	l.all([]asked{
		{"imap", ok, ""},
		{"imap, STARTTLS", checks.Text{Protocol: "imap", Target: imap, TLS: known, StartTLS: true}, ""},
		{"imaps", checks.Text{Protocol: "imap", Target: imaps, TLS: known}, ""},
		{"imaps, unknown", checks.Text{Protocol: "imap", Target: imaps, TLS: &checks.TLS{}}, "tls: certificate signed by an unknown authority"},
		{"pop", checks.Text{Protocol: "pop", Target: pop}, ""},
		{"pop, STLS", checks.Text{Protocol: "pop", Target: pop, TLS: known, StartTLS: true}, ""},
		{"TLS to a plain port", checks.Text{Protocol: "imap", Target: imap, TLS: known}, "tls: the server does not speak TLS"},
		{"another protocol", checks.Text{Protocol: "pop", Target: imap}, `pop: greeting is "* OK …`},
	})
}

func TestVsftpd(t *testing.T) {
	l := newLab(t)
	at := l.port()
	ca, _ := l.certificate()
	l.mkdir("empty", "")
	conf := l.write("vsftpd.conf", fmt.Sprintf(`
listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
listen_port=%d
background=NO
anonymous_enable=YES
no_anon_password=YES
secure_chroot_dir=DIR/empty
anon_root=DIR/empty
max_clients=2
ssl_enable=YES
allow_anon_ssl=YES
force_local_logins_ssl=NO
rsa_cert_file=DIR/cert.pem
rsa_private_key_file=DIR/key.pem
ssl_ciphers=HIGH
`, at.Port()))
	ok := checks.Text{Protocol: "ftp", Target: at}
	l.start("", ok, "vsftpd", conf)
	l.become(checks.Text{Protocol: "ftp", Target: at, TLS: &checks.TLS{CAFile: ca}, StartTLS: true}, "")
	l.become(checks.Text{Protocol: "ftp", Target: at, TLS: &checks.TLS{}, StartTLS: true}, "tls: certificate signed by an unknown authority")
	// Two who stay leave no room.
	for range 2 {
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	l.become(ok, `ftp: greeting is "421 There are too many connected users, please try later.", wanted 220`)
	l.stop()
	l.become(ok, "connect: connection refused")
}
