# Which port a real server without one gets.
node = "lb-a"

virtual_server "one" {
  addresses = ["192.0.2.10-192.0.2.11:80"]
  real_server "10.0.0.11" {}
}

virtual_server "two" {
  address = "192.0.2.12:80-81"
  check "tcp" { port = 80 }
  real_server "10.0.0.11" {}
  real_server "10.0.0.12:8080" {}
}
