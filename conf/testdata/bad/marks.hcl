virtual_server "a" {
  address = "192.0.2.10:80"
  fwmark  = 7
  family  = "ipv4"
  real_server "10.0.0.1:80" {}
}

virtual_server "b" {
  addresses = ["192.0.2.11:80", "192.0.2.10:80"]
  real_server "10.0.0.1:80" {}
}

virtual_server "c" {
  addresses = ["192.0.2.12:80", "[2001:db8::1]:80", "192.0.2.12:80"]
  fwmark    = 7
  real_server "10.0.0.1:80" {}
}

virtual_server "d" {
  address   = "192.0.2.13:80"
  addresses = ["192.0.2.14:80"]
  fwmark    = 8
}
