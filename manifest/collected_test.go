package manifest_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
)

// pushedEntry pushes a result by digest, as a leg of a matrix does, and gives its entry.
func (s stored) pushedEntry(repo string, annotations []string, r manifest.Result) manifest.Entry {
	s.t.Helper()
	x := s.assemble(annotations, r)
	if _, err := x.Push(s.t.Context(), client(), []string{repo}, manifest.PushOptions{ByDigest: true}); err != nil {
		s.t.Fatal(err)
	}
	return x.Entries()[0]
}

// TestACollectionIsWhatOneRunMakes: images that were pushed one by one give the very bytes of an index that is assembled at once.
func TestACollectionIsWhatOneRunMakes(t *testing.T) {
	r := registrytest.Start(t, registrytest.Memory)
	for _, row := range []struct {
		name        string
		annotations []string
		profile     manifest.Profile
	}{
		{"plain", nil, manifest.InIndex},
		{"with annotations", []string{"index:team=blue", "index:a=b", "manifest-descriptor[linux/arm64]:board=pi", "manifest-descriptor:all=yes"}, manifest.InIndex},
		{"without attestations", nil, manifest.NoAttestations},
		{"with attestations beside it", nil, manifest.Split},
		{"with attestations as referrers", []string{"index:team=blue"}, manifest.AsReferrers},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStore(t)
			repo := r.Addr + "/app"
			results := []manifest.Result{s.result(armV7, s.attested(armV7, "c")), s.result(amd64, s.attested(amd64, "a")), s.result(arm64, s.simple(arm64, "b"))}
			annotations, err := manifest.ParseAnnotations(row.annotations)
			if err != nil {
				t.Fatal(err)
			}
			want, err := manifest.Assemble(t.Context(), s.Store, results, annotations, row.profile)
			if err != nil {
				t.Fatal(err)
			}
			from := manifest.Collection{Repository: repo, Annotations: annotations.OfIndex(), Attestations: row.profile}
			for _, result := range results {
				from.Entries = append(from.Entries, s.pushedEntry(repo, row.annotations, result))
			}
			got, err := manifest.Collect(t.Context(), client(), from)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			if string(got.Bytes) != string(want.Bytes) {
				t.Errorf("collected:\n%s\nassembled:\n%s", got.Bytes, want.Bytes)
			}
			if _, err := got.Push(t.Context(), client(), []string{repo + ":1"}, manifest.PushOptions{}); err != nil {
				t.Fatal(err)
			}
			if now, err := registrytest.Digest(r.Addr, "app", "1"); now != want.Descriptor.Digest.String() {
				t.Errorf("the tag names %q, %v", now, err)
			}
		})
	}
}

// TestWhatIsNotInTheRepositoryIsNotCollected: an entry is a stranger's word.
func TestWhatIsNotInTheRepositoryIsNotCollected(t *testing.T) {
	r := registrytest.Start(t, registrytest.Memory)
	s := newStore(t)
	repo := r.Addr + "/app"
	honest := s.pushedEntry(repo, nil, s.result(arm64, s.simple(arm64, "b")))
	for _, row := range []struct {
		name string
		fake func(*manifest.Entry)
		err  any
	}{
		{"an image that is not there", func(e *manifest.Entry) { e.Image.Digest = digest.FromString("x") }, new(*registry.Error)},
		{"another size", func(e *manifest.Entry) { e.Image.Size++ }, new(*manifest.NoImageError)},
		{"another platform", func(e *manifest.Entry) { p := amd64.OCI(); e.Image.Platform = &p }, new(*manifest.LabelError)},
	} {
		t.Run(row.name, func(t *testing.T) {
			entry := honest
			row.fake(&entry)
			_, err := manifest.Collect(t.Context(), client(), manifest.Collection{Repository: repo, Entries: []manifest.Entry{entry}})
			if !errors.As(err, row.err) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestATagMovesOnlyIfItIsWhatItWas: each tag by what it named when somebody looked.
func TestATagMovesOnlyIfItIsWhatItWas(t *testing.T) {
	r := registrytest.Start(t, registrytest.Memory)
	s := newStore(t)
	repo := r.Addr + "/app"
	first := s.two()
	if _, err := first.Push(t.Context(), client(), []string{repo + ":1"}, manifest.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, row := range []struct {
		name  string
		was   map[string]digest.Digest
		moves bool
	}{
		{"it named nothing", map[string]digest.Digest{repo + ":1": ""}, false},
		{"it named something else", map[string]digest.Digest{repo + ":1": digest.FromString("x"), repo + ":2": ""}, false},
		{"it named this, and the other nothing", map[string]digest.Digest{repo + ":1": first.Descriptor.Digest, repo + ":2": ""}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			x := s.assemble(nil, s.result(amd64, s.simple(amd64, fmt.Sprint("new", i))))
			_, err := x.Push(t.Context(), client(), []string{repo + ":1", repo + ":2"}, manifest.PushOptions{Was: row.was})
			if moved := err == nil; moved != row.moves || !moved && !errors.As(err, new(*manifest.AppendError)) {
				t.Errorf("error %v", err)
			}
		})
	}
}
