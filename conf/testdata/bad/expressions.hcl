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
