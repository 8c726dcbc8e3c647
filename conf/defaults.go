package conf

import (
	"crypto/tls"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/internal/bfd"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

// This file has every default of the language. A few depend on other values
// and are filled in where those are known: node is the host name, api.socket
// lies in runtime_dir, a group's connection_sync has the group's router id, and
// prefix is the whole address.

func defaultGlobal() Config {
	return Config{
		RuntimeDir: "/run/director",
		StateDir:   "/var/lib/director",
		VRRP:       vrrp.Config{EngineGrace: 10 * time.Second, Mark: vrrp.DefaultMark},
	}
}

func defaultLog() Log { return Log{Level: "info", Format: "console"} }

func defaultAPI() API { return API{} }

func defaultIPVS() IPVS {
	return IPVS{Resync: 5 * time.Second, OnStop: StopRemove, ProbeMarks: 0x0d000000}
}

func defaultScripts() scripts {
	return scripts{user: "director-script", paths: []string{"/usr/lib/director/checks"}}
}

func defaultGroup() group {
	return group{accept: true, Group: vrrp.Group{
		Version:  3,
		Priority: 100,
		Interval: time.Second,
		Preempt:  true,
		Lease:    10 * time.Second,
	}}
}

func defaultSession() session {
	return session{Session: bfd.Session{Transmit: bfd.DefaultInterval, Multiplier: bfd.DefaultMultiplier}}
}

func defaultHook() hook { return hook{Hook: Hook{Timeout: 30 * time.Second}} }

func defaultSchedule() checks.Monitor {
	return checks.Monitor{
		Interval: 2 * time.Second,
		Timeout:  time.Second,
		Rise:     2,
		Fall:     3,
		Damping:  checks.Damping{Within: 5 * time.Minute, Hold: 5 * time.Minute}, // once Falls is not 0
	}
}

func defaultTLS() *checks.TLS { return &checks.TLS{MinVersion: tls.VersionTLS12} }

func defaultVirtualServer() virtualServer {
	return virtualServer{
		protocol:  ipvsctl.TCP,
		family:    ipvsctl.IPv4,
		scheduler: "wlc",
		forward:   ipvsctl.NAT,
		pool:      VirtualServer{OnFailure: Drain, Quorum: 1},
	}
}

func defaultPersistence() ipvsctl.Persistence {
	return ipvsctl.Persistence{Timeout: 5 * time.Minute}
}

func defaultRealServer() realServer { return realServer{weight: 1} }

func defaultSorryServer() sorryServer { return sorryServer{drain: time.Minute} }
