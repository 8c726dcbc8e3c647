# Direct routing (LVS-DR): the real servers are on the director's network, have
# the virtual addresses on lo without answering ARP for them, and answer the
# clients themselves. IPv4 and IPv6 side by side.

vrrp "front" {
  interface          = "eth0"
  virtual_router_id  = 51
  advertise_interval = "100ms"
  addresses          = ["192.0.2.10/24"]
}

vrrp "front6" {
  interface          = "eth0"
  virtual_router_id  = 51
  advertise_interval = "100ms"
  addresses          = ["2001:db8::10/64"]
}

vrrp_sync_group "front" { groups = ["front", "front6"] }

check "https" "alive" {
  host = "www.example.net"
  path = "/"
}

virtual_server "web" {
  address   = "192.0.2.10:443"
  scheduler = "wrr"
  forward   = "dr"
  checks    = ["alive"]
  quorum    = 2

  persistence { timeout = "10m" }

  real_server "192.0.2.21" { weight = 1 }
  real_server "192.0.2.22" { weight = 2 }
  real_server "192.0.2.23" { weight = 3 }
}

virtual_server "web6" {
  address   = "[2001:db8::10]:443"
  scheduler = "wrr"
  forward   = "dr"
  checks    = ["alive"]

  real_server "2001:db8::21" { weight = 1 }
  real_server "2001:db8::22" { weight = 2 }
}
