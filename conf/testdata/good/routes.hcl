# Routes and rules that follow a group, and what is always there.
route_protocol = 150

vrrp "gateway" {
  interface          = "eth0"
  virtual_router_id  = 51
  addresses          = ["192.0.2.10/24"]
  excluded_addresses = ["2001:db8::10/64"]
  accept             = false

  route {
    to     = "default"
    via    = "192.0.2.1"
    source = "192.0.2.10"
    table  = 1000
  }
  route {
    to        = "10.7.0.0/16"
    interface = "eth0"
    metric    = 50
    mtu       = 1400
  }
  route {
    to        = "10.8.0.0/16"
    via       = "203.0.113.1"
    interface = "eth0"
    onlink    = true
  }
  route {
    to        = "2001:db8:7::/48"
    via       = "fe80::1"
    interface = "eth0"
  }
  route {
    to   = "10.9.0.0/16"
    type = "blackhole"
  }
  rule {
    priority = 1000
    from     = "192.0.2.10"
    table    = 1000
  }
  rule {
    priority     = 1001
    family       = "ipv6"
    mark         = 7
    in_interface = "eth1"
    action       = "prohibit"
  }
}

static {
  interface "eth1" {
    addresses = ["10.1.0.5/24", "2001:db8:1::5/64"]
  }
  route {
    to     = "10.2.0.0/16"
    via    = "10.1.0.1"
    source = "10.1.0.5"
    scope  = "site"
  }
}

static {
  route {
    to   = "::/0"
    via  = "2001:db8:1::1"
    mtu  = 1280
    type = "unicast"
  }
  rule {
    priority = 2000
    to       = "10.2.0.0/16"
    family   = "ipv4"
    table    = 254
  }
}
