package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/archbuild/archbuild/platform"
)

// Level says which JSON object an annotation is written into.
type Level string

const (
	// LevelManifest is the manifest of a platform: BuildKit writes it, the
	// annotation changes the manifest's digest.
	LevelManifest Level = "manifest"
	// LevelDescriptor is the entry of a platform in the index.
	LevelDescriptor Level = "manifest-descriptor"
	// LevelIndex is the index.
	LevelIndex Level = "index"
	// LevelIndexDescriptor is the entry of the index in an OCI layout's index.json.
	LevelIndexDescriptor Level = "index-descriptor"
)

// Annotation is a remark on an image, as --annotation gives it.
type Annotation struct {
	Level Level
	// Platform it is for; the zero value means all.
	Platform   platform.Platform
	Key, Value string
}

// Annotations in the order they were given; a later one of the same key wins,
// one for a platform wins over one for all.
type Annotations []Annotation

var levelPattern = regexp.MustCompile(`^([a-z-]+)(?:\[([A-Za-z0-9_/.-]+)\])?$`)

// ParseAnnotations reads the texts of --annotation in buildx's syntax:
// KEY=VALUE (for every manifest) or LEVEL[,LEVEL…]:KEY=VALUE, where LEVEL may
// end in [PLATFORM]. What cannot be read is an *AnnotationError.
func ParseAnnotations(texts []string) (Annotations, error) {
	var all Annotations
	for _, text := range texts {
		if text == "" {
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, &AnnotationError{text, "has no ="}
		}
		levels, key, ok := strings.Cut(name, ":")
		if !ok {
			levels, key = string(LevelManifest), name
		}
		if key == "" || strings.ContainsFunc(key, unicode.IsSpace) {
			return nil, &AnnotationError{text, "the key is empty or holds a space"}
		}
		for _, level := range strings.Split(levels, ",") {
			a, err := parseLevel(level)
			if err != nil {
				return nil, &AnnotationError{text, err.Error()}
			}
			a.Key, a.Value = key, value
			all = append(all, a)
		}
	}
	return all, nil
}

// parseLevel reads LEVEL or LEVEL[PLATFORM].
func parseLevel(text string) (Annotation, error) {
	groups := levelPattern.FindStringSubmatch(text)
	if groups == nil {
		return Annotation{}, fmt.Errorf("%q is no level", text)
	}
	a := Annotation{Level: Level(groups[1])}
	switch a.Level {
	case LevelManifest, LevelDescriptor, LevelIndex, LevelIndexDescriptor:
	default:
		return a, fmt.Errorf("unknown level %q", groups[1])
	}
	if groups[2] == "" {
		return a, nil
	}
	if a.Level == LevelIndex || a.Level == LevelIndexDescriptor {
		return a, fmt.Errorf("the index is of all platforms, not of %s", groups[2])
	}
	var err error
	a.Platform, err = platform.Parse(groups[2])
	return a, err
}

// Check refuses annotations for a platform of which there is no image.
func (a Annotations) Check(there []platform.Platform) error {
	for _, one := range a {
		if one.Platform != (platform.Platform{}) && !slices.Contains(there, one.Platform) {
			text := fmt.Sprintf("%s[%s]:%s=%s", one.Level, one.Platform, one.Key, one.Value)
			return &AnnotationError{text, one.Platform.String() + " is not among the platforms"}
		}
	}
	return nil
}

// CheckPushed refuses annotations that a registry does not keep, for an index that
// goes nowhere else.
func (a Annotations) CheckPushed() error {
	i := slices.IndexFunc(a, func(one Annotation) bool { return one.Level == LevelIndexDescriptor })
	if i >= 0 {
		return &DescriptorError{a[i].Key}
	}
	return nil
}

// OfIndex are those of the index itself, by key.
func (a Annotations) OfIndex() map[string]string { return a.at(LevelIndex, platform.Platform{}) }

// HasLevel tells whether any annotation is of this level.
func (a Annotations) HasLevel(level Level) bool {
	return slices.ContainsFunc(a, func(one Annotation) bool { return one.Level == level })
}

// Exporter gives the attributes by which BuildKit's exporter writes the
// annotations of one platform's manifest.
func (a Annotations) Exporter(p platform.Platform) map[string]string {
	attrs := map[string]string{}
	for key, value := range a.at(LevelManifest, p) {
		attrs["annotation-manifest."+key] = value
	}
	return attrs
}

// at selects what is written at one level for one platform, nil if nothing is.
func (a Annotations) at(level Level, p platform.Platform) map[string]string {
	var selected map[string]string
	for _, want := range []platform.Platform{{}, {OS: p.OS, Arch: p.Arch, Variant: p.Variant}} {
		for _, one := range a {
			if one.Level != level || one.Platform != want {
				continue
			}
			if selected == nil {
				selected = map[string]string{}
			}
			selected[one.Key] = one.Value
		}
	}
	return selected
}
