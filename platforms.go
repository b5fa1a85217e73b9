package archbuild

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// choosePlatforms finds what to build for, and says where that came from: the
// flag, else archbuild.yaml, else DOCKER_DEFAULT_PLATFORM, else this machine.
func (o Options) choosePlatforms(configured []platform.Platform, host platform.Platform) ([]platform.Platform, string, error) {
	if len(o.Platforms) > 0 {
		list, err := parsePlatforms("--platform", o.Platforms, host)
		return list, "--platform", err
	}
	if len(configured) > 0 {
		return configured, "archbuild.yaml", nil
	}
	if value := o.Getenv("DOCKER_DEFAULT_PLATFORM"); value != "" {
		list, err := parsePlatforms("DOCKER_DEFAULT_PLATFORM", []string{value}, host)
		return list, "DOCKER_DEFAULT_PLATFORM", err
	}
	return []platform.Platform{host}, "this machine", nil
}

// parsePlatforms reads lists of platforms; "local" is this machine's, as in buildx.
func parsePlatforms(from string, texts []string, host platform.Platform) ([]platform.Platform, error) {
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
			return nil, &UsageError{fmt.Errorf("%s %s: %w", from, text, err), hintOf(err)}
		}
		for _, p := range list {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
