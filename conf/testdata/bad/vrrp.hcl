vrrp "a" {
  interface         = "eth 0"
  virtual_router_id = 256
  version           = 4
  priority          = 0
  addresses         = "192.0.2.1"
  preempt           = "yes"
  address_lease     = "2500ms"
  track "interface" "a/b" {}
  track "interface" {}
  track "process" "x" {}
  track "script" "x" {
    weight  = 255
    initial = "fail"
    command = ["/bin/true"]
  }
  track "script" "x" { command = ["/bin/true"] }
  track {}
  hook "mastr" { command = ["/bin/true"] }
  hook "master" { command = ["/bin/true"] }
  hook "master" { command = ["/bin/true"] }
  hook "backup" {}
  connection_sync {}
}

vrrp "b" {
  interface          = "eth0"
  virtual_router_id  = 1
  version            = 2
  advertise_interval = "1500ms"
  addresses          = ["192.0.2.1", "192.0.2.1/24", 7, "192.0.2.2/33", "192.0.2.3/0"]
  connection_sync { interface = "eth1" }
}

vrrp "c" {
  interface          = "eth0"
  virtual_router_id  = 2
  version            = 2
  addresses          = ["2001:db8::1"]
  connection_sync { interface = "eth1" }
}

vrrp "d" {
  interface          = "eth0"
  virtual_router_id  = 3
  advertise_interval = "41s"
  addresses          = ["192.0.2.1"]
}

vrrp "d" {}

vrrp_sync_group "one" { groups = ["b", "c"] }
vrrp_sync_group "two" { groups = ["b", "d", "d"] }
vrrp_sync_group "two" { groups = [7] }
