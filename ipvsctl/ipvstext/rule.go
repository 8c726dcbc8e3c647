package ipvstext

import (
	"fmt"
	"strings"

	"github.com/lvs-director/director/ipvsctl"
)

// commands are ipvsadm's commands that are an operation, and those of their
// options that may be given. A service is always named by -t, -u, --sctp-service
// or -f, and -6 goes with -f.
var commands = map[string]struct {
	kind    ipvsctl.OpKind
	options string
}{
	"-A":             {ipvsctl.AddService, "service -s -p -M --pe -o -b"},
	"-E":             {ipvsctl.EditService, "service -s -p -M --pe -o -b"},
	"-D":             {ipvsctl.DeleteService, "service"},
	"-a":             {ipvsctl.AddDestination, "service -r -g -i -m -w -x -y tunnel"},
	"-e":             {ipvsctl.EditDestination, "service -r -g -i -m -w -x -y tunnel"},
	"-d":             {ipvsctl.DeleteDestination, "service -r"},
	"--start-daemon": {ipvsctl.StartDaemon, "--mcast-interface --syncid --sync-maxlen --mcast-group --mcast-port --mcast-ttl"},
	"--stop-daemon":  {ipvsctl.StopDaemon, ""},
	"--set":          {ipvsctl.SetTimeouts, ""},
}

// groups are options that several commands take.
var groups = map[string]string{
	"service": "-t -u --sctp-service -f -6",
	"tunnel":  "--tun-type --tun-port --tun-nocsum --tun-csum --tun-remcsum",
}

// shorts are the short names of options by their long ones.
var shorts = map[string]string{
	"--add-service": "-A", "--edit-service": "-E", "--delete-service": "-D",
	"--add-server": "-a", "--edit-server": "-e", "--delete-server": "-d",
	"--tcp-service": "-t", "--udp-service": "-u", "--fwmark-service": "-f", "--ipv6": "-6",
	"--scheduler": "-s", "--persistent": "-p", "--netmask": "-M", "--ops": "-o", "--sched-flags": "-b",
	"--real-server": "-r", "--gatewaying": "-g", "--ipip": "-i", "--masquerading": "-m",
	"--weight": "-w", "--u-threshold": "-x", "--l-threshold": "-y",
}

// switches are the options without a value.
var switches = map[string]bool{
	"-6": true, "-o": true, "-g": true, "-i": true, "-m": true,
	"--tun-nocsum": true, "--tun-csum": true, "--tun-remcsum": true,
}

// ParseRule reads a line that ipvsadm --save or an Op's String has written.
func ParseRule(line string) (ipvsctl.Op, error) {
	return ParseArgs(strings.Fields(line))
}

// ParseArgs reads the arguments of ipvsadm for adding, editing or deleting a
// service or a destination, for the sync daemon or for the time-outs. Option
// names are long or short; "--weight=3" is "--weight 3".
func ParseArgs(args []string) (ipvsctl.Op, error) {
	if len(args) == 0 {
		return ipvsctl.Op{}, fmt.Errorf("no command")
	}
	name := short(args[0])
	command, ok := commands[name]
	if !ok {
		return ipvsctl.Op{}, fmt.Errorf("unknown command %q", args[0])
	}
	p := parser{command: args[0], op: ipvsctl.Op{Kind: command.kind}, allowed: allowed(command.options)}
	rest := args[1:]
	var err error
	switch command.kind {
	case ipvsctl.StartDaemon, ipvsctl.StopDaemon:
		rest, err = p.role(rest)
	case ipvsctl.SetTimeouts:
		rest, err = p.timeouts(rest)
	case ipvsctl.AddService, ipvsctl.EditService:
		p.op.Service.Scheduler = "wlc"
	case ipvsctl.AddDestination, ipvsctl.EditDestination:
		p.op.Destination.Forward, p.op.Destination.Weight = ipvsctl.DR, 1
	}
	if err == nil {
		err = p.options(rest)
	}
	if err == nil {
		err = p.finish()
	}
	return p.op, err
}

func short(name string) string {
	if s, ok := shorts[name]; ok {
		return s
	}
	return name
}

func allowed(options string) map[string]bool {
	set := make(map[string]bool)
	for _, o := range strings.Fields(options) {
		for _, name := range strings.Fields(groups[o]) {
			set[name] = true
		}
		set[o] = true
	}
	return set
}

// options reads the options that follow the command.
func (p *parser) options(args []string) error {
	seen := make(map[string]bool)
	for len(args) > 0 {
		given, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		name := short(given)
		if !p.allowed[name] || groups[name] != "" {
			return fmt.Errorf("%s does not take %q", p.command, given)
		}
		if seen[name] {
			return fmt.Errorf("%s is given twice", given)
		}
		seen[name] = true
		switch {
		case switches[name]:
			if joined {
				return fmt.Errorf("%s takes no value", given)
			}
		case joined:
		case len(args) > 0 && !strings.HasPrefix(args[0], "-"):
			value, args = args[0], args[1:]
		case name != "-p": // whose value has a default
			return fmt.Errorf("%s needs a value", given)
		}
		if err := p.option(name, value); err != nil {
			return fmt.Errorf("%s: %w", given, err)
		}
	}
	return nil
}
