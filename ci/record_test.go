package ci_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/platform"
)

var (
	amd64 = platform.MustParse("linux/amd64")
	arm64 = platform.MustParse("linux/arm64")
	armv7 = platform.MustParse("linux/arm/v7")
)

const (
	repository = "registry.example/app"
	commit     = "0123456789012345678901234567890123456789"
)

// record is an honest one, not yet sealed.
func record(p platform.Platform) ci.Record {
	spec := p.OCI()
	image := digest.FromString("image " + p.String())
	return ci.Record{
		Format: ci.RecordFormat, Archbuild: "1.0", Name: "app", Platform: p, Run: "42", Commit: commit, Recipe: digest.FromString("recipe " + p.String()),
		Inputs: ci.NewInputs(map[string]digest.Digest{
			ci.PartFiles: digest.FromString("files"), ci.PartArguments: digest.FromString("arguments"), ci.PartContext: digest.FromString("context"),
		}),
		Repositories: []string{repository, "docker.io/library/app"},
		Image:        ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: image, Size: 500, Platform: &spec},
		Attestations: []ocispec.Descriptor{{
			MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("attestation"), Size: 400, Platform: &ocispec.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.String()},
		}},
		Index: ci.Index{Annotations: map[string]string{"team": "blue"}, Attestations: "index"}, Verify: ci.Verify{Mode: "fail", BaseLayers: 1},
		Set: []platform.Platform{amd64, arm64, armv7}, Node: ci.Node{Name: "engine", Platform: amd64}, How: "cross",
		Stages: []ci.Stage{{Name: "build", How: "cross"}, {Name: "1"}}, Seconds: 12.345,
	}
}

// sealed is the record as a file holds it; fake changes it before it gets its digest.
func sealed(t *testing.T, p platform.Platform, fake func(*ci.Record)) (ci.Record, string) {
	t.Helper()
	r := record(p)
	if fake != nil {
		fake(&r)
	}
	format := r.Format
	r, err := r.Sealed()
	if err != nil {
		t.Fatal(err)
	}
	body, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if format != ci.RecordFormat {
		t.Fatal("Sealed writes one format")
	}
	return r, string(body)
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	want, body := sealed(t, armv7, nil)
	got, err := ci.ReadRecord("a.json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestHostileRecordsAreRefused: all but the first few have the right digest, for whoever forges a record can write that too.
func TestHostileRecordsAreRefused(t *testing.T) {
	_, honest := sealed(t, arm64, nil)
	change := func(old, by string) func(t *testing.T) string {
		return func(t *testing.T) string {
			if !strings.Contains(honest, old) {
				t.Fatalf("the record has no %s", old)
			}
			return strings.Replace(honest, old, by, 1)
		}
	}
	forged := func(fake func(*ci.Record)) func(t *testing.T) string {
		return func(t *testing.T) string {
			_, body := sealed(t, arm64, fake)
			return body
		}
	}
	other := ocispec.Platform{OS: "linux", Architecture: "amd64"}
	for _, c := range []struct {
		problem string
		body    func(t *testing.T) string
		want    string
	}{
		{"another image under the old digest", change(digest.FromString("image linux/arm64").String(), digest.FromString("evil").String()), "its digest is not that of its content"},
		{"another platform under the old digest", change(`"platform": "linux/arm64"`, `"platform": "linux/amd64"`), "its digest is not that of its content"},
		{"no digest", change(`"digest": "sha256:`, `"digest": "`), ""},
		{"half of it", func(*testing.T) string { return honest[:len(honest)/2] }, "no JSON object"},
		{"two of them", func(*testing.T) string { return honest + honest }, "it is no JSON object"},
		{"nothing", func(*testing.T) string { return "" }, "no JSON object"},
		{"a list", func(*testing.T) string { return "[]" }, "no JSON object"},
		{"another tool's file", func(*testing.T) string { return `{"name": "package"}` }, "it has no format"},
		{"a version to come", change(`"format": 1`, `"format": 2`), "it has format 2, and this archbuild reads 1"},
		{"an unknown field", change(`"name": "app"`, `"name": "app", "exec": "rm"`), "unknown field"},
		{"a field of another type", change(`"seconds": 12.345`, `"seconds": "long"`), "cannot unmarshal string"},
		{"a path for a name", forged(func(r *ci.Record) { r.Name = "../../etc/cron.d/app" }), "is no name of a service"},
		{"a name that leads up", forged(func(r *ci.Record) { r.Name = "a..b" }), "is no name of a service"},
		{"a name with a control character", forged(func(r *ci.Record) { r.Name = "app\x1b[2J" }), "is no name of a service"},
		{"a path for a run", forged(func(r *ci.Record) { r.Run = "../42" }), "is no name of a run"},
		{"a branch for a commit", forged(func(r *ci.Record) { r.Commit = "main; rm -rf" }), "is no commit"},
		{"a tag for a repository", forged(func(r *ci.Record) { r.Repositories = []string{"registry.example/app:1"} }), "is no repository by its full name"},
		{"a short name for a repository", forged(func(r *ci.Record) { r.Repositories = []string{"app"} }), "is no repository by its full name"},
		{"a path for a repository", forged(func(r *ci.Record) { r.Repositories = []string{"registry.example/../secret"} }), "is no repository by its full name"},
		{"no repository", forged(func(r *ci.Record) { r.Repositories = nil }), "it names no repository"},
		{"thousands of repositories", forged(func(r *ci.Record) { r.Repositories = make([]string, 5000) }), "or too many"},
		{"an image that is listed for another platform", forged(func(r *ci.Record) { r.Image.Platform = &other }), "listed for another platform than linux/arm64"},
		{"an image without a platform", forged(func(r *ci.Record) { r.Image.Platform = nil }), "listed for another platform"},
		{"an index for an image", forged(func(r *ci.Record) { r.Image.MediaType = ocispec.MediaTypeImageIndex }), "which is no image"},
		{"a digest that is a path", forged(func(r *ci.Record) { r.Image.Digest = "sha256:../../../etc/passwd" }), "is no sha256 digest"},
		{"a digest of another kind", forged(func(r *ci.Record) { r.Recipe = digest.Digest("sha512:" + strings.Repeat("0a", 64)) }), "is no sha256 digest"},
		{"a manifest of 100 GB", forged(func(r *ci.Record) { r.Image.Size = 100 << 30 }), "manifest has 107374182400 bytes"},
		{"an image from elsewhere", forged(func(r *ci.Record) { r.Image.URLs = []string{"http://evil.example"} }), "fields that archbuild does not write"},
		{"an attestation of another image", forged(func(r *ci.Record) {
			r.Attestations[0].Annotations["vnd.docker.reference.digest"] = digest.FromString("x").String()
		}), "speaks of another image"},
		{"an image as an attestation", forged(func(r *ci.Record) { r.Attestations[0].Platform = &other }), "one of its attestations is none"},
		{"inputs that are not what they say", forged(func(r *ci.Record) { r.Inputs.Digest = digest.FromString("x") }), "not that of their parts"},
		{"a set without itself", forged(func(r *ci.Record) { r.Set = []platform.Platform{amd64} }), "its own platform is none of those"},
		{"a set with a platform twice", forged(func(r *ci.Record) { r.Set = []platform.Platform{arm64, arm64} }), "are no set"},
		{"no platform", forged(func(r *ci.Record) { r.Platform = platform.Platform{} }), ""},
		{"negative layers", forged(func(r *ci.Record) { r.Verify.BaseLayers = -1 }), "how its image was verified"},
		{"an unknown place for attestations", forged(func(r *ci.Record) { r.Index.Attestations = "elsewhere" }), "no place for attestations"},
		{"2 MB", forged(func(r *ci.Record) { r.Index.Annotations["x"] = strings.Repeat("x", 2<<20) }), "more than 1048576 bytes"},
	} {
		t.Run(c.problem, func(t *testing.T) {
			_, err := ci.ReadRecord("a.json", strings.NewReader(c.body(t)))
			var refused *ci.RecordError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			if refused.Hint() == "" || !strings.HasPrefix(err.Error(), "record a.json: ") {
				t.Errorf("%v; hint %q", err, refused.Hint())
			}
		})
	}
}

// TestAHugeRecordIsNotRead: of 100 MB no more is taken than a record may have.
func TestAHugeRecordIsNotRead(t *testing.T) {
	source := &counting{Reader: strings.NewReader(`{"format": 1, "name": "` + strings.Repeat("x", 100<<20))}
	_, err := ci.ReadRecord("a.json", source)
	if !errors.As(err, new(*ci.RecordError)) || source.n > 2*ci.MaxRecord {
		t.Errorf("%v after %d bytes", err, source.n)
	}
}

type counting struct {
	io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestNamesOfLegsAreNamesOfFilesAndTags(t *testing.T) {
	for _, c := range []struct {
		p    platform.Platform
		want string
	}{
		{amd64, "linux-amd64"}, {armv7, "linux-arm-v7"}, {platform.MustParse("windows/amd64"), "windows-amd64"},
	} {
		if got := ci.FileName("app", c.p); got != "app-"+c.want+".json" {
			t.Error(got)
		}
		if got := ci.StagingTag("42", c.p); got != "archbuild-staging-42-"+c.want {
			t.Error(got)
		}
	}
}

func FuzzReadRecord(f *testing.F) {
	r, err := record(arm64).Sealed()
	if err != nil {
		f.Fatal(err)
	}
	body, err := r.JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(body))
	f.Add(`{"format": 1}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ci.ReadRecord("a", strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := got.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if second, err := ci.ReadRecord("a", strings.NewReader(string(again))); err != nil || cmp.Diff(got, second) != "" {
			t.Errorf("read again it is another record: %v", err)
		}
	})
}
