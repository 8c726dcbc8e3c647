# Sorry servers with checks of their own.
node = "lb-a"

check "http" "page" { path = "/sorry" }

virtual_server "web" {
  address = "192.0.2.10:80"
  forward = "dr"
  check "tcp" {}
  sorry_server "10.0.0.99" {
    checks        = ["page"]
    drain_timeout = "5s"
    check "icmp" {}
  }
  real_server "10.0.0.11" {}
}

virtual_server "api" {
  address = "192.0.2.10:443"
  sorry_server "10.0.0.99:8443" {}
  real_server "10.0.0.11:443" {}
}
