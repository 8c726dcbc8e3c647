# What few groups need.
vrrp "cloud" {
  interface          = "eth0"
  virtual_router_id  = 51
  addresses          = ["192.0.2.10/24"]
  excluded_addresses = ["192.0.2.11/24", "2001:db8::11/64"]
  down_adverts       = 5
  start_delay        = "20s"

  unicast {
    source  = "192.0.2.2"
    peers   = ["192.0.2.3", "198.51.100.3"]
    min_ttl = 250
  }
  track "file" "maintenance" {
    path = "/etc/director/maintenance"
    want = "absent"
    rise = 1
    fall = 1
  }
  track "file" "load" {
    path   = "/run/load"
    holds  = "number"
    weight = -2
  }
  track "interface" "eth1" {
    up_delay   = "30s"
    down_delay = "500ms"
  }
  track "process" "bird" {
    program  = "bird"
    max      = 1
    weight   = -20
    interval = "5s"
  }
  announce {
    times   = ["0s", "100ms", "1s"]
    refresh = "1m"
    spacing = "5ms"
  }
  hmac {
    mode   = "permissive"
    window = "10s"
    key "1" { file = "testdata/vrrp.key" }
    key "2" { file = "testdata/vrrp.key" }
  }
}

vrrp "old" {
  interface         = "eth1"
  virtual_router_id = 52
  version           = 2
  password          = "secret12"
  virtual_mac       = true
  addresses         = ["192.0.2.20/24"]
}

vrrp "monotonic" {
  interface         = "eth1"
  virtual_router_id = 53
  addresses         = ["fe80::20/64"]
  unicast { peers = ["fe80::3"] }
  hmac {
    active = 9
    replay = "monotonic"
    key "9" { file = "testdata/vrrp.key" }
  }
}
