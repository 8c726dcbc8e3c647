route_protocol = 186

vrrp "a" {
  interface         = "eth0"
  virtual_router_id = 1
  addresses         = ["192.0.2.1/24"]

  route {}
  route { to = "default" }
  route { to = "10.1.2.3/16" }
  route { to = "224.0.0.0/4" }
  route { to = 7 }
  route { to = "10.1.0.0/16" }
  route {
    to     = "10.2.0.0/16"
    via    = "2001:db8::1"
    source = "2001:db8::2"
    mtu    = 20
    table  = 0
  }
  route {
    to   = "10.3.0.0/16"
    via  = "192.0.2.9"
    type = "blackhole"
  }
  route {
    to     = "10.4.0.0/16"
    via    = "192.0.2.9"
    onlink = true
  }
  route {
    to  = "2001:db8:5::/48"
    via = "fe80::1"
  }
  route {
    to        = "2001:db8:6::/48"
    interface = "eth0"
    scope     = "link"
  }
  route {
    to        = "2001:db8:7::/48"
    interface = "eth0"
    mtu       = 1000
  }
  route {
    to    = "10.8.0.0/16"
    via   = "192.0.2.9"
    scope = "link"
  }
  route {
    to   = "10.9.0.0/16"
    type = "blackholes"
  }
  rule {}
  rule {
    priority = 40000
    from     = "0.0.0.0/0"
    table    = 100
  }
  rule {
    priority = 1
    from     = "10.0.0.0/8"
    to       = "2001:db8::/32"
    family   = "ipv6"
    table    = 100
  }
  rule {
    priority = 2
    mark     = 0
    family   = "ipv4"
    action   = "prohibit"
  }
  rule {
    priority = 3
    from     = "10.0.0.0/8"
    action   = "prohibit"
    table    = 100
  }
  rule {
    priority      = 4
    from          = "10.0.0.0/8"
    in_interface  = "much too long a name"
    iif           = "eth0"
  }
}

vrrp "b" {
  interface         = "eth0"
  virtual_router_id = 2
  priority          = 255
  accept            = false
  addresses         = ["192.0.2.2/24"]
  route {
    to        = "10.20.0.0/16"
    interface = "eth0"
  }
  rule {
    priority = 5
    from     = "10.0.0.0/8"
    table    = 100
  }
}

static {
  interface "no/name" { addresses = ["192.0.2.2/24", "10.0.0.0", 7, "::/0"] }
  interface "eth1" {}
  route {
    to   = "10.20.0.0/16"
    type = "prohibit"
  }
  rule {
    priority = 5
    from     = "10.0.0.0/8"
    table    = 100
  }
}
