# Virtual servers in their forms.
node = "lb-a"
maintenance_dir = "/etc/director/maintenance"

ipvs {
  timeouts {
    tcp     = "15m"
    tcp_fin = "2m"
  }
  resync  = "1s"
  foreign = "remove"
  on_stop = "drain"
}

check "http" "healthz" {
  path          = "/healthz?full=1"
  method        = "HEAD"
  host          = "www.example.net"
  headers       = { Accept = "text/plain", "X-Probe" = "director" }
  expect_status = ["200-299", 304]
  expect_body   = "ok"
  interval      = "2s"
  fast_interval = "500ms"
  down_interval = "10s"
  timeout       = "1s"
  rise          = 2
  fall          = 3
}

check "https" "secure" {
  port = 8443
  tls {
    server_name = "www.example.net"
    ca_file     = "/etc/director/ca.pem"
    min_version = "1.3"
  }
}

virtual_server "web" {
  hook "up" { command = ["/etc/director/announce", "add"] }
  hook "down" {
    command = ["/etc/director/announce", "del"]
    timeout = "5s"
  }
  addresses  = ["192.0.2.10:80", "192.0.2.11:8080-8082", "192.0.2.20-192.0.2.22:80"]
  scheduler  = "mh"
  checks     = ["healthz"]
  on_failure = "drain"
  initial    = "up"
  quorum     = 2
  hysteresis = 1
  sorry_server  = "10.0.0.99:80"
  drain_timeout = "5m"
  slow_start      = "30s"
  panic_threshold = "50%"
  persistence {
    timeout = "10m"
    prefix  = 24
  }
  real_server "10.0.0.11:80" { weight = 10 }
  real_server "10.0.0.12:80" {
    weight = 0
    checks = ["secure"]
    check "icmp" {
      count    = 3
      max_loss = "50%"
    }
  }
}

virtual_server "dns" {
  address   = "[2001:db8::53]:53"
  protocol  = "udp"
  scheduler = "sh"
  forward   = "dr"
  persistence {}
  real_server "2001:db8:1::21" {
    check "tcp" {
      source    = "2001:db8::2"
      interface = "eth0"
      mark      = 7
    }
  }
  real_server "[2001:db8:1::22]:53" {
    check "script" {
      command  = ["/usr/lib/director/checks/resolver-load", "-w", "5"]
      interval = "10s"
      timeout  = "3s"
    }
  }
  real_server "10.0.0.23" {
    forward = "tun"
    check "tcp" {
      address = "10.0.0.23"
      port    = 54
    }
  }
}

virtual_server "marked" {
  fwmark  = 7
  forward = "tun"
  check "tcp" { port = 80 }
  real_server "10.0.0.31" {}
}

virtual_server "empty" {
  fwmark = 7
  family = "ipv6"
}
