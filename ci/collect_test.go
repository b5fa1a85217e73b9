package ci_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/platform"
)

// from is a record that came from a file of its platform's name.
func from(t *testing.T, p platform.Platform, fake func(*ci.Record)) ci.Sourced {
	t.Helper()
	r, _ := sealed(t, p, fake)
	return ci.Sourced{Record: r, From: ci.FileName(r.Name, p)}
}

func TestACompleteSetIsGivenInOrder(t *testing.T) {
	a, b, c := from(t, amd64, nil), from(t, arm64, nil), from(t, armv7, nil)
	again := from(t, arm64, func(r *ci.Record) { r.Seconds = 99 })
	old := from(t, armv7, func(r *ci.Record) { r.Run, r.Commit = "older", strings.Repeat("9", 40) })
	late := from(t, arm64, func(r *ci.Record) { r.Run = "late" })
	for _, row := range []struct {
		name    string
		records []ci.Sourced
		want    ci.Expected
		order   []platform.Platform
	}{
		{"in the order asked for", []ci.Sourced{b, c, a}, ci.Expected{Platforms: []platform.Platform{armv7, amd64, arm64}}, []platform.Platform{armv7, amd64, arm64}},
		{"in the order of archbuild.yaml", []ci.Sourced{c, b, a}, ci.Expected{}, []platform.Platform{amd64, arm64, armv7}},
		{"the very same record twice", []ci.Sourced{a, b, b, c}, ci.Expected{}, []platform.Platform{amd64, arm64, armv7}},
		{"a leg that ran twice and made the same image", []ci.Sourced{a, b, again, c}, ci.Expected{}, []platform.Platform{amd64, arm64, armv7}},
		{"one of an older commit that the plan keeps", []ci.Sourced{a, b, old}, ci.Expected{Kept: []digest.Digest{old.Digest}}, []platform.Platform{amd64, arm64, armv7}},
		{"one of an older run that the plan keeps", []ci.Sourced{a, b, old}, ci.Expected{Run: a.Run, Kept: []digest.Digest{old.Digest}}, []platform.Platform{amd64, arm64, armv7}},
		{"one that another run made just so", []ci.Sourced{a, late, b, c}, ci.Expected{Run: a.Run}, []platform.Platform{amd64, arm64, armv7}},
		{"of the right repository and inputs", []ci.Sourced{a, b, c}, ci.Expected{Repositories: []string{repository}, Inputs: a.Inputs.Digest}, []platform.Platform{amd64, arm64, armv7}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := ci.Collect(row.records, row.want)
			if err != nil {
				t.Fatal(err)
			}
			var order []platform.Platform
			for _, r := range got {
				order = append(order, r.Platform)
			}
			if diff := cmp.Diff(row.order, order); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNoSetIsRefused(t *testing.T) {
	a, b, c := from(t, amd64, nil), from(t, arm64, nil), from(t, armv7, nil)
	two := ci.Expected{Platforms: []platform.Platform{amd64, arm64}}
	unknown := func(p platform.Platform) ci.Sourced { return from(t, p, func(r *ci.Record) { r.Set = nil }) }
	for _, row := range []struct {
		name    string
		records []ci.Sourced
		want    ci.Expected
		err     any
		text    string
	}{
		{"one is missing", []ci.Sourced{a, c}, ci.Expected{}, new(*ci.IncompleteError), "no record for linux/arm64 (there are linux/amd64, linux/arm/v7)"},
		{"there is none", nil, two, new(*ci.IncompleteError), "no record for linux/amd64, linux/arm64 (there is none at all)"},
		{"one is of another image", []ci.Sourced{a, b, from(t, arm64, func(r *ci.Record) {
			r.Image.Digest, r.Attestations = digest.FromString("other"), nil
		})}, two, new(*ci.DuplicateError), "two images for linux/arm64"},
		{"one is of another platform", []ci.Sourced{a, b, c}, two, new(*ci.UnexpectedError), "is for linux/arm/v7, which is not among linux/amd64, linux/arm64"},
		{"one is of another commit", []ci.Sourced{a, from(t, arm64, func(r *ci.Record) { r.Commit = strings.Repeat("9", 40) })}, two, new(*ci.MixedError), "another commit (999999999999, not 012345678901)"},
		{"one is of another run than was asked for", []ci.Sourced{a, from(t, arm64, func(r *ci.Record) { r.Run = "late" })}, ci.Expected{Platforms: two.Platforms, Run: a.Run}, new(*ci.MixedError), "another run (late, not "},
		{"one has other inputs", []ci.Sourced{a, from(t, arm64, func(r *ci.Record) {
			r.Inputs = ci.NewInputs(map[string]digest.Digest{ci.PartFiles: r.Inputs.Parts[ci.PartFiles]})
		})}, two, new(*ci.MixedError), "other inputs (arguments, context)"},
		{"all have other inputs than planned", []ci.Sourced{a, b}, ci.Expected{Platforms: two.Platforms, Inputs: digest.FromString("plan")}, new(*ci.MixedError), "other inputs than the plan"},
		{"one is of another service", []ci.Sourced{a, from(t, arm64, func(r *ci.Record) { r.Name = "web" })}, two, new(*ci.MixedError), "another service (web, not app)"},
		{"one has other annotations", []ci.Sourced{a, from(t, arm64, func(r *ci.Record) { r.Index.Annotations = nil })}, two, new(*ci.MixedError), "other annotations"},
		{"one is in another repository", []ci.Sourced{a, from(t, arm64, func(r *ci.Record) { r.Repositories = []string{"registry.example/evil"} })},
			ci.Expected{Platforms: two.Platforms, Repositories: []string{repository}}, new(*ci.RepositoryError), "in registry.example/evil, not in registry.example/app"},
		{"nobody says what the set is", []ci.Sourced{unknown(arm64), unknown(amd64)}, ci.Expected{}, new(*ci.UnknownSetError), "which platforms the image must have is not known"},
		{"two say so differently", []ci.Sourced{a, from(t, arm64, func(r *ci.Record) { r.Set = []platform.Platform{arm64} })}, ci.Expected{}, new(*ci.MixedError), "the platforms that archbuild.yaml names"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := ci.Collect(row.records, row.want)
			if got != nil || err == nil || !errors.As(err, row.err) || !strings.Contains(err.Error(), row.text) {
				t.Fatalf("got  %v\nwant %s", err, row.text)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || hinted.Hint() == "" {
				t.Error("without a hint")
			}
		})
	}
}

func TestAllThatIsWrongIsTold(t *testing.T) {
	records := []ci.Sourced{from(t, armv7, nil), from(t, arm64, func(r *ci.Record) { r.Repositories = []string{"registry.example/evil"} })}
	_, err := ci.Collect(records, ci.Expected{Platforms: []platform.Platform{amd64, arm64}, Repositories: []string{repository}})
	for _, want := range []any{new(*ci.UnexpectedError), new(*ci.RepositoryError), new(*ci.IncompleteError)} {
		if !errors.As(err, want) {
			t.Errorf("%T is not among %v", want, err)
		}
	}
}
