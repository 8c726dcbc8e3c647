node        = "dirA"
runtime_dir = "/run/lab/run"
state_dir   = "/run/lab/state"
vrrp "front" {
  interface          = "eth0"
  virtual_router_id  = 51
  priority           = 150
  version            = 3
  advertise_interval = "10ms"
  preempt            = true
  addresses          = ["10.1.0.1/24", "10.1.0.2/24"]
  connection_sync {
    interface = "eth1"
    id        = 51
  }
}
vrrp "inside" {
  interface          = "eth1"
  virtual_router_id  = 52
  priority           = 150
  version            = 2
  advertise_interval = "1000ms"
  preempt            = true
  addresses          = ["10.2.0.1/24"]
}
vrrp_sync_group "gw" {
  groups = ["front", "inside"]
}
virtual_server "10.1.0.1:80" {
  address    = "10.1.0.1:80"
  protocol   = "tcp"
  scheduler  = "rr"
  forward    = "nat"
  on_failure = "remove"
  check "http" {
    path          = "/"
    expect_status = ["200"]
    interval      = "1s"
    fast_interval = "1s"
    timeout       = "1s"
    rise          = 1
    fall          = 1
  }
  real_server "10.2.0.11:80" { weight = 1 }
  real_server "10.2.0.12:80" { weight = 1 }
}
virtual_server "10.1.0.2:80" {
  address    = "10.1.0.2:80"
  protocol   = "tcp"
  scheduler  = "wlc"
  forward    = "nat"
  on_failure = "remove"
  real_server "10.2.0.11:80" { weight = 1 }
}
