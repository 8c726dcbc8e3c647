vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]
}

vrrp_sync_group "one" {
  groups = ["front"]
  hook "stop" { command = ["/bin/true"] }
  hook "master" { command = ["/bin/true"] }
  hook "master" {
    command   = ["/bin/true"]
    arguments = "all"
  }
}

virtual_server "web" {
  address = "192.0.2.10:80"
  hook "real_server_drain" { command = ["/bin/true"] }
  hook "real_server_up" { command = ["/bin/true"] }
  hook "real_server_up" { command = ["/bin/true"] }
  real_server "10.0.0.11:80" {
    hook "drain" { command = ["/bin/true"] }
    hook "up" { command = ["/bin/true"] }
    hook "up" {
      command = ["true it is"]
      timeout = "2h"
    }
  }
}
