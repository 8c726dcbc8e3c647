# What only the kernel acts on.
node = "lb-a"

ipvs {
  sysctl {
    ip_forward      = true
    ipv6_forward    = false
    conn_reuse_mode = 1
    sync_ports      = 4
    sync_threshold  = [3, 50]
    on_stop         = "restore"
  }
}

vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]
  connection_sync {
    interface  = "eth1"
    id         = 7
    group      = "224.0.0.99"
    port       = 8899
    ttl        = 3
    max_length = 1400
  }
}

virtual_server "sticky" {
  address         = "192.0.2.10:80"
  scheduler       = "sh"
  scheduler_flags = ["sh-fallback", "sh-port"]
  real_server "10.0.0.11" {
    upper_threshold = 1000
    lower_threshold = 900
  }
}

virtual_server "maglev" {
  address         = "192.0.2.10:81"
  scheduler       = "mh"
  scheduler_flags = ["mh-port"]
}

virtual_server "sip" {
  address    = "192.0.2.10:5060"
  protocol   = "udp"
  one_packet = true
  persistence {
    timeout = "1h"
    engine  = "sip"
  }
}

virtual_server "tunnels" {
  fwmark       = 5
  forward      = "tun"
  sorry_server = "10.0.0.99"
  tunnel "gue" {
    port            = 6080
    checksum        = true
    remote_checksum = true
  }
  real_server "10.0.0.11" {}
  real_server "10.0.0.12" {
    tunnel "gre" { checksum = true }
  }
  real_server "10.0.0.13" {
    tunnel "ipip" {}
  }
  real_server "10.0.0.14" { forward = "dr" }
}
