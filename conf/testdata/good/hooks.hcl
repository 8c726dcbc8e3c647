# Hooks of everything that has some.
vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]
  hook "master" { command = ["/etc/director/on-master", "front"] }
}

vrrp "back" {
  interface         = "eth1"
  virtual_router_id = 52
  addresses         = ["10.0.0.1/24"]
}

vrrp_sync_group "both" {
  groups = ["front", "back"]
  hook "master" {
    command   = ["/etc/director/notify"]
    arguments = "keepalived"
  }
  hook "fault" {
    command = ["/etc/director/page"]
    timeout = "5s"
  }
}

virtual_server "web" {
  address = "192.0.2.10:80"
  hook "down" { command = ["/etc/director/page", "web"] }
  hook "real_server_up" { command = ["/etc/director/tell"] }
  hook "real_server_down" { command = ["/etc/director/tell"] }
  hook "real_server_stop" { command = ["/etc/director/tell"] }
  real_server "10.0.0.11:80" {}
  real_server "10.0.0.12:80" {
    hook "down" {
      command = ["/etc/director/page", "the old one"]
      timeout = "1m"
    }
  }
}

virtual_server "dns" {
  address  = "192.0.2.10:53"
  protocol = "udp"
  real_server "10.0.0.13:53" {
    hook "up" { command = ["/etc/director/tell"] }
  }
}
