locals {
  a    = local.b
  b    = local.a
  web  = [for n in range(3) : "10.0.0.${n}"]
  many = lenght(local.web)
}

virtual_server "web" {
  address = "${local.vip}:80"
  dynamic "real_server" {
    for_each = "10.0.0.1"
    content {}
  }
  dynamic "real_server" {
    for_each = local.web
    labels   = [real_server.value]
    content { weight = real_server.kee }
  }
  dynamic "real_server" {
    for_each = local.a
    lables   = ["x"]
    content {}
  }
}

locals "x" {
  a = 1
  c { d = 1 }
}

dynamic "check" {
  for_each = [1]
  content {}
}

virtual_server "labels" {
  address = address("10.0.0.0/24", 1.5)
  dynamic {
    for_each = []
  }
  dynamic "real_server" {}
  dynamic "real_server" {
    for_each = []
    content {}
    content {}
  }
  dynamic "real_server" {
    for_each = [1]
    iterator = "1x"
    content {}
  }
  dynamic "real_server" {
    for_each = ["10.0.0.1"]
    labels   = [real_server.vale]
    content {}
  }
  dynamic "real_server" {
    for_each = [80]
    labels   = [real_server.value]
    content {}
  }
  fwmark = address("10.0.0.0", 300)
  family = address("10.0.0.0/24", 300)
  quorum = pow(10, 30)
}

virtual_server "many" {
  address = "192.0.2.1:80"
  quorum  = 1000000 * 1000000 * 1000000 * 1000000
  checks  = [local.a, "b"]
}
