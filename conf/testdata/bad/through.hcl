ipvs {
  sysctl { backup_only = true }
}

# The sorry server's own checks need the same.
virtual_server "sorry" {
  address = "192.0.2.19:80"
  forward = "dr"
  real_server "192.0.2.21" {}
  sorry_server "192.0.2.29" {
    check "tcp" { through = "forwarding" }
  }
}

check "tcp" "forwarded" {
  through = "forwarding"
}

virtual_server "needs-setting" {
  address = "192.0.2.10:80"
  forward = "dr"
  checks  = ["forwarded"]
  real_server "192.0.2.21" {}
}

virtual_server "nat" {
  address = "192.0.2.11:80"
  real_server "10.0.0.1:8080" {
    check "http" {
      through   = "forwarding"
      port      = 8081
      address   = "192.0.2.12"
      mark      = 5
      interface = "eth0"
    }
    check "tcp" {
      through = "tunnel"
    }
    check "tcp" {
      mark = 218103809
    }
    check "icmp" {
      through = "forwarding"
    }
  }
}

virtual_server "mark-alone" {
  fwmark = 7
  checks = ["forwarded"]
  real_server "10.0.0.1:80" {}
}

virtual_server "mark-of-checks" {
  addresses = ["192.0.2.13:80"]
  fwmark    = 218168831
  checks    = ["forwarded"]
  real_server "10.0.0.1:80" {}
}

virtual_server "families" {
  address = "[2001:db8::1]:80"
  forward = "tun"
  checks  = ["forwarded"]
  real_server "10.0.0.1:80" {}
  real_server "10.0.0.2:80" {
    check "tcp" {
      through = "forwarding"
      source  = "10.0.0.9"
    }
  }
}
