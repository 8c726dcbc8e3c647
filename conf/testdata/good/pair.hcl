# Everything that has to do with the pair.
node         = "lb-a"
runtime_dir  = "/run/director"
state_dir    = "/var/lib/director"
engine_grace = "5s"

log {
  level  = "debug"
  format = "json"
  file   = "/var/log/director.log"
}

api {
  socket = "/run/director/api.sock"
  listen = "127.0.0.1:9180"
}

scripts {
  user  = "nobody"
  paths = ["/usr/lib/director/checks", "/etc/director/checks"]
}

vrrp "front" {
  interface          = "eth0"
  virtual_router_id  = 51
  priority           = 150
  advertise_interval = "100ms"
  preempt            = false
  preempt_delay      = "5s"
  addresses          = ["192.0.2.10/24", "192.0.2.11"]
  address_lease      = "3s"

  connection_sync {
    interface = "eth1"
  }

  track "interface" "eth1" {}
  track "virtual_server" "web" { weight = -60 }
  track "script" "uplink" {
    command  = ["/usr/lib/director/checks/uplink", "--count", "3"]
    interval = "2s"
    rise     = 2
    fall     = 3
    weight   = 20
    initial  = "down"
  }

  hook "master" { command = ["/etc/director/on-master"] }
  hook "fault" {
    command = ["/etc/director/on-fault", "now"]
    timeout = "5s"
  }
}

vrrp "front6" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["fe80::10/64", "2001:db8::10/64"]
}

vrrp "inside" {
  interface          = "eth1"
  virtual_router_id  = 52
  version            = 2
  advertise_interval = "2s"
  addresses          = ["10.0.0.1/24"]
}

vrrp_sync_group "gateway" { groups = ["front", "inside"] }

virtual_server "web" {
  address = "192.0.2.10:80"
  real_server "10.0.0.11:80" {}
}
