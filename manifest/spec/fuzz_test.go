package spec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/archbuild/archbuild/manifest/spec"
)

// FuzzParse promises that Parse always comes back, that what it reads in a file
// of one document is what manifest-tool reads there, and that a spec written as
// YAML is read as the same spec, without a word.
func FuzzParse(f *testing.F) {
	for _, source := range []string{
		full, one("tags: [1.0, ~]"), one("annotations: {a: ${VERSION}, b: $$}"), platform("os.version: 1"), platform("<<: {os: linux}"),
		"image: &i a:1\nmanifests: [{image: *i}]\n---\nimage: b:1\nmanifests: [{image: c, platform: {architecture: 386}}]\n",
		`{"image": "a:1", "manifests": [{"image": "b"}]}`, "image: a: b", "- a", one("annotations:\n  a: |\n    b\n  c: !!binary aGVsbG8="),
	} {
		f.Add([]byte(source), false)
	}
	f.Fuzz(func(t *testing.T, source []byte, strict bool) {
		specs, warnings, err := spec.Parse(source, spec.Options{Name: "f", Strict: strict, Env: environment})
		switch {
		case err != nil && specs != nil:
			t.Fatal("both specs and an error")
		case err == nil && len(specs) == 0:
			t.Fatal("neither specs nor an error")
		case strict && len(warnings) > 0:
			t.Fatal("a warning in spite of strictness")
		case err != nil:
			return
		}
		text := string(source)
		// The library forgets that a number in a mapping wins over one that is merged in.
		if len(specs) == 1 && !strings.Contains(text, "$") && !strings.Contains(text, "<<") && !strings.Contains(text, "---") && !strings.Contains(text, "...") {
			other, err := asManifestTool(text)
			if err != nil {
				t.Fatalf("manifest-tool does not read it: %v", err)
			}
			if diff := cmp.Diff(ignoring(other), ignoring(specs[0])); diff != "" {
				t.Fatal(diff)
			}
		}
		again, warnings, err := spec.Parse(printed(t, specs), spec.Options{Name: "f"})
		if err != nil {
			t.Fatalf("read once, but not twice: %v", err)
		}
		for i := range warnings {
			if !strings.Contains(warnings[i].Text, "is also a name") {
				t.Fatalf("warned of its own printing: %s", warnings[i])
			}
		}
		for i := range specs {
			if diff := cmp.Diff(ignoring(specs[i]), ignoring(again[i])); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// FuzzFromArgs promises that FromArgs always comes back, and that a template
// with each placeholder at most once gives the names that manifest-tool makes.
func FuzzFromArgs(f *testing.F) {
	f.Add("app:OS-ARCHVARIANT", "app:1", "1.0,2", "a=b,c=d")
	f.Add("app:ARCHIVE-ARCH", "r.example:5000/app", "x", "")
	f.Fuzz(func(t *testing.T, template, target, tags, annotations string) {
		args := spec.Args{Platforms: []string{"linux/amd64", "linux/arm/v7"}, Template: template, Target: target, Tags: []string{tags}, Annotations: []string{annotations}}
		s, warnings, err := spec.FromArgs(args)
		if err != nil {
			return
		}
		if len(s.Names()) == 0 {
			t.Fatal("an index without a name")
		}
		for _, name := range []string{"ARCH", "OS", "VARIANT"} {
			if strings.Count(template, name) > 1 {
				if len(warnings) == 0 {
					t.Fatal("it differs from manifest-tool, and not a word")
				}
				return
			}
		}
		got := []string{s.Entries[0].Image, s.Entries[1].Image}
		if diff := cmp.Diff([]string{first(template, "linux", "amd64", ""), first(template, "linux", "arm", "v7")}, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// printed writes specs as YAML.
func printed(t *testing.T, specs []spec.Spec) []byte {
	t.Helper()
	var out []byte
	for _, s := range specs {
		m := manifestTool{Image: s.Image, Tags: s.Tags, Annotations: s.Annotations}
		for _, e := range s.Entries {
			m.Manifests = append(m.Manifests, struct {
				Image    string
				Platform spec.Platform
			}{e.Image, e.Platform})
		}
		var node yaml.Node
		if err := node.Encode(m); err != nil {
			t.Fatal(err)
		}
		escape(&node, false)
		text, err := yaml.Marshal(&node)
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, "---\n"...), text...)
	}
	return out
}

// escape doubles each $ in values.
func escape(node *yaml.Node, key bool) {
	if node.Kind == yaml.ScalarNode && !key {
		node.Value = strings.ReplaceAll(node.Value, "$", "$$")
	}
	for i, child := range node.Content {
		escape(child, node.Kind == yaml.MappingNode && i%2 == 0)
	}
}
