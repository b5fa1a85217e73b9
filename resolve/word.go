package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Publishers that push one image for each architecture put its name into the
// repository's last part or into the tag: tool-amd64:1, tool:1-linux-x86_64,
// builder:arm64-1. The names are those of platform.Names; these are others met
// in real Dockerfiles.
var moreWords = []struct {
	platform platform.Platform
	words    []string
}{
	{platform.Platform{OS: "linux", Arch: "amd64"}, []string{"x86-64", "x64"}},
	{platform.Platform{OS: "linux", Arch: "386"}, []string{"x86", "386"}},
	{platform.Platform{OS: "linux", Arch: "arm64"}, []string{"armv8"}},
	{platform.Platform{OS: "linux", Arch: "arm", Variant: "v7"}, []string{"arm-v7", "arm", "armv7hf"}},
	{platform.Platform{OS: "linux", Arch: "arm", Variant: "v6"}, []string{"arm-v6", "arm"}},
	{platform.Platform{OS: "linux", Arch: "arm", Variant: "v5"}, []string{"arm-v5", "arm"}},
}

// words lists the names of a platform that occur in the names of images. The
// first four each have their place: Go's, the kernel's, Debian's, Docker's.
func words(p platform.Platform) []string {
	names := p.Names()
	list := []string{p.Arch + p.Variant, names.Uname, names.Debian, names.Prefix}
	for _, more := range moreWords {
		if more.platform == p {
			list = append(list, more.words...)
		}
	}
	return list
}

// wordNames lists the names that an image may have for a platform, when its
// name says that it is for another: one that it is for indeed. So a cross
// compiler's target in a name is left alone. The part of the name that says
// whose image it is never changes.
func wordNames(n name, want platform.Platform, is []platform.Platform) []candidate {
	if want.OS != "linux" {
		return nil
	}
	var list []candidate
	for _, from := range platform.All() {
		if from.OS != "linux" || from.Arch == want.Arch && from.Variant == want.Variant || !slices.ContainsFunc(is, from.Serves) {
			continue
		}
		for place, old := range words(from) {
			for _, to := range replacements(want, place) {
				use, ok := n.replace(old, to)
				if ok && use != n.written && !contains(list, use) {
					list = append(list, candidate{use, fmt.Sprintf("%s in the name becomes %s", old, to)})
				}
			}
		}
	}
	return list
}

// replacements lists the words of a platform and of the lower variants that run
// on it; of each first the one of the same place: x86_64 becomes aarch64.
func replacements(want platform.Platform, place int) []string {
	var list []string
	for _, p := range lower(want) {
		own := words(p)
		if place < len(own) && place < 4 {
			list = append(list, own[place])
		}
		list = append(list, own...)
	}
	var distinct []string
	for _, word := range list {
		if word != "" && !slices.Contains(distinct, word) {
			distinct = append(distinct, word)
		}
	}
	return distinct
}

// replace puts another word in the place of one that stands alone, in the tag
// and in the repository but its host and its first part, if it has several.
func (n name) replace(old, to string) (string, bool) {
	if old == "" {
		return "", false
	}
	start := 0
	if first, rest, ok := strings.Cut(n.written, "/"); ok {
		start = len(first) + 1
		if owner, _, more := strings.Cut(rest, "/"); isHost(first) && more {
			start += len(owner) + 1
		}
	}
	var b strings.Builder
	b.WriteString(n.written[:start])
	text, found := n.written[start:], false
	for i := 0; i < len(text); {
		if strings.HasPrefix(text[i:], old) && isEdge(text, i-1) && isEdge(text, i+len(old)) && !longer(text[i:], old) {
			b.WriteString(to)
			i += len(old)
			found = true
			continue
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String(), found
}

// isEdge tells whether a word can end before or begin after a place of a name.
func isEdge(text string, at int) bool {
	return at < 0 || at >= len(text) || strings.IndexByte("-_./:", text[at]) >= 0
}

// longer tells whether a longer word of architecture stands at the start of a
// text: x86_64 is no x86.
func longer(text, word string) bool {
	for _, p := range platform.All() {
		for _, other := range words(p) {
			if len(other) > len(word) && strings.HasPrefix(text, other) && isEdge(text, len(other)) {
				return true
			}
		}
	}
	return false
}
