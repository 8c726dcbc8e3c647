bfd "nobody" {
  source = "192.0.2.2"
}

bfd "wrong" {
  neighbor         = "224.0.0.1"
  interval         = "5ms"
  receive_interval = "2m"
  multiplier       = 256
  min_ttl          = 0
  interface        = "much too long a name"
}

bfd "mixed" {
  neighbor = "192.0.2.1"
  source   = "2001:db8::1"
  min_ttl  = 250
}

bfd "self" {
  neighbor = "192.0.2.3"
  source   = "192.0.2.3"
}

bfd "link" {
  neighbor = "fe80::1"
}

bfd "mixed" {
  neighbor = "192.0.2.4"
}

bfd "again" {
  neighbor  = "192.0.2.4"
  interface = "eth0"
}

bfd "two-a" {
  neighbor  = "10.0.0.12"
  interface = "eth0"
}

bfd "two-b" {
  neighbor  = "10.0.0.12"
  interface = "eth1"
}

vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]
  track "bfd" "agian" {}
}

virtual_server "web" {
  address = "192.0.2.10:80"
  check "bfd" {}
  real_server "10.0.0.11:80" {}
  real_server "10.0.0.12:80" {}
  real_server "10.0.0.13:80" {
    check "bfd" {
      session  = "agayn"
      interval = "1s"
    }
  }
}
