node = "lb-a

virtual_server "web" {
  address = 
}
