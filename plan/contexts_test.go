package plan_test

import (
	"testing"

	"github.com/archbuild/archbuild/plan"
	"github.com/google/go-cmp/cmp"
)

func TestAContextIsKnownByOneKey(t *testing.T) {
	for text, want := range map[string]string{
		"docker.io/library/debian:latest": "debian",
		"base":                            "base",
		"base::linux/arm64/v8":            "base::linux/arm64",
		"vendor/base:1::linux/arm/v7":     "vendor/base:1::linux/arm/v7",
		"Base":                            "",
		"base::linux/arm46":               "",
		"base::":                          "",
	} {
		got, err := plan.ContextKey(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestAContextForOnePlatformGoesBeforeOneForAll(t *testing.T) {
	for _, row := range []struct {
		name, dockerfile string
		contexts         []string
		images           map[string]string
		want             []string // of both platforms
	}{
		{
			"an image for each", "FROM base\n", []string{"base", "base::linux/arm64"},
			map[string]string{"base": "debian:12", "base::linux/arm64": "arm/debian:12"},
			[]string{"debian:12 linux/amd64", "arm/debian:12 linux/arm64"},
		},
		{
			"a folder for one, and the other asks a registry", "FROM base\n", []string{"base::linux/arm64"}, nil,
			[]string{"base linux/amd64"},
		},
		{
			"the platform is that of the stage", "FROM --platform=$BUILDPLATFORM base AS b\nFROM scratch\nCOPY --from=b /x /\n", []string{"base::linux/amd64"},
			map[string]string{"base::linux/amd64": "debian:12"}, []string{"debian:12 linux/amd64"},
		},
		{
			"a stage is replaced on one", "FROM alpine AS build\nFROM scratch\nCOPY --from=build /x /\n", []string{"build::linux/arm64"}, nil,
			[]string{"alpine linux/amd64"},
		},
	} {
		r := request(t, row.dockerfile, plan.Target{Platform: amd64}, plan.Target{Platform: arm64})
		r.Contexts, r.ContextImages = row.contexts, row.images
		questions, err := plan.Questions(r)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, q := range questions {
			got = append(got, q.Image+" "+q.Platform.String())
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
		if _, err := plan.Make(r, answer(questions)); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
