ipvs {
  sysctl {
    ip_forward      = 1
    conn_reuse_mode = 4
    sync_threshold  = [50, 50]
    sync_ports      = 3
    drop_entry      = 2
    sloppy_tpc      = true
  }
}

vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]
  connection_sync {
    interface = "eth1"
    group     = "10.0.0.1"
    port      = 0
  }
}

virtual_server "a" {
  address         = "192.0.2.10:80"
  scheduler       = "sh"
  scheduler_flags = ["mh-port", "port"]
  one_packet      = true
  persistence {
    engine = "sipp"
    prefix = 33
  }
  real_server "10.0.0.11" {
    upper_threshold = 10
    lower_threshold = 11
  }
  real_server "10.0.0.12" {
    tunnel "gue" {}
    tunnel "gre" { port = 1 }
  }
  real_server "2001:db8::1" {
    forward = "tun"
  }
}

virtual_server "b" {
  fwmark  = 7
  address = "192.0.2.10:81"
  family  = "ipv6"
  tunnel "ipip" {}
}

virtual_server "c" {
  fwmark     = 7
  hysteresis = 1
  real_server "10.0.0.1" {
    check "tcp" {}
  }
}

virtual_server "d" {
  fwmark = 7
  real_server "10.0.0.1" {}
  real_server "10.0.0.1:80" {}
}

virtual_server "e" {
  addresses = ["192.0.2.10-192.0.2.9:80", "192.0.2.1-192.0.200.1:1-1000", "192.0.2.77", "192.0.2.77:90-", "[2001:db8::1]:80", "192.0.2.88:80", "192.0.2.88:80"]
}

virtual_server "hooks" {
  address = "192.0.2.99:80"
  hook "master" { command = ["/bin/true"] }
  hook "up" { command = ["/bin/true"] }
  hook "up" { command = ["/bin/false"] }
  hook "down" { timeout = "0s" }
}
