// Package scripts tests the check scripts that come with Director, with
// programs in place of the clients that they call.
package scripts

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program is a client that says output and exits.
func program(output, exit string) string {
	return "#!/bin/sh\ncat <<'END'\n" + output + "\nEND\nexit " + exit + "\n"
}

func TestScripts(t *testing.T) {
	const df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 50 50 50% /\n/dev/sdb1 100 95 5 95% /var"
	const warning = "WARNING:  database \"app\" has a collation version mismatch\nDETAIL:  The database was created using version 2.31\nHINT:  Rebuild all objects in this database"
	replica := func(link, heard string) string {
		return program("# Replication\r\nrole:slave\r\nmaster_link_status:"+link+"\r\nmaster_last_io_seconds_ago:"+heard+"\r", "0")
	}
	// Answers as the question that --execute holds wants.
	mysql := func(readonly, state string) string {
		return "#!/bin/sh\ncase \"$*\" in\n*read_only*) echo @@global.read_only; echo " + readonly + " ;;\n*REPLICA*) echo ERROR 1064 >&2; exit 1 ;;\n*) cat <<'END'\n" + state + "\nEND\n;;\nesac\n"
	}
	// Has a standby that has replayed all, two hours ago, and whose connection is broken.
	const broken = "#!/bin/sh\ncase \"$*\" in\n*'EXISTS (SELECT FROM pg_stat_wal_receiver) AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0'*) echo 7200 ;;\n*) echo 0 ;;\nesac\n"
	// Is a primary for those who know the password.
	auth := func(options string) string {
		return "#!/bin/sh\ncase \"$REDISCLI_AUTH $*\" in\n'" + options + " INFO replication') echo role:master ;;\n*) echo NOAUTH ;;\nesac\n"
	}
	const locale = "#!/bin/sh\necho \"$LC_ALL\"\nexit 1\n"
	lagging := func(s string) string { return "*** 1. row ***\n   Seconds_Behind_Master: " + s + "\n  Master_SSL: No" }
	tests := []struct {
		name   string
		args   []string
		client string // name of the program that is called
		code   string // of that program
		exit   int
		output string
	}{
		{"disk-free", nil, "df", program(df, "0"), 1, "/var is 95% full, limit is 90%"},
		{"disk-free", []string{"--limit", "96%", "/var"}, "df", program(df, "0"), 0, "below 96% full"},
		{"disk-free", []string{"--agent"}, "df", program(df, "0"), 0, "down #/var is 95% full, limit is 90%"},
		{"disk-free", []string{"--agent", "--limit", "95"}, "df", program(df, "0"), 0, "up"},
		{"disk-free", nil, "df", program("df: /x: No such file", "1"), 2, "df: /x: No such file"},
		{"disk-free", []string{"--what"}, "df", "", 2, "unknown option --what"},
		{"disk-free", nil, "df", program(`df: \c: No such file`, "1"), 2, `df: \c: No such file`},
		{"disk-free", []string{"--agent"}, "df", program(`df: \c: No such file`, "1"), 0, `down #df: \c: No such file`},
		{"disk-free", nil, "df", locale, 2, "C"},

		{"load", nil, "getconf", program("4", "0"), 0, "75 load 1.00 on 4 processors"},
		{"load", []string{"--weight", "10"}, "getconf", program("2", "0"), 0, "5 load 1.00 on 2 processors"},
		{"load", []string{"--agent"}, "getconf", program("4", "0"), 0, "up 75%"},
		{"load", []string{"--agent"}, "getconf", program("1", "0"), 0, "up 1%"},
		{"load", nil, "getconf", "#!/bin/sh\n[ \"$LC_ALL\" = C ] && echo 4\n", 0, "75 load 1.00 on 4 processors"},

		{"redis", nil, "redis-cli", program("role:master\r", "0"), 0, "primary"},
		{"redis", nil, "redis-cli", replica("up", "3"), 0, "replica"},
		{"redis", []string{"--primary"}, "redis-cli", replica("up", "3"), 1, "a replica, not the primary"},
		{"redis", nil, "redis-cli", replica("down", "-1"), 1, "a replica that has lost its primary"},
		{"redis", []string{"--lag", "2"}, "redis-cli", replica("up", "3"), 1, "a replica that has not heard its primary for 3 s"},
		{"redis", nil, "redis-cli", program("Could not connect", "1"), 1, "Could not connect"},
		{"redis", nil, "redis-cli", program("NOAUTH Authentication required.", "0"), 1, "NOAUTH Authentication required."},
		{"redis", nil, "redis-cli", program(`ERR \c`, "0"), 1, `ERR \c`},
		{"redis", []string{"--password-file", "password"}, "redis-cli", auth("pass word -h 10.0.0.1 -p 80"), 0, "primary"},
		{"redis", []string{"--primary", "--password-file", "password", "--user", "probe"}, "redis-cli", auth("pass word -h 10.0.0.1 -p 80 --user probe"), 0, "primary"},
		{"redis", []string{"--password-file", "none"}, "redis-cli", auth(""), 2, "cat: none: No such file or directory"},
		{"redis", []string{"-a", "secret"}, "redis-cli", auth(" -h 10.0.0.1 -p 80 -a secret"), 0, "primary"},
		{"redis", nil, "redis-cli", locale, 1, "C"},

		{"postgres", nil, "psql", program("-1", "0"), 0, "primary"},
		{"postgres", nil, "psql", program("7", "0"), 0, "standby, 7 s behind"},
		{"postgres", nil, "psql", broken, 1, "a standby 7200 s behind"},
		{"postgres", nil, "psql", program(`FATAL: \c`, "2"), 1, `FATAL: \c`},
		{"postgres", nil, "psql", locale, 1, "C"},
		{"postgres", []string{"--lag", "5"}, "psql", program("7", "0"), 1, "a standby 7 s behind"},
		{"postgres", []string{"--primary"}, "psql", program("0", "0"), 1, "a standby, not the primary"},
		{"postgres", nil, "psql", program("FATAL: the database system is starting up", "2"), 1, "FATAL: the database system is starting up"},
		{"postgres", nil, "psql", program("", "0"), 1, "unexpected answer: "},
		{"postgres", nil, "psql", program(warning+"\n-1", "0"), 0, "primary"},
		{"postgres", []string{"--lag", "5"}, "psql", program(warning+"\n7", "0"), 1, "a standby 7 s behind"},
		{"postgres", nil, "psql", program(warning, "0"), 1, "unexpected answer: HINT:  Rebuild all objects in this database"},

		{"mysql", nil, "mysql", mysql("0", ""), 0, "takes writes"},
		{"mysql", []string{"--primary"}, "mysql", mysql("1", lagging("0")), 1, "read-only, not the primary"},
		{"mysql", nil, "mysql", mysql("1", lagging("4")), 0, "replica, 4 s behind"},
		{"mysql", []string{"--lag", "3"}, "mysql", mysql("1", lagging("4")), 1, "a replica 4 s behind"},
		{"mysql", nil, "mysql", mysql("1", lagging("NULL")), 1, "a replica that does not replicate"},
		{"mysql", nil, "mysql", mysql("1", ""), 1, "read-only, and not a replica"},
		{"mysql", nil, "mysql", program("ERROR 2003: cannot connect", "1"), 1, "ERROR 2003: cannot connect"},
		{"mysql", nil, "mysql", program(`ERROR \c`, "1"), 1, `ERROR \c`},
		{"mysql", nil, "mysql", locale, 1, "C"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			loadavg := filepath.Join(dir, "loadavg")
			for name, content := range map[string]string{tt.client: tt.code, "loadavg": "1.00 2.00 3.00 1/2 3\n", "password": "pass word\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			script, err := filepath.Abs(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), script, tt.args...)
			cmd.Dir = dir
			cmd.Env = []string{
				"LC_ALL=tlh", "PATH=" + dir + ":/usr/bin:/bin", "LOADAVG=" + loadavg,
				"DIRECTOR_REAL_ADDRESS=10.0.0.1", "DIRECTOR_REAL_PORT=80",
			}
			output, err := cmd.CombinedOutput()
			if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
				t.Fatal(err)
			} else if exit != nil && exit.ExitCode() != tt.exit || exit == nil && tt.exit != 0 {
				t.Errorf("%v, want exit status %d", err, tt.exit)
			}
			line, _, _ := strings.Cut(string(output), "\n")
			if line != tt.output {
				t.Errorf("it says %q, want %q", output, tt.output)
			}
		})
	}
}
