notify_fifo "run/all" {}
notify_fifo "" {}
notify_fifo "/run/all" { of = "vrpp" }
notify_fifo "/run/all" { of = ["vrrp"] }
notify_fifo {}

virtual_server "web" {
  address = "192.0.2.1:80"
  hook "up" {
    command   = ["/bin/true"]
    arguments = "keepalived"
  }
}
