# Name servers behind one address, by UDP and TCP, chosen by the client's
# address. A server that is down keeps its place in the table with weight 0.

locals {
  resolvers = { "10.0.0.21" = 1, "10.0.0.22" = 1, "10.0.0.23" = 2 }
}

scripts {
  user  = "director-script"
  paths = ["/usr/lib/director/checks"]
}

check "tcp" "port" {
  interval = "1s"
  timeout  = "500ms"
}

virtual_server "dns-udp" {
  address   = "192.0.2.11:53"
  protocol  = "udp"
  scheduler = "mh"
  checks    = ["port"]

  dynamic "real_server" {
    for_each = local.resolvers
    labels   = [real_server.key]
    content { weight = real_server.value }
  }
}

virtual_server "dns-tcp" {
  address   = "192.0.2.11:53"
  scheduler = "mh"
  checks    = ["port"]

  dynamic "real_server" {
    for_each = local.resolvers
    labels   = [real_server.key]
    content { weight = real_server.value }
  }
}
