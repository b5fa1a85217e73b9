package plan_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
	"github.com/google/go-cmp/cmp"
)

func TestACommentInTheFileDecides(t *testing.T) {
	r := request(t, "FROM ubuntu:bionic\n# FROM arm64=arm64v8/ubuntu:bionic\n# FROM arm=skip\n", plan.Target{Platform: amd64}, plan.Target{Platform: arm64}, plan.Target{Platform: platform.MustParse("linux/arm/v7")})
	questions, err := plan.Questions(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Make(r, answer(questions))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, job := range p.Jobs {
		for _, b := range job.Bases {
			got = append(got, job.Platform.String()+": "+b.From+" → "+b.To+" ("+b.Rule+")")
		}
	}
	want := []string{
		"linux/amd64: ubuntu:bionic → ubuntu:bionic (index holds it)",
		"linux/arm64: ubuntu:bionic → arm64v8/ubuntu:bionic (Dockerfile:2 comment)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"linux/arm/v7 is left out: Dockerfile:3 comment says skip"}, p.Notes); diff != "" {
		t.Error(diff)
	}
	if !p.Jobs[1].Final.Mapped() {
		t.Errorf("final %+v", p.Jobs[1].Final)
	}
}

func TestWhoeverSaysOtherwiseForThisRunOverrulesAComment(t *testing.T) {
	armv7 := platform.MustParse("linux/arm/v7")
	for _, row := range []struct {
		name      string
		overruled bool
		want      []string
	}{
		{"nobody", false, []string{"linux/arm64 arm64v8/ubuntu:bionic (Dockerfile:2 comment, not )"}},
		{"the user", true, []string{"linux/arm64 ubuntu:bionic (, not Dockerfile:2 comment)", "linux/arm/v7 ubuntu:bionic (, not Dockerfile:3 comment)"}},
	} {
		r := request(t, "FROM ubuntu:bionic\n# FROM arm64=arm64v8/ubuntu:bionic\n# FROM arm=skip\n", plan.Target{Platform: arm64}, plan.Target{Platform: armv7})
		r.Overruled = func(image string, on platform.Platform, skip bool) bool {
			return row.overruled && image == "ubuntu:bionic" && skip == (on == armv7)
		}
		origins, err := plan.Origins(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range origins {
			got = append(got, fmt.Sprintf("%s %s (%s, not %s)", o.Platform, o.Image, o.Rule, o.Overruled))
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

func TestThereMustBeAPlatformLeft(t *testing.T) {
	r := request(t, "FROM ubuntu:bionic\n# FROM arm64=skip\n", plan.Target{Platform: arm64})
	if questions, err := plan.Questions(r); err != nil || len(questions) > 0 {
		t.Errorf("%v, %v", questions, err)
	}
	_, err := plan.Make(r, nil)
	if none := (*plan.SkippedError)(nil); !errors.As(err, &none) || err.Error() != "Dockerfile: nothing is left to build: Dockerfile:2 comment says skip for linux/arm64" {
		t.Errorf("%v", err)
	}
}

func TestABadCommentOfArchbuildIsAnErrorAndOneOfDapperANote(t *testing.T) {
	_, err := plan.Questions(request(t, "# archbuild: linux/arm64=UPPER\nFROM debian\n", plan.Target{Platform: amd64}))
	if problem := (*template.Problem)(nil); !errors.As(err, &problem) || problem.Line != 1 {
		t.Errorf("%v", err)
	}
	r := request(t, "FROM debian\n# FROM arm64=UPPER\n", plan.Target{Platform: amd64})
	questions, err := plan.Questions(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Make(r, answer(questions))
	if err != nil || len(p.Notes) != 1 || !strings.HasPrefix(p.Notes[0], "Dockerfile:2: the comment has no effect") {
		t.Errorf("%q, %v", p.Notes, err)
	}
}

func TestPlaceholdersAreFilledIn(t *testing.T) {
	r := request(t, "FROM balenalib/%%BALENA_MACHINE_NAME%%-debian\nENV A=%%BALENA_ARCH%% B=%%OTHER%%\n", plan.Target{Platform: arm64})
	questions, err := plan.Questions(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Make(r, answer(questions))
	if err != nil {
		t.Fatal(err)
	}
	if b := p.Jobs[0].Bases[0]; b.From != "balenalib/%%BALENA_MACHINE_NAME%%-debian" || b.To != "balenalib/aarch64-debian" {
		t.Errorf("%+v", b)
	}
	want := []string{
		"Dockerfile:2: %%OTHER%% stays on linux/arm64: nothing says what it is; give --build-arg OTHER=VALUE",
		"Dockerfile:1: balenalib/aarch64-debian is taken for balenalib/%%BALENA_MACHINE_NAME%%-debian on linux/arm64; name the machine with --build-arg linux/arm64:BALENA_MACHINE_NAME=NAME",
	}
	if diff := cmp.Diff(want, p.Notes); diff != "" {
		t.Error(diff)
	}
}

// asked goes on until nothing is left to ask; images have the ONBUILD instructions
// given. It lists each question with the place that asks it.
func asked(t *testing.T, r plan.Request, onbuild map[string][]string) (plan.Answers, []string) {
	t.Helper()
	answers := plan.Answers{}
	for {
		questions, err := plan.MoreQuestions(r, answers)
		if err != nil {
			t.Fatal(err)
		}
		if len(questions) == 0 {
			break
		}
		for q, a := range answer(questions) {
			a.Onbuild = onbuild[q.Image]
			answers[q] = a
		}
	}
	origins, err := plan.Origins(r, answers)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, o := range origins {
		list = append(list, strings.TrimSpace(o.Image+" "+o.Platform.String()+" "+o.String()+" "+o.Rule))
	}
	slices.Sort(list)
	return answers, list
}

func TestABaseBringsReferencesAlong(t *testing.T) {
	const dockerfile = "FROM golang AS tools\nFROM --platform=$BUILDPLATFORM node:onbuild\n"
	r := request(t, dockerfile, plan.Target{Platform: arm64})
	r.AllowForeign = []string{"1"}
	onbuild := map[string][]string{"node:onbuild": {"COPY --from=nginx:1 a b", "RUN --mount=from=tools,target=/t x", "ADD . /"}, "golang": {"COPY --from=far a b"}}
	answers, list := asked(t, r, onbuild)
	want := []string{
		"far linux/arm64 Dockerfile:1: the base golang brings ONBUILD COPY --from=far",
		"golang linux/arm64 Dockerfile:1",
		"nginx:1 linux/arm64 Dockerfile:2: the base node:onbuild brings ONBUILD COPY --from=nginx:1",
		"node:onbuild linux/amd64 Dockerfile:2",
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	q := resolve.Question{Image: "nginx:1", Platform: arm64}
	a := answers[q]
	a.Use, a.Rule = "arm64v8/nginx:1", "official prefix"
	answers[q] = a
	p, err := plan.Make(r, answers)
	if err != nil {
		t.Fatal(err)
	}
	if job := p.Jobs[0]; len(job.Stages) != 2 || len(job.Bases) != 2 {
		t.Errorf("%+v", job)
	}
	brought := []plan.Base{
		{Reference: -1, Line: 1, Where: "ONBUILD COPY --from", Platform: arm64, From: "far", To: "far", Digest: "sha256:arm64", Rule: "index holds it", BroughtBy: "golang"},
		{Reference: -1, Line: 2, Where: "ONBUILD COPY --from", Platform: arm64, From: "nginx:1", To: "arm64v8/nginx:1", Digest: "sha256:arm64", Rule: "official prefix", BroughtBy: "node:onbuild"},
	}
	if diff := cmp.Diff(brought, p.Jobs[0].Onbuild); diff != "" {
		t.Error(diff)
	}
	r.Contexts = []string{"nginx:1"}
	if p, err := plan.Make(r, answers); err != nil || len(p.Jobs[0].Onbuild) != 1 {
		t.Errorf("with the context: %+v, %v", p.Jobs[0].Onbuild, err)
	}
}

func TestAnImageOfTheSameRunBringsReferencesAlong(t *testing.T) {
	r := request(t, "FROM golang AS tools\nFROM docker.io/shop/base:1\n", plan.Target{Platform: arm64})
	r.Contexts, r.AllowForeign = []string{"shop/base:1::linux/arm64"}, []string{"1"}
	r.ContextOnbuild = map[string][]string{"shop/base:1::linux/arm64": {"COPY --from=nginx:1 a b", "RUN --mount=from=tools,target=/t x"}}
	answers, list := asked(t, r, nil)
	want := []string{"golang linux/arm64 Dockerfile:1", "nginx:1 linux/arm64 Dockerfile:2: the base docker.io/shop/base:1 brings ONBUILD COPY --from=nginx:1"}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	p, err := plan.Make(r, answers)
	if err != nil {
		t.Fatal(err)
	}
	job := p.Jobs[0]
	if len(job.Stages) != 2 || job.Stages[1].How == plan.None || len(job.Onbuild) != 1 || job.Onbuild[0].From != "nginx:1" || !job.HasTriggers() {
		t.Errorf("%+v", job)
	}
	r.ContextOnbuild = nil
	if p, err := plan.Make(r, answers); err != nil || len(p.Jobs[0].Stages) != 1 || p.Jobs[0].HasTriggers() {
		t.Errorf("where nothing is known of it: %+v, %v", p, err)
	}
}

func TestAContextThatIsAnImageIsAskedFor(t *testing.T) {
	for _, row := range []struct {
		name, dockerfile string
		asked            []string
		contexts         []string
		final            string
	}{
		{
			"in FROM", "FROM base\n", []string{"vendor/base:1 linux/arm64 Dockerfile:1 --build-context base"},
			[]string{"1 FROM base → vendor/base:1 (--build-context base)"}, "vendor/base:1",
		},
		{
			"in FROM on the build platform", "FROM --platform=$BUILDPLATFORM base AS b\nFROM debian:12\nCOPY --from=b /x /\n",
			[]string{"debian:12 linux/arm64 Dockerfile:2", "vendor/base:1 linux/amd64 Dockerfile:1 --build-context base"},
			[]string{"1 FROM base → vendor/base:1 (--build-context base)"}, "debian:12",
		},
		{
			"in COPY --from", "FROM debian:12\nCOPY --from=base:latest /x /\n",
			[]string{"debian:12 linux/arm64 Dockerfile:1", "vendor/base:1 linux/arm64 Dockerfile:2 --build-context base"},
			[]string{"2 COPY --from base:latest → vendor/base:1 (--build-context base)"}, "debian:12",
		},
		{
			"in the place of a stage, whose FROM is not asked for", "FROM golang AS Base\nFROM base\n",
			[]string{"vendor/base:1 linux/arm64 Dockerfile:1 --build-context base"},
			[]string{"1 FROM Base → vendor/base:1 (--build-context base)"}, "vendor/base:1",
		},
		{
			"in an ONBUILD of a base", "FROM onbuild\n",
			[]string{"onbuild linux/arm64 Dockerfile:1", "vendor/base:1 linux/arm64 Dockerfile:1: the base onbuild brings ONBUILD COPY --from=base --build-context base"},
			[]string{"1 ONBUILD COPY --from base → vendor/base:1 (--build-context base)"}, "onbuild",
		},
	} {
		r := request(t, row.dockerfile, plan.Target{Platform: arm64})
		r.Contexts, r.ContextImages = []string{"base"}, map[string]string{"base": "vendor/base:1"}
		answers, list := asked(t, r, map[string][]string{"onbuild": {"COPY --from=base a b"}})
		if diff := cmp.Diff(row.asked, list); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
		p, err := plan.Make(r, answers)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		var contexts []string
		for _, b := range p.Jobs[0].Contexts {
			contexts = append(contexts, fmt.Sprintf("%d %s %s → %s (%s)", b.Line, b.Where, b.From, b.To, b.Rule))
			if b.Context != "base" || b.Digest == "" {
				t.Errorf("%s: %+v", row.name, b)
			}
		}
		if diff := cmp.Diff(row.contexts, contexts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
		if final := p.Jobs[0].Final; final == nil || final.To != row.final {
			t.Errorf("%s: final %+v", row.name, final)
		}
	}
}
