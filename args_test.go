package archbuild

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

func TestBuildArgsAreForAllOrForOnePlatform(t *testing.T) {
	opts := Options{
		BuildArgs: []string{"A=1", "linux/arm64:A=2", "URL=https://x.example/a:b", "HOME", "UNSET", "EMPTY", "arm64=not a platform"},
		System:    outside.System{Environ: []string{"HOME=/home/me", "EMPTY=", "SOURCE_DATE_EPOCH=1700000000"}},
	}
	args, err := opts.parseBuildArgs()
	if err != nil {
		t.Fatal(err)
	}
	common := map[string]string{"A": "1", "URL": "https://x.example/a:b", "HOME": "/home/me", "EMPTY": "", "SOURCE_DATE_EPOCH": "1700000000", "arm64": "not a platform"}
	if diff := cmp.Diff(common, args.of(platform.MustParse("linux/amd64"))); diff != "" {
		t.Errorf("for amd64 (-want +got):\n%s", diff)
	}
	if got := args.of(platform.MustParse("linux/arm64"))["A"]; got != "2" {
		t.Errorf("for arm64 A is %q", got)
	}
}

func TestBuildArgsRefuseAnUnknownPlatform(t *testing.T) {
	_, err := Options{BuildArgs: []string{"linux/arm46:A=2"}}.parseBuildArgs()
	if !errors.As(err, new(*wrong.Usage)) {
		t.Errorf("error %v", err)
	}
}

func TestSecretsAreReadAsBuildxReadsThem(t *testing.T) {
	for _, row := range []struct {
		text string
		want builder.Secret
	}{
		{"id=a,src=/run/a", builder.Secret{ID: "a", File: "/run/a"}},
		{"id=a,source=/run/a,type=file", builder.Secret{ID: "a", File: "/run/a"}},
		{"id=a,env=TOKEN", builder.Secret{ID: "a", Env: "TOKEN"}},
		{"type=env,id=a,src=TOKEN", builder.Secret{ID: "a", Env: "TOKEN"}},
		{"id=a", builder.Secret{ID: "a"}},
		{"id=a,type=env,env=TOKEN", builder.Secret{ID: "a", Env: "TOKEN"}},
	} {
		got, err := parseSecrets([]string{row.text})
		if err != nil {
			t.Errorf("%s: %v", row.text, err)
		} else if diff := cmp.Diff([]builder.Secret{row.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.text, diff)
		}
	}
	for _, text := range []string{"src=/run/a", "id=a,sauce=/x", "id=a,type=vault"} {
		if _, err := parseSecrets([]string{text}); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestPlatformsComeFromTheFirstThatNamesAny(t *testing.T) {
	host := platform.MustParse("linux/amd64")
	configured := []platform.Platform{platform.MustParse("linux/arm/v7")}
	environment := outside.System{Environ: []string{"DOCKER_DEFAULT_PLATFORM=linux/arm64"}}
	for _, row := range []struct {
		name       string
		opts       Options
		configured []platform.Platform
		want, from string
	}{
		{"the flag comes first", Options{Platforms: []string{"s390x"}, System: environment}, configured, "linux/s390x", "--platform"},
		{"then archbuild.yaml", Options{System: environment}, configured, "linux/arm/v7", "archbuild.yaml"},
		{"then the environment", Options{System: environment}, nil, "linux/arm64", "DOCKER_DEFAULT_PLATFORM"},
		{"then this machine", Options{}, nil, "linux/amd64", "this machine"},
		{"local is this machine", Options{Platforms: []string{"local"}}, nil, "linux/amd64", "--platform"},
	} {
		got, from, err := row.opts.choosePlatforms(row.configured, host)
		if err != nil || len(got) != 1 || got[0].String() != row.want || from != row.from {
			t.Errorf("%s: %v from %s, %v", row.name, got, from, err)
		}
	}
}

func TestOnlyTheFrontendInsideBuildKitIsBuiltin(t *testing.T) {
	for syntax, want := range map[string]bool{
		"":                                true,
		"docker/dockerfile:1":             true,
		"docker/dockerfile":               true,
		"docker.io/docker/dockerfile:1.7": true,
		"docker/dockerfile:1-labs":        false,
		"docker/dockerfile:1.7-labs":      false,
		"docker/dockerfile:1.999":         false,
		"docker/dockerfile:2":             false,
		"docker/dockerfile-upstream:1":    false,
		"example.org/other/frontend:1":    false,
		"docker/dockerfile@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": false,
	} {
		if got := builtinSyntax(syntax); got != want {
			t.Errorf("%q: %v", syntax, got)
		}
	}
}
