package template_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

func mustParse(t *testing.T, source string) *template.Template {
	t.Helper()
	parsed, err := template.Parse("Dockerfile", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

const crossBuild = `ARG TAG=12
FROM --platform=$BUILDPLATFORM golang:1.26 AS Build
RUN go build
FROM debian:$TAG AS runtime
FROM alpine AS unused
RUN true
FROM runtime
COPY --from=build /a /b
COPY --from=busybox /c /d
`

func TestUses(t *testing.T) {
	env := template.Env{Target: platform.MustParse("linux/arm64"), Build: platform.MustParse("linux/amd64")}
	uses, err := mustParse(t, crossBuild).Uses(env)
	if err != nil {
		t.Fatal(err)
	}
	amd64, arm64 := env.Build, env.Target
	want := []template.Use{
		{Reference: 0, Image: "golang:1.26", Kind: template.External, Target: -1, Platform: amd64, Needed: true},
		{Reference: 1, Image: "debian:12", Kind: template.External, Target: -1, Platform: arm64, Needed: true},
		{Reference: 2, Image: "alpine", Kind: template.External, Target: -1, Platform: arm64},
		{Reference: 3, Image: "runtime", Kind: template.StageKind, Target: 1, Platform: arm64, Needed: true},
		{Reference: 4, Image: "build", Kind: template.StageKind, Target: 0, Platform: amd64, Needed: true},
		{Reference: 5, Image: "busybox", Kind: template.External, Target: -1, Platform: arm64, Needed: true},
	}
	if diff := cmp.Diff(want, uses); diff != "" {
		t.Error(diff)
	}
}

func TestReachAndFinalBase(t *testing.T) {
	parsed := mustParse(t, crossBuild+"FROM scratch AS bare\nFROM runtime AS onb\nONBUILD RUN x\nFROM onb AS child\n")
	env := envs[0]
	for _, row := range []struct {
		name, target string
		reached      string
		base         string
	}{
		{"the last stage, with the ONBUILD of its base", "", "runtime linux/arm64 onb linux/arm64 child linux/arm64 RUN 12", "debian:12"},
		{"a stage in another case", "RUNTIME", "runtime linux/arm64", "debian:12"},
		{"a stage by number", "3", "Build linux/amd64 RUN 3 runtime linux/arm64 # linux/arm64", "debian:12"},
		{"a stage for the build platform", "build", "Build linux/amd64 RUN 3", "golang:1.26"},
		{"scratch", "bare", "bare linux/arm64", "scratch"},
	} {
		t.Run(row.name, func(t *testing.T) {
			env.TargetStage = row.target
			list, err := parsed.Reach(env)
			if err != nil {
				t.Fatal(err)
			}
			var words []string
			for _, r := range list {
				name := parsed.Stages[r.Stage].Name
				if name == "" {
					name = "#"
				}
				words = append(words, name, r.Platform.String())
				if r.Run > 0 {
					words = append(words, "RUN", strconv.Itoa(r.Run))
				}
			}
			if diff := cmp.Diff(row.reached, strings.Join(words, " ")); diff != "" {
				t.Error(diff)
			}
			base, err := parsed.FinalBase(env)
			if err != nil || base.Image != row.base {
				t.Errorf("final base %q %v, want %q", base.Image, err, row.base)
			}
		})
	}
	env.TargetStage = "none"
	_, err := parsed.Uses(env)
	var target *template.TargetError
	if !errors.As(err, &target) || !strings.Contains(target.Hint(), "Build, runtime, unused, bare") {
		t.Errorf("%v", err)
	}
}

func TestProblems(t *testing.T) {
	for _, row := range []struct{ name, source, message, hint string }{
		{"an ARG without a value", "ARG TAG\nFROM debian:$TAG\n", "Dockerfile:2: FROM debian:$TAG needs a value for TAG\n    FROM debian:$TAG", "--build-arg TAG=VALUE"},
		{"two of them", "ARG A\nARG B\nFROM $A:$B\n", "needs a value for A, B", "--build-arg A=VALUE --build-arg B=VALUE"},
		{"an ARG after the first FROM", "FROM a\nARG TAG=1\nFROM debian:$TAG\n", "Dockerfile:3: FROM debian:$TAG needs a value for TAG", "before the first FROM"},
		{"a default of another ARG", "FROM x${A:-y}:$B\n", "needs a value for B", "ARG B"},
		{"a placeholder", "FROM ALPINE_BASEIMAGE\n", "Dockerfile:1: FROM ALPINE_BASEIMAGE is a placeholder for an image", "ARG ALPINE_BASEIMAGE before the first FROM, and FROM ${ALPINE_BASEIMAGE}"},
		{"a placeholder in braces", "FROM a AS a\nFROM {{.Base}}\n", "Dockerfile:2: FROM {{.Base}} is a placeholder", "fill it in"},
		{"a placeholder of balena without a value", "FROM x/%%BALENA_APP_NAME%%\n", "nothing says what %%BALENA_APP_NAME%% is for linux/arm64", "--build-arg linux/arm64:BALENA_APP_NAME=VALUE"},
		{"an error of its own", "FROM debian:${TAG:?needed}\n", "FROM debian:${TAG:?needed}: TAG: needed", "TAG"},
		{"Latin-1 bytes", "FROM caf\xe9\n", "names no image", "name:tag"},
		{"a bad substitution", "FROM debian:${\n", "syntax error", "correct the variables"},
		{"an unknown platform", "FROM --platform=nonsense a\n", "--platform=nonsense names no platform", "os/arch"},
		{"a platform without a value", "FROM --platform=$P a\n", "--platform=$P names no platform", "ARG P"},
		{"a variable in COPY --from", "FROM a\nCOPY --from=$X b c\n", "BuildKit expands no variables here", "FROM $X AS NAME"},
		{"a stage number that is none", "FROM a\nCOPY --from=4 b c\n", "the file has 1 stages", "name the stage"},
		{"a later stage", "FROM a AS a\nCOPY --from=b x y\nFROM a AS b\nFROM a\nCOPY --from=a x y\n", "names a stage that comes later", "before this one"},
		{"the stage itself", "FROM a AS a\nCOPY --from=a x y\n", "names the stage it is in", "before this one"},
		{"a stage in upper case", "FROM a AS Up\nFROM Up\n", "lower-case", "write FROM up"},
	} {
		t.Run(row.name, func(t *testing.T) {
			uses, err := mustParse(t, row.source).Uses(template.Env{Target: envs[0].Target, Build: envs[0].Build})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range uses {
				if u.Problem != nil {
					if !strings.Contains(u.Problem.Error(), row.message) || !strings.Contains(u.Problem.Hint(), row.hint) {
						t.Errorf("%q, hint %q", u.Problem, u.Problem.Hint())
					}
					return
				}
			}
			t.Error("no problem")
		})
	}
}

func TestMissing(t *testing.T) {
	for _, row := range []struct {
		source         string
		missing, unset []string
	}{
		{"ARG A\nFROM debian:$A\n", []string{"A"}, []string{"A"}},
		{"ARG A\nFROM ${A}debian\n", nil, []string{"A"}},
		{"FROM ${A:-debian:12}\n", nil, nil},
		{"FROM debian${A:+:1}\n", nil, nil},
		{"FROM debian:1${A#x}\n", nil, []string{"A"}},
		{"FROM ${A:-$B}\n", []string{"B"}, []string{"B"}},
		{"ARG A=x\nFROM ${A:-$B}\n", nil, nil},
		{"FROM debian:$TARGETARCH\n", nil, nil},
	} {
		uses, err := mustParse(t, row.source).Uses(envs[0])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{row.missing, row.unset}, [][]string{uses[0].Missing, uses[0].Unset}); diff != "" {
			t.Errorf("%q: %s", row.source, diff)
		}
	}
}

func TestOrigin(t *testing.T) {
	parsed := mustParse(t, `FROM debian AS base
COPY early /opt/tool
WORKDIR /app
COPY tool ./bin/
COPY . .
FROM base AS final
ADD https://example.org/x /usr/bin/
COPY <<script /usr/bin/
x
script
COPY a b /srv
COPY $X /var/$X
COPY --from=base /one /etc/one
COPY ["two", "/etc/one/"]
WORKDIR sub
COPY three four
FROM alpine
WORKDIR relative
COPY five ./
COPY six /six
FROM scratch
COPY seven .
`)
	for _, row := range []struct {
		stage      int
		path, want string
	}{
		{1, "/opt/tool", "COPY early /opt/tool"},
		{1, "opt/tool", "COPY early /opt/tool"},
		{1, "/app/bin/tool", "COPY tool ./bin/"},
		{1, "/app/bin/other", "COPY . ."},
		{1, "/app/x/y", "COPY . ."},
		{1, "/usr/bin/x", "ADD https://example.org/x /usr/bin/"},
		{1, "/usr/bin/script", "COPY <<script /usr/bin/"},
		{1, "/usr/bin/zip", "ADD https://example.org/x /usr/bin/"},
		{1, "/srv/a", "COPY a b /srv"},
		{1, "/srv/deep/er", "COPY a b /srv"},
		{1, "/etc/one", "COPY /one /etc/one"},
		{1, "/etc/one/two", "COPY two /etc/one/"},
		{1, "/app/sub/four", "COPY three four"},
		{1, "/var/x", ""},
		{1, "/bin/sh", ""},
		{2, "/six", "COPY six /six"},
		{2, "/relative/five", ""},
		{3, "/seven", "COPY seven ."},
		{3, "/else", "COPY seven ."},
		{9, "/else", ""},
	} {
		got := ""
		if c, ok := parsed.Origin(row.stage, row.path); ok {
			got = c.Instruction + " " + strings.Join(c.Sources, " ") + " " + c.Dest
		}
		if got != row.want {
			t.Errorf("stage %d, %s: %q, want %q", row.stage, row.path, got, row.want)
		}
	}
}

func TestSyntax(t *testing.T) {
	for _, row := range []struct{ source, want string }{
		{"# syntax=docker/dockerfile:1\nFROM a\n", "docker/dockerfile:1"},
		{"\ufeff#syntax = a/b:1 x \r\nFROM a\n", "a/b:1"},
		{"#!/usr/bin/x\n# syntax=a/b:1\nFROM a\n", "a/b:1"},
		{"# escape=`\n# SYNTAX=a\nFROM a\n", "a"},
		{"// syntax=a/b:1\n", "a/b:1"},
		{"{\"syntax\": \"a/b:1\"}", "a/b:1"},
		{"# a comment\n# syntax=a\nFROM a\n", ""},
		{"FROM a\n# syntax=a\n", ""},
		{"\n# syntax=a\nFROM a\n", ""},
		{"", ""},
	} {
		if got := template.Syntax([]byte(row.source)); got != row.want {
			t.Errorf("%q: %q, want %q", row.source, got, row.want)
		}
	}
}
