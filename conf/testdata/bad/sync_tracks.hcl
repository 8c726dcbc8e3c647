vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]
  track "script" "load" {
    command = ["/usr/lib/director/checks/load", "--front"]
    weight  = -20
  }
  track "file" "ready" {
    path   = "/run/front/ready"
    weight = 20
  }
  track "process" "named" {
    program = "named"
    weight  = 10
  }
  track "file" "sessions" {
    path   = "/run/front/sessions"
    holds  = "number"
    weight = -1
  }
}

vrrp "inside" {
  interface         = "eth1"
  virtual_router_id = 52
  addresses         = ["10.0.0.1/24"]
  track "script" "load" {
    command = ["/usr/lib/director/checks/load", "--inside"]
    weight  = -20
  }
  track "file" "ready" {
    path   = "/run/inside/ready"
    weight = 20
  }
  track "process" "named" {
    program = "named"
    min     = 2
    weight  = 10
  }
  track "file" "sessions" {
    path   = "/run/inside/sessions"
    holds  = "number"
    weight = -1
  }
}

vrrp "third" {
  interface         = "eth2"
  virtual_router_id = 53
  addresses         = ["10.1.0.1/24"]
  track "file" "ready" {
    path   = "/run/third/ready"
    weight = 20
  }
}

vrrp_sync_group "gateway" { groups = ["front", "inside", "third", "fourth"] }
