// Package containers is the one door to the container engines that keep images
// for running: Docker and podman. It finds the one that this user works with,
// tells what its store can hold, and loads images into it.
//
// # Which engine
//
// The one that the docker command would talk to: $DOCKER_HOST, else the Docker
// context in $DOCKER_CONTEXT or config.json, else /var/run/docker.sock. Where there
// is no Docker at that last place, it is podman, if that is on PATH.
//
// # What a store holds
//
// Docker's classic store keeps one platform under a name. Its containerd image
// store keeps an index with all platforms, byte for byte, so the image has the same
// digest there as in a registry. Podman keeps every platform as an image, and a
// list of its own making that names them.
//
// # How an image travels
//
// Docker is spoken to over its HTTP API, so the docker command need not be there:
// by unix socket, tcp with or without TLS, or ssh. Podman is its command. Both get an
// archive while it is being written; no copy of it is put on disk here.
package containers
