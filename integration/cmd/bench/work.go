package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// work is what a peer is to do, in neutral words.
type work struct {
	virtuals int           // virtual servers 10.1.x.y:80
	reals    int           // of each; zero is ten
	check    time.Duration // interval of a check on each real server; zero is none
	kind     string        // of the check: http, else tcp
	odd      int           // the real server whose weight is not 1, counted over all
	weight   int           // its weight
	pair     pair
	routers  int // virtual routers on eth0 with four addresses each, at 1 s
	group    int // addresses 10.2.0.x:80 of one virtual server with twenty real servers
}

// pair is a VRRP pair with connection synchronisation in front of one echo server.
type pair struct {
	interval time.Duration // zero: there is none
	priority int
	bare     bool // without the synchronisation and the server
}

// served says whether there is a server behind.
func (p pair) served() bool { return p.interval > 0 && !p.bare }

// vip and real name the virtual server v and its real server r.
func vip(v int) string  { return fmt.Sprintf("10.1.%d.%d", v/250, v%250+1) }
func real(x int) string { return fmt.Sprintf("10.%d.%d.%d", 21+x/62500, x/250%250, x%250+1) }

// virtual is the i-th address of virtual router x.
func virtual(x, i int) string { return fmt.Sprintf("10.4.%d.%d/32", x, i+1) }

// weightOf returns the weight of real server x, counted over all.
func (w work) weightOf(x int) int {
	if x == w.odd && w.weight > 0 {
		return w.weight
	}
	return 1
}

// realsOf returns how many real servers a virtual server has.
func (w work) realsOf() int { return cmp.Or(w.reals, 10) }

// peer is a program that does the work.
type peer interface {
	name() string
	groupDestinations(addresses int) int
	// start starts it in a box.
	start(n *lab.Network, box *lab.Namespace, w work) (running, error)
}

// running is a peer at work.
type running struct {
	*lab.Process
	configure func(work) error // for the next reload
	handOver  func() error     // mastership, by an operator's word; nil: there is no such word
}

// groupServers are the real servers of a group.
const groupServers = 20

// director is ours.
type director struct{}

// groupDestinations is how many destinations the kernel has for a group.
func (director) groupDestinations(int) int { return groupServers }

func (director) name() string { return "director" }

func (director) config(w work) string {
	var b strings.Builder
	for v := range w.virtuals {
		fmt.Fprintf(&b, "virtual_server \"%s:80\" {\n  address = \"%s:80\"\n  scheduler = \"wlc\"\n  forward = \"nat\"\n  on_failure = \"remove\"\n", vip(v), vip(v))
		if w.check > 0 {
			fmt.Fprintf(&b, "  check %q {\n    interval = %q\n    timeout = \"3s\"\n    rise = 1\n    fall = 1\n  }\n", cmp.Or(w.kind, "tcp"), w.check.String())
		}
		for r := range w.realsOf() {
			x := v*w.realsOf() + r
			fmt.Fprintf(&b, "  real_server \"%s:80\" { weight = %d }\n", real(x), w.weightOf(x))
		}
		b.WriteString("}\n")
	}
	if w.group > 0 {
		fmt.Fprintf(&b, "virtual_server \"group\" {\n  address = \"10.2.0.0-10.2.0.%d:80\"\n  fwmark = 7\n  scheduler = \"wlc\"\n", w.group-1)
		for r := range groupServers {
			fmt.Fprintf(&b, "  real_server \"%s:80\" {}\n", real(r))
		}
		b.WriteString("}\n")
	}
	for x := range w.routers {
		fmt.Fprintf(&b, "vrrp \"r%d\" {\n  interface = \"eth0\"\n  virtual_router_id = %d\n  priority = 150\n  advertise_interval = \"1s\"\n  addresses = [%q, %q, %q, %q]\n}\n",
			x+1, x+1, virtual(x, 0), virtual(x, 1), virtual(x, 2), virtual(x, 3))
	}
	if p := w.pair; p.interval > 0 {
		connections := ""
		if p.served() {
			connections = "  connection_sync { interface = \"eth1\" }\n"
		}
		for _, g := range []struct {
			name, link, address, more string
			id                        int
		}{
			{"front", "eth0", lab.VIP(0).String() + "/24", connections, 51},
			{"inside", "eth1", lab.InsideVIP.String() + "/24", "", 52},
		} {
			fmt.Fprintf(&b, "vrrp %q {\n  interface = %q\n  virtual_router_id = %d\n  priority = %d\n  advertise_interval = %q\n  addresses = [%q]\n%s}\n",
				g.name, g.link, g.id, p.priority, p.interval.String(), g.address, g.more)
		}
		b.WriteString("vrrp_sync_group \"pair\" { groups = [\"front\", \"inside\"] }\n")
	}
	if w.pair.served() {
		fmt.Fprintf(&b, "virtual_server \"echo\" {\n  address = \"%v:7\"\n  protocol = \"udp\"\n  scheduler = \"rr\"\n  real_server \"%v:7\" {}\n}\n", lab.VIP(0), lab.ServerAddr(1))
	}
	return b.String()
}

func (d director) start(n *lab.Network, box *lab.Namespace, w work) (running, error) {
	r, err := startDirector(n, box, w)
	if err != nil {
		return running{}, err
	}
	return running{r.Process, func(w work) error { return r.Configure(d.config(w)) }, r.Failover}, nil
}

// keepalived is the one to be measured against.
type keepalived struct{}

func (keepalived) groupDestinations(addresses int) int { return addresses * groupServers }

func (keepalived) name() string { return "keepalived" }

func (keepalived) config(w work) string {
	var b strings.Builder
	b.WriteString("global_defs {\n    router_id bench\n")
	if w.pair.served() {
		b.WriteString("    lvs_sync_daemon eth1 front id 51\n")
	}
	b.WriteString("}\n")
	for v := range w.virtuals {
		fmt.Fprintf(&b, "virtual_server %s 80 {\n    lb_algo wlc\n    lb_kind NAT\n    protocol TCP\n", vip(v))
		if w.check > 0 {
			fmt.Fprintf(&b, "    delay_loop %d\n", int(w.check.Seconds()))
		}
		for r := range w.realsOf() {
			x := v*w.realsOf() + r
			fmt.Fprintf(&b, "    real_server %s 80 {\n        weight %d\n", real(x), w.weightOf(x))
			switch {
			case w.check > 0 && w.kind == "http":
				b.WriteString("        HTTP_GET {\n            url {\n                path /\n                status_code 200\n            }\n            connect_timeout 3\n            retry 0\n        }\n")
			case w.check > 0:
				b.WriteString("        TCP_CHECK {\n            connect_timeout 3\n            retry 0\n        }\n")
			}
			b.WriteString("    }\n")
		}
		b.WriteString("}\n")
	}
	if w.group > 0 {
		fmt.Fprintf(&b, "virtual_server_group many {\n    10.2.0.0-%d 80\n}\nvirtual_server group many {\n    lb_algo wlc\n    lb_kind NAT\n    protocol TCP\n", w.group-1)
		for r := range groupServers {
			fmt.Fprintf(&b, "    real_server %s 80 {\n        weight 1\n    }\n", real(r))
		}
		b.WriteString("}\n")
	}
	for x := range w.routers {
		fmt.Fprintf(&b, "vrrp_instance r%d {\n    state BACKUP\n    interface eth0\n    virtual_router_id %d\n    priority 150\n    version 3\n    advert_int 1\n    virtual_ipaddress {\n", x+1, x+1)
		for i := range 4 {
			fmt.Fprintf(&b, "        %s\n", virtual(x, i))
		}
		b.WriteString("    }\n}\n")
	}
	if p := w.pair; p.interval > 0 {
		for _, g := range []struct {
			name, link, address string
			id                  int
		}{{"front", "eth0", lab.VIP(0).String() + "/24", 51}, {"inside", "eth1", lab.InsideVIP.String() + "/24", 52}} {
			fmt.Fprintf(&b, "vrrp_instance %s {\n    state BACKUP\n    interface %s\n    virtual_router_id %d\n    priority %d\n    version 3\n    advert_int %.2f\n    virtual_ipaddress {\n        %s\n    }\n}\n",
				g.name, g.link, g.id, p.priority, p.interval.Seconds(), g.address)
		}
		b.WriteString("vrrp_sync_group pair {\n    group {\n        front\n        inside\n    }\n}\n")
	}
	if w.pair.served() {
		fmt.Fprintf(&b, "virtual_server %v 7 {\n    lb_algo rr\n    lb_kind NAT\n    protocol UDP\n    real_server %v 7 {\n        weight 1\n    }\n}\n", lab.VIP(0), lab.ServerAddr(1))
	}
	return b.String()
}

func (k keepalived) start(n *lab.Network, box *lab.Namespace, w work) (running, error) {
	r, err := n.StartKeepalived(box, k.config(w))
	if err != nil {
		return running{}, err
	}
	return running{r.Process, func(w work) error { return r.Configure(k.config(w)) }, nil}, nil
}
