package ipvstest

import (
	"net/netip"
	"syscall"
	"time"

	"github.com/lvs-director/director/ipvsctl"
)

func doService(kind ipvsctl.OpKind, s ipvsctl.Service) ipvsctl.Op {
	return ipvsctl.Op{Kind: kind, Service: s}
}

func doDestination(kind ipvsctl.OpKind, s ipvsctl.Service, d ipvsctl.Destination) ipvsctl.Op {
	return ipvsctl.Op{Kind: kind, Service: s, Destination: d}
}

func startDaemon(role ipvsctl.DaemonState, d ipvsctl.Daemon) ipvsctl.Op {
	return ipvsctl.Op{Kind: ipvsctl.StartDaemon, State: role, Daemon: d}
}

func serviceSix(s *ipvsctl.Service) { s.ID.Addr = netip.MustParseAddrPort("[2001:db8::1]:80") }

func tunnelled(t ipvsctl.Tunnel) func(*ipvsctl.Destination) {
	return func(d *ipvsctl.Destination) { d.Forward, d.Tunnel = ipvsctl.TUN, t }
}

// contract are the cases that a reader should know; the generated ones of
// TestKernel go further.
var contract = []struct {
	name  string
	steps []step
}{
	{"services", []step{
		{op: doService(ipvsctl.EditService, service(1)), errno: syscall.ESRCH},
		{op: doService(ipvsctl.DeleteService, service(1)), errno: syscall.ESRCH},
		{op: doService(ipvsctl.AddService, service(1)), want: "-A -t 192.0.0.1:80 -s wrr"},
		{op: doService(ipvsctl.AddService, service(1)), errno: syscall.EEXIST},
		{op: doService(ipvsctl.EditService, service(1, func(s *ipvsctl.Service) {
			s.Scheduler, s.Flags = "sh", ipvsctl.SHPort
		})), want: "-A -t 192.0.0.1:80 -s sh -b sh-port"},
		{op: doService(ipvsctl.EditService, service(1, func(s *ipvsctl.Service) {
			s.Persistence = ipvsctl.Persistence{Timeout: 299500 * time.Millisecond, Prefix: 24}
		})), want: "-A -t 192.0.0.1:80 -s wrr -p 300 -M 255.255.255.0"},
		{op: doService(ipvsctl.EditService, service(1)), want: "-A -t 192.0.0.1:80 -s wrr"},
		{op: doService(ipvsctl.DeleteService, service(1)), want: "\n"},
	}},
	{"bad services", []step{
		{op: doService(ipvsctl.AddService, service(1, func(s *ipvsctl.Service) { s.Scheduler = "none-such" })), errno: syscall.ENOENT},
		{op: doService(ipvsctl.AddService, service(1, func(s *ipvsctl.Service) {
			s.Persistence = ipvsctl.Persistence{Timeout: time.Second, Engine: "none-such"}
		})), errno: syscall.ENOENT},
		{op: doService(ipvsctl.AddService, service(1, func(s *ipvsctl.Service) {
			s.Persistence = ipvsctl.Persistence{Timeout: time.Second, Prefix: 33}
		})), errno: syscall.EINVAL},
		{op: doService(ipvsctl.AddService, service(1, serviceSix, func(s *ipvsctl.Service) {
			s.Persistence = ipvsctl.Persistence{Timeout: time.Second, Prefix: 129}
		})), errno: syscall.EINVAL, want: "\n"},
	}},
	{"fwmark services of both families", []step{
		{op: doService(ipvsctl.AddService, service(1, func(s *ipvsctl.Service) {
			s.ID = ipvsctl.ServiceID{FWMark: 7, Family: ipvsctl.IPv4}
		}))},
		{op: doService(ipvsctl.AddService, service(1, func(s *ipvsctl.Service) {
			s.ID = ipvsctl.ServiceID{FWMark: 7, Family: ipvsctl.IPv6}
		})), want: "-A -f 7 -s wrr\n-A -f 7 -6 -s wrr"},
		{op: doDestination(ipvsctl.AddDestination, service(1, func(s *ipvsctl.Service) {
			s.ID = ipvsctl.ServiceID{FWMark: 7, Family: ipvsctl.IPv4}
		}), destination("10.0.0.1:0", 1)), want: "-A -f 7 -s wrr\n-a -f 7 -r 10.0.0.1:0 -m -w 1\n-A -f 7 -6 -s wrr"},
	}},
	{"engine is kept and removed", []step{
		{op: doService(ipvsctl.AddService, service(1, func(s *ipvsctl.Service) {
			s.Persistence = ipvsctl.Persistence{Timeout: time.Minute, Engine: "sip"}
		})), want: "-A -t 192.0.0.1:80 -s wrr -p 60 --pe sip"},
		{op: doService(ipvsctl.EditService, service(1, func(s *ipvsctl.Service) {
			s.Scheduler, s.Persistence = "rr", ipvsctl.Persistence{Timeout: time.Minute, Engine: "sip"}
		})), want: "-A -t 192.0.0.1:80 -s rr -p 60 --pe sip"},
		{op: doService(ipvsctl.EditService, service(1, func(s *ipvsctl.Service) {
			s.Persistence = ipvsctl.Persistence{Timeout: time.Minute}
		})), want: "-A -t 192.0.0.1:80 -s wrr -p 60"},
	}},
	{"destinations", []step{
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("10.0.0.1:80", 1)), errno: syscall.ESRCH},
		{op: doService(ipvsctl.AddService, service(1))},
		{op: doDestination(ipvsctl.EditDestination, service(1), destination("10.0.0.1:80", 1)), errno: syscall.ENOENT},
		{op: doDestination(ipvsctl.DeleteDestination, service(1), destination("10.0.0.1:80", 1)), errno: syscall.ENOENT},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("10.0.0.1:80", 1))},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("10.0.0.1:80", 2)), errno: syscall.EEXIST},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("10.0.0.1:8080", 0, tunnelled(ipvsctl.Tunnel{}))),
			want: "-A -t 192.0.0.1:80 -s wrr\n-a -t 192.0.0.1:80 -r 10.0.0.1:80 -m -w 1\n-a -t 192.0.0.1:80 -r 10.0.0.1:8080 -i -w 0 --tun-type ipip"},
		{op: doDestination(ipvsctl.DeleteDestination, service(1), destination("10.0.0.1:80", 0))},
		{op: doDestination(ipvsctl.EditDestination, service(1), destination("10.0.0.1:8080", 5, func(d *ipvsctl.Destination) {
			d.Forward, d.Upper, d.Lower = ipvsctl.DR, 10, 5
		})), want: "-A -t 192.0.0.1:80 -s wrr\n-a -t 192.0.0.1:80 -r 10.0.0.1:8080 -g -w 5 -x 10 -y 5"},
		{op: doDestination(ipvsctl.EditDestination, service(1), destination("10.0.0.1:8080", 5, func(d *ipvsctl.Destination) {
			d.Forward, d.Upper, d.Lower = ipvsctl.DR, 10, 11
		})), errno: syscall.ERANGE},
		{op: doDestination(ipvsctl.EditDestination, service(1), destination("10.0.0.1:8080", 1<<31)), errno: syscall.ERANGE},
		{op: doService(ipvsctl.DeleteService, service(1)), want: "\n"},
	}},
	{"destination addresses", []step{
		{op: doService(ipvsctl.AddService, service(1))},
		{op: doService(ipvsctl.AddService, service(1, serviceSix))},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("224.0.0.1:80", 1)), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("255.255.255.255:80", 1)), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("0.0.0.0:80", 1)), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1, serviceSix), destination("[fe80::1]:80", 1)), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1, serviceSix), destination("[ff02::1]:80", 1)), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1, serviceSix), destination("[::]:80", 1)), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1, serviceSix), destination("[2001:db8::2%eth0]:80", 1)), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1), ipvsctl.Destination{Forward: ipvsctl.NAT}), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("10.0.0.1:80", 1, func(d *ipvsctl.Destination) { d.Forward = 0 })), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("[::ffff:10.0.0.1]:80", 1)),
			want: "-A -t 192.0.0.1:80 -s wrr\n-a -t 192.0.0.1:80 -r 10.0.0.1:80 -m -w 1\n-A -t [2001:db8::1]:80 -s wrr"},
	}},
	{"tunnels", []step{
		{op: doService(ipvsctl.AddService, service(1))},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("10.0.0.1:80", 1, tunnelled(ipvsctl.Tunnel{Type: ipvsctl.GUE}))), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("10.0.0.1:80", 1, tunnelled(ipvsctl.Tunnel{Type: ipvsctl.GUE, Port: 6080, Flags: ipvsctl.TunnelRemoteChecksum})))},
		{op: doDestination(ipvsctl.AddDestination, service(1), destination("10.0.0.2:80", 1, tunnelled(ipvsctl.Tunnel{Type: ipvsctl.GRE, Flags: ipvsctl.TunnelChecksum}))),
			want: "-A -t 192.0.0.1:80 -s wrr\n" +
				"-a -t 192.0.0.1:80 -r 10.0.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum\n" +
				"-a -t 192.0.0.1:80 -r 10.0.0.2:80 -i -w 1 --tun-type gre --tun-csum"},
	}},
	{"two families exclude the sync daemon", []step{
		{op: doService(ipvsctl.AddService, service(1, serviceSix))},
		{op: doDestination(ipvsctl.AddDestination, service(1, serviceSix), destination("10.0.0.1:80", 1)), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.AddDestination, service(1, serviceSix), destination("10.0.0.1:80", 1, tunnelled(ipvsctl.Tunnel{})))},
		{op: startDaemon(ipvsctl.SyncMaster, ipvsctl.Daemon{Interface: Interface}), errno: syscall.EINVAL},
		{op: doDestination(ipvsctl.DeleteDestination, service(1, serviceSix), destination("10.0.0.1:80", 1))},
		{op: startDaemon(ipvsctl.SyncMaster, ipvsctl.Daemon{Interface: Interface})},
		{op: doDestination(ipvsctl.AddDestination, service(1, serviceSix), destination("10.0.0.1:80", 1, tunnelled(ipvsctl.Tunnel{}))), errno: syscall.EINVAL},
	}},
	{"sync daemons", []step{
		{op: ipvsctl.Op{Kind: ipvsctl.StopDaemon, State: ipvsctl.SyncMaster}, errno: syscall.ESRCH},
		{op: startDaemon(ipvsctl.SyncMaster, ipvsctl.Daemon{}), errno: syscall.EINVAL},
		{op: startDaemon(ipvsctl.SyncMaster, ipvsctl.Daemon{Interface: "none-such"}), errno: syscall.ENODEV},
		{op: startDaemon(0, ipvsctl.Daemon{Interface: Interface}), errno: syscall.EINVAL},
		{op: startDaemon(ipvsctl.SyncMaster, ipvsctl.Daemon{Interface: Interface, Group: netip.MustParseAddr("192.0.2.1")}), errno: syscall.EINVAL},
		{op: startDaemon(ipvsctl.SyncMaster, ipvsctl.Daemon{Interface: Interface, SyncID: 51}),
			want: "--start-daemon master --mcast-interface sync0 --syncid 51 --sync-maxlen 1472"},
		{op: startDaemon(ipvsctl.SyncMaster, ipvsctl.Daemon{Interface: Interface, SyncID: 51}), errno: syscall.EEXIST},
		{op: startDaemon(ipvsctl.SyncBackup, ipvsctl.Daemon{
			Interface: Interface, MaxLen: 100, Group: netip.MustParseAddr("224.0.0.99"), Port: 8899, TTL: 3,
		}), want: "--start-daemon master --mcast-interface sync0 --syncid 51 --sync-maxlen 1472\n" +
			"--start-daemon backup --mcast-interface sync0 --syncid 0 --sync-maxlen 1024 --mcast-group 224.0.0.99 --mcast-port 8899 --mcast-ttl 3"},
		{op: ipvsctl.Op{Kind: ipvsctl.StopDaemon, State: ipvsctl.SyncMaster}},
		{op: ipvsctl.Op{Kind: ipvsctl.StopDaemon, State: ipvsctl.SyncBackup}, want: "\n"},
	}},
}
