package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

func TestAnImageMustNotHoldProgramsOfAnotherPlatform(t *testing.T) {
	for _, row := range []struct {
		name, dockerfile string
		allow            []string
		want, hint       string
	}{
		{"the final stage is fixed", "FROM --platform=linux/amd64 debian\n", nil,
			"Dockerfile:1: the image for linux/arm64 would hold programs for linux/amd64: stage 0 (final) is fixed to linux/amd64 at Dockerfile:1", "--allow-foreign-stage 0"},
		{"the final stage is the node's own", "FROM --platform=$BUILDPLATFORM debian AS App\n", nil, "stage App (final) is fixed to linux/amd64 at Dockerfile:1", "take --platform out"},
		{"the final stage starts from one that is", "FROM --platform=$BUILDPLATFORM debian AS a\nRUN x\nFROM a\n", nil, "stage 1 (final) is fixed to linux/amd64 at Dockerfile:1", "--allow-foreign-stage 1"},
		{"it copies from a fixed stage", "FROM alpine\n\nFROM --platform=linux/amd64 golang AS tools\nFROM debian\nCOPY --from=tools /x /\n", nil,
			"Dockerfile:3: the image for linux/arm64 would hold programs for linux/amd64: stage 2 (final) copies from stage tools at line 5, which is fixed to linux/amd64 at Dockerfile:3", "$BUILDPLATFORM"},
		{"through another stage", "FROM --platform=linux/amd64 golang AS tools\nFROM alpine AS mid\nCOPY --from=0 /x /\nFROM mid AS low\nFROM debian\nCOPY --from=low /x /\n", nil,
			"stage 3 (final) copies from stage low at line 6, which starts from stage mid, which copies from stage tools at line 3, which is fixed", "--allow-foreign-stage tools"},
		{"by an ONBUILD", "FROM --platform=linux/amd64 golang AS tools\nFROM alpine AS mid\nONBUILD COPY --from=tools /x /\nFROM mid\n", nil, "stage 2 (final) copies from stage tools at line 3", ""},
		{"with an argument for the platform", "ARG P=linux/amd64\nFROM --platform=$P golang AS tools\nFROM debian\nCOPY --from=tools /x /\n", nil, "fixed to linux/amd64 at Dockerfile:2", ""},
		{"a stage on the node's platform is for that", "FROM --platform=$BUILDPLATFORM golang AS b\nFROM debian\nCOPY --from=b /x /\n", nil, "", ""},
		{"in whatever way it is written", "ARG P=${BUILDPLATFORM}\nFROM --platform=linux/$BUILDARCH golang AS b\nFROM --platform=${P:-x} golang AS c\nFROM debian\nCOPY --from=b /x /\nCOPY --from=c /y /\n", nil, "", ""},
		{"and may use fixed ones", "FROM --platform=linux/amd64 golang AS tools\nFROM --platform=$BUILDPLATFORM golang AS b\nCOPY --from=tools /x /\nFROM debian\nCOPY --from=b /x /\n", nil, "", ""},
		{"a mount brings nothing into the image", "FROM --platform=linux/amd64 golang AS tools\nFROM debian\nRUN --mount=from=tools,target=/t x\n", nil, "", ""},
		{"a stage that is not needed", "FROM --platform=linux/amd64 golang AS tools\nFROM debian\n", nil, "", ""},
		{"the platform that is built", "FROM --platform=linux/arm64 golang AS tools\nFROM --platform=$TARGETPLATFORM debian\nCOPY --from=tools /x /\n", nil, "", ""},
		{"scratch has no platform", "FROM --platform=linux/amd64 scratch\nCOPY x /\n", nil, "", ""},
		{"allowed by name, in any case", "FROM --platform=linux/amd64 golang AS tools\nFROM debian\nCOPY --from=tools /x /\n", []string{"Tools"}, "", ""},
		{"allowed by number", "FROM --platform=linux/amd64 golang AS tools\nFROM debian\nCOPY --from=tools /x /\n", []string{"0"}, "", ""},
		{"another one is allowed", "FROM --platform=linux/amd64 golang AS tools\nFROM debian\nCOPY --from=tools /x /\n", []string{"1", "nobody"}, "copies from stage tools", ""},
		{"the final stage is allowed", "FROM --platform=linux/amd64 debian AS app\n", []string{"app"}, "", ""},
		{"the stage it starts from is allowed", "FROM --platform=linux/amd64 debian AS app\nFROM app\n", []string{"app"}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := request(t, row.dockerfile, plan.Target{Platform: arm64})
			r.AllowForeign = row.allow
			questions, err := plan.Questions(r)
			if err != nil {
				t.Fatal(err)
			}
			p, err := plan.Make(r, answer(questions))
			if len(p.Jobs) != 1 || len(p.Jobs[0].Stages) == 0 {
				t.Errorf("the plan is not whole: %+v", p)
			}
			var foreign *plan.ForeignStageError
			switch {
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want == "":
			case !errors.As(err, &foreign) || !strings.Contains(err.Error(), row.want) || !strings.Contains(foreign.Hint(), row.hint):
				t.Errorf("%v lacks %q, or its hint %q", err, row.want, row.hint)
			}
		})
	}
}

func TestAFixedStageIsAskedForItsOwnPlatform(t *testing.T) {
	questions, err := plan.Questions(request(t, "FROM --platform=linux/amd64 debian\n", plan.Target{Platform: arm64}))
	if err != nil || len(questions) != 1 || questions[0].Platform != amd64 {
		t.Errorf("%v, %v", questions, err)
	}
}

func TestALowerVariantIsNotForeign(t *testing.T) {
	r := request(t, "FROM --platform=linux/arm/v6 debian AS a\nFROM debian\nCOPY --from=a /x /\n", plan.Target{Platform: platform.MustParse("linux/arm/v7")})
	questions, err := plan.Questions(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Make(r, answer(questions)); err != nil {
		t.Error(err)
	}
}
