# Named pipes and hooks in keepalived's words.

notify_fifo "/run/director/all" {}
notify_fifo "/run/director/vrrp" { of = "vrrp" }
notify_fifo "/run/director/services" { of = "services" }

vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 51
  addresses         = ["192.0.2.10/24"]

  hook "master" {
    command   = ["/bin/true", "before"]
    arguments = "keepalived"
  }
  hook "backup" { command = ["/bin/true"] }
}
