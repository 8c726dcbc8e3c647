node = "lb-a"
check "tcp" "alive" { port = local.port }
