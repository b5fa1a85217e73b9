package outside

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// ParsePlatforms reads lists of platforms; "local" is this machine's, as in buildx.
func ParsePlatforms(from string, texts []string, host platform.Platform) ([]platform.Platform, error) {
	var all []platform.Platform
	for _, text := range texts {
		words := strings.Split(text, ",")
		for i, word := range words {
			if strings.TrimSpace(word) == "local" {
				words[i] = host.String()
			}
		}
		list, err := platform.ParseList(strings.Join(words, ","))
		if err != nil {
			return nil, &wrong.Usage{fmt.Errorf("%s %s: %w", from, text, err), wrong.Hint(err)}
		}
		for _, p := range list {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all, nil
}
