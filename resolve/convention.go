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

// candidate is a name that convention gives an image.
type candidate struct{ use, rule string }

func contains(list []candidate, use string) bool {
	return slices.ContainsFunc(list, func(c candidate) bool { return c.use == use })
}

// officialNames lists the names under which an official image may exist for a
// platform, best first: in its own namespace, in those of lower variants that
// run on it, in legacy ones.
func officialNames(n name, want platform.Platform) []candidate {
	if !n.official() || n.pinned() {
		return nil
	}
	var list []candidate
	add := func(kind, prefix string) {
		if use := n.in(prefix); prefix != "" && !contains(list, use) {
			list = append(list, candidate{use, kind + " prefix " + prefix + "/"})
		}
	}
	add("official", want.Names().Prefix)
	for _, p := range lower(want) {
		add("official", p.Names().Prefix)
	}
	for _, legacy := range legacyPrefixes {
		if legacy.platform.Serves(want) {
			add("legacy", legacy.prefix)
		}
	}
	return list
}

// lower lists the platforms whose images run on one, the closest first.
func lower(want platform.Platform) []platform.Platform {
	list := slices.DeleteFunc(platform.All(), func(p platform.Platform) bool { return !p.Serves(want) })
	slices.SortStableFunc(list, func(a, b platform.Platform) int {
		switch {
		case a.Better(b, want):
			return -1
		case b.Better(a, want):
			return 1
		}
		return 0
	})
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
