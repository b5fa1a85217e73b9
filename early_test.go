package archbuild

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

func TestMistakesAreFoundBeforeAnythingIsBuilt(t *testing.T) {
	one := []service{{name: "app", targets: []plan.Target{{}}}}
	theirs := t.TempDir()
	if err := os.WriteFile(filepath.Join(theirs, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name     string
		opts     Options
		services []service
	}{
		{"a tag that is no name", Options{Tags: []string{"Bad Name"}}, one},
		{"a push to nowhere", Options{Outputs: []string{"type=image,push=true"}}, one},
		{"a push by digest to a tag", Options{Outputs: []string{"type=image,push=true,push-by-digest=true"}, Tags: []string{"r.example/a:1"}}, one},
		{"a time that is no number", Options{}, []service{{name: "app", targets: []plan.Target{{Args: map[string]string{"SOURCE_DATE_EPOCH": "today"}}}}}},
		{"two folders of one name with one tag", Options{Tags: []string{"r.example/{name}"}, Outputs: []string{"type=cacheonly"}}, []service{one[0], one[0]}},
		{"a layout into a folder of something else", Options{Outputs: []string{"type=oci,tar=false,dest=" + theirs}}, one},
		{"an archive into the JSON", Options{Outputs: []string{"type=oci,dest=-"}, StdoutUse: "--json"}, one},
	} {
		r, err := row.opts.check()
		if err != nil {
			t.Errorf("%s: found too early: %v", row.name, err)
			continue
		}
		if err := r.checkServices(row.services); !errors.As(err, new(*wrong.Usage)) {
			t.Errorf("%s: error %v", row.name, err)
		}
	}
}

func TestADiscardedOutputIsNoTerminal(t *testing.T) {
	fd, err := syscall.Open(os.DevNull, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	// As a shell's redirection leaves it.
	stdout := os.NewFile(uintptr(fd), "/dev/stdout")
	defer stdout.Close()
	if isTerminal(stdout) {
		t.Errorf("%s is taken for a terminal", os.DevNull)
	}
}

func TestATimeIsANumberOrTheNameOfWhatHasOne(t *testing.T) {
	parsed, err := template.Parse("Dockerfile", []byte("FROM scratch AS release\nADD https://example.org/file /\nFROM scratch\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := run{namedContexts: namedContexts{folders: map[string]string{"lib": "/lib"}, remote: map[string]string{"src": "https://example.org/src.git"}}}
	s := service{source: source{template: parsed}}
	for text, want := range map[string]bool{
		"": true, "1700000000": true, "-1": true, "context": true, "lib": true, "src": true, "release": true, "Release": true, "today": false, "other": false,
	} {
		err := r.checkEpoch(s, plan.Target{Args: map[string]string{"SOURCE_DATE_EPOCH": text}})
		if (err == nil) != want {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestNamedContextsHaveTheNameThatBuildKitKnows(t *testing.T) {
	folder := t.TempDir()
	named, err := parseContexts([]string{"docker.io/library/debian:latest=" + folder, "b=docker-image://alpine:3", "c=git@x.example:a/b"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"debian": folder}, named.folders); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"b": "docker-image://alpine:3", "c": "git@x.example:a/b"}, named.remote); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"x", "x=", "x=/no/such/folder", "x=oci-layout://y", "X=" + folder} {
		if _, err := parseContexts([]string{text}); !errors.As(err, new(*wrong.Usage)) {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

func TestCredentialsAreForTheRegistriesOfThePlanAndTheirMirrors(t *testing.T) {
	r := run{
		mirrors: map[string][]string{"docker.io": {"https://mirror.example:5000/hub"}, "other.example": {"unused.example"}},
		namedContexts: namedContexts{
			remote: map[string]string{"b": "docker-image://ctx.example/x:1", "c": "https://files.example/x"},
		},
	}
	p := plan.Plan{Syntax: "docker/dockerfile:1", Jobs: []plan.Job{
		{Bases: []plan.Base{{To: "debian:12"}, {To: "reg.example:5000/x:1"}}},
		{Args: map[string]string{"BUILDKIT_SYNTAX": "front.example/f:1 --flag"}},
	}}
	chooseFrontends(p, true)
	want := []string{"ctx.example", "front.example", "mirror.example:5000", "reg.example:5000", "registry-1.docker.io"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(r.access(p)))); diff != "" {
		t.Error(diff)
	}
}

func TestEachFailureOfAFolderKeepsItsHint(t *testing.T) {
	err := inService("app", errors.Join(&wrong.Usage{errors.New("a"), "do a"}, &wrong.Usage{errors.New("b"), "do b"}))
	var texts, hints []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		texts, hints = append(texts, e.Error()), append(hints, wrong.Hint(e))
	}
	if diff := cmp.Diff([]string{"app: a", "app: b"}, texts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"do a", "do b"}, hints); diff != "" {
		t.Error(diff)
	}
}
