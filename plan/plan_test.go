package plan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
	"github.com/google/go-cmp/cmp"
)

var (
	amd64 = platform.MustParse("linux/amd64")
	arm64 = platform.MustParse("linux/arm64")
)

// request reads a Dockerfile for a node that is amd64 and emulates arm64 alone.
func request(t *testing.T, dockerfile string, targets ...plan.Target) plan.Request {
	t.Helper()
	read, err := template.Parse("Dockerfile", []byte(dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	return plan.Request{
		Name: "app", Template: read, Targets: targets, PlatformsFrom: "--platform", Build: amd64, Node: "engine",
		Runs: func(p platform.Platform) plan.Ability {
			switch p {
			case amd64:
				return plan.Ability{How: plan.Native}
			case arm64:
				return plan.Ability{How: plan.Emulated}
			}
			return plan.Ability{How: plan.Impossible, Why: "no emulator is registered", Hint: "install an emulator"}
		},
	}
}

// answer serves every question with itself, pinned by a digest that tells the platform.
func answer(questions []resolve.Question) map[resolve.Question]resolve.Answer {
	answers := map[resolve.Question]resolve.Answer{}
	for _, q := range questions {
		answers[q] = resolve.Answer{Question: q, Use: q.Image, Digest: "sha256:" + q.Platform.Suffix(), Rule: "index holds it"}
	}
	return answers
}

func TestQuestionsAskForEachImageOnThePlatformItHasToServe(t *testing.T) {
	for _, row := range []struct {
		name, dockerfile string
		want             []string
	}{
		{"a plain base is asked for the target", "FROM debian:12\n", []string{"debian:12 linux/arm64"}},
		{"a BUILDPLATFORM stage is asked for the node", "FROM --platform=$BUILDPLATFORM golang:1 AS b\nFROM scratch\nCOPY --from=b /x /\n", []string{"golang:1 linux/amd64"}},
		{"scratch and stages are not asked for", "FROM debian:12 AS a\nFROM a\nFROM scratch\nCOPY --from=1 /x /\n", []string{"debian:12 linux/arm64"}},
		{"a stage that nobody needs is not asked for", "FROM busybox AS unused\nFROM debian:12\n", []string{"debian:12 linux/arm64"}},
		{"images that files are copied from are asked for", "FROM debian:12\nCOPY --from=alpine:3 /x /\n", []string{"debian:12 linux/arm64", "alpine:3 linux/arm64"}},
		{"the same question is asked once", "FROM debian:12 AS a\nFROM debian:12\nCOPY --from=a /x /\n", []string{"debian:12 linux/arm64"}},
		{"arguments are put in", "ARG V=12\nFROM debian:${V}\n", []string{"debian:12 linux/arm64"}},
	} {
		questions, err := plan.Questions(request(t, row.dockerfile, plan.Target{Platform: arm64}))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		var got []string
		for _, q := range questions {
			got = append(got, q.Image+" "+q.Platform.String())
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

func TestNamedContextsAreNotAskedFor(t *testing.T) {
	r := request(t, "FROM vendor AS v\nFROM scratch\nCOPY --from=v /x /\nCOPY --from=assets /y /\n", plan.Target{Platform: arm64})
	r.Contexts = []string{"vendor", "assets"}
	questions, err := plan.Questions(r)
	if err != nil || len(questions) != 0 {
		t.Errorf("asked %v, %v", questions, err)
	}
	p, err := plan.Make(r, nil)
	if err != nil || len(p.Jobs[0].Bases) != 0 {
		t.Errorf("bases %v, %v", p.Jobs[0].Bases, err)
	}
}

func TestAContextStandsForAnImageOrAStageByAnyFormOfItsName(t *testing.T) {
	for _, row := range []struct {
		name, dockerfile, context string
		want                      []string
		final                     bool
	}{
		{"an image written in full", "FROM docker.io/library/debian:12\n", "debian:12", nil, false},
		{"latest may be left out", "FROM debian\n", "docker.io/library/debian:latest", nil, false},
		{"another tag is another image", "FROM debian:11\n", "debian:12", []string{"debian:11"}, true},
		{"a stage, with all that it alone needs", "FROM golang:1 AS Build\nCOPY --from=alpine:3 /x /\nFROM debian:12\nCOPY --from=build /x /\n", "build", []string{"debian:12"}, true},
		{"a stage below the final one", "FROM debian:12 AS base\nFROM base\n", "base", nil, false},
		{"what another stage needs as well stays", "FROM golang:1 AS a\nFROM a AS b\nFROM debian:12\nCOPY --from=a /x /\nCOPY --from=b /x /\n", "b", []string{"golang:1", "debian:12"}, true},
		{"scratch cannot be replaced", "FROM scratch AS s\nFROM debian:12\n", "scratch", []string{"debian:12"}, true},
	} {
		r := request(t, row.dockerfile, plan.Target{Platform: arm64})
		name, err := plan.ContextName(row.context)
		if err != nil {
			t.Fatal(err)
		}
		r.Contexts = []string{name}
		questions, err := plan.Questions(r)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		var got []string
		for _, q := range questions {
			got = append(got, q.Image)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
		p, err := plan.Make(r, answer(questions))
		if err != nil || (p.Jobs[0].Final != nil) != row.final {
			t.Errorf("%s: final %v, %v", row.name, p.Jobs[0].Final, err)
		}
	}
}

func TestAReferenceThatCannotBeUsedIsFoundBeforeBuilding(t *testing.T) {
	_, err := plan.Questions(request(t, "FROM debian:12\nCOPY --from=7 /x /\n", plan.Target{Platform: arm64}))
	if problem := (*template.Problem)(nil); !errors.As(err, &problem) || problem.Line != 2 {
		t.Errorf("error %v", err)
	}
}

func TestARunThatABaseBringsAlongNeedsAnEmulatorToo(t *testing.T) {
	r := request(t, "FROM debian:12\n", plan.Target{Platform: platform.MustParse("linux/s390x")})
	questions, err := plan.Questions(r)
	if err != nil {
		t.Fatal(err)
	}
	answers := answer(questions)
	for q, a := range answers {
		a.Onbuild = []string{"COPY . /src", "RUN make"}
		answers[q] = a
	}
	_, err = plan.Make(r, answers)
	if missing := (*plan.CannotRunError)(nil); !errors.As(err, &missing) || missing.Line != 1 {
		t.Errorf("error %v", err)
	}
}

func TestTheHintForAMissingArgumentIsWhatHelps(t *testing.T) {
	for _, row := range []struct{ name, dockerfile, want string }{
		{"one that is declared", "ARG V\nFROM debian:$V\n", "add --build-arg V=VALUE"},
		{"one that no FROM can see", "FROM a\nARG V=1\nFROM debian:$V\n", "add the line ARG V there"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := plan.Questions(request(t, row.dockerfile, plan.Target{Platform: arm64}))
			var missing *plan.MissingArgError
			if !errors.As(err, &missing) || !strings.Contains(missing.Hint(), row.want) {
				t.Errorf("got %v, want the hint %s", err, row.want)
			}
		})
	}
}

func TestWhatBuildKitRefusesInAnyStageIsAnErrorInAnyStage(t *testing.T) {
	for _, row := range []struct{ name, dockerfile, want string }{
		{"a missing argument", "ARG V\nFROM ${V} AS unused\nFROM debian\n", "Dockerfile:2: ${V} needs a value for V"},
		{"a name that is none", "FROM BASEIMAGE AS unused\nFROM debian\n", "Dockerfile:1: FROM BASEIMAGE is a placeholder"},
		{"a variable in COPY --from", "FROM a AS unused\nCOPY --from=$V / /\nFROM debian\n", "Dockerfile:2: COPY --from=$V: BuildKit expands no variables"},
		{"a stage number too high", "FROM a AS unused\nCOPY --from=7 / /\nFROM debian\n", "Dockerfile:2: COPY --from=7"},
		{"not what waits under ONBUILD", "FROM a AS unused\nONBUILD COPY --from=$V / /\nFROM debian\n", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := plan.Questions(request(t, row.dockerfile, plan.Target{Platform: arm64}))
			if row.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestAMissingArgumentIsNamedOnceForAllPlatforms(t *testing.T) {
	_, err := plan.Questions(request(t, "ARG BASE\nFROM ${BASE}\n", plan.Target{Platform: amd64}, plan.Target{Platform: arm64}))
	var missing *plan.MissingArgError
	if !errors.As(err, &missing) {
		t.Fatalf("error %v", err)
	}
	if missing.Line != 2 || missing.Names[0] != "BASE" || !strings.Contains(missing.Hint(), "--build-arg BASE=") {
		t.Errorf("%v; %s", missing, missing.Hint())
	}
	if strings.Count(err.Error(), "BASE}") != 1 {
		t.Errorf("said more than once:\n%v", err)
	}
}

func TestStagesTellHowTheirProgramsRun(t *testing.T) {
	const dockerfile = `FROM --platform=$BUILDPLATFORM golang:1 AS build
RUN go build
FROM debian:12 AS quiet
COPY --from=build /x /
FROM quiet
RUN /x
`
	r := request(t, dockerfile, plan.Target{Platform: arm64})
	questions, err := plan.Questions(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Make(r, answer(questions))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.Jobs[0].Stages {
		got = append(got, strings.TrimSpace(s.Base+" "+s.Platform.String()+" "+string(s.How)))
	}
	want := []string{"golang:1 linux/amd64 native", "debian:12 linux/arm64", "quiet linux/arm64 emulated"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if p.Jobs[0].How != plan.Emulated {
		t.Errorf("the job runs %s", p.Jobs[0].How)
	}
	if final := p.Jobs[0].Final; final == nil || final.Pinned() != "debian:12@sha256:arm64" {
		t.Errorf("the final base is %+v", final)
	}
}

func TestARunThatNothingCanRunIsRefusedBeforeAnythingIsBuilt(t *testing.T) {
	r := request(t, "FROM debian:12\nCOPY x /\nRUN /x\n", plan.Target{Platform: platform.MustParse("linux/s390x")})
	questions, err := plan.Questions(r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = plan.Make(r, answer(questions))
	var none *plan.CannotRunError
	if !errors.As(err, &none) || none.Line != 3 || none.Hint() != "install an emulator" {
		t.Errorf("error %v", err)
	}
}

func TestPinnedReplacesADigestAndKeepsTheName(t *testing.T) {
	for _, row := range []struct{ to, digest, want string }{
		{"debian:12", "sha256:aa", "debian:12@sha256:aa"},
		{"debian:12@sha256:index", "sha256:aa", "debian:12@sha256:aa"},
		{"registry.example:5000/x/y", "sha256:aa", "registry.example:5000/x/y@sha256:aa"},
		{"debian:12", "", "debian:12"},
	} {
		if got := (plan.Base{To: row.to, Digest: row.digest}).Pinned(); got != row.want {
			t.Errorf("%s with %s: %s, want %s", row.to, row.digest, got, row.want)
		}
	}
}

func TestThePlanShowsArgumentsByNameOnly(t *testing.T) {
	r := request(t, "ARG TOKEN\nFROM scratch\n", plan.Target{Platform: arm64, Args: map[string]string{"TOKEN": "hunter2"}})
	p, err := plan.Make(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), "TOKEN") {
		t.Errorf("%s", text)
	}
}

func TestStagesThatMoveAreTheBuildPlatforms(t *testing.T) {
	const dockerfile = "FROM golang:1 AS base\nRUN x\nFROM base AS build\nRUN y\nFROM debian:12 AS other\nRUN w\nFROM debian:12\nCOPY --from=build /a /\nCOPY --from=other /b /\n"
	req := request(t, dockerfile, plan.Target{Platform: arm64}, plan.Target{Platform: amd64})
	req.Cross = func(target plan.Target) []cross.Decision {
		if target.Platform == amd64 {
			return nil
		}
		return []cross.Decision{
			{Stage: 0, Move: true, Recipe: "go", Why: "it is safe"},
			{Stage: 1, Move: true, Recipe: "go", Why: "it is safe"},
			{Stage: 2, Kind: cross.ArchAsked, Why: "it asks", Line: 6},
			{Stage: 3, Kind: cross.TargetStage, Why: "it is the image", Line: 7},
		}
	}
	questions, err := plan.Questions(req)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, q := range questions {
		asked = append(asked, q.Image+" "+q.Platform.String())
	}
	if diff := cmp.Diff([]string{"golang:1 linux/amd64", "debian:12 linux/arm64", "debian:12 linux/amd64"}, asked); diff != "" {
		t.Errorf("questions: %s", diff)
	}
	p, err := plan.Make(req, answer(questions))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, job := range p.Jobs {
		got = append(got, job.Platform.String()+" "+string(job.How))
		for _, s := range job.Stages {
			line := s.Label() + " " + string(s.How) + " on " + s.Platform.String()
			if s.Cross != nil {
				line += ": " + s.Cross.String()
			}
			got = append(got, line)
		}
	}
	want := []string{
		"linux/arm64 emulated",
		"base cross on linux/amd64: it is safe", "build cross on linux/amd64: it is safe", "other emulated on linux/arm64: line 6: it asks", "3  on linux/arm64",
		"linux/amd64 native",
		"base native on linux/amd64", "build native on linux/amd64", "other native on linux/amd64", "3  on linux/amd64",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
