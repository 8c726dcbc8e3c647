# Two directors share the address 192.0.2.10 and translate addresses (LVS-NAT):
# the real servers 10.0.0.11 to 10.0.0.13 have 10.0.0.1 as their default route,
# which moves together with it. The other director has another node and a lower
# priority; all else is the same.

node = "lb-a"

locals {
  web = ["10.0.0.11", "10.0.0.12", "10.0.0.13"]
}

vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = 150
  addresses         = ["192.0.2.10/24"]

  connection_sync { interface = "eth1" }
  track "file" "handicap" {
    path   = "/run/director-handicap" # 70 in it gives the work to the other director
    holds  = "number"
    weight = -1
  }
}

vrrp "inside" {
  interface         = "eth1"
  virtual_router_id = 52
  priority          = 150
  addresses         = ["10.0.0.1/24"]
}

vrrp_sync_group "gateway" {
  groups = ["front", "inside"]
  hook "master" { command = ["/etc/director/became-master"] }
}

check "http" "healthz" {
  path          = "/healthz"
  interval      = "2s"
  fast_interval = "500ms"
  timeout       = "1s"
}

virtual_server "web" {
  address   = "192.0.2.10:80"
  scheduler = "wlc"
  forward   = "nat"
  checks    = ["healthz"]
  hook "real_server_down" { command = ["/etc/director/open-ticket"] }

  dynamic "real_server" {
    for_each = local.web
    labels   = ["${real_server.value}:80"]
    content { weight = 10 }
  }
}
