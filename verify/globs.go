package verify

import (
	"fmt"
	"path"
	"strings"
)

// glob is a pattern of Options.Allow, cut at its slashes.
type glob []string

// GlobError says that a pattern cannot be read.
type GlobError struct{ Pattern string }

func (e *GlobError) Error() string { return fmt.Sprintf("%q is no pattern of paths", e.Pattern) }

// Hint shows what one looks like.
func (e *GlobError) Hint() string {
	return "write a path of the image, for example /opt/vendor/** or /usr/local/bin/tool"
}

// CheckGlobs tells whether patterns can be read; the error is a *GlobError.
func CheckGlobs(patterns []string) error {
	_, err := parseGlobs(patterns)
	return err
}

// Allows gives the function that tells whether patterns of Options.Allow fit a path of an
// image; the error is a *GlobError.
func Allows(patterns []string) (func(name string) bool, error) {
	list, err := parseGlobs(patterns)
	return func(name string) bool { return matchAny(list, name) }, err
}

func parseGlobs(patterns []string) ([]glob, error) {
	var list []glob
	for _, pattern := range patterns {
		clean := strings.Trim(pattern, "/")
		g := glob(strings.Split(clean, "/"))
		for _, part := range g {
			if _, err := path.Match(part, "x"); err != nil || clean == "" {
				return nil, &GlobError{pattern}
			}
		}
		if !strings.Contains(pattern, "/") {
			g = append(glob{"**"}, g...)
		}
		list = append(list, g)
	}
	return list, nil
}

func matchAny(list []glob, name string) bool {
	parts := strings.Split(strings.Trim(name, "/"), "/")
	for _, g := range list {
		if g.match(parts) {
			return true
		}
	}
	return false
}

// match reports whether the glob fits the names, or the first of them: a folder
// allows what is in it. reach[i] tells whether the part of the glob read so far
// fits the first i names, so the work is bounded by the product of the lengths.
func (g glob) match(names []string) bool {
	reach := make([]bool, len(names)+1)
	reach[0] = true
	for _, part := range g {
		next := make([]bool, len(names)+1)
		for i, ok := range reach {
			switch {
			case !ok && !(part == "**" && i > 0 && next[i-1]):
			case part == "**":
				next[i] = true
			case i < len(names):
				if fits, err := path.Match(part, names[i]); err == nil && fits {
					next[i+1] = true
				}
			}
		}
		reach = next
	}
	for _, ok := range reach[1:] {
		if ok {
			return true
		}
	}
	return false
}
