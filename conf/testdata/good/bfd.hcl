bfd "core" {
  neighbor  = "192.0.2.1"
  interface = "eth0"
}

bfd "far" {
  neighbor         = "2001:db8:1::1"
  source           = "2001:db8::2"
  multihop         = true
  interval         = "50ms"
  receive_interval = "100ms"
  multiplier       = 5
  passive          = true
}

bfd "near" {
  neighbor  = "fe80::1"
  interface = "eth1"
}

bfd "web1" {
  neighbor = "10.0.0.11"
  multihop = true
  min_ttl  = 250
}

check "bfd" "path" {}

vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]
  track "bfd" "core" { weight = -60 }
  track "bfd" "near" { down_delay = "2s" }
}

virtual_server "web" {
  address = "192.0.2.10:80"
  checks  = ["path"]
  real_server "10.0.0.11:80" {
    check "bfd" { session = "far" }
  }
}
