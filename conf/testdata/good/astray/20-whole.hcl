# A brace in a string within a template: the cut goes astray, and the file is
# parsed as a whole.
node = "${"{"}"
virtual_server "web" {
  address = "192.0.2.10:80"
  real_server "10.0.0.11:80" { weight = 5 }
}
check "tcp" "alive" {}
