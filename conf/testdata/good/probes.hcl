# Every kind of check.
node = "lb-a"

check "tcp" "redis" {
  port = 6379
  step {
    send   = "PING\r\n"
    expect = "+PONG"
  }
  step { send = "QUIT\r\n" }
}

check "tcp" "shaky" {
  rise           = 8
  fall           = 3
  window         = 10
  damping_falls  = 4
  damping_within = "10m"
}

check "tcp" "tls" {
  tls { server_name = "www.example.net" }
  step { expect_regex = "^SSH-2" }
}

check "udp" "echo" {
  send   = "hello"
  expect = "hello"
}

check "dns" "resolver" {
  name     = "www.example.net"
  type     = "AAAA"
  protocol = "tcp"
  answer   = ["2001:db8::80"]
}

check "https" "modern" {
  port          = 8443
  http_version  = "2"
  max_redirects = 2
}

check "certificate" "renewed" {
  port      = 443
  min_valid = "168h"
}

check "agent" "load" {
  port = 9999
  send = "state\n"
}

check "file" "maintenance" {
  path = "/etc/director/maintenance"
  want = "absent"
}

check "smtp" "mail" {
  start_tls = true
  hello     = "lb-a.example.net"
}

check "imap" "mailbox" {
  port = 993
  tls { verify = "none" }
}

check "pop" "pop" {}
check "ftp" "ftp" { port = 21 }
check "nntp" "news" { source = "10.0.0.1" }

virtual_server "all" {
  address = "192.0.2.10:80"
  checks  = ["redis", "shaky", "tls", "echo", "resolver", "renewed", "modern", "load", "maintenance", "mail", "mailbox", "pop", "ftp", "news"]
  real_server "10.0.0.11:80" { weight = 7 }
}

check "redis" "cache" { password = "secret" }
check "mysql" "db" { user = "director" }
check "pgsql" "db2" { database = "app" }
check "ldap" "directory" {
  dn       = "cn=director"
  password = "secret"
  tls {}
}
check "radius" "login" {
  secret   = "shared"
  user     = "probe"
  password = "secret"
}
check "sip" "phone" {}
check "grpc" "api" { service = "api.v1" }

virtual_server "services" {
  address = "192.0.2.10:81"
  checks  = ["cache", "db", "db2", "directory", "login", "phone", "api"]
  real_server "10.0.0.11:80" { weight = 7 }
}

check "http" "ready" {
  expect_json       = "databases.0.state"
  expect_json_value = ["up", "starting"]
  weight_header     = "X-Weight"
  proxy_protocol    = 2
}
check "script" "old" {
  command     = ["/usr/lib/director/checks/old"]
  exit_status = "keepalived"
}
check "script" "ported" {
  command   = ["/usr/lib/director/checks/ported", "-v"]
  arguments = "ldirectord"
}
check "script" "load_by_script" {
  command        = ["/usr/lib/director/checks/load"]
  exit_status    = "nagios"
  dynamic_weight = true
}
check "tcp" "behind" { proxy_protocol = 1 }

virtual_server "weighed" {
  address = "192.0.2.10:82"
  checks  = ["ready", "old", "ported", "load_by_script", "behind"]
  real_server "10.0.0.11:80" { weight = 7 }
}

check "https" "page" {
  expect_body_sha256 = "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df"
  user               = "director"
  password           = "secret"
  weight_body        = true
  weight_step        = 10
}

virtual_server "by_mark" {
  fwmark = 7
  checks = ["ported"]
  real_server "10.0.0.11" {}
  hook "stop" { command = ["/usr/lib/director/checks/withdraw"] }
}
