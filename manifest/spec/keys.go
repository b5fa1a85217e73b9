package spec

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/util/suggest"
)

// keys are what a mapping may hold.
type keys struct {
	known []string
	// others are what people write for one of them.
	others map[string]string
	// elsewhere tells where a key that is known in another mapping belongs.
	elsewhere map[string]string
}

var specKeys = &keys{
	known:  []string{"image", "tags", "annotations", "manifests"},
	others: map[string]string{"name": "image", "target": "image", "additionaltags": "tags", "extratags": "tags", "images": "manifests", "sources": "manifests", "entries": "manifests"},
	elsewhere: map[string]string{
		"platform": "belongs to an item of manifests:", "architecture": "belongs under platform:, in an item of manifests:",
		"os": "belongs under platform:, in an item of manifests:",
	},
}

var entryKeys = &keys{
	known:  []string{"image", "platform"},
	others: map[string]string{"name": "image", "source": "image", "src": "image", "ref": "image", "reference": "image"},
	elsewhere: map[string]string{
		"os": "belongs under platform:", "architecture": "belongs under platform:", "arch": "belongs under platform:, as architecture",
		"variant": "belongs under platform:", "osversion": "belongs under platform:", "osfeatures": "belongs under platform:",
		"tags": "belongs to the whole spec, beside image: and manifests:", "annotations": "belongs to the whole spec, beside image: and manifests:",
	},
}

var platformKeys = &keys{
	known:  []string{"os", "architecture", "variant", "osversion", "osfeatures"},
	others: map[string]string{"arch": "architecture", "cpu": "architecture", "version": "osversion"},
}

// hint is what to say of a key: the nearest one, where it belongs, or what there is.
func (k *keys) hint(key string) string {
	plain := squash(key)
	if slices.Contains(k.known, plain) {
		return fmt.Sprintf("did you mean %s?", plain)
	}
	if name := k.others[plain]; name != "" {
		return fmt.Sprintf("did you mean %s?", name)
	}
	if where := k.elsewhere[plain]; where != "" {
		return fmt.Sprintf("%s %s", key, where)
	}
	// The distance takes time and memory by the length of the key.
	if len(key) <= 64 {
		if near, ok := suggest.Search(key, k.known, false); ok {
			return fmt.Sprintf("did you mean %s?", strings.ToLower(near))
		}
	}
	return "known keys: " + strings.Join(k.known, ", ")
}

// squash makes os.version, osVersion, os_version and OS-Version one word.
func squash(key string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, key)
}

// quote shows a text that may be long.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

func (k *keys) has(key string) bool { return slices.Contains(k.known, key) }
