node = "a"

nod = null

api {
  listen = "lb.example.com:9180"
}

locals {
  thousand = range(0, 1000)
  many     = setproduct(local.thousand, local.thousand, local.thousand)
}

virtual_server "huge" {
  address = "192.0.2.10:80"
  real_server "10.0.0.1:80" {
    weight = 1e100000000
  }
  real_server "10.0.0.2:80" {
    wieght = null
  }
}

virtual_server "strange" {
  address = "[::ffff:0.0.0.0]:80"
  real_server "[[10.0.0.1" {}
  real_server "[10.0.0.1]" {}
  real_server "10.0.0.1" {
    check "http" {
      expect_json_value = ["ok"]
    }
  }
}

virtual_server "mapped" {
  address = "192.0.2.12:80"
  real_server "[::ffff:0.0.0.0]:80" {}
}
