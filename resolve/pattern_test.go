package resolve_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
)

// offline says what rules alone make of a reference.
func offline(t testing.TB, image string, list ...resolve.Rule) (string, error) {
	t.Helper()
	q := ask(image, "linux/arm64")
	answers, _, err := resolve.All(t.Context(), nil, resolve.Rules{Mode: resolve.Keep, Offline: true, List: list}, []resolve.Question{q})
	return answers[q].Use, err
}

func TestPatternsMapWhatTheyFit(t *testing.T) {
	for _, c := range []struct{ why, rule, image, want string }{
		{"a star fits within a name", "registry.example/*/base=mirror.example/*/base", "registry.example/team/base:1", "mirror.example/team/base:1"},
		{"but not across a slash", "registry.example/*/base=mirror.example/*/base", "registry.example/a/b/base:1", "registry.example/a/b/base:1"},
		{"two stars do", "registry.example/**=mirror.example/**", "registry.example/a/b/base:1", "mirror.example/a/b/base:1"},
		{"the tag is kept", "debian*=mirror.example/debian*", "debian-slim:12", "mirror.example/debian-slim:12"},
		{"unless the rule names one", "debian*=mirror.example/debian:9", "debian-slim:12", "mirror.example/debian:9"},
		{"no tag stays none", "debia*=mirror.example/debia*", "debian", "mirror.example/debian"},
		{"a glob of tags", "debian:*-slim=mirror.example/debian:*", "debian:12-slim", "mirror.example/debian:12"},
		{"is not for other tags", "debian:*-slim=mirror.example/debian:*", "debian:12", "debian:12"},
		{"no tag is latest", "debian:l*t=mirror.example/debian:*", "debian", "mirror.example/debian:ates"},
		{"stars are taken in order", "registry.example/*/*:*=m.example/*/x-*:v*", "registry.example/a/b:1", "m.example/a/x-b:v1"},
		{"short names are read in full", "*/tool=m.example/*/tool", "docker.io/vendor/tool:1", "m.example/vendor/tool:1"},
		{"and so are references", "docker.io/library/d*=m.example/d*", "debian:1", "m.example/debian:1"},
		{"a registry with a port", "localhost:5000/*=m.example/*", "localhost:5000/x:1", "m.example/x:1"},
		{"stars at the very beginning fit any registry", "**/base=m.example/base", "quay.io/a/b/base:1", "m.example/base:1"},

		{"an expression fits the whole reference", "~^quay.io/(.*)$=mirror.example/$1", "quay.io/org/app:1", "mirror.example/org/app:1"},
		{"with or without anchors", "~quay.io/(.*)=mirror.example/$1", "quay.io/org/app:1", "mirror.example/org/app:1"},
		{"never a part of it", "~quay.io/org=mirror.example/org", "quay.io/org/app:1", "quay.io/org/app:1"},
		{"it sees the full form", "~docker.io/library/(.*)=mirror.example/$1", "debian:12", "mirror.example/debian:12"},
		{"and the short one", "~debian:(\\d+)=mirror.example/debian:${1}-slim", "docker.io/library/debian:12", "mirror.example/debian:12-slim"},
		{"no tag is latest", "~debian:(.*)=mirror.example/debian:$1", "debian", "mirror.example/debian:latest"},
		{"groups may have names", "~quay.io/(?P<path>.*)=m.example/${path}", "quay.io/a:1", "m.example/a:1"},
		{"alternatives are one group", "~quay.io/a|gcr.io/b:1=m.example/c:1", "gcr.io/b:1", "m.example/c:1"},
		{"a digest may be taken over", "~quay.io/(.*)=m.example/$1", "quay.io/a:1@" + sum, "m.example/a:1@" + sum},
		{"but not dropped", "~quay.io/(.*)@.*=m.example/$1", "quay.io/a:1@" + sum, "quay.io/a:1@" + sum},
		{"a digest without tag", "~quay.io/(.*)@(.*)=m.example/$1@$2", "quay.io/a@" + sum, "m.example/a@" + sum},
		{"a glob leaves digests alone", "quay.io/*=m.example/*", "quay.io/a@" + sum, "quay.io/a@" + sum},
	} {
		t.Run(c.why, func(t *testing.T) {
			got, err := offline(t, c.image, rules(t, "", c.rule).List...)
			if err != nil || got != c.want {
				t.Errorf("%s makes %q of %s, want %q; %v", c.rule, got, c.image, c.want, err)
			}
		})
	}
}

func TestPatternsThatAreNoneAreRefused(t *testing.T) {
	for _, c := range []struct{ text, want, hint string }{
		{"debian:*=x:*:*", "has 2 wildcards, but debian:* only 1", "stands for"},
		{"debian:*@" + sum + "=x", "is no glob", "registry.example/*/base"},
		{"De*=x", "is no glob", ""},
		{"a***=x", "is no glob", ""},
		{"deb*=X*", "is no image reference", "lower case"},
		{"~(=x", "is no regular expression", "$1"},
		{"~a)(b=x", "is no regular expression", "$1"},
		{"~=x", "is no regular expression", "$1"},
		{"~a{1000}{1000}=x", "is no regular expression", "$1"},
		{"~quay.io/(.*)=m/$2", "$2 is no group", "$1"},
		{"~quay.io/(.*)=m/$1_x", "$1_x is no group", "${1}"},
		{"~quay.io/(.*)=m/$", "is no group", "${1}"},
		{"~quay.io/(.*)=m/X$1", "is no image reference", "lower case"},
		{"~" + strings.Repeat("a", 2000) + "=x", "longer than 1000 bytes", ""},
		{strings.Repeat("a", 2000) + "*=x", "is no glob", ""},
		{"debian=*", "is no image reference", ""},
	} {
		_, err := resolve.ParseRule(c.text)
		var hinted interface{ Hint() string }
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), c.hint) {
			t.Errorf("%.60s: %v", c.text, err)
		}
	}
}

func TestAResultThatIsNoReferenceIsRefused(t *testing.T) {
	_, err := offline(t, "quay.io/a:b_.", rules(t, "", "~quay.io/a:(.*)=m.example/$1").List...)
	if err == nil || !strings.Contains(err.Error(), `makes "m.example/b_." of quay.io/a:b_., which is no image reference`) {
		t.Error(err)
	}
}

func TestOfSeveralPatternsTheClosestWins(t *testing.T) {
	arm64 := platform.MustParse("arm64")
	file := func(old, to string) resolve.Rule {
		return resolve.Rule{Old: old, New: to, Source: "archbuild.yaml:1"}
	}
	line := func(old, to string) resolve.Rule {
		return resolve.Rule{Old: old, New: to, Source: "--base", CommandLine: true}
	}
	on := func(r resolve.Rule) resolve.Rule { r.Platform = arm64; return r }
	for _, c := range []struct {
		why           string
		strong, weak  resolve.Rule
		image, result string
	}{
		{"the reference over a glob of its tags", file("debian:12-slim", "x/a:1"), line("debian:*-slim", "x/b:1"), "debian:12-slim", "x/a:1"},
		{"a glob of tags over the repository", file("debian:*-slim", "x/a:1"), line("debian", "x/b:1"), "debian:12-slim", "x/a:1"},
		{"the repository over a glob", file("debian", "x/a:1"), line("deb*", "x/b:1"), "debian:12-slim", "x/a:1"},
		{"a glob over an expression", file("deb*", "x/a:1"), line("~debian:.*", "x/b:1"), "debian:12-slim", "x/a:1"},
		{"the glob with more letters", file("debia*", "x/a:1"), line("deb*", "x/b:1"), "debian:12-slim", "x/a:1"},
		{"the command line over the file", line("deb*", "x/a:1"), on(file("deb*", "x/b:1")), "debian:12-slim", "x/a:1"},
		{"a platform's over one for all", on(file("deb*", "x/a:1")), file("deb*", "x/b:1"), "debian:12-slim", "x/a:1"},
	} {
		for _, list := range [][]resolve.Rule{{c.strong, c.weak}, {c.weak, c.strong}} {
			if got, err := offline(t, c.image, list...); err != nil || got != c.result {
				t.Errorf("%s: got %q, %v", c.why, got, err)
			}
		}
	}
}

func TestPatternsThatFightAreRefused(t *testing.T) {
	for _, c := range []struct{ why, one, two string }{
		{"two expressions", "~debian:(.*)=x/a:$1", "~(.*)bian:12=x/b:1"},
		{"two globs of the same length", "deb*=x/a:1", "*ian=x/b:1"},
		{"one glob twice", "deb*=x/a:1", "deb*=x/b:1"},
	} {
		_, err := offline(t, "debian:12", rules(t, "", c.one, c.two).List...)
		var fight *resolve.FightError
		if !errors.As(err, &fight) || fight.First.String() != c.one || fight.Second.String() != c.two {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	one := resolve.Rule{Old: "deb*", New: "x/a:1", Source: "archbuild.yaml:3", Column: 9}
	two := resolve.Rule{Old: "*ian", New: "x/b:1", Source: "archbuild.yaml:4", Column: 11}
	_, err := offline(t, "debian:12", one, two)
	if err == nil || !strings.Contains(err.Error(), "two rules fight: deb*=x/a:1 (archbuild.yaml:3:9) and *ian=x/b:1 (archbuild.yaml:4:11)") {
		t.Error(err)
	}
	// Where they agree, or something stronger decides, there is peace.
	if got, err := offline(t, "debian:12", rules(t, "", "~debian:(.*)=x/a:$1", "~(.*)bian:12=x/a:12").List...); err != nil || got != "x/a:12" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := offline(t, "debian:12", rules(t, "", "deb*=x/a:1", "*ian=x/b:1", "debian=x/c:1").List...); err != nil || got != "x/c:1" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRulesThatFitNothingAreTold(t *testing.T) {
	list := rules(t, resolve.Keep, "debian=x/a", "alpin=x/alpine", "~quay.io/(.*)=m.example/$1", "debian=y/a@linux/s390x")
	list.Offline = true
	list.List = append(list.List, resolve.Rule{Old: "unused", New: "x", Source: "archbuild.yaml:3"})
	_, warnings, err := resolve.All(t.Context(), nil, list, []resolve.Question{ask("debian:12", "arm64")})
	var got []string
	for _, w := range warnings {
		if w.Kind != resolve.UnusedRule {
			t.Errorf("%+v", w)
		}
		got = append(got, w.Text)
	}
	want := "--base alpin=x/alpine matched no image of this Dockerfile\n" +
		"--base ~quay.io/(.*)=m.example/$1 matched no image of this Dockerfile\n" +
		"--base debian=y/a@linux/s390x matched no image of this Dockerfile"
	if strings.Join(got, "\n") != want || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// processor is the time that this process has spent on processors, which is the same however busy the machine is.
func processor(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestManyRulesTakeNoTime(t *testing.T) {
	var list []resolve.Rule
	for i := range 5000 {
		list = append(list, resolve.Rule{Old: fmt.Sprintf("a%d", i), New: "x"})
	}
	for i := range 200 {
		list = append(list, resolve.Rule{Old: fmt.Sprintf("~quay.io/(.*)(.*)(.*)%d", i), New: "x/$1"})
	}
	var questions []resolve.Question
	for i := range 10_000 {
		questions = append(questions, ask(fmt.Sprintf("quay.io/b%d/%s:x", i, strings.Repeat("a", 200)), "linux/arm64"))
	}
	for _, c := range []struct {
		rules     []resolve.Rule
		questions []resolve.Question
		refused   bool
	}{
		{list, questions, true},
		{list, questions[:100], false},
		{list[:5000], questions, false},
	} {
		start := processor(t)
		_, _, err := resolve.All(t.Context(), nil, resolve.Rules{Offline: true, List: c.rules}, c.questions)
		took := processor(t) - start
		t.Logf("%d references and %d rules in %v", len(c.questions), len(c.rules), took)
		if refused := errors.As(err, new(*resolve.RuleError)); refused != c.refused || took > 10*time.Second {
			t.Errorf("%v, %v", took, err)
		}
	}
	if err := (resolve.Rules{List: append(list, resolve.Rule{Old: "b*", New: "x"})}).Check(); err == nil {
		t.Error("any number of patterns is taken")
	}
}

// FuzzPattern holds: a rule never panics, and whatever it makes of a reference is
// a reference; a digest comes out as it went in.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][3]string{
		{"deb*", "x/*", "debian:12"}, {"registry.example/**:*", "m/**:*-*", "registry.example/a/b:1"},
		{"~quay.io/(.*)", "m.example/$1", "quay.io/a@" + sum}, {"~(?i)D(.)(.*)", "x/$2:$1", "debian"}, {"**", "**", "a/b"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, old, to, image string) {
		rule := resolve.Rule{Old: old, New: to}
		if rule.Check() != nil {
			return
		}
		use, err := offline(t, image, rule)
		if err != nil {
			return
		}
		if err := (resolve.Rule{Old: use, New: use}).Check(); err != nil {
			t.Errorf("%q=%q makes %q of %q: %v", old, to, use, image, err)
		}
		_, digest, _ := strings.Cut(image, "@")
		if digest != "" && old != image && !strings.Contains(old, "@") && !strings.HasSuffix(use, digest) {
			t.Errorf("%q=%q makes %q of %q", old, to, use, image)
		}
	})
}
