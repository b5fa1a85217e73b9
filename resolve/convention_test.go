package resolve_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/distribution/reference"
	"github.com/google/go-cmp/cmp"
)

func TestTheArchitectureInANameBecomesAnother(t *testing.T) {
	s := hubtest.New(t)
	for ref, platforms := range map[string][]string{
		"vendor/tool-amd64:1":                         {"linux/amd64"},
		"vendor/tool-arm64:1":                         {"linux/arm64"},
		"vendor/tool-armhf:1":                         {"linux/arm/v7"},
		"vendor/under:1_amd64":                        {"linux/amd64"},
		"vendor/under:1_arm64":                        {"linux/arm64"},
		"registry.example/a/tool:1-linux-amd64":       {"linux/amd64"},
		"registry.example/a/tool:1-linux-arm64":       {"linux/arm64"},
		"registry.example/a/tool:1-linux-arm-v6":      {"linux/arm/v6"},
		"multi/alpine:x86_64-v3.4":                    {"linux/amd64"},
		"multi/alpine:aarch64-v3.4":                   {"linux/arm64"},
		"multi/alpine:arm64-v3.4":                     {"linux/arm64"},
		"machine/aarch64-debian:1":                    {"linux/arm64"},
		"machine/amd64-debian:1":                      {"linux/amd64"},
		"twice/tool-amd64:1-amd64":                    {"linux/amd64"},
		"twice/tool-arm64:1-arm64":                    {"linux/arm64"},
		"arm64/tool:1":                                {"linux/arm64"},
		"amd64/tool:1":                                {"linux/amd64"},
		"registry.example/amd64/app:1":                {"linux/amd64"},
		"registry.example/arm64/app:1":                {"linux/arm64"},
		"vendor/cross-linux-arm:1":                    {"linux/amd64"},
		"vendor/cross-linux-arm64:1":                  {"linux/arm64"},
		"vendor/lying-amd64:1":                        {"linux/amd64"},
		"vendor/lying-arm64:1":                        {"linux/amd64"},
		"vendor/lying-aarch64:1":                      {"linux/arm64", "linux/amd64"},
		"registry.example/gone-arm64:1":               {"linux/arm64"},
		"registry.example/os/team/img-x86-64.slim:v1": {"linux/amd64"},
		"registry.example/os/team/img-arm64.slim:v1":  {"linux/arm64"},
	} {
		s.Push(t, ref, platforms...)
	}
	for _, c := range []struct{ why, image, on, want, rule string }{
		{"at the end of the repository", "vendor/tool-amd64:1", "linux/arm64", "vendor/tool-arm64:1", "amd64 in the name becomes arm64"},
		{"back again", "vendor/tool-arm64:1", "linux/amd64", "vendor/tool-amd64:1", "arm64 in the name becomes amd64"},
		{"as Debian calls it", "vendor/tool-amd64:1", "linux/arm/v7", "vendor/tool-armhf:1", "amd64 in the name becomes armhf"},
		{"in the tag, with an underscore", "vendor/under:1_amd64", "linux/arm64", "vendor/under:1_arm64", "amd64 in the name becomes arm64"},
		{"written the author's way", "docker.io/vendor/under:1_amd64", "linux/arm64", "docker.io/vendor/under:1_arm64", "amd64 in the name becomes arm64"},
		{"after the system", "registry.example/a/tool:1-linux-amd64", "linux/arm64", "registry.example/a/tool:1-linux-arm64", "amd64 in the name becomes arm64"},
		{"a lower variant serves", "registry.example/a/tool:1-linux-amd64", "linux/arm/v7", "registry.example/a/tool:1-linux-arm-v6", "amd64 in the name becomes arm-v6"},
		{"like for like: the kernel's names", "multi/alpine:x86_64-v3.4", "linux/arm64", "multi/alpine:aarch64-v3.4", "x86_64 in the name becomes aarch64"},
		{"at the start of the last part", "machine/amd64-debian:1", "linux/arm64", "machine/aarch64-debian:1", "amd64 in the name becomes aarch64"},
		{"wherever it stands", "twice/tool-amd64:1-amd64", "linux/arm64", "twice/tool-arm64:1-arm64", "amd64 in the name becomes arm64"},
		{"in the middle", "registry.example/os/team/img-x86-64.slim:v1", "linux/arm64", "registry.example/os/team/img-arm64.slim:v1", "x86-64 in the name becomes arm64"},
		{"one that is for another platform than it says is passed by", "vendor/lying-amd64:1", "linux/arm64", "vendor/lying-aarch64:1", "amd64 in the name becomes aarch64"},
		{"also of an image that is not there", "registry.example/gone-amd64:1", "linux/arm64", "registry.example/gone-arm64:1", "amd64 in the name becomes arm64"},
	} {
		q := ask(c.image, c.on)
		answers, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, []resolve.Question{q})
		if got := answers[q]; err != nil || got.Use != c.want || got.Rule != c.rule || got.Digest == "" {
			t.Errorf("%s: got %q by %q, %v", c.why, got.Use, got.Rule, err)
		}
	}
	for _, c := range []struct{ why, image, on string }{
		{"whose image it is never changes", "registry.example/amd64/app:1", "linux/arm64"},
		{"nor on Docker Hub, where a prefix is for official images", "amd64/tool:1", "linux/riscv64"},
		{"a cross compiler's target is no architecture of the image", "vendor/cross-linux-arm:1", "linux/arm64"},
		{"a name without architecture has no other", "vendor/plain:1", "linux/arm64"},
	} {
		_, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, []resolve.Question{ask(c.image, c.on)})
		var failed *resolve.Error
		if !errors.As(err, &failed) {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		for _, step := range failed.Trail {
			if strings.Contains(step.Rule, "in the name") {
				t.Errorf("%s: tried %s", c.why, step)
			}
		}
	}
}

func TestTheTrailSaysWhatWasTried(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "old:1", "linux/amd64")
	digest := s.Push(t, "arm32v6/old:1", "linux/arm/v6").String()
	s.Push(t, "arm32v7/old:1", "linux/amd64")
	q := ask("old:1", "linux/arm/v7")
	answers, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, []resolve.Question{q})
	want := []resolve.Step{
		{Image: "old:1", Rule: "as written", Outcome: "offers linux/amd64"},
		{Image: "arm32v7/old:1", Rule: "official prefix arm32v7/", Outcome: "offers linux/amd64"},
		{Image: "arm32v6/old:1", Rule: "official prefix arm32v6/", Outcome: "serves linux/arm/v7: " + digest, Serves: true},
	}
	if diff := cmp.Diff(want, answers[q].Trail); diff != "" || err != nil {
		t.Error(err, diff)
	}
	_, _, err = resolve.All(t.Context(), s.Client(), rules(t, "", "old=none"), []resolve.Question{q})
	var failed *resolve.Error
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	want = []resolve.Step{{Image: "none:1", Rule: "rule old=none (--base)", Outcome: "does not exist"}}
	if diff := cmp.Diff(want, failed.Trail); diff != "" {
		t.Error(diff)
	}
}

func TestADigestBecomesThatOfTheSameIndex(t *testing.T) {
	s := hubtest.New(t)
	client := s.Client()
	image := func(ref, on string) string {
		t.Helper()
		q := ask(ref, on)
		answers, _, err := resolve.All(t.Context(), client, resolve.Rules{}, []resolve.Question{q})
		if err != nil {
			t.Fatal(err)
		}
		return answers[q].Digest
	}
	index := s.Push(t, "tool:1", "linux/amd64", "linux/arm64", "linux/arm/v6").String()
	amd64, arm64, arm := image("tool:1", "linux/amd64"), image("tool:1", "linux/arm64"), image("tool:1", "linux/arm/v6")
	moved := s.Push(t, "tool:moved", "linux/amd64", "linux/arm64").String()
	single := s.Push(t, "tool:single", "linux/amd64").String()

	for _, c := range []struct{ why, image, on, want, rule string }{
		{"an index's digest is kept", "tool:1@" + index, "linux/arm64", "tool:1@" + index, "index holds it"},
		{"a single image's is kept on its platform", "tool:1@" + amd64, "linux/amd64", "tool:1@" + amd64, "image is for it"},
		{"and replaced on others", "tool:1@" + amd64, "linux/arm64", "tool:1@" + arm64, "same index as the digest: tool:1"},
		{"written the author's way", "docker.io/library/tool:1@" + amd64, "linux/arm64", "docker.io/library/tool:1@" + arm64, "same index as the digest: docker.io/library/tool:1"},
		{"variants count", "tool:1@" + amd64, "linux/arm/v7", "tool:1@" + arm, "same index as the digest: tool:1"},
	} {
		for _, mode := range []resolve.Mode{resolve.Auto, resolve.Prefix} {
			q := ask(c.image, c.on)
			answers, _, err := resolve.All(t.Context(), client, resolve.Rules{Mode: mode}, []resolve.Question{q})
			if got := answers[q]; err != nil || got.Use != c.want || mode == resolve.Auto && got.Rule != c.rule {
				t.Errorf("%s (%s): got %q by %q, %v", c.why, mode, got.Use, got.Rule, err)
			}
		}
	}
	for _, c := range []struct{ why, image, on, want, hint string }{
		{"without a tag nothing names the index", "tool@" + amd64, "linux/arm64", "is the digest of a single image, for linux/amd64, not for linux/arm64, and no tag says which index it is of", "write the tag too"},
		{"the index has no such platform", "tool:1@" + amd64, "linux/s390x", "and the index of tool:1 holds none for it", "--base tool:1@" + amd64 + "=NEW@linux/s390x"},
		{"the tag has moved", "tool:moved@" + amd64, "linux/arm64", "and no index of tool:moved holds it (any more)", "pin the digest of the index: tool:moved@" + moved},
		{"the tag names the image itself", "tool:single@" + single, "linux/arm64", "and the index of tool:single holds none for it", "NEW@linux/arm64"},
		{"the tag is gone", "tool:gone@" + amd64, "linux/arm64", "and no index of tool:gone holds it", "NEW@linux/arm64"},
	} {
		_, _, err := resolve.All(t.Context(), client, resolve.Rules{}, []resolve.Question{ask(c.image, c.on)})
		var pin *resolve.PinError
		if !errors.As(err, &pin) || !strings.Contains(err.Error(), c.want) || !strings.Contains(pin.Hint(), c.hint) {
			t.Errorf("%s: %v", c.why, err)
		}
		if wide := new(resolve.PlatformError); !errors.As(err, &wide) || wide.Platform == (platform.Platform{}) {
			t.Errorf("%s: no PlatformError: %v", c.why, err)
		}
	}
}

// FuzzConventions holds: whatever is tried is a reference of the same registry
// and, but for official images, of the same owner; and it is not much.
func FuzzConventions(f *testing.F) {
	for _, seed := range []string{"debian", "amd64/debian:12", "vendor/tool-amd64:1-amd64", "localhost:5000/amd64/x-amd64:x86_64", "registry.example/amd64-amd64/amd64/amd64:amd64", "x86-64_x64.amd64"} {
		f.Add(seed, uint8(1))
	}
	f.Fuzz(func(t *testing.T, image string, at uint8) {
		named, err := reference.ParseNormalizedNamed(image)
		if err != nil {
			return
		}
		reg := &amd64Only{}
		on := platform.All()[int(at)%len(platform.All())]
		_, _, _ = resolve.All(t.Context(), reg, resolve.Rules{}, []resolve.Question{{Image: image, Platform: on}})
		if len(reg.asked) > 60 {
			t.Errorf("%d questions for %s on %s", len(reg.asked), image, on)
		}
		owner := func(named reference.Named) string {
			first, _, _ := strings.Cut(reference.Path(named), "/")
			return reference.Domain(named) + "/" + first
		}
		for _, ref := range reg.asked {
			tried, err := reference.ParseNormalizedNamed(ref)
			if err != nil || reference.Domain(tried) != reference.Domain(named) {
				t.Fatalf("%s asks for %s: %v", image, ref, err)
			}
			hub := reference.Domain(named) == "docker.io"
			several := strings.Contains(reference.Path(named), "/")
			if several && !hub && owner(tried) != owner(named) {
				t.Errorf("%s asks for %s", image, ref)
			}
		}
	})
}

// amd64Only offers linux/amd64 under every name.
type amd64Only struct {
	mu    sync.Mutex
	asked []string
}

func (r *amd64Only) Image(_ context.Context, ref string) (resolve.Image, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ref)
	return resolve.Image{Offers: []resolve.Offer{{Platform: platform.MustParse("linux/amd64"), Digest: sum}}}, nil
}

func (*amd64Only) Config(context.Context, string, string) (resolve.Config, error) {
	return resolve.Config{Platform: platform.MustParse("linux/amd64")}, nil
}
