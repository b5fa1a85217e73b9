# What buildx is given: the same images, the order written by hand.
variable "OUT" { default = "." }
variable "REGISTRY" { default = "" }

group "default" {
  targets = ["base", "java", "on-java", "on-base"]
}

target "all" {
  platforms = ["linux/amd64", "linux/arm64"]
}

target "base" {
  inherits = ["all"]
  context  = "./base"
  tags     = ["${REGISTRY}bench/base:1"]
  output   = ["type=oci,dest=${OUT}/base.tar"]
}

target "java" {
  inherits = ["all"]
  context  = "./java"
  contexts = { "bench/base:1" = "target:base" }
  tags     = ["${REGISTRY}bench/java:1"]
  output   = ["type=oci,dest=${OUT}/java.tar"]
}

target "on-java" {
  name     = service
  matrix   = { service = ["carts", "orders", "shipping", "queue-master", "accounts", "search"] }
  inherits = ["all"]
  context  = "./${service}"
  contexts = { "bench/java:1" = "target:java" }
  tags     = ["${REGISTRY}bench/${service}:1"]
  output   = ["type=oci,dest=${OUT}/${service}.tar"]
}

target "on-base" {
  name     = service
  matrix   = { service = ["front-end", "edge-router", "catalogue", "catalogue-db", "payment", "user"] }
  inherits = ["all"]
  context  = "./${service}"
  contexts = { "bench/base:1" = "target:base" }
  tags     = ["${REGISTRY}bench/${service}:1"]
  output   = ["type=oci,dest=${OUT}/${service}.tar"]
}
