# The shop for docker buildx bake. What compose.yaml leaves to the Dockerfiles is said by hand here: for each image of
# the shop that a Dockerfile names, a context with the target that makes it. archbuild reads this file as well:
#
#   cd examples/sockshop && archbuild -f docker-bake.hcl

group "default" {
  targets = [
    "edge-router", "front-end", "catalogue", "catalogue-db", "carts", "orders", "shipping", "queue-master", "payment", "user", "user-build", "msd-java",
  ]
}

target "shop" {
  platforms = ["linux/amd64", "linux/arm64"]
}

target "plain" {
  name     = service
  matrix   = { service = ["edge-router", "front-end", "catalogue", "payment"] }
  inherits = ["shop"]
  context  = "./${service}"
  tags     = ["sockshop/${service}:1.0"]
}

# What buildx makes of this one says arm64 and holds programs for amd64: it takes the base that there is, and warns.
target "catalogue-db" {
  inherits = ["shop"]
  context  = "./catalogue/db"
  tags     = ["sockshop/catalogue-db:1.0"]
}

target "msd-java" {
  inherits = ["shop"]
  context  = "./msd-java"
  tags     = ["sockshop/msd-java:jre-latest", "sockshop/msd-java:latest"]
}

target "java" {
  name     = service
  matrix   = { service = ["carts", "orders", "shipping", "queue-master"] }
  inherits = ["shop"]
  context  = "./${service}"
  contexts = {
    "sockshop/msd-java:jre-latest" = "target:msd-java"
    "sockshop/msd-java:latest"     = "target:msd-java"
  }
  tags = ["sockshop/${service}:1.0"]
}

target "user-build" {
  inherits = ["shop"]
  context  = "./user"
  tags     = ["sockshop/user-build:1.0"]
}

target "user" {
  inherits   = ["shop"]
  context    = "./user"
  dockerfile = "Dockerfile-release"
  contexts   = { "sockshop/user-build:1.0" = "target:user-build" }
  tags       = ["sockshop/user:1.0"]
}
