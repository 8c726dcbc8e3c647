# Locals, functions, conditions and dynamic blocks.
locals {
  count   = length(local.web)
  subnet  = "10.0.0.0/24"
  web     = [for n in range(11, 14) : address(local.subnet, n)]
  weights = { "10.0.1.1" = 5, "10.0.1.2" = 7 }
  text    = <<-EOT
    } a brace in a heredoc {
  EOT
}

node = upper("lb-${local.count}")

check "tcp" "alive" {
  interval = "${local.count}s"
  rise     = local.count > 2 ? 1 : null
  fall     = false ? 1 : null
}

virtual_server "web" {
  address = "192.0.2.10:80"
  checks  = ["alive"]
  dynamic "real_server" {
    for_each = local.web
    labels   = ["${real_server.value}:80"]
    content { weight = 10 + real_server.key }
  }
  dynamic "real_server" {
    for_each = local.weights
    iterator = "each"
    labels   = [each.key]
    content {
      weight = each.value
      dynamic "check" {
        for_each = [81, 82]
        labels   = ["tcp"]
        content { port = check.value }
      }
    }
  }
}
