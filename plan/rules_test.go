package plan_test

import (
	"errors"
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
	r := request(t, "FROM balenalib/%%BALENA_MACHINE_NAME%%-debian\nENV A=%%BALENA_ARCH%%\n", plan.Target{Platform: arm64})
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
	if len(p.Notes) != 2 || !strings.Contains(p.Notes[0], "--build-arg linux/arm64:BALENA_MACHINE_NAME=NAME") || !strings.HasPrefix(p.Notes[1], "Dockerfile:2: %%BALENA_ARCH%% stays") {
		t.Errorf("%q", p.Notes)
	}
}

// asked goes on until nothing is left to ask; images have the ONBUILD instructions given.
func asked(t *testing.T, r plan.Request, onbuild map[string][]string) (plan.Answers, []string) {
	t.Helper()
	answers := plan.Answers{}
	var list []string
	for {
		questions, err := plan.MoreQuestions(r, answers)
		if err != nil {
			t.Fatal(err)
		}
		if len(questions) == 0 {
			return answers, list
		}
		for q, a := range answer(questions) {
			a.Onbuild = onbuild[q.Image]
			answers[q] = a
			list = append(list, q.Image+" "+q.Platform.String()+" "+plan.Whence(r, answers, q))
		}
		slices.Sort(list)
	}
}

func TestABaseBringsReferencesAlong(t *testing.T) {
	const dockerfile = "FROM golang AS tools\nFROM --platform=$BUILDPLATFORM node:onbuild\n"
	r := request(t, dockerfile, plan.Target{Platform: arm64})
	r.AllowForeign = []string{"1"}
	onbuild := map[string][]string{"node:onbuild": {"COPY --from=nginx:1 a b", "RUN --mount=from=tools,target=/t x", "ADD . /"}, "golang": {"COPY --from=far a b"}}
	answers, list := asked(t, r, onbuild)
	want := []string{
		"far linux/arm64 Dockerfile:1: ONBUILD COPY --from=far, which golang brings along",
		"golang linux/arm64 ",
		"nginx:1 linux/arm64 Dockerfile:2: ONBUILD COPY --from=nginx:1, which node:onbuild brings along",
		"node:onbuild linux/amd64 ",
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	p, err := plan.Make(r, answers)
	if err != nil {
		t.Fatal(err)
	}
	if job := p.Jobs[0]; len(job.Stages) != 2 || len(job.Bases) != 2 || len(job.Onbuild) != 2 || job.Onbuild[0].Reference != -1 {
		t.Errorf("%+v", p.Jobs[0])
	}
	q := resolve.Question{Image: "nginx:1", Platform: arm64}
	a := answers[q]
	a.Use = "arm64v8/nginx:1"
	answers[q] = a
	_, err = plan.Make(r, answers)
	var brought *plan.OnbuildError
	if !errors.As(err, &brought) || brought.Line != 2 || !strings.Contains(brought.Hint(), "--build-context nginx:1=docker-image://arm64v8/nginx:1") {
		t.Errorf("%v", err)
	}
	r.Contexts = []string{"nginx:1"}
	if _, err := plan.Make(r, answers); err != nil {
		t.Errorf("with the context: %v", err)
	}
}
