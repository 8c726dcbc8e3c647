locals { port = 81 }
virtual_server "web" {
  address = "192.0.2.10:80"
  checks  = ["alive"]
  real_server "10.0.0.11:80" {}
}
