package engine

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/pelletier/go-toml/v2"
)

// ConfigWarnings names the keys of a buildkitd.toml that BuildKit does not know,
// one warning each, with line and what was probably meant. BuildKit passes over
// them, so that a policy with a slip of the pen is none. A file that cannot be
// read has no warnings: [LoadConfig] says what is wrong.
func ConfigWarnings(path string) []string {
	data, err := plainfile.Read(path, maxConfig)
	if path == "" || err != nil {
		return nil
	}
	var cfg Config
	var unknown *toml.StrictMissingError
	if !errors.As(toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&cfg), &unknown) {
		return nil
	}
	known := configKeys(reflect.TypeFor[Config](), nil)
	var out []string
	for i := range unknown.Errors {
		e := &unknown.Errors[i]
		line, _ := e.Position()
		key := strings.Join(e.Key(), ".")
		text := fmt.Sprintf("%s:%d: BuildKit has no key %s, and passes over it", path, line, key)
		if meant := nearestKey(e.Key(), known); meant != "" {
			text += "; did you mean " + meant + "?"
		}
		out = append(out, text)
	}
	return out
}

// configKeys lists the keys of a table as paths; a part that users name is "*".
func configKeys(t reflect.Type, below []string) [][]string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return configKeys(t.Elem(), below)
	case reflect.Map:
		return configKeys(t.Elem(), append(slices.Clone(below), "*"))
	case reflect.Struct:
	default:
		return nil
	}
	var out [][]string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			out = append(out, configKeys(f.Type, below)...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("toml"), ","); name != "" {
			path := append(slices.Clone(below), name)
			out = append(append(out, path), configKeys(f.Type, path)...)
		}
	}
	return out
}

// nearestKey is the key that differs from an unknown one in one part by a few
// letters, else one of the same name in another table.
func nearestKey(key []string, known [][]string) string {
	for i := range key {
		parent := func(k []string) bool { return len(k) > i && fits(key[:i], k[:i]) }
		if slices.ContainsFunc(known, func(k []string) bool { return parent(k) && fits(key[i:i+1], k[i:i+1]) }) {
			continue
		}
		var candidates []string
		for _, k := range known {
			if parent(k) && len(k) == i+1 {
				candidates = append(candidates, k[i])
			}
		}
		if near := nearest.Word(key[i], candidates); near != "" {
			return strings.Join(slices.Concat(key[:i], []string{near}, key[i+1:]), ".")
		}
		break
	}
	for _, k := range known {
		if len(key) > 0 && fits(key[len(key)-1:], k[len(k)-1:]) {
			return strings.ReplaceAll(strings.Join(k, "."), "*", "NAME")
		}
	}
	return ""
}

// fits says whether a key, or a part of one, is a known one. BuildKit does not
// look at upper and lower case.
func fits(key, known []string) bool {
	return slices.EqualFunc(key, known, func(a, b string) bool { return b == "*" || strings.EqualFold(a, b) })
}
