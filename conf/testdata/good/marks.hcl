# Many addresses and ports behind one service: Director marks their packets.
virtual_server "shops" {
  addresses = ["192.0.2.10-192.0.2.12:80", "192.0.2.10-192.0.2.12:443"]
  fwmark    = 7
  scheduler = "wrr"
  real_server "10.0.0.11" {}
}

virtual_server "shops6" {
  address     = "[2001:db8::10]:80"
  fwmark      = 7 # the same mark of the other family
  persistence { prefix = 64 }
  real_server "[2001:db8:1::11]:8080" {}
}
