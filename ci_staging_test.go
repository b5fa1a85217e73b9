package archbuild_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
)

// TestStagingTagsGo: whatever make the registry is of, staging tags are gone in the end, and a second run knows that all is done.
func TestStagingTagsGo(t *testing.T) {
	for _, kind := range registrytest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := &race{t: t, total: &raceTally{}, reg: registrytest.Start(t, kind), repo: "app", of: map[string]string{}}
			p := newPipeline(r, "one", 0)
			p.folder, p.match = "", false
			for _, platform := range racePlatforms {
				p.leg(platform)
			}
			made, err := p.assemble()
			if err != nil || made.Already {
				t.Fatal(made.Already, err)
			}
			tags, err := registrytest.Tags(r.reg.Addr, r.repo)
			staging := func(tag string) bool { return strings.HasPrefix(tag, "archbuild-staging-") }
			if err != nil || slices.ContainsFunc(tags, staging) != (len(made.Warnings) > 0) || !slices.Contains(tags, "1") {
				t.Errorf("there are the tags %q, %v; warnings %q", tags, err, made.Warnings)
			}
			if len(made.Warnings) > 0 {
				t.Errorf("warnings %q", made.Warnings)
			}
			again, err := p.assemble()
			if err != nil || !again.Already || again.Digest != made.Digest || again.Pushed.Tags[0].State != manifest.TagUnchanged {
				t.Errorf("the second time: %+v, %v", again, err)
			}
			r.whole("1")
		})
	}
}

// TestALegThatComesTooLate: the run was assembled, and a leg runs once more with another image.
func TestALegThatComesTooLate(t *testing.T) {
	r := &race{t: t, total: &raceTally{}, reg: registrytest.Start(t, registrytest.Memory), repo: "app", of: map[string]string{}}
	p := newPipeline(r, "one", 0)
	p.folder, p.match = "", false
	for _, platform := range racePlatforms {
		p.leg(platform)
	}
	made, err := p.assemble()
	if err != nil {
		t.Fatal(err)
	}
	p.leg(racePlatforms[1])
	again, err := p.assemble()
	if err != nil || !again.Already || again.Digest != made.Digest {
		t.Errorf("afterwards: %+v, %v", again, err)
	}
	other := newPipeline(r, "two", 1)
	other.folder, other.match = "", false
	for _, platform := range racePlatforms {
		other.leg(platform)
	}
	if _, err := other.assemble(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.assemble(); !errors.As(err, new(*ci.IncompleteError)) {
		t.Errorf("the first run moved the tag of the second back: %v", err)
	}
}

// TestRecordsThatPointElsewhere are told apart by the registry's own word.
func TestRecordsThatPointElsewhere(t *testing.T) {
	r := &race{t: t, total: &raceTally{}, reg: registrytest.Start(t, registrytest.Memory), repo: "app", of: map[string]string{}}
	p := newPipeline(r, "one", 0)
	p.folder, p.match = t.TempDir(), false
	for _, row := range []struct {
		name   string
		fake   func(*ci.Record)
		status int
	}{
		{"at an image that was never pushed", func(r *ci.Record) { r.Image.Digest = digest.FromString("never") }, 1},
		{"at an image of another platform", func(r *ci.Record) {
			other := p.built("linux/amd64")
			r.Image.Digest, r.Image.Size, r.Image.MediaType = other.Image.Digest, other.Image.Size, other.Image.MediaType
		}, 3},
		{"at another repository", func(r *ci.Record) { r.Repositories = []string{"registry.example/app"} }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, platform := range racePlatforms {
				record := p.built(platform)
				if platform == "linux/arm64" {
					row.fake(&record)
					var err error
					if record, err = record.Sealed(); err != nil {
						t.Fatal(err)
					}
				}
				p.keep(record)
			}
			_, err := p.assemble()
			status := 1
			var known interface{ ExitStatus() int }
			if errors.As(err, &known) {
				status = known.ExitStatus()
			}
			if err == nil || status != row.status {
				t.Errorf("status %d, %v", status, err)
			}
			if now, _ := registrytest.Digest(r.reg.Addr, r.repo, "1"); now != "" {
				t.Error("the tag moved")
			}
		})
	}
	if _, err := archbuild.CIAssemble(t.Context(), archbuild.CIAssembleOptions{}); err == nil {
		t.Error("nothing at all is enough")
	}
}
