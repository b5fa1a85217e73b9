package archbuild

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
)

// nobody is a registry that has nothing; that it is asked shows that a frontend was let through.
type nobody struct{}

func (nobody) Image(context.Context, string) (resolve.Image, error) {
	return resolve.Image{}, errors.New("asked")
}

func (nobody) Config(context.Context, string, string) (resolve.Config, error) {
	return resolve.Config{}, errors.New("asked")
}

// A program other than Docker's reads a Dockerfile only with leave, in whatever form the file asks for it.
func TestAFrontendNeedsLeaveHoweverItIsAskedFor(t *testing.T) {
	const digest = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	forms := map[string]string{
		"a line":          "# syntax=%s\nFROM scratch\n",
		"with options":    "# syntax=%s --x=y\nFROM scratch\n",
		"below another":   "# check=skip=all\n# SYNTAX = %s\nFROM scratch\n",
		"with a mark":     "\ufeff# syntax=%s\nFROM scratch\n",
		"with slashes":    "// syntax=%s\nFROM scratch\n",
		"as JSON":         `{"syntax": %q}`,
		"below a shebang": "#!/usr/bin/env x\n# syntax=%s\nFROM scratch\n",
		"slashes below":   "#!/usr/bin/env x\n// syntax=%s\nFROM scratch\n",
		"as an argument":  "",
	}
	for frontend, want := range map[string]string{
		"docker/dockerfile:1":                      "built in",
		"docker.io/docker/dockerfile":              "built in",
		"docker/dockerfile:1-labs":                 "accepted",
		"docker/dockerfile:1.9999":                 "accepted",
		"docker/dockerfile:1" + digest:             "built in",
		"docker/dockerfile" + digest:               "accepted",
		"docker/dockerfile-upstream:master":        "refused",
		"evil/dockerfile:1":                        "refused",
		"evil.example/docker/dockerfile:1":         "refused",
		"docker.io.evil.example/docker/dockerfile": "refused",
		"docker.io/docker/dockerfile/x":            "refused",
		"localhost/docker/dockerfile":              "refused",
		"Docker/dockerfile:1":                      "refused",
	} {
		for form, text := range forms {
			for _, leave := range []string{"", frontend, "another/frontend:1"} {
				args, syntax := map[string]string{}, ""
				if text == "" {
					args["BUILDKIT_SYNTAX"] = frontend // by archbuild.yaml: who gives --build-arg has said so himself
				} else {
					syntax = template.Syntax(fmt.Appendf(nil, text, frontend))
				}
				on := platform.MustParse("linux/amd64")
				p := plan.Plan{Syntax: syntax, Jobs: []plan.Job{{Platform: on, BuildPlatform: on, Args: args}}}
				chooseFrontends(p, true)
				r := run{Options: Options{AllowSyntax: []string{leave}}}
				s := service{source: source{template: &template.Template{File: "Dockerfile"}}}
				err := r.foreignFrontends(t.Context(), s, p, nobody{})
				got := "built in"
				switch refused := new(SyntaxError); {
				case errors.As(err, &refused):
					if got = "refused"; !strings.Contains(refused.Hint(), "--allow-syntax "+frontend) {
						t.Errorf("hint %q", refused.Hint())
					}
				case p.Jobs[0].Frontend != "":
					got = "accepted"
				}
				then := want
				if want == "refused" && leave == frontend {
					then = "accepted"
				}
				if got != then {
					t.Errorf("%s, %s, leave for %q: %s, want %s (%v)", frontend, form, leave, got, then, err)
				}
			}
		}
	}
}
