node = "a"

vrrp "a" {
  interface         = "eth0"
  virtual_router_id = 1
  addresses         = ["fe80::1/64", "2001:db8:1::1/64"]
}

vrrp "b" {
  interface         = "eth1"
  virtual_router_id = 2
  addresses         = ["fe80::1/64", "2001:db8:2::1/64"]
}
