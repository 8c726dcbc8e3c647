# Values of the wrong type, or out of their limits.
node        = ""
runtime_dir = "run"
state_dir   = 7

log "x" {}

api {
  listen = "127.0.0.1:0"
  socket = "/run/director/a/path/that/is/longer/than/what/fits/into/the/address/of/a/unix/socket/which/is/one/hundred/and/seven"
}

ipvs {
  resync = "1us"
  timeouts { tcp = "1500ms" }
  timeouts { tcp = "1s" }
  sched = "wlc"
  foreign {}
}

scripts {
  user  = "nobody"
  paths = "/usr/lib"
}

check "http" {}
check "http" "" {}
check "tpc" "x" {}
check {}

check "https" "a" {
  method            = "GET "
  headers           = { "A B" = "c", D = 5, E = "f\ng" }
  host              = "a\r\nb"
  expect_body_regex = "("
  expect_status     = ["300-200"]
  port              = "80"
  address           = "web"
  source            = 7
  interface         = "much-too-long-name"
  mark              = 0
  tls { verify = false }
}

check "icmp" "b" {
  count    = 0
  max_loss = "101%"
  address  = "0.0.0.0"
}

check "icmp" "c" {
  max_loss = 5
  headers  = {}
}

check "script" "d" {
  command = "true"
}

check "script" "e" {
  command = ["/bin/true", 1]
}

check "script" "f" {
  command = ["bin/true"]
}

check "script" "g" {
  command = ["no-such-program"]
}

check "script" "h" {
  command = ["/bin/true\u0000"]
}

virtual_server {
  address = 80
}

virtual_server "a" "b" {
  addresses    = "192.0.2.1:80"
  checks       = [1]
  sorry_server = 7
}

virtual_server "" {
  addresses    = []
  checks       = ["b", "b"]
  sorry_server = "x"
  real_server "x" {}
  real_sever "10.0.0.1:80" {}
  weight {}
  forward "nat" {}
  check {}
  checks "x" {}
}

virtual_server "b" {
  address = "192.0.2.1:80"
  checks  = "b"
  forward = true
  initial = "sideways"
  sorry_server = "10.0.0.1:80"
  family  = "ipv4"
  check "tcp" { source = "2001:db8::1" }
  real_server "10.0.0.1:80" {}
  persistence {
    prefix = 24
    timeout = "0s"
  }
}

virtual_server "white space" {
  fwmark = 8
  checks = ["b"]
  real_server "10.0.0.1" { checks = ["b", "c"] }
}

virtual_server "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" {
  fwmark = 9
}

virtual_server "c" {
  address  = "192.0.2.1:82"
  protocol = "tcp"
  one_packet = 1
  persistence { engine = "sip" }
}

virtual_server "d" {
  addresses = ["192.0.2.1-192.0.2.8:1-512", "192.0.2.9:1"]
  scheduler_flags = ["wlc-port"]
  quorum = 0
  hysteresis = "1"
}

maintenance_dir = "maintenance"
