# One of each kind of mistake.
nod = "lb-a"

api {
  listen = "everywhere"
}

ipvs {
  resync  = 5
  on_stop = "kepp"
}

vrrp "front" {
  interface         = "eth0"
  virtual_router_id = 0
  priority          = "high"
  addresses         = ["192.0.2.300/24"]
}

vrrp "inside" {
  interface         = "eth1"
  virtual_router_id = 7
  addresses         = ["10.0.0.1/24"]
  track "virtual_server" "wbe" {}
  hook "master" { command = [] }
}

vrrp "inside2" {
  interface          = "eth1"
  virtual_router_id  = 7
  advertise_interval = "15ms"
  addresses          = ["10.0.0.2/24", "2001:db8::1/64"]
}

vrrp_sync_group "all" {
  groups = ["front", "insied"]
}

check "http" "healthz" {
  path          = "healthz"
  expect_status = ["2xx"]
  timeout       = "1"
}

virtual_server "web" {
  address   = "192.0.2.10:70000"
  scheduler = "wlcc"
  checks    = ["healthy"]

  real_server "10.0.0.11:80" { weight = -1 }
  real_server "10.0.0.12:80" { weigth = 1 }
  real_server "10.0.0.12:80" {}
  real_server "10.0.0.13" {
    check "tpc" {}
  }
}

virtual_server "web" {
  address = "192.0.2.11:80"
  forward = "dr"
  quorum  = 1.5
  real_server "10.0.0.11:8080" {}
}

virtual_server "api" {
  address = "192.0.2.11:80"
  real_server "2001:db8::11" {}
  check "script" { command = [""] }
}

virtual_server "dns" {
  address    = "192.0.2.12:53"
  protocol   = "udq"
  scheduler  = "mh"
  on_failure = "remove"
  persistence = "5m"
}

virtual_sever "mail" {}
