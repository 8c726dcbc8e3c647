ipvs {
  probe_marks = 4096
  sysctl { accept_local = true }
}

check "http" "page" {
  through = "forwarding"
  path    = "/healthz"
}

virtual_server "nat" {
  addresses = ["192.0.2.10:80", "192.0.2.11:80"]
  checks    = ["page"]
  real_server "10.0.0.1:8080" {
    check "tcp" {
      through = "forwarding"
      address = "192.0.2.11"
      source  = "10.0.0.254"
    }
  }
}

virtual_server "dr" {
  address = "192.0.2.12:443"
  forward = "dr"
  real_server "192.0.2.21" {
    check "tcp" {
      through = "forwarding"
      port    = 9000
    }
  }
  sorry_server "192.0.2.29" {
    checks = ["page"]
  }
}

virtual_server "tunnels" {
  address = "[2001:db8::1]:80"
  forward = "tun"
  checks  = ["page"]
  real_server "2001:db8:1::1" {
    tunnel "gue" {
      port            = 6080
      checksum        = true
      remote_checksum = true
    }
  }
  real_server "2001:db8:1::2" {
    weight = 9
    tunnel "gre" {}
  }
}
