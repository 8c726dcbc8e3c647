# What sorry servers cannot be.
check "tcp" "straight" {}

virtual_server "twice" {
  address      = "192.0.2.10:80"
  sorry_server = "10.0.0.98:80"
  sorry_server "10.0.0.99:80" {}
  real_server "10.0.0.11:80" {}
}

virtual_server "wrong" {
  address = "192.0.2.10:81"
  sorry_server "web" {}
  real_server "10.0.0.11:80" {}
}

virtual_server "real" {
  address = "192.0.2.10:82"
  sorry_server "10.0.0.11:80" {
    checks        = ["straight", "crooked"]
    drain_timeout = "8d"
    weight        = 2
  }
  real_server "10.0.0.11:80" {}
}

virtual_server "checks" {
  address = "192.0.2.10:83"
  sorry_server "10.0.0.99:80" {
    check "agent" { port = 5555 }
  }
  real_server "10.0.0.11:80" {}
}

virtual_server "none" {
  address = "192.0.2.10:84"
  sorry_server {}
  real_server "10.0.0.11:80" {}
}
