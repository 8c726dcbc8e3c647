check "dns" "a" {
  name     = "a..b"
  type     = "AAA"
  protocol = "sctp"
  answer   = ["x"]
  empty    = true
}

check "dns" "b" {}
check "agent" "c" {}

check "file" "d" {
  path   = "maintenance"
  want   = "absent"
  expect = "x"
}

check "smtp" "e" { start_tsl = true }
check "imap" "f" { hello = "x" }
check "tcp" "g" {
  step {
    expect_regex = "("
    sent         = "x"
  }
}
check "certificate" "h" { min_valid = "-1s" }
check "redis" "i" { user = "x" }
check "ldap" "j" { dn = "x" }
check "radius" "k" { password = "x" }
check "radius" "l" {
  secret      = "x"
  secret_file = "testdata/empty.key"
}
check "redis" "m" { password_file = "/no/such/file" }
check "grpc" "o" {
  tls { cert_file = "/etc/cert.pem" }
}
check "redis" "n" { password_file = 7 }
check "tcp" "p" {
  fall   = 5
  window = 4
}
check "http" "q" {
  weight_header  = "X Weight"
  proxy_protocol = 3
}
virtual_server "hashed" {
  address   = "192.0.2.10:80"
  scheduler = "mh"
  check "agent" { port = 9999 }
  real_server "10.0.0.11:80" {}
}

check "http" "digest" {
  expect_body_sha256 = "2689367B"
  user               = "a:b"
  password           = "secret"
  weight_header      = "X-Weight"
  weight_body        = true
}

virtual_server "steps" {
  address = "192.0.2.11:80"
  check "http" { weight_step = 5 }
  real_server "10.0.0.11:80" {}
}
check "http" "versions" {
  http_version  = "3"
  max_redirects = 21
}
check "script" "arguments" {
  command   = ["/usr/lib/director/checks/ported"]
  arguments = "keepalived"
}
