package conf

import (
	"fmt"
	"strconv"

	"github.com/lvs-director/director/ipvsctl"
)

// sysctls is a block sysctl as decoded.
type sysctls struct {
	settings ipvsctl.Settings
	restore  bool
}

// The names and limits are those of Linux (Documentation/networking/ipvs-sysctl.rst
// and ip_vs_ctl.c). A kernel that lacks one says so when it is set.
var sysctlSchema = schema[sysctls]{
	kind: "sysctl",
	doc: "Settings of the kernel in Director's network namespace. What is given is set at the start and at a reload, and set again when " +
		"somebody else changes it; what is taken out of the configuration gets back the value that it had.",
	start: func() sysctls { return sysctls{settings: ipvsctl.Settings{}} },
	keys: []key[sysctls]{
		choice("on_stop", []word[bool]{{"keep", false}, {"restore", true}}, func(s *sysctls) *bool { return &s.restore },
			"what happens to them when Director stops: they stay, or get back the values that they had"),
		sysctlSwitch("net.ipv4.", "ip_forward", "forward IPv4: `forward = \"nat\"` needs it"),
		sysctlSwitchAs("ipv6_forward", "net.ipv6.conf.all.forwarding", "the same for IPv6"),
		sysctlSwitchAs("accept_local", "net.ipv4.conf.all.accept_local", "take IPv4 packets that come from an address of this machine: on a director that has the virtual address, "+
			"answers to checks with `through = \"forwarding\"` of `dr` and `tun` do"),
		sysctlNumber("amemthresh", 0, 1<<31-1, "pages of free memory below which the automatic defences start"),
		sysctlNumber("am_droprate", 0, 1<<31-1, "which packets `drop_packet` = 3 drops: one of so many"),
		sysctlSwitch("net.ipv4.vs.", "backup_only", "a sync backup that is no master leaves packets alone: two directors that are real servers to each other need it"),
		sysctlSwitch("net.ipv4.vs.", "cache_bypass", "packets that no cache server can take go to where they were sent"),
		sysctlNumber("conn_reuse_mode", 0, 3, "how a client's port that is used again is treated: 0 as the old connection, 1 as a new one if the old one is in TIME_WAIT, 2 also in FIN_WAIT"),
		sysctlSwitch("net.ipv4.vs.", "conntrack", "connections are in the connection tracking of netfilter, too"),
		sysctlDefence("drop_entry", "drop idle connections: 0 never, 1 when memory is short, 3 always"),
		sysctlDefence("drop_packet", "drop packets: the same"),
		sysctlSwitch("net.ipv4.vs.", "expire_nodest_conn", "connections to a real server that has been removed end at once"),
		sysctlSwitch("net.ipv4.vs.", "expire_quiescent_template", "clients do not stick to a real server whose weight has become 0"),
		sysctlSwitch("net.ipv4.vs.", "ignore_tunneled", "leave packets alone that come out of a tunnel"),
		sysctlSwitch("net.ipv4.vs.", "nat_icmp_send", "send ICMP errors when a packet of a real server belongs to no connection"),
		sysctlSwitch("net.ipv4.vs.", "pmtu_disc", "take part in the discovery of the path's MTU with `dr` and `tun`"),
		sysctlSwitch("net.ipv4.vs.", "run_estimation", "measure rates"),
		sysctlSwitch("net.ipv4.vs.", "schedule_icmp", "schedule ICMP errors of tunnels to real servers"),
		sysctlDefence("secure_tcp", "a more careful TCP state table: as `drop_entry`"),
		sysctlSwitch("net.ipv4.vs.", "sloppy_sctp", "a connection may begin in its middle, as after a failover without `connection_sync`: SCTP"),
		sysctlSwitch("net.ipv4.vs.", "sloppy_tcp", "the same: TCP"),
		sysctlSwitch("net.ipv4.vs.", "snat_reroute", "look up the route of answers again once their source has been translated"),
		sysctlNumber("sync_persist_mode", 0, 1, "1: connections of persistent clients are not synchronised, only who sticks to which server"),
		sysctlNumber("sync_ports", 1, 64, "how many sync threads, each with a port of its own, starting with `port`; a power of 2"),
		sysctlNumber("sync_qlen_max", 0, 1<<31-1, "how many sync messages may wait"),
		sysctlNumber("sync_refresh_period", 0, 1<<31-1, "seconds after which a connection is synchronised again although nothing changed; 0 is by `sync_threshold`"),
		sysctlNumber("sync_retries", 0, 3, "how many more times a new connection is synchronised"),
		sysctlNumber("sync_sock_size", 0, 1<<31-1, "bytes of the sync sockets' buffers; 0 is the system's default"),
		syncThreshold(),
		sysctlNumber("sync_version", 0, 1, "of the sync protocol; 0 is for kernels before 2.6.39"),
	},
}

// sysctlSwitch is a setting that is on or off, under its own name.
func sysctlSwitch(prefix, name, doc string) key[sysctls] {
	return sysctlSwitchAs(name, prefix+name, doc)
}

func sysctlSwitchAs(name, setting, doc string) key[sysctls] {
	return key[sysctls]{
		name: name, kind: "boolean", doc: doc,
		set: func(d *decoder, v value, s *sysctls) {
			if v.kind != truthValue {
				d.want(name, v, "true or false")
				return
			}
			s.settings[setting] = strconv.Itoa(btoi(v.truth))
		},
		show: func(*sysctls) string { return "as it is" },
	}
}

// syncThreshold is a setting of two numbers.
func syncThreshold() key[sysctls] {
	const name = "sync_threshold"
	return key[sysctls]{
		name: name, kind: "list of two whole numbers", limits: "the second greater",
		doc: "`[3, 50]`: a connection is synchronised after 3 packets and then every 50",
		set: func(d *decoder, v value, s *sysctls) {
			if v.kind != listValue || len(v.list) != 2 {
				d.want(name, v, "a list of two whole numbers")
				return
			}
			const limits = "0 to 2147483647"
			first, ok := d.number(name, v.list[0], 0, 1<<31-1, limits)
			second, ok2 := d.number(name, v.list[1], 0, 1<<31-1, limits)
			switch {
			case !ok || !ok2:
			case second > 0 && first >= second: // proc_do_sync_threshold
				d.fail(v.at, "%s: want the first less than the second", name)
			default:
				s.settings["net.ipv4.vs."+name] = fmt.Sprintf("%d %d", first, second)
			}
		},
		show: func(*sysctls) string { return "as it is" },
	}
}

// sysctlDefence is when IPVS defends itself. What the kernel shows as 2 is 1 while
// memory is short (update_defense_level in net/netfilter/ipvs/ip_vs_ctl.c).
func sysctlDefence(name, doc string) key[sysctls] {
	k := sysctlNumber(name, 0, 3, doc)
	number := k.set
	k.limits = "0, 1 or 3"
	k.set = func(d *decoder, v value, s *sysctls) {
		number(d, v, s)
		if s.settings["net.ipv4.vs."+name] == "2" {
			d.fail(v.at, "%s 2: want %s: 2 is what the kernel makes of 1 when memory is short", name, k.limits)
		}
	}
	return k
}

// sysctlNumber is a setting of IPVS that is a number.
func sysctlNumber(name string, low, high int64, doc string) key[sysctls] {
	limits := strconv.FormatInt(low, 10) + " to " + strconv.FormatInt(high, 10)
	return key[sysctls]{
		name: name, kind: "whole number", limits: limits, doc: doc,
		set: func(d *decoder, v value, s *sysctls) {
			n, ok := d.number(name, v, low, high, limits)
			if !ok {
				return
			}
			if name == "sync_ports" && n&(n-1) != 0 {
				d.fail(v.at, "%s %d: want a power of 2, %s", name, n, limits)
			}
			s.settings["net.ipv4.vs."+name] = strconv.FormatInt(n, 10)
		},
		show: func(*sysctls) string { return "as it is" },
	}
}
