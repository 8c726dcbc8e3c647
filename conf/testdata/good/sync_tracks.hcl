# Tracks that have a name in common, in the groups of a sync group.
node = "lb-a"

vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]
  track "interface" "eth2" {
    weight   = -10
    up_delay = "2s"
  }
  track "script" "load" { # counts once
    command = ["/usr/lib/director/checks/load"]
    weight  = -20
  }
  track "file" "ready" { # both are counted
    path   = "/run/front/ready"
    weight = 20
  }
  track "process" "daemon" { # each is a FAULT of its group
    program = "named"
  }
}

vrrp "inside" {
  interface         = "eth1"
  virtual_router_id = 52
  addresses         = ["10.0.0.1/24"]
  track "interface" "eth2" { weight = -10 }
  track "script" "load" {
    command  = ["/usr/lib/director/checks/load"]
    interval = "5s"
    weight   = -20
  }
  track "file" "ready" {
    path   = "/run/inside/ready"
    weight = 10
  }
  track "process" "daemon" {
    program = "unbound"
  }
}

# In another group the name may mean something else.
vrrp "alone" {
  interface         = "eth2"
  virtual_router_id = 53
  addresses         = ["10.1.0.1/24"]
  track "script" "load" {
    command = ["/usr/lib/director/checks/load", "--alone"]
    weight  = -20
  }
}

vrrp_sync_group "gateway" { groups = ["front", "inside"] }
