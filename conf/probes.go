package conf

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/lvs-director/director/checks"
)

// icmpCheck is a block check "icmp" as decoded.
type icmpCheck struct {
	address, source netip.Addr
	probe           checks.ICMP
	monitor         checks.Monitor
}

var icmpVariant = checkVariant(
	schema[icmpCheck]{
		kind:  "icmp",
		doc:   "Up when echo requests are answered. A gid of Director's in `net.ipv4.ping_group_range` makes it much cheaper.",
		start: func() icmpCheck { return icmpCheck{monitor: defaultSchedule(), probe: checks.ICMP{Count: 1}} },
		keys: []key[icmpCheck]{
			addressToAsk(func(c *icmpCheck) *netip.Addr { return &c.address }),
			addressToAskFrom(func(c *icmpCheck) *netip.Addr { return &c.source }),
			number("count", 1, 100, func(c *icmpCheck) *int { return &c.probe.Count },
				"echo requests of one probe"),
			percent("max_loss", func(c *icmpCheck) *int { return &c.probe.MaxLoss },
				"how many of them may go unanswered"),
		},
	},
	func(c *icmpCheck) *checks.Monitor { return &c.monitor },
	func(_ *decoder, _ *block, c *icmpCheck) *check {
		return &check{
			noPort: true,
			target: target{address: c.address, route: checks.Route{Source: c.source}},
			probe: func(t probeTarget) checks.Probe {
				p := c.probe
				p.Target, p.Source = t.addr.Addr(), c.source
				return p
			},
		}
	},
)

// scriptCheck is a block check "script" as decoded.
type scriptCheck struct {
	probe   checks.Script
	four    bool // ldirectord's arguments are added
	monitor checks.Monitor
}

var scriptVariant = checkVariant(
	schema[scriptCheck]{
		kind: "script",
		doc: "Up when a program's exit status is 0. The first line that it writes is the reason. In its environment are " +
			"`DIRECTOR_VIRTUAL_SERVER`, `DIRECTOR_VIRTUAL_ADDRESS` (the first, `IP:PORT`; empty for a fwmark), `DIRECTOR_REAL_SERVER` (`IP:PORT`), " +
			"`DIRECTOR_REAL_ADDRESS`, `DIRECTOR_REAL_PORT` and `DIRECTOR_TIMEOUT` (seconds).",
		start: func() scriptCheck { return scriptCheck{monitor: defaultSchedule()} },
		keys: []key[scriptCheck]{
			commandKey(func(c *scriptCheck) *checks.Command { return &c.probe.Command }, "the program and its arguments; no shell is involved"),
			choice("arguments", []word[bool]{{"none", false}, {"ldirectord", true}}, func(c *scriptCheck) *bool { return &c.four },
				"what is added to the arguments of the command. `ldirectord`: its four, the virtual server's address or fwmark, its port (0 for a fwmark), "+
					"the real server's address and port"),
			choice("exit_status", []word[checks.ExitStatus]{{"plain", checks.ExitPlain}, {"nagios", checks.ExitNagios}, {"keepalived", checks.ExitKeepalived}},
				func(c *scriptCheck) *checks.ExitStatus { return &c.probe.Exit },
				"`plain`: 0 is up. `nagios`: 0 and 1 are. `keepalived`: 0 is up, 1 is down, more asks for a weight that is 2 less"),
			truth("dynamic_weight", func(c *scriptCheck) *bool { return &c.probe.DynamicWeight },
				"the first word that it writes when it is up, a whole number, is the weight that the real server gets"),
			weightStepKey(func(c *scriptCheck) *checks.Monitor { return &c.monitor }),
		},
	},
	func(c *scriptCheck) *checks.Monitor { return &c.monitor },
	func(_ *decoder, _ *block, c *scriptCheck) *check {
		return &check{noPort: true, probe: func(t probeTarget) checks.Probe {
			p := c.probe
			if c.four {
				p.Command.Argv = append(slices.Clone(p.Command.Argv), ldirectordArguments(t)...)
			}
			return scriptProbe(p,
				"DIRECTOR_REAL_ADDRESS="+t.realServer.Addr().String(),
				"DIRECTOR_REAL_PORT="+strconv.Itoa(int(t.realServer.Port())),
				"DIRECTOR_REAL_SERVER="+t.realServer.String(),
				"DIRECTOR_VIRTUAL_ADDRESS="+t.virtualAddress,
				"DIRECTOR_VIRTUAL_SERVER="+t.virtualServer)
		}}
	},
)

// ldirectordArguments are what ldirectord gives to an external check
// (ldirectord(8), checkcommand).
func ldirectordArguments(t probeTarget) []string {
	address, port := strconv.FormatUint(uint64(t.fwmark), 10), "0"
	if virtual, err := netip.ParseAddrPort(t.virtualAddress); err == nil {
		address, port = virtual.Addr().String(), strconv.Itoa(int(virtual.Port()))
	}
	return []string{address, port, t.realServer.Addr().String(), strconv.Itoa(int(t.realServer.Port()))}
}

// scriptProbe is a probe that runs a command, which finds env in its environment.
func scriptProbe(p checks.Script, env ...string) checks.Probe {
	p.Command.Env = append(slices.Clone(p.Command.Env), env...)
	slices.Sort(p.Command.Env)
	return p
}
