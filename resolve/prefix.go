package resolve

import (
	"slices"

	"github.com/archbuild/archbuild/platform"
)

// Docker's official images (docker.io/library/NAME) also exist once per
// architecture, as docker.io/PREFIX/NAME. The prefixes in use today are in
// platform.Names; these older ones are still met in Dockerfiles and still hold
// old tags. Source: docker-library/official-images, and its history.
var legacyPrefixes = []struct {
	prefix   string
	platform platform.Platform
}{
	{"aarch64", platform.Platform{OS: "linux", Arch: "arm64"}},
	{"armhf", platform.Platform{OS: "linux", Arch: "arm", Variant: "v7"}},
	{"armel", platform.Platform{OS: "linux", Arch: "arm", Variant: "v5"}},
	{"i686", platform.Platform{OS: "linux", Arch: "386"}},
	{"p31amd64", platform.Platform{OS: "linux", Arch: "amd64"}},
	{"p31arm64v8", platform.Platform{OS: "linux", Arch: "arm64"}},
}

// prefixes lists the namespaces that hold a platform's official images, best
// first: its own, those of lower variants that run on it, the legacy ones.
func prefixes(want platform.Platform) []string {
	var list []string
	add := func(prefix string) {
		if prefix != "" && !slices.Contains(list, prefix) {
			list = append(list, prefix)
		}
	}
	add(want.Names().Prefix)
	for _, p := range platform.All() {
		if p.Serves(want) {
			add(p.Names().Prefix)
		}
	}
	for _, legacy := range legacyPrefixes {
		if legacy.platform == want {
			add(legacy.prefix)
		}
	}
	return list
}

// isPrefix tells whether a namespace of Docker Hub holds official images of one platform.
func isPrefix(namespace string) bool {
	for _, p := range platform.All() {
		if prefix := p.Names().Prefix; prefix != "" && prefix == namespace {
			return true
		}
	}
	for _, legacy := range legacyPrefixes {
		if legacy.prefix == namespace {
			return true
		}
	}
	return false
}

// official tells whether an image follows the convention: an official image, or
// one of the per-architecture repositories of it.
func (n name) official() bool {
	namespace, ok := n.hub()
	return ok && (namespace == "library" || isPrefix(namespace))
}
