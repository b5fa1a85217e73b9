package archbuild

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// cacheDocument is a manifest of a cache, other for every name, that was joined of parts.
func cacheDocument(name string, parts ...string) []byte {
	annotations := ""
	if len(parts) > 0 {
		annotations = `, "annotations": {"io.github.archbuild.cache.parts": "` + strings.Join(parts, ",") + `"}`
	}
	empty := digest.FromString("")
	return fmt.Appendf(nil, `{"schemaVersion": 2, "mediaType": %q, "config": {"mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": %q, "size": 0}, "layers": []%s, "subject-%s": 1}`,
		ocispec.MediaTypeImageManifest, empty, annotations, name)
}

func TestAJobReadsOneCacheWhereOneHasAll(t *testing.T) {
	arm, amd := document{"linux/arm64"}, document{"linux/amd64"}
	for _, row := range []struct {
		name string
		tags map[string][]byte // "" is REF itself
		job  string
		want []string
	}{
		{"there is nothing", nil, "linux/arm64", nil},
		{"one platform alone", map[string][]byte{"": amd.bytes("1")}, "linux/amd64", []string{""}},
		{"the whole has all parts", map[string][]byte{"": wholeCache(arm.bytes("1"), amd.bytes("1")), arm.tag(): arm.bytes("1"), amd.tag(): amd.bytes("1")}, "linux/arm64", []string{""}},
		{"the whole is the only part", map[string][]byte{"": amd.bytes("1"), amd.tag(): amd.bytes("1")}, "linux/arm64", []string{""}},
		{"the own part is newer than the whole", map[string][]byte{"": wholeCache(arm.bytes("1"), amd.bytes("1")), arm.tag(): arm.bytes("2"), amd.tag(): amd.bytes("1")}, "linux/arm64", []string{arm.tag(), amd.tag()}},
		{"the build platform's part is newer", map[string][]byte{"": wholeCache(amd.bytes("1")), amd.tag(): amd.bytes("2")}, "linux/arm64", []string{"", amd.tag()}},
		{"buildx has written the whole since", map[string][]byte{"": cacheDocument("buildx"), arm.tag(): arm.bytes("1")}, "linux/arm64", []string{arm.tag(), ""}},
		{"there is no whole", map[string][]byte{amd.tag(): amd.bytes("1")}, "linux/arm64", []string{amd.tag()}},
		{"a newer part of no interest", map[string][]byte{"": wholeCache(arm.bytes("1"), amd.bytes("1")), arm.tag(): arm.bytes("2"), amd.tag(): amd.bytes("1")}, "linux/amd64", []string{""}},
	} {
		r, err := Options{Engine: outside.Engine{State: t.TempDir()}}.check()
		if err != nil {
			t.Fatal(err)
		}
		ref := registrytest.Start(t, registrytest.Memory).Addr + "/app/cache:main"
		for tag, data := range row.tags {
			if _, err := r.registry.PutManifest(t.Context(), ref+tag, data, ocispec.MediaTypeImageManifest); err != nil {
				t.Fatal(err)
			}
		}
		platforms := []platform.Platform{platform.MustParse("linux/amd64"), platform.MustParse("linux/arm64")}
		r.lookFor(context.Background(), append(partsOf(ref, platforms), ref))
		var got []string
		for _, name := range r.forJob(t.Context(), ref, plan.Job{Platform: platform.MustParse(row.job), BuildPlatform: platforms[0]}, platforms) {
			got = append(got, strings.TrimPrefix(name, ref))
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s, for %s (-want +got):\n%s", row.name, row.job, diff)
		}
	}
}

// document is the part of a platform.
type document struct{ platform string }

func (d document) tag() string { return "-" + strings.ReplaceAll(d.platform, "/", "-") }

func (d document) bytes(version string) []byte { return cacheDocument(d.tag() + version) }

func wholeCache(parts ...[]byte) []byte {
	var digests []string
	for _, part := range parts {
		digests = append(digests, digest.FromBytes(part).String())
	}
	return cacheDocument("whole", digests...)
}
