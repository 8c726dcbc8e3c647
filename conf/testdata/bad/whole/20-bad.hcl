locals {
  a = "${"{"}"
}
check "tcp" "alive" {}
check "tcp" "dead" {
