package template_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/reference"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sirupsen/logrus"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// recorder notes which images BuildKit's own Dockerfile frontend asks for.
type recorder struct {
	mu    sync.Mutex
	asked []string
}

func (r *recorder) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ref+" "+platform.FromOCI(*opt.ImageOpt.Platform).String())
	config := `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + digest.FromString(ref).String() + `"]}}`
	return ref, "", []byte(config), nil
}

// buildkit converts a Dockerfile the way a build does and lists the images it
// asked a registry for.
func buildkit(source string, env template.Env) ([]string, error) {
	target := env.Target.OCI()
	caps := pb.Caps.CapSet(pb.Caps.All())
	r := &recorder{}
	_, err := dockerfile2llb.Dockerfile2LLB(context.Background(), []byte(source), dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			BuildArgs:      env.Args,
			Target:         env.TargetStage,
			BuildPlatforms: []ocispecs.Platform{env.Build.OCI()},
		},
		TargetPlatform: &target,
		MetaResolver:   r,
		LLBCaps:        &caps,
	})
	return unique(r.asked), err
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// wanted lists the images that Uses says a build asks for. An ONBUILD of the
// target stage itself fires in other builds.
func wanted(t *template.Template, env template.Env) (list []string, problems []string, err error) {
	uses, err := t.Uses(env)
	if err != nil {
		return nil, nil, err
	}
	for i, u := range uses {
		r := t.References[i]
		if u.Problem != nil && (u.Needed || !strings.HasPrefix(r.Where, "ONBUILD")) {
			problems = append(problems, u.Problem.Error())
		}
		if !u.Needed || u.Kind != template.External || !fired(t, uses, r) {
			continue
		}
		named, err := reference.ParseNormalizedNamed(written(u))
		if err != nil {
			continue
		}
		list = append(list, reference.TagNameOnly(named).String()+" "+u.Platform.String())
	}
	return unique(list), problems, nil
}

// written is the image that BuildKit sees: it knows no rules in comments.
func written(u template.Use) string {
	if u.Written != "" {
		return u.Written
	}
	return u.Image
}

func fired(t *template.Template, uses []template.Use, r template.Reference) bool {
	if !strings.HasPrefix(r.Where, "ONBUILD") {
		return true
	}
	return slices.ContainsFunc(t.Stages, func(s template.Stage) bool {
		return uses[s.Base].Needed && uses[s.Base].Kind == template.StageKind && uses[s.Base].Target == r.Stage
	})
}

var envs = []template.Env{
	{Target: platform.MustParse("linux/arm64"), Build: platform.MustParse("linux/amd64")},
	{Target: platform.MustParse("linux/arm/v7"), Build: platform.MustParse("linux/amd64"), Args: map[string]string{"V": "given", "TARGETARCH": "mine", "EMPTY": ""}},
	{Target: platform.MustParse("linux/amd64"), Build: platform.MustParse("linux/arm64"), TargetStage: "build"},
}

// evaluated are Dockerfiles about what references mean; every one is compared
// with what BuildKit's frontend asks for under each of envs.
var evaluated = []string{
	"FROM debian\n",
	"FROM debian:12 AS build\nFROM --platform=$BUILDPLATFORM golang AS tools\nFROM build\nCOPY --from=tools /a /b\n",
	"FROM --platform=$BUILDPLATFORM golang AS build\nFROM --platform=linux/s390x build\nCOPY --from=busybox /a /b\nRUN --mount=from=alpine,target=/x y\n",
	"ARG V=1\nARG W=${V}-slim\nFROM debian:$W AS build\n",
	"ARG V=1\nARG V\nFROM debian:${V}\n",
	"ARG V\nFROM debian${V}\n",
	"ARG V\nFROM debian:${V:-x} AS build\nFROM debian:${V:+y}x\n",
	"ARG V=\nFROM debian:${V:-x}\n",
	"ARG V=\nFROM debian:a${V-x}\n",
	"ARG V=1.2.3\nFROM debian:${V%.*} AS build\nFROM debian:${V%%.*}\nCOPY --from=build a b\nFROM debian:${V#*.}\nCOPY --from=1 a b\nFROM debian:${V/./-}\nCOPY --from=2 a b\n",
	"ARG A=x\nARG V=\"${A:-${B:-c}}\"\nFROM \"debian\":'1'$V\n",
	"ARG FLAVOUR=slim\nFROM debian AS base-slim\nFROM alpine AS base-fat\nFROM base-${FLAVOUR} AS build\n",
	"FROM debian\nARG LATE=1\nFROM alpine:$LATE\n",
	"FROM debian:$TARGETARCH$TARGETVARIANT AS build\nFROM debian:$BUILDARCH-$TARGETOS-$TARGETSTAGE\n",
	"ARG TARGETARCH=fixed\nFROM debian:$TARGETARCH\n",
	"ARG BUILDPLATFORM=linux/s390x\nFROM --platform=$BUILDPLATFORM debian AS build\n",
	"FROM --platform=arm64 debian AS build\nFROM --platform=linux/arm/v6 debian\nCOPY --from=build a b\n",
	"FROM --platform=linux/arm debian\nFROM --platform=linux/arm64/v8 debian\nCOPY --from=0 a b\n",
	"FROM scratch AS build\nCOPY --from=scratch a b\nCOPY --from=docker.io/library/debian:1 a b\n",
	"FROM --platform=linux/s390x scratch AS s\nFROM s\nCOPY --from=debian a b\n",
	"FROM maven:3 AS maven\nFROM maven\nRUN x\n",
	"FROM debian AS a\nFROM alpine AS a\nFROM a\nCOPY --from=a /x /y\n",
	"FROM debian AS a\nFROM busybox AS b\nFROM b AS a\nCOPY --from=0 /x /y\n",
	"FROM debian AS UP\nFROM alpine\nCOPY --from=Up x y\n",
	"FROM debian AS Up\nFROM up\n",
	"FROM debian AS Up\nFROM Up\n",
	"FROM debian\nFROM 0\n",
	"FROM debian\nFROM busybox\nRUN --mount=from=0,target=/y x\n",
	"FROM debian AS b\nONBUILD COPY --from=nginx a b\nONBUILD RUN --mount=from=alpine,target=/x y\nFROM b\nRUN x\n",
	"FROM debian AS b\nONBUILD COPY --from=c a b\nFROM nginx AS c\nFROM b\n",
	"FROM debian AS b\nONBUILD COPY --from=nginx a b\nFROM alpine\nCOPY --from=b a b\n",
	"FROM debian AS b\nONBUILD COPY --from=nginx a b\n",
	"FROM debian AS b\nONBUILD COPY --from=nginx a b\nFROM b AS c\nFROM c\n",
	"FROM a\nRUN --mount=type=cache,from=b,target=/x --mount=type=tmpfs,from=c,target=/y z\n",
	"FROM a AS x\nCOPY --from=y a b\nFROM b AS y\nCOPY --from=x a b\n",
	"FROM a AS x\nCOPY --from=x a b\n",
	"FROM a\nCOPY --from=$V a b\nFROM b\n",
	"FROM a\nCOPY --from=7 a b\nFROM b\n",
	"FROM ''\n", "FROM $NOTHING\n", "FROM debian:$\n", "FROM debian:${\n", "FROM UPPER\n", "FROM debian:${V:?needed}\n",
	"FROM --platform=nonsense debian\n", "FROM --platform=$NOTHING debian\n", "FROM --platform=linux debian\n",
	"ARG V=${X:?gone}\nFROM debian:$V\n",
	"# escape=`\nARG V=`$x\nFROM debian:1`$\nFROM debian:${V}\n",
	"ARG REG=docker.io/library\nFROM ${REG}/debian AS build\n",
	"ARG REG\nFROM ${REG}debian AS build\n",
	"ARG REG\nFROM ${REG}/debian AS build\n",
	"FROM debian@sha256:2222222222222222222222222222222222222222222222222222222222222222\n",
	"FROM localhost:5000/x:1 AS build\n",
	"FROM debian:12 AS build\n# FROM arm64=arm64v8/debian:12 arm=b\nRUN x\n# archbuild: linux/amd64=c linux/arm/v7=skip\nFROM build\nCOPY --from=alpine a b\n",
	"ARG _V1=a\nARG W=$_V1${_V1}-b\nFROM x/$W:$W.1-${W}_ AS build\n", "ARG V=a\nFROM $V$\n", "ARG V=a\nFROM ${V}}\n", "ARG V='$A'\nFROM debian:$V\n",
	"FROM a.b-c_d/e:T_1.-\n", "FROM a--b__c:1 AS build\n", "FROM a-\n", "FROM a:-1\n", "FROM a:\n", "FROM a//b\n", "FROM a..b\n", "FROM a/b:1/c\n",
}

func TestUsesAreWhatBuildKitAsksFor(t *testing.T) {
	logrus.SetOutput(io.Discard)
	built := 0
	for _, source := range evaluated {
		parsed, err := template.Parse("Dockerfile", []byte(source))
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		for i, env := range envs {
			if compare(t, parsed, source, env, i) {
				built++
			}
		}
	}
	t.Logf("%d of %d conversions accepted by BuildKit", built, len(evaluated)*len(envs))
}

// compare holds Uses against BuildKit's frontend and reports whether that
// accepts the file.
func compare(t *testing.T, parsed *template.Template, source string, env template.Env, row int) bool {
	t.Helper()
	asked, refused := buildkit(source, env)
	list, problems, err := wanted(parsed, env)
	if refused != nil {
		if err == nil && len(problems) == 0 {
			t.Errorf("%q, env %d: BuildKit refuses (%v), Uses finds nothing", source, row, refused)
		}
		return false
	}
	if err != nil || len(problems) > 0 {
		t.Errorf("%q, env %d: BuildKit accepts, Uses says %v %q", source, row, err, problems)
	}
	if diff := cmp.Diff(asked, list); diff != "" {
		t.Errorf("%q, env %d: BuildKit asks for (-), Uses says (+)\n%s", source, row, diff)
	}
	return true
}
