package conf

import (
	"net/netip"
	"path/filepath"
	"time"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

// globalSchema is of the arguments that stand outside of all blocks.
var globalSchema = schema[Config]{
	start: defaultGlobal,
	keys: []key[Config]{
		checkedText("node", "string", func(c *Config) *string { return &c.Node }, checkNotEmpty,
			"name of this machine in the status, the events and the metrics").by("the host name"),
		directory("runtime_dir", func(c *Config) *string { return &c.RuntimeDir },
			"directory of the sockets. Two directors on one machine each need their own"),
		directory("state_dir", func(c *Config) *string { return &c.StateDir },
			"directory of what outlives a restart: the events, the overrides, which rows of the IPVS table are Director's"),
		directory("maintenance_dir", func(c *Config) *string { return &c.MaintenanceDir },
			"directory whose files take real servers into maintenance: one called `10.0.0.11:80` drains that real server, `10.0.0.11` every port of the host, in all virtual servers").by("none"),
		duration("engine_grace", time.Second, time.Hour, func(c *Config) *time.Duration { return &c.VRRP.EngineGrace },
			"the VRRP process gives up mastership when the engine, which watches the real servers, has been silent for so long"),
		number("route_protocol", vrrp.MinMark, vrrp.MaxMark, func(c *Config) *uint8 { return &c.VRRP.Mark },
			"protocol number of the routes, rules and static addresses in the kernel that are Director's: those of it that are not configured are removed. Two directors in one network namespace each need their own"),
	},
}

var logSchema = schema[Log]{
	kind:  "log",
	doc:   "Where the log goes.",
	start: defaultLog,
	keys: []key[Log]{
		choice("level", same("debug", "info", "warn", "error"), func(l *Log) *string { return &l.Level },
			"the least severe messages that are written"),
		choice("format", same("console", "json"), func(l *Log) *string { return &l.Format },
			"lines for people, or one JSON object a line"),
		file("file", func(l *Log) *string { return &l.File },
			"file to append to").by("standard error"),
	},
}

var apiSchema = schema[API]{
	kind:  "api",
	doc:   "Where Director answers.",
	start: defaultAPI,
	keys: []key[API]{
		file("socket", func(a *API) *string { return &a.Socket },
			"unix socket with full control. The permissions of the file decide who may use it").by("`director.sock` in `runtime_dir`"),
		checkedText("listen", "IP:PORT", func(a *API) *string { return &a.Listen }, checkListen,
			"address of the HTTP server with dashboard, status and metrics, which only reads").by("none"),
	},
}

var ipvsSchema = schema[IPVS]{
	kind:  "ipvs",
	doc:   "What concerns the whole IPVS table of the kernel.",
	start: defaultIPVS,
	keys: []key[IPVS]{
		duration("resync", 100*time.Millisecond, time.Hour, func(i *IPVS) *time.Duration { return &i.Resync },
			"how often the kernel's table is compared with what it should hold, and repaired"),
		choice("foreign", []word[bool]{{"keep", false}, {"remove", true}}, func(i *IPVS) *bool { return &i.RemoveForeign },
			"what happens to rows that are not Director's"),
		choice("on_stop", []word[OnStop]{{"keep", StopKeep}, {"drain", StopDrain}, {"remove", StopRemove}}, func(i *IPVS) *OnStop { return &i.OnStop },
			"what happens to Director's rows when it stops: they stay, get weight 0, or go"),
		number("probe_marks", 1, 1<<32-WayMarks, func(i *IPVS) *uint32 { return &i.ProbeMarks },
			"the first of 65536 firewall marks that are Director's, for checks with `through = \"forwarding\"`"),
	},
	blocks: []inner[IPVS]{
		nest(&timeoutsSchema, true, func(_ *decoder, _ *block, i *IPVS, t ipvsctl.Timeouts) { i.Timeouts = t }),
		nest(&sysctlSchema, true, func(_ *decoder, _ *block, i *IPVS, s sysctls) {
			i.Settings, i.RestoreSettings = s.settings, s.restore
		}),
	},
}

var timeoutsSchema = schema[ipvsctl.Timeouts]{
	kind:  "timeouts",
	doc:   "How long the kernel remembers idle connections (`ipvsadm --set`).",
	start: func() ipvsctl.Timeouts { return ipvsctl.Timeouts{} },
	keys: []key[ipvsctl.Timeouts]{
		seconds("tcp", time.Second, maxTimeout, func(t *ipvsctl.Timeouts) *time.Duration { return &t.TCP },
			"established TCP connections").by("as the kernel has it"),
		seconds("tcp_fin", time.Second, maxTimeout, func(t *ipvsctl.Timeouts) *time.Duration { return &t.TCPFin },
			"TCP connections after a FIN").by("as the kernel has it"),
		seconds("udp", time.Second, maxTimeout, func(t *ipvsctl.Timeouts) *time.Duration { return &t.UDP },
			"UDP flows").by("as the kernel has it"),
	},
}

// maxTimeout is far below the limit of the kernel, INT_MAX / HZ seconds
// (ip_vs_set_timeout), which is 24 days where HZ is 1000.
const maxTimeout = 20 * 24 * time.Hour

// scripts is what all commands that Director runs share.
type scripts struct {
	user  string
	paths []string
}

var scriptsSchema = schema[scripts]{
	kind:  "scripts",
	doc:   "The programs that Director runs: script checks, tracked scripts and hooks.",
	start: defaultScripts,
	keys: []key[scripts]{
		checkedText("user", "string", func(s *scripts) *string { return &s.user }, checkNotEmpty,
			"the account whose rights they get"),
		texts("paths", "directories", func(s *scripts) *[]string { return &s.paths },
			"where a command that names no directory is looked for, in this order, when the configuration is loaded"),
	},
}

// directory is the name of a directory, which does not have to exist.
func directory[T any](name string, field func(*T) *string, doc string) key[T] {
	return checkedText(name, "path", field, checkAbsolute, doc)
}

// file is the name of a file, which does not have to exist.
func file[T any](name string, field func(*T) *string, doc string) key[T] {
	return checkedText(name, "path", field, checkAbsolute, doc)
}

// same makes the words of a choice whose meaning is the word.
func same(words ...string) []word[string] {
	var all []word[string]
	for _, w := range words {
		all = append(all, word[string]{w, w})
	}
	return all
}

func checkNotEmpty(s string) string {
	if s == "" {
		return "a name"
	}
	return ""
}

func checkAbsolute(s string) string {
	if !filepath.IsAbs(s) {
		return "an absolute path"
	}
	return ""
}

// checkListen says what an address to listen on has to be when s is none.
func checkListen(s string) string {
	const form = "IP:PORT, such as 127.0.0.1:9180 or [::]:9180"
	if at, err := netip.ParseAddrPort(s); err != nil || at.Port() == 0 {
		return form
	}
	return ""
}
