package resolve_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// hub fills a registry with images of each kind that Dockerfiles name.
func hub(t testing.TB) (*hubtest.Server, map[string]string) {
	t.Helper()
	s := hubtest.New(t)
	pins := map[string]string{}
	for ref, platforms := range map[string][]string{
		"debian:12":                   {"linux/amd64", "linux/arm64", "linux/arm/v5", "linux/arm/v7", "unknown/unknown"},
		"debian:latest":               {"linux/amd64", "linux/arm64"},
		"old:1":                       {"linux/amd64"},
		"arm64v8/old:1":               {"linux/arm64"},
		"arm32v6/old:1":               {"linux/arm/v6"},
		"aarch64/older:1":             {"linux/arm64"},
		"older:1":                     {"linux/amd64"},
		"amd64/debian:12":             {"linux/amd64"},
		"arm64v8/debian:12":           {"linux/arm64", "linux/arm64"},
		"alpine:3":                    {"linux/amd64", "linux/arm/v6", "linux/arm/v7"},
		"vague:1":                     {"linux/amd64", "linux/arm/v6=linux/arm/"},
		"lies:1":                      {"linux/amd64", "linux/arm64=linux/amd64"},
		"vendor/tool:2":               {"linux/amd64"},
		"vendor/tool-arm:2":           {"linux/arm64"},
		"registry.example/x/debian:9": {"linux/amd64"},
		"onlyprefix:1":                {"linux/amd64", "linux/arm64"},
	} {
		pins[ref] = ref[:strings.LastIndex(ref, ":")] + "@" + s.Push(t, ref, platforms...).String()
	}
	return s, pins
}

func ask(image, on string) resolve.Question {
	return resolve.Question{Image: image, Platform: platform.MustParse(on)}
}

func rules(t testing.TB, mode resolve.Mode, list ...string) resolve.Rules {
	t.Helper()
	r := resolve.Rules{Mode: mode}
	for _, text := range list {
		rule, err := resolve.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		r.List = append(r.List, rule)
	}
	return r
}

func TestWhichImageServesABase(t *testing.T) {
	s, pins := hub(t)
	for _, c := range []struct {
		why, image, on string
		rules          resolve.Rules
		want, rule     string
	}{
		{"an index that holds the platform is kept", "debian:12", "linux/arm64", resolve.Rules{}, "debian:12", "index holds it"},
		{"written in full, it is kept so", "docker.io/library/debian:12", "linux/arm64", resolve.Rules{}, "docker.io/library/debian:12", "index holds it"},
		{"no tag means latest", "debian", "linux/arm64", resolve.Rules{}, "debian", "index holds it"},
		{"a single image of the right platform is kept", "old:1", "linux/amd64", resolve.Rules{}, "old:1", "image is for it"},
		{"a lower variant of ARM serves", "debian:12", "linux/arm/v6", resolve.Rules{}, "debian:12", "index holds it"},
		{"a config without variant is taken at the index's word", "vague:1", "linux/arm/v6", resolve.Rules{}, "vague:1", "index holds it"},
		{"an image for amd64 only gets the official prefix", "old:1", "linux/arm64", resolve.Rules{}, "arm64v8/old:1", "official prefix arm64v8/"},
		{"the author's way of writing is kept", "docker.io/library/old:1", "linux/arm64", resolve.Rules{}, "docker.io/arm64v8/old:1", "official prefix arm64v8/"},
		{"also without library", "docker.io/old:1", "linux/arm64", resolve.Rules{}, "docker.io/arm64v8/old:1", "official prefix arm64v8/"},
		{"also without the registry", "library/old:1", "linux/arm64", resolve.Rules{}, "arm64v8/old:1", "official prefix arm64v8/"},
		{"also under the registry's old name", "index.docker.io/library/old:1", "linux/arm64", resolve.Rules{}, "index.docker.io/arm64v8/old:1", "official prefix arm64v8/"},
		{"the prefix of a lower variant serves", "old:1", "linux/arm/v7", resolve.Rules{}, "arm32v6/old:1", "official prefix arm32v6/"},
		{"a legacy prefix is found where no other is", "older:1", "linux/arm64", resolve.Rules{}, "aarch64/older:1", "legacy prefix aarch64/"},
		{"a per-architecture repository becomes the other one", "amd64/debian:12", "linux/arm64", resolve.Rules{}, "arm64v8/debian:12", "official prefix arm64v8/"},
		{"on its own platform it stays", "amd64/debian:12", "linux/amd64", resolve.Rules{}, "amd64/debian:12", "image is for it"},
		{"a pinned index stays", pins["debian:12"], "linux/arm64", resolve.Rules{}, pins["debian:12"], "index holds it"},

		{"prefix takes the prefix even of an index", "debian:12", "linux/arm64", resolve.Rules{Mode: resolve.Prefix}, "arm64v8/debian:12", "official prefix arm64v8/"},
		{"but not on the default platform", "debian:12", "linux/amd64", resolve.Rules{Mode: resolve.Prefix}, "debian:12", "kept on the default platform"},
		{"and not for images that are not official", "vendor/tool-arm:2", "linux/arm64", resolve.Rules{Mode: resolve.Prefix}, "vendor/tool-arm:2", "kept: no official image"},
		{"and not for digests", pins["debian:12"], "linux/arm64", resolve.Rules{Mode: resolve.Prefix}, pins["debian:12"], "kept: no official image"},
		{"the default platform is the template's", "debian:12", "linux/arm64", resolve.Rules{Mode: resolve.Prefix, Default: platform.MustParse("arm64")}, "debian:12", "kept on the default platform"},
		{"keep keeps", "debian:12", "linux/arm64", resolve.Rules{Mode: resolve.Keep}, "debian:12", "kept"},

		{"a rule for a repository keeps the tag", "vendor/tool:2", "linux/arm64", rules(t, "", "vendor/tool=vendor/tool-arm"), "vendor/tool-arm:2", "--base"},
		{"unless it names one", "vendor/tool:9", "linux/arm64", rules(t, "", "vendor/tool=vendor/tool-arm:2"), "vendor/tool-arm:2", "--base"},
		{"a rule for a tag is for this tag", "vendor/tool:2", "linux/amd64", rules(t, "", "vendor/tool:3=vendor/tool-arm:2"), "vendor/tool:2", "image is for it"},
		{"a rule for another platform is not for this one", "vendor/tool:2", "linux/amd64", rules(t, "", "vendor/tool=vendor/tool-arm@linux/arm64"), "vendor/tool:2", "image is for it"},
		{"names are compared in full", "docker.io/library/old:1", "linux/amd64", rules(t, "", "old=debian:12"), "debian:12", "--base"},
		{"no tag and latest are the same tag", "old", "linux/arm64", rules(t, "", "old:latest=debian:12"), "debian:12", "--base"},
		{"a rule counts in mode keep too", "old:1", "linux/arm64", rules(t, resolve.Keep, "old=debian:12"), "debian:12", "--base"},
		{"a rule wins over the prefix", "old:1", "linux/arm64", rules(t, resolve.Prefix, "old=debian:12"), "debian:12", "--base"},
		{"a rule for a digest maps that digest", pins["old:1"], "linux/arm64", rules(t, "", pins["old:1"]+"=debian:12"), "debian:12", "--base"},
	} {
		t.Run(c.why, func(t *testing.T) {
			q := ask(c.image, c.on)
			answers, _, err := resolve.All(t.Context(), s.Client(), c.rules, []resolve.Question{q})
			if err != nil {
				t.Fatal(err)
			}
			got := answers[q]
			want := resolve.Answer{Question: q, Use: c.want, Rule: c.rule, Onbuild: []string{"COPY --from=debian:12 /etc/os-release /"}}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(resolve.Answer{}, "Digest", "Index", "Layers", "DiffIDs", "Trail", "By")); diff != "" {
				t.Error(diff)
			}
			if ruled := c.rule == "--base"; ruled != (got.By.Source == c.rule) || ruled != (got.By != resolve.Rule{}) {
				t.Errorf("it is by the rule %+v", got.By)
			}
			config, err := s.Client().Config(t.Context(), got.Use, got.Digest)
			if err != nil || !config.NoVariant && !config.Platform.Serves(q.Platform) {
				t.Errorf("the answer's digest is for %v: %v", config.Platform, err)
			}
			if len(got.Layers) != 1 || len(got.DiffIDs) != 1 {
				t.Errorf("layers %v, unpacked %v", got.Layers, got.DiffIDs)
			}
		})
	}
}

func TestTheCloserVariantIsTaken(t *testing.T) {
	s, _ := hub(t)
	for on, want := range map[string]string{"linux/arm/v7": "linux/arm/v7", "linux/arm/v6": "linux/arm/v6"} {
		q := ask("alpine:3", on)
		answers, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, []resolve.Question{q})
		if err != nil {
			t.Fatal(err)
		}
		config, err := s.Client().Config(t.Context(), "alpine:3", answers[q].Digest)
		if err != nil || config.Platform.String() != want {
			t.Errorf("%s: got %s, %v", on, config.Platform, err)
		}
	}
}

func TestOfSeveralRulesTheStrongestWins(t *testing.T) {
	s, _ := hub(t)
	arm64 := platform.MustParse("arm64")
	file := func(old, to string, on platform.Platform) resolve.Rule {
		return resolve.Rule{Old: old, New: to, Platform: on, Source: "archbuild.yaml:1"}
	}
	line := func(old, to string) resolve.Rule {
		return resolve.Rule{Old: old, New: to, Source: "--base", CommandLine: true}
	}
	var all platform.Platform
	for _, c := range []struct {
		why  string
		list []resolve.Rule
		want string
	}{
		{"a tag over a repository", []resolve.Rule{file("old", "debian", all), file("old:1", "debian:12", all)}, "debian:12"},
		{"a tag in the file over a repository on the command line", []resolve.Rule{line("old", "debian:latest"), file("old:1", "debian:12", all)}, "debian:12"},
		{"the command line over the file", []resolve.Rule{file("old:1", "debian:latest", arm64), line("old:1", "debian:12")}, "debian:12"},
		{"a platform's over one for all", []resolve.Rule{file("old:1", "debian:latest", all), file("old:1", "debian:12", arm64)}, "debian:12"},
	} {
		for range 2 {
			q := ask("old:1", "linux/arm64")
			answers, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{List: c.list}, []resolve.Question{q})
			if err != nil || answers[q].Use != c.want {
				t.Errorf("%s: got %q, %v", c.why, answers[q].Use, err)
			}
			c.list[0], c.list[1] = c.list[1], c.list[0]
		}
	}
}

func TestDigestsAreLeftAloneWithAWarning(t *testing.T) {
	s, pins := hub(t)
	for _, c := range []struct {
		rules resolve.Rules
		want  string
	}{
		{rules(t, "", "debian=old"), pins["debian:12"] + " is pinned by digest, so the rule debian=old (--base) does not touch it"},
		{rules(t, resolve.Prefix), pins["debian:12"] + " is pinned by digest, so it gets no prefix"},
	} {
		q := ask(pins["debian:12"], "linux/arm64")
		answers, warnings, err := resolve.All(t.Context(), s.Client(), c.rules, []resolve.Question{q})
		if err != nil || answers[q].Use != q.Image {
			t.Fatalf("%+v, %v", answers, err)
		}
		if diff := cmp.Diff([]resolve.Warning{{Question: q, Text: c.want}}, warnings, cmpopts.IgnoreFields(resolve.Warning{}, "Kind", "Rule")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhatCannotBeServedIsExplained(t *testing.T) {
	s, pins := hub(t)
	for _, c := range []struct {
		why, image, on string
		rules          resolve.Rules
		want, hint     string
	}{
		{
			"a platform nobody offers", "debian:12", "linux/riscv64", resolve.Rules{},
			"resolving debian:12 for linux/riscv64: debian:12 offers linux/amd64, linux/arm/v5, linux/arm/v7, linux/arm64; linux/riscv64 is not among them (tried too: riscv64/debian:12)",
			"--base debian=NEW@linux/riscv64",
		},
		{
			"a vendor's single image", "vendor/tool:2", "linux/arm64", resolve.Rules{},
			"vendor/tool:2 offers linux/amd64; linux/arm64 is not among them", "--base vendor/tool=NEW@linux/arm64",
		},
		{
			"a rule that leads to the wrong platform", "vendor/tool-arm:2", "linux/arm64", rules(t, "", "vendor/tool-arm=vendor/tool"),
			"vendor/tool:2 offers linux/amd64; linux/arm64 is not among them (it stands for vendor/tool-arm:2, by --base)", "NEW",
		},
		{
			"a rule that leads nowhere", "vendor/tool:2", "linux/arm64", rules(t, "", "vendor/tool=vendor/none"),
			"vendor/none:2 does not exist in docker.io (by --base)", "check the name",
		},
		{
			"the digest of a single image", pins["old:1"], "linux/arm64", resolve.Rules{},
			"is the digest of a single image, for linux/amd64, not for linux/arm64", "pin the digest of the index",
		},
		{
			"an index that lies", "lies:1", "linux/arm64", resolve.Rules{},
			"but that image says it is for linux/amd64", "published wrongly",
		},
		{
			"a tag that does not exist", "debian:nope", "linux/amd64", resolve.Rules{},
			"debian:nope does not exist in docker.io (tried too: amd64/debian:nope", "check the name",
		},
		{
			"no prefix there in mode prefix", "vague:1", "linux/arm64", resolve.Rules{Mode: resolve.Prefix},
			"arm64v8/vague:1 does not exist in docker.io (by official prefix arm64v8/)", "check the name",
		},
		{
			"mode keep tries nothing else", "old:1", "linux/arm64", resolve.Rules{Mode: resolve.Keep},
			"old:1 offers linux/amd64; linux/arm64 is not among them", "NEW",
		},
		{
			"a name that is none", "Debian:12", "linux/amd64", resolve.Rules{},
			`"Debian:12" is no image reference`, "lower case",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			answers, _, err := resolve.All(t.Context(), s.Client(), c.rules, []resolve.Question{ask(c.image, c.on)})
			if err == nil || !strings.Contains(err.Error(), c.want) || len(answers) != 0 {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), c.hint) {
				t.Errorf("hint of %v does not hold %q", err, c.hint)
			}
		})
	}
}

func TestOneCauseIsToldOnce(t *testing.T) {
	s, _ := hub(t)
	_, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, []resolve.Question{
		ask("vendor/none", "linux/arm64"), ask("vendor/none", "linux/amd64"), ask("vendor/none", "linux/amd64"), ask("vendor/tool:2", "linux/s390x"),
	})
	want := "resolving vendor/none for linux/amd64, linux/arm64: vendor/none does not exist in docker.io\n" +
		"resolving vendor/tool:2 for linux/s390x: vendor/tool:2 offers linux/amd64; linux/s390x is not among them"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if !resolve.IsNotFound(err) {
		t.Error("the cause is lost")
	}
}

func TestARegistryThatFailsIsNoReasonToTryAnotherImage(t *testing.T) {
	s, _ := hub(t)
	s.Fault(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "library/debian/") {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	})
	_, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, []resolve.Question{ask("debian:12", "linux/arm64")})
	if err == nil || !strings.Contains(err.Error(), "cannot reach docker.io for debian:12: 502 Bad Gateway") {
		t.Error(err)
	}
}

// TestACandidateThatCannotBeLookedAtIsADoubt: with the registry back it may be
// the one, so no other is taken, and nothing is left as it is.
func TestACandidateThatCannotBeLookedAtIsADoubt(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "vendor/tool-amd64:1", "linux/amd64")
	s.Push(t, "vendor/tool-aarch64:1", "linux/arm64")
	s.Fault(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "vendor/tool-arm64/") {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	})
	_, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, []resolve.Question{ask("vendor/tool-amd64:1", "linux/arm64")})
	if err == nil || !strings.Contains(err.Error(), "cannot reach docker.io for vendor/tool-arm64:1") {
		t.Error(err)
	}
}

func TestFiftyReferencesOnFivePlatformsTakeHalfASecond(t *testing.T) {
	s := hubtest.New(t)
	on := []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "linux/ppc64le"}
	var questions []resolve.Question
	for i := range 50 {
		ref := "registry.example/team/base" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ":1"
		s.Push(t, ref, on...)
		for _, p := range on {
			questions = append(questions, ask(ref, p))
		}
	}
	s.Fault(func(http.ResponseWriter, *http.Request) bool {
		time.Sleep(50 * time.Millisecond)
		return false
	})
	start := time.Now()
	answers, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, questions)
	took := time.Since(start)
	if err != nil || len(answers) != 250 {
		t.Fatal(len(answers), err)
	}
	t.Logf("250 questions, %d requests of 50 ms each, in %v", len(s.Requests()), took)
	if took > 6*time.Second { // Half a second on a quiet machine; this one may be shared. One after the other they take longer than this.
		t.Errorf("took %v", took)
	}
}

func TestACancelledQuestionEnds(t *testing.T) {
	s, _ := hub(t)
	s.Fault(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := resolve.All(ctx, s.Client(), resolve.Rules{}, []resolve.Question{ask("debian:12", "linux/arm64"), ask("old:1", "linux/arm64")})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAnIndexIsNamedWhereItLeavesNoChoice(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "one/each:1", "linux/amd64", "linux/arm64", "linux/arm/v7")
	s.Push(t, "two/arms:1", "linux/amd64", "linux/arm/v6", "linux/arm/v7")
	s.Push(t, "no/index:1", "linux/amd64")
	for _, row := range []struct {
		image, on string
		named     bool
	}{
		{"one/each:1", "linux/amd64", true},
		{"one/each:1", "linux/arm/v7", true},
		{"two/arms:1", "linux/amd64", true},
		{"two/arms:1", "linux/arm/v7", false},
		{"no/index:1", "linux/amd64", false},
	} {
		q := ask(row.image, row.on)
		answers, _, err := resolve.All(t.Context(), s.Client(), resolve.Rules{}, []resolve.Question{q})
		if err != nil {
			t.Fatal(err)
		}
		image, err := s.Client().Image(t.Context(), row.image)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if row.named {
			want = image.Digest
		}
		if got := answers[q].Index; got != want {
			t.Errorf("%s on %s: index %q, want %q", row.image, row.on, got, want)
		}
	}
}
