package spec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/archbuild/archbuild/manifest/spec"
)

// manifestTool is what manifest-tool 2.2 decodes a file into, by the names of
// the keys, with the same library.
type manifestTool struct {
	Image       string
	Tags        []string
	Annotations map[string]string
	Manifests   []struct {
		Image    string
		Platform spec.Platform
	}
}

func asManifestTool(source string) (spec.Spec, error) {
	var m manifestTool
	err := yaml.Unmarshal([]byte(source), &m)
	s := spec.Spec{Image: m.Image, Tags: m.Tags, Annotations: m.Annotations}
	for _, e := range m.Manifests {
		s.Entries = append(s.Entries, spec.Entry{Image: e.Image, Platform: e.Platform})
	}
	return s, err
}

// ignoring drops places, and makes nothing and an empty list the same.
func ignoring(s spec.Spec) spec.Spec {
	s.Line = 0
	if len(s.Tags) == 0 {
		s.Tags = nil
	}
	if len(s.Annotations) == 0 {
		s.Annotations = nil
	}
	var entries []spec.Entry
	for _, e := range s.Entries {
		e.Line, e.Column = 0, 0
		if len(e.Platform.OSFeatures) == 0 {
			e.Platform.OSFeatures = nil
		}
		entries = append(entries, e)
	}
	s.Entries = entries
	return s
}

func environment(name string) (string, bool) {
	value, ok := map[string]string{"VERSION": "1.2", "EMPTY": "", "NESTED": "${VERSION}"}[name]
	return value, ok
}

func parse(source string) ([]spec.Spec, []spec.Warning, error) {
	return spec.Parse([]byte(source), spec.Options{Name: "app.yaml", Env: environment})
}

// one wraps the lines of a spec's other keys into a whole spec.
func one(lines ...string) string {
	return "image: r.example/app:1\nmanifests: [{image: r.example/app:1-amd64}]\n" + strings.Join(lines, "\n") + "\n"
}

const full = `# the file of the documentation
image: registry:5000/repo:tag
tags: ["1.0", "1"]
annotations: {k: v}
manifests:
  - image: registry:5000/repo:arm64
    platform:
      architecture: arm64
      os: linux
      variant: v8
      osversion: 10.0.17763.1
      osfeatures: [win32k]
  - image: registry:5000/repo@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    platform:
      architecture: 386
  -
    image: registry:5000/other
`

func TestEverythingWrittenIsRead(t *testing.T) {
	got, warnings, err := parse(full)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := []spec.Spec{{
		Image:       "registry:5000/repo:tag",
		Tags:        []string{"1.0", "1"},
		Annotations: map[string]string{"k": "v"},
		Line:        2,
		Entries: []spec.Entry{
			{Image: "registry:5000/repo:arm64", Line: 6, Column: 5, Platform: spec.Platform{
				OS: "linux", Architecture: "arm64", Variant: "v8", OSVersion: "10.0.17763.1", OSFeatures: []string{"win32k"},
			}},
			{
				Image: "registry:5000/repo@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
				Line:  13, Column: 5, Platform: spec.Platform{Architecture: "386"},
			},
			{Image: "registry:5000/other", Line: 17, Column: 5},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAFileIsReadAsManifestToolReadsIt(t *testing.T) {
	for _, c := range []struct{ saying, source string }{
		{"the documented example", full},
		{"numbers as tags keep their text", one("tags: [1.0, 1, 1.10, 0x10, 1e3, 2024-01-01, true, 1_000]")},
		{"quoted tags", one(`tags: ["1.0", '2', "\u0061"]`)},
		{"a block list of tags", one("tags:\n  - a\n  - b")},
		{"a list not indented", one("tags:\n- a\n- b")},
		{"no tags", one("tags: []")},
		{"tags left out", one("tags:")},
		{"annotations left out", one("annotations: ~")},
		{"annotations that are numbers and truths", one("annotations: {a: 1.0, b: yes, 3: null, d: 2024-01-01}")},
		{"an annotation over several lines", one("annotations:\n  a: |\n    one\n    two\n  b: >-\n    one\n    two")},
		{"a platform left out", "image: a:1\nmanifests:\n- image: b\n  platform:\n"},
		{"a part of a platform", "image: a:1\nmanifests:\n- image: b\n  platform: {variant: v7}\n"},
		{"an architecture that is a number", "image: a:1\nmanifests:\n- image: b\n  platform: {architecture: 386, os: linux}\n"},
		{"a version of the system that is a number", "image: a:1\nmanifests:\n- image: b\n  platform: {osversion: 10.0}\n"},
		{"an anchor and an alias", "image: &i a:1\nmanifests:\n- image: *i\n"},
		{"a list behind an alias", one("x-tags: &t [a, b]", "tags: *t")},
		{"a merge key", "image: a:1\nmanifests:\n- &one\n  image: b\n  platform: &p {os: linux, architecture: arm}\n- image: c\n  platform: {<<: *p, variant: v7}\n- <<: *one\n  image: d\n"},
		{"a merge of a list, the first one winning", "image: a:1\nx: &x {os: one, variant: v1}\ny: &y {os: two, architecture: y}\nmanifests:\n- image: b\n  platform:\n    <<: [*x, *y]\n"},
		{"a merge within a merge", "image: a:1\nx: &x {os: one, variant: v1}\ny: &y {<<: *x, os: two}\nmanifests:\n- image: b\n  platform:\n    architecture: z\n    <<: *y\n"},
		{"a merge of annotations", one("x: &x {a: 1, b: 2}", "annotations: {<<: *x, b: 3}")},
		{"a quoted << is a key", one(`annotations: {"<<": x}`)},
		{"an empty item of a list", one("tags: [a, ~, b, null, ]", "annotations: {}")},
		{"an empty entry", "image: a:1\nmanifests:\n- image: b\n-\n"},
		{"binary text", one("annotations: {a: !!binary aGVsbG8=}")},
		{"an explicit tag", one(`tags: [!!str 1.0, !!int "7"]`)},
		{"unknown keys", one("services: {a: [b, c]}", "x: {a: 1, a: 2}")},
		{"keys in another case", "Image: b\n" + one("TAGS: [a]")},
		{"the traps of osversion", "image: a:1\nmanifests:\n- image: b\n  platform: {os: windows, os.version: 1, osVersion: 2, os_version: 3}\n"},
		{"JSON", `{"image": "a:1", "manifests": [{"image": "b", "platform": {"os": "linux", "architecture": "amd64"}}]}`},
		{"Windows line ends", strings.ReplaceAll(full, "\n", "\r\n")},
		{"a byte order mark", "\ufeff" + full},
		{"a document with its marks", "---\n" + full + "...\n"},
		{"a directive", "%YAML 1.1\n---\n" + full},
		{"a dollar that begins nothing", one(`annotations: {price: "5$", a: $HOME, b: "$(x)"}`)},
	} {
		want, err := asManifestTool(c.source)
		if err != nil {
			t.Errorf("%s: manifest-tool does not read it: %v", c.saying, err)
			continue
		}
		got, _, err := parse(c.source)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v %v", c.saying, got, err)
			continue
		}
		if diff := cmp.Diff(ignoring(want), ignoring(got[0])); diff != "" {
			t.Errorf("%s: %s", c.saying, diff)
		}
	}
}

func TestVariablesComeFromTheEnvironment(t *testing.T) {
	for _, c := range []struct{ saying, written, want string }{
		{"a variable", "${VERSION}", "1.2"},
		{"two and some text", "a${VERSION}b${VERSION}c", "a1.2b1.2c"},
		{"an empty one", "[${EMPTY}]", "[]"},
		{"a variable in a value of one is text", "${NESTED}", "${VERSION}"},
		{"two dollars are one", "5$$", "5$"},
		{"two dollars before a brace", "$${VERSION}", "${VERSION}"},
		{"three dollars before a brace", "$$${VERSION}", "$1.2"},
		{"a dollar alone stays", "$VERSION $ $(x)", "$VERSION $ $(x)"},
	} {
		got, _, err := parse(one(`annotations: {"${KEY}": '` + c.written + `'}`))
		if err != nil {
			t.Errorf("%s: %v", c.saying, err)
			continue
		}
		if diff := cmp.Diff(map[string]string{"${KEY}": c.want}, got[0].Annotations); diff != "" {
			t.Errorf("%s: %s", c.saying, diff)
		}
	}
	got, _, err := parse("image: app:${VERSION}\ntags: [\"${VERSION}.1\"]\nmanifests:\n- image: app:${VERSION}-amd64\n  platform: {osversion: \"${VERSION}\", osfeatures: [\"${VERSION}\"]}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := spec.Spec{Image: "app:1.2", Tags: []string{"1.2.1"}, Entries: []spec.Entry{{
		Image: "app:1.2-amd64", Platform: spec.Platform{OSVersion: "1.2", OSFeatures: []string{"1.2"}},
	}}}
	if diff := cmp.Diff(want, ignoring(got[0])); diff != "" {
		t.Errorf("variables in every kind of value: %s", diff)
	}
}

func TestEachDocumentIsASpec(t *testing.T) {
	got, warnings, err := parse("---\nimage: a:1\nmanifests: [{image: x}]\n---\n# nothing\n---\nimage: b:1\nmanifests: [{image: y}]\n---\n")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := []spec.Spec{
		{Image: "a:1", Line: 2, Entries: []spec.Entry{{Image: "x", Line: 3, Column: 13}}},
		{Image: "b:1", Line: 7, Entries: []spec.Entry{{Image: "y", Line: 8, Column: 13}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheNamesOfAnIndex(t *testing.T) {
	for _, c := range []struct {
		saying string
		spec   spec.Spec
		want   []string
	}{
		{"its own and its tags", spec.Spec{Image: "r.example:5000/a/app:1", Tags: []string{"2", "3"}}, []string{"r.example:5000/a/app:1", "r.example:5000/a/app:2", "r.example:5000/a/app:3"}},
		{"a short name in full", spec.Spec{Image: "app:1"}, []string{"docker.io/library/app:1"}},
		{"each once", spec.Spec{Image: "app:1", Tags: []string{"1", "2", "2"}}, []string{"docker.io/library/app:1", "docker.io/library/app:2"}},
		{"tags only", spec.Spec{Image: "r.example/app", Tags: []string{"1"}}, []string{"r.example/app:1"}},
		{"nothing", spec.Spec{}, nil},
	} {
		if diff := cmp.Diff(c.want, c.spec.Names()); diff != "" {
			t.Errorf("%s: %s", c.saying, diff)
		}
	}
}

func TestUnknownKeysNameTheRightOne(t *testing.T) {
	for _, c := range []struct{ saying, source, where, key, hint string }{
		{"a dot", platform("os.version: 1"), "5:5", "os.version", "did you mean osversion?"},
		{"camel case", platform("osVersion: 1"), "5:5", "osVersion", "did you mean osversion?"},
		{"an underscore", platform("os_version: 1"), "5:5", "os_version", "did you mean osversion?"},
		{"a hyphen", platform("os-version: 1"), "5:5", "os-version", "did you mean osversion?"},
		{"features with a dot", platform("os.features: [x]"), "5:5", "os.features", "did you mean osfeatures?"},
		{"a short form", platform("arch: arm64"), "5:5", "arch", "did you mean architecture?"},
		{"a slip", platform("vriant: v8"), "5:5", "vriant", "did you mean variant?"},
		{"capitals", platform("OS: linux"), "5:5", "OS", "did you mean os?"},
		{"no key at all", platform("memory: 5"), "5:5", "memory", "known keys: os, architecture, variant, osversion, osfeatures"},
		{"a platform's key outside of it", "image: a:1\nmanifests:\n- image: b\n  os: linux\n", "4:3", "os", "os belongs under platform:"},
		{"tags of an entry", "image: a:1\nmanifests:\n- image: b\n  tags: [c]\n", "4:3", "tags", "tags belongs to the whole spec, beside image: and manifests:"},
		{"one tag", one("tag: x"), "3:1", "tag", "did you mean tags?"},
		{"another word for manifests", one("images: []"), "3:1", "images", "did you mean manifests?"},
		{"a key that a merge brings", platform("<<: {oss: x}"), "5:10", "oss", "did you mean os?"},
	} {
		specs, warnings, err := parse(c.source)
		if err != nil || len(specs) != 1 || len(warnings) != 1 {
			t.Errorf("%s: %v %v %v", c.saying, specs, warnings, err)
			continue
		}
		if got, want := warnings[0].String(), fmt.Sprintf("app.yaml:%s: unknown key %q has no effect", c.where, c.key); got != want {
			t.Errorf("%s: warned %s, want %s", c.saying, got, want)
		}
		if warnings[0].Hint() != c.hint {
			t.Errorf("%s: hint %q, want %q", c.saying, warnings[0].Hint(), c.hint)
		}
		_, warnings, err = spec.Parse([]byte(c.source), spec.Options{Name: "app.yaml", Strict: true})
		if want := fmt.Sprintf("app.yaml:%s: unknown key %q", c.where, c.key); err == nil || err.Error() != want || len(warnings) > 0 {
			t.Errorf("%s, strict: %v %v, want %s", c.saying, warnings, err, want)
		}
		var hinted interface{ Hint() string }
		if !errors.As(err, &hinted) || hinted.Hint() != c.hint {
			t.Errorf("%s, strict: no hint %q", c.saying, c.hint)
		}
	}
}

// platform is a spec whose line 5 is in a platform.
func platform(line string) string {
	return "image: a:1\nmanifests:\n- image: b\n  platform:\n    " + line + "\n"
}

func TestOtherWarnings(t *testing.T) {
	for _, c := range []struct{ saying, source, want string }{
		{"an empty item", one("tags: [a, ~]"), "app.yaml:3:11: an empty item is left out"},
		{"a key without a name", one("annotations: {~: a}"), "app.yaml:3:15: a key without a name has no effect"},
		{
			"two specs for one name", "image: a:1\nmanifests: [{image: x}]\n---\nimage: docker.io/library/a:2\ntags: [1]\nmanifests: [{image: y}]\n",
			"app.yaml:4:1: docker.io/library/a:1 is also a name of the spec on line 1; this one comes later and keeps it",
		},
	} {
		_, warnings, err := parse(c.source)
		if err != nil || len(warnings) != 1 || warnings[0].String() != c.want || warnings[0].Hint() == "" {
			t.Errorf("%s: %v %v", c.saying, warnings, err)
		}
		if _, _, err := spec.Parse([]byte(c.source), spec.Options{Name: "app.yaml", Strict: true}); err == nil || err.Error() != c.want {
			t.Errorf("%s, strict: %v", c.saying, err)
		}
	}
}
