//go:build conformance

package conformance

import (
	"os/user"
	"path/filepath"
	"testing"

	"github.com/lvs-director/director/checks"
)

func TestRedis(t *testing.T) {
	l := newLab(t)
	at := l.port()
	ok := checks.Redis{Target: at, Password: "secret"}
	l.start("", ok, "redis-server", "--bind", "127.0.0.1", "--port", port(at), "--requirepass", "secret", "--save", "", "--dir", l.dir)
	l.all([]asked{
		{"right", ok, ""},
		{"by name", checks.Redis{Target: at, User: "default", Password: "secret"}, ""},
		{"wrong password", checks.Redis{Target: at, Password: "other"}, "redis: AUTH: WRONGPASS invalid username-password pair or user is disabled."},
		{"no password", checks.Redis{Target: at}, "redis: PING: NOAUTH Authentication required."},
	})
}

func TestMariaDB(t *testing.T) {
	l := newLab(t)
	at := l.port()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	data := l.mkdir("data", "")
	l.run("", "mariadb-install-db", "--no-defaults", "--datadir="+data, "--user="+me.Username, "--auth-root-authentication-method=normal", "--skip-test-db")
	init := l.write("init.sql", "CREATE USER probe@'127.0.0.1';\nCREATE USER locked@'127.0.0.1' IDENTIFIED BY 'x';\n")
	ok := checks.MySQL{Target: at, User: "probe"}
	l.start("", ok, "mariadbd", "--no-defaults", "--datadir="+data, "--user="+me.Username, "--bind-address=127.0.0.1", "--port="+port(at),
		"--socket="+filepath.Join(l.dir, "s"), "--pid-file="+filepath.Join(l.dir, "pid"), "--init-file="+init, "--skip-name-resolve")
	l.all([]asked{
		{"right", ok, ""},
		{"greeting", checks.MySQL{Target: at}, ""},
		{"nobody", checks.MySQL{Target: at, User: "nobody"}, "mysql: Access denied for user 'nobody'@'127.0.0.1' (using password: NO)"},
		{"password needed", checks.MySQL{Target: at, User: "locked"}, "mysql: Access denied for user 'locked'@'127.0.0.1' (using password: NO)"},
		{"another protocol", checks.Redis{Target: at}, `redis: answer to PING is "…`},
	})
}

func TestPostgreSQL(t *testing.T) {
	l := newLab(t)
	at := l.port()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		t.Fatal("no PostgreSQL is installed")
	}
	bin, data := found[len(found)-1], l.mkdir("data", "postgres")
	l.run("postgres", filepath.Join(bin, "initdb"), "-A", "trust", "-U", "postgres", "-N", "-D", data)
	hba := l.write("hba.conf", "host all refused 127.0.0.1/32 reject\nhost all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n")
	ok := checks.PostgreSQL{Target: at, User: "postgres"}
	l.start("postgres", ok, filepath.Join(bin, "postgres"), "-D", data, "-p", port(at), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "hba_file="+hba)
	l.all([]asked{
		{"right", ok, ""},
		{"a password is asked for", checks.PostgreSQL{Target: at, User: "locked"}, ""},
		{"refused", checks.PostgreSQL{Target: at, User: "refused", Database: "postgres"}, `pgsql: pg_hba.conf rejects connection for host "127.0.0.1", user "refused", database "postgres", no encryption`},
		{"another protocol", checks.Redis{Target: at}, "redis: connection …"},
	})
}
