package resolve_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/google/go-cmp/cmp"
)

const sum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseRule(t *testing.T) {
	arm64 := platform.MustParse("linux/arm64")
	for _, c := range []struct {
		text string
		want resolve.Rule
	}{
		{"debian=x/debian", resolve.Rule{Old: "debian", New: "x/debian"}},
		{"debian=localhost:5000/debian:12@linux/arm64", resolve.Rule{Old: "debian", New: "localhost:5000/debian:12", Platform: arm64}},
		{"debian=x@linux/arm64/v8", resolve.Rule{Old: "debian", New: "x", Platform: arm64}},
		{"debian=x@arm64", resolve.Rule{Old: "debian", New: "x", Platform: arm64}},
		{"debian:12=x@" + sum, resolve.Rule{Old: "debian:12", New: "x@" + sum}},
		{"debian:12=x:1@" + sum + "@linux/arm64", resolve.Rule{Old: "debian:12", New: "x:1@" + sum, Platform: arm64}},
		{"debian@" + sum + "=x", resolve.Rule{Old: "debian@" + sum, New: "x"}},
	} {
		got, err := resolve.ParseRule(c.text)
		c.want.Source, c.want.CommandLine = "--base", true
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", c.text, err, diff)
		}
	}
}

func TestParseRuleSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, want, hint string }{
		{"debian", "is no rule", "OLD=NEW"},
		{"=x", "is no rule", "OLD=NEW"},
		{"x=", "is no rule", "OLD=NEW"},
		{"debian=x@linux/arm46", `unknown platform "linux/arm46"`, "linux/arm64"},
		{"debian=x@linux/", `unknown platform`, ""},
		{"debian=X", `"X" is no image reference`, "lower case"},
		{"Debian=x", `"Debian" is no image reference`, "lower case"},
		{"debian=@linux/arm64", "is no image reference", ""},
		{"debian=x@sha256:12", "is no image reference", ""},
		{"scratch=debian", "scratch is no image", "FROM"},
	} {
		_, err := resolve.ParseRule(c.text)
		var hinted interface{ Hint() string }
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), c.hint) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

func TestRulesThatFightAreRefused(t *testing.T) {
	err := rules(t, "", "debian:12=x", "docker.io/library/debian:12=y").Check()
	want := "two rules fight: debian:12=x (--base) and docker.io/library/debian:12=y (--base)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	for _, peace := range [][]string{
		{"debian:12=x", "debian:12=x"},
		{"debian:12=x", "debian=y"},
		{"debian:12=x", "debian:12=y@linux/arm64"},
		{"debian:12=x", "debian:13=y"},
		{"debian@" + sum + "=x", "debian=y"},
	} {
		if err := rules(t, "", peace...).Check(); err != nil {
			t.Errorf("%q: %v", peace, err)
		}
	}
	if _, _, err := resolve.All(t.Context(), nil, rules(t, "", "a=b", "a=c"), []resolve.Question{ask("x", "arm64")}); err == nil {
		t.Error("All asks by rules that fight")
	}
}

func TestParseMode(t *testing.T) {
	for text, want := range map[string]resolve.Mode{"": resolve.Auto, "auto": resolve.Auto, "prefix": resolve.Prefix, "keep": resolve.Keep} {
		if got, err := resolve.ParseMode(text); got != want || err != nil {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	if _, err := resolve.ParseMode("Auto"); err == nil {
		t.Error("Auto is read")
	}
}

// FuzzParseRule holds: what is accepted prints as a rule that reads the same.
func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{"debian=x", "a:1=b:2@linux/arm64", "a@" + sum + "=b:1@" + sum + "@arm", "localhost:5000/a=b@windows/amd64", "a=b=c", "@", "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := resolve.ParseRule(text)
		if err != nil {
			return
		}
		if err := (resolve.Rules{List: []resolve.Rule{rule}}).Check(); err != nil {
			t.Errorf("accepted, but Check says %v", err)
		}
		again, err := resolve.ParseRule(rule.String())
		if err != nil || again != rule {
			t.Errorf("%q prints as %q, which reads as %+v, %v", text, rule, again, err)
		}
	})
}

// FuzzMapped holds: whatever reference is mapped to a prefix, it keeps its
// registry, its image's name and its tag, and is a reference again.
func FuzzMapped(f *testing.F) {
	for _, seed := range []string{"debian", "debian:12", "docker.io/library/debian:12", "index.docker.io/x", "library/x:y", "amd64/x", "docker.io/amd64/x:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, image string) {
		reg := &prefixOnly{}
		q := ask(image, "linux/arm64")
		answers, _, err := resolve.All(t.Context(), reg, resolve.Rules{}, []resolve.Question{q})
		if err != nil {
			return
		}
		use := answers[q].Use
		if use == image {
			return
		}
		name := func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }
		if name(use) != name(image) || !strings.Contains(use, "arm64v8/") || strings.Contains(image, "@") {
			t.Errorf("%q became %q", image, use)
		}
		if strings.Contains(image, "docker.io/") != strings.Contains(use, "docker.io/") {
			t.Errorf("%q became %q: the registry was not kept", image, use)
		}
	})
}

// prefixOnly offers linux/arm64 under arm64v8/ and nothing else elsewhere.
type prefixOnly struct{}

func (*prefixOnly) Image(_ context.Context, ref string) (resolve.Image, error) {
	if !strings.Contains(ref, "arm64v8/") {
		return resolve.Image{}, nil
	}
	return resolve.Image{Offers: []resolve.Offer{{Platform: platform.MustParse("linux/arm64"), Digest: sum}}}, nil
}

func (*prefixOnly) Config(context.Context, string, string) (resolve.Config, error) {
	return resolve.Config{Platform: platform.MustParse("linux/arm64")}, nil
}

func TestRulesOfAFileWithoutAUse(t *testing.T) {
	arm64, s390x := platform.Platform{OS: "linux", Arch: "arm64"}, platform.Platform{OS: "linux", Arch: "s390x"}
	rules := resolve.Rules{List: []resolve.Rule{
		{Old: "debian", New: "a/debian", Source: "archbuild.yaml:2"},
		{Old: "nosuch", New: "x", Source: "archbuild.yaml:3"},
		{Old: "other", New: "x", Platform: s390x, Source: "archbuild.yaml:4"}, // not asked for
		{Old: "more", New: "x", Source: "--base", CommandLine: true},          // All tells
	}}
	var got []string
	for _, w := range rules.UnusedOfFile([]resolve.Question{{Image: "debian:12", Platform: arm64}}) {
		got = append(got, string(w.Kind)+": "+w.Text)
	}
	want := []string{"unused rule: archbuild.yaml:3 nosuch=x matched no image of this Dockerfile"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
