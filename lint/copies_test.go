package lint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

func TestCopiesOfEachPlatform(t *testing.T) {
	for _, row := range []struct{ name, file, want string }{
		{"one for all platforms", "FROM scratch\nCOPY a b /c\n", "2 [a b] /c/ final for amd64 arm64"},
		{"one for each platform", "FROM x\nARG TARGETARCH\nCOPY bin/${TARGETARCH}/app /app", "3 [bin/amd64/app] /app final for amd64\n3 [bin/arm64/app] /app final for arm64"},
		{"a default hides what BuildKit gives", "FROM x\nARG TARGETARCH=amd64\nCOPY $TARGETARCH /app", "3 [amd64] /app final for amd64 arm64"},
		{"without ARG it is empty", "FROM x\nCOPY bin$TARGETARCH /app", "2 [bin] /app final for amd64 arm64"},
		{"what the user gives goes before a default", "FROM x\nARG GIVEN=no\nCOPY $GIVEN /app", "3 [yes] /app final for amd64 arm64"},
		{"an ARG before the first FROM", "ARG DIR=out\nFROM x\nARG DIR\nENV FROM=$DIR/x\nCOPY $FROM /", "5 [out/x] / final for amd64 arm64"},
		{"a variable of the base is not known", "FROM x\nCOPY $HOME/x y /", "2 [y] / final for amd64 arm64"},
		{"a stage has what it starts from has", "FROM scratch AS a\nARG D=d\nWORKDIR /w\nFROM a\nWORKDIR sub\nCOPY $D .", "6 [d] /w/sub/ final for amd64 arm64"},
		{"where a base works is not known", "FROM x\nCOPY a .", "2 [a]  final for amd64 arm64"},
		{"another stage, and one that nobody needs", "FROM x AS a\nCOPY a /\nFROM x AS b\nCOPY b /\nFROM x\nCOPY --from=a / /", "2 [a] /  for amd64 arm64"},
		{"addresses and heredocs are not of the context", "FROM x\nADD https://example.com/a.tgz a.tgz /\nADD git@example.com:a/b.git /\nCOPY <<END /c\nEND\n", "2 [a.tgz] / final for amd64 arm64"},
		{"images are not of the context", "FROM x\nCOPY --from=y a /", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			read, err := template.Parse("Dockerfile", []byte(row.file))
			if err != nil {
				t.Fatal(err)
			}
			facts := lint.Facts{Template: read, Build: platform.MustParse("linux/amd64")}
			for _, p := range []string{"linux/amd64", "linux/arm64"} {
				facts.Targets = append(facts.Targets, plan.Target{Platform: platform.MustParse(p), Args: map[string]string{"GIVEN": "yes"}})
			}
			var got []string
			for _, c := range lint.Copies(facts) {
				final := ""
				if c.Final {
					final = "final"
				}
				line := fmt.Sprint(c.Line, " ", c.Sources, " ", c.Dest, " ", final, " for")
				for _, p := range c.Platforms {
					line += " " + p.Arch
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(row.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
