vrrp "a" {
  interface          = "eth0"
  virtual_router_id  = 1
  addresses          = ["192.0.2.1/24"]
  excluded_addresses = ["192.0.2.1/24", "192.0.2.300", 7]
  down_adverts       = 0
  start_delay        = "2h"
  password           = "too long for it"
  unicast {
    peers = ["192.0.2.0/24", "224.0.0.18", "fe80::1"]
    ttl   = 0
  }
  announce {
    times   = ["1s", "1s", "soon"]
    spacing = "1m"
  }
  hmac {
    active = 3
    mode   = "strict"
    key "0" { file = "testdata/vrrp.key" }
    key "1" { file = "testdata/short.key" }
    key "1" { file = "testdata/vrrp.key" }
    key "2" { file = "testdata/missing.key" }
  }
}

vrrp "b" {
  interface         = "eth0"
  virtual_router_id = 2
  version           = 2
  addresses         = ["192.0.2.2/24"]
  virtual_mac       = true
  unicast { peers = ["192.0.2.9"] }
  hmac {}
}

vrrp "e" {
  interface         = "eth0"
  virtual_router_id = 5
  addresses         = ["192.0.2.5/24"]
  unicast {}
}

vrrp "c" {
  interface         = "eth0"
  virtual_router_id = 3
  addresses         = ["192.0.2.3/24"]
  password          = "secret"
}

vrrp "d" {
  interface         = "eth0"
  virtual_router_id = 4
  version           = 2
  addresses         = ["192.0.2.4/24"]
  hmac {
    key "2" { file = "testdata/vrrp.key" }
  }
}

vrrp "f" {
  interface         = "eth0"
  virtual_router_id = 6
  addresses         = ["192.0.2.6/24"]
  track "file" "x" { path = "relative" }
  track "file" "y" {
    path     = "/run/y"
    want     = "absent"
    expect   = "up"
  }
  track "file" "load" {
    path  = "/run/load"
    holds = "number"
    want  = "absent"
  }
  track "file" "words" {
    path  = "/run/words"
    holds = "words"
  }
  track "interface" "eth1" {
    up_delay   = "2h"
    down_delay = "-1s"
  }
  track "process" "y" {
    program = "bird"
    min     = 3
    max     = 2
  }
  track "process" "z" {}
}
