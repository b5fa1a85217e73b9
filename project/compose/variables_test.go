package compose_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/compose"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"golang.org/x/tools/txtar"
)

// TestVariablesAreFilledInAsComposeDoes holds every form against compose-go's own.
func TestVariablesAreFilledInAsComposeDoes(t *testing.T) {
	logrus.SetOutput(io.Discard) // compose-go writes there of what is not set
	env := map[string]string{"SET": "value", "EMPTY": "", "A_1": "a1", "dollar": "$SET"}
	lookup := func(name string) (string, bool) { value, set := env[name]; return value, set }
	names := []string{"SET", "EMPTY", "UNSET", "A_1", "dollar"}
	texts := []string{
		"", "plain", "$", "$$", "$$$$", "$$SET", "a$", "$1", "$-", "$ SET", "${", "${}", "${1}", "${SET", "$SET$SET", "x${SET}y$EMPTY.z", "$SET-x", "$SETx", "${SET}x", "${SET!}", "${SET:}", "${ SET}", "${SET }",
		"${SET:-a}/${UNSET:-b}/$SET", "${UNSET:-${SET}}", "${UNSET:-${UNSET:-deep}}", "${UNSET:-$SET}", "${UNSET-a${SET}b}", "${UNSET:-a:-b}", "${UNSET:-a-b}", "${SET:+${UNSET:-x}}", "${UNSET:-{}}", "${UNSET:-$$}", "${UNSET:-a b}",
		"${UNSET:-}", "${EMPTY:+x}y", "${UNSET?}", "${SET?why}", "${EMPTY:?${SET}}",
	}
	for _, name := range names {
		for _, operator := range []string{"", "-x", ":-x", "+x", ":+x", "?x", ":?x"} {
			texts = append(texts, "${"+name+operator+"}")
		}
	}
	for _, text := range texts {
		want, refused := template.SubstituteWithOptions(text, lookup, template.WithoutLogging)
		quoted := strings.ReplaceAll(text, "'", "''")
		p, err := compose.Load(compose.Options{
			Files: []string{"-"}, Stdin: []byte("services: {a: {build: {args: {V: '" + quoted + "'}}}}"),
			Environ: []string{"SET=value", "EMPTY=", "A_1=a1", "dollar=$SET"},
		})
		err = errors.Join(err, broken(p))
		switch {
		case (refused != nil) != (err != nil):
			t.Errorf("%s: %v, and compose says %v", text, err, refused)
		case err == nil && *p.Targets[0].Args["V"] != want:
			t.Errorf("%s is %q, and compose's %q", text, *p.Targets[0].Args["V"], want)
		}
	}
}

func TestWhatIsNotSetIsNoted(t *testing.T) {
	p, err := compose.Load(compose.Options{Files: []string{"-"}, Stdin: []byte("services:\n  a:\n    image: ${REGISTRY}a\n    build:\n      args: {V: '${X}${Y:-}', W: 1.10}\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"-:3: the variable REGISTRY is not set: it is empty in image of service a",
		"-:5: the variable X is not set: it is empty in build.args.V of service a",
		"-:5: build.args.W of service a is the number 1.1; in quotes it stays 1.10",
	}
	if diff := cmp.Diff(want, p.Notes); diff != "" {
		t.Error(diff)
	}
}

// TestWhoWins tells the order of where values come from.
func TestWhoWins(t *testing.T) {
	const files = `
-- app/compose.yaml --
services: {a: {image: "x/${WHO:-default}", build: .}, b: {build: b, profiles: [one]}, c: {build: c, profiles: [two, three]}}
-- app/.env --
WHO=dotenv
-- app/named.yaml --
name: Named!
services: {a: {image: "x/${COMPOSE_PROJECT_NAME}", build: .}}
-- one.env --
WHO=one
-- two.env --
WHO=two
COMPOSE_PROJECT_NAME=fromfile
COMPOSE_PROFILES=two, one
`
	for name, tt := range map[string]struct {
		o    compose.Options
		want string
	}{
		".env beside the file":                {compose.Options{Files: []string{"app/compose.yaml"}}, "app x/dotenv a"},
		"the environment before it":           {compose.Options{Files: []string{"app/compose.yaml"}, Environ: []string{"WHO=env", "WHO=last"}}, "app x/last a"},
		"a file for variables instead of it":  {compose.Options{Files: []string{"app/compose.yaml"}, EnvFiles: []string{"one.env"}}, "app x/one a"},
		"the last of such files":              {compose.Options{Files: []string{"app/compose.yaml"}, EnvFiles: []string{"one.env", "two.env"}}, "fromfile x/two a b c"},
		"the environment, empty":              {compose.Options{Files: []string{"app/compose.yaml"}, Environ: []string{"WHO="}}, "app x/default a"},
		"profiles by name":                    {compose.Options{Files: []string{"app/compose.yaml"}, Profiles: []string{"three"}}, "app x/dotenv a c"},
		"profiles of the environment":         {compose.Options{Files: []string{"app/compose.yaml"}, Environ: []string{"COMPOSE_PROFILES=one"}}, "app x/dotenv a b"},
		"all profiles":                        {compose.Options{Files: []string{"app/compose.yaml"}, Profiles: []string{"*"}}, "app x/dotenv a b c"},
		"the project's name in the file":      {compose.Options{Files: []string{"app/named.yaml"}}, "named x/named a"},
		"the environment's name before it":    {compose.Options{Files: []string{"app/named.yaml"}, Environ: []string{"COMPOSE_PROJECT_NAME=outer"}}, "outer x/outer a"},
		"a name that is given before that":    {compose.Options{Files: []string{"app/named.yaml"}, Environ: []string{"COMPOSE_PROJECT_NAME=outer"}, Name: "mine"}, "mine x/mine a"},
		"a foreign one gets no environment":   {compose.Options{Files: []string{"app/compose.yaml"}, Environ: []string{"WHO=env"}, Foreign: true}, "app x/dotenv a"},
		"the first file's folder is in force": {compose.Options{Files: []string{"app/compose.yaml", "app/named.yaml"}}, "named x/named a"},
	} {
		t.Run(name, func(t *testing.T) {
			unpacked(t, txtar.Parse([]byte(files)))
			p, err := compose.Load(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			names := p.Default
			if names == nil {
				for _, target := range p.Targets {
					names = append(names, target.Name)
				}
			}
			if got := strings.Join(append([]string{p.Name, p.Targets[0].Image}, names...), " "); got != tt.want {
				t.Errorf("%s, and not %s", got, tt.want)
			}
		})
	}
}

func TestNothingIsLeftWhenAllProfilesAreOff(t *testing.T) {
	p, err := compose.Load(compose.Options{Files: []string{"-"}, Stdin: []byte("services: {a: {build: ., profiles: [x]}}")})
	if err != nil || len(p.Targets) != 1 {
		t.Fatal(p, err)
	}
	if diff := cmp.Diff([]project.Group{{Name: "default"}}, p.Groups); diff != "" || p.Default[0] != "default" {
		t.Error(diff, p.Default)
	}
}

func TestSourcesBuildWhatIsOnlyNamed(t *testing.T) {
	at := project.Place{File: "archbuild.yaml", Line: 3}
	o := compose.Options{Files: []string{"shop/compose.yaml"}, Sources: []compose.Source{
		{Image: "shop/cart", Context: "./cart", At: at},
		{Image: "docker.io/shop/web:1", Context: "../web", Dockerfile: "D", Target: "app", Args: map[string]string{"A": "b"}, At: at},
		{Image: "shop/web", Context: "https://example.com/web.git", At: at},
		{Image: "shop/none", Context: "none", At: at},
	}}
	unpacked(t, txtar.Parse([]byte(`
-- shop/compose.yaml --
services:
  cart: {image: "shop/cart:7"}
  web: {image: "shop/web:1", profiles: [x]}
  old: {image: "shop/web:0"}
  db: {image: "postgres:16"}
`)))
	p, err := compose.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range p.Targets {
		got = append(got, strings.Join([]string{target.Name, target.Image, target.Context, target.Dockerfile, target.Stage, target.Place("context").String(), target.Place("image").String()}, " "))
	}
	want := []string{
		"cart shop/cart:7 shop/cart   archbuild.yaml:3 shop/compose.yaml:2",
		"web shop/web:1 web D app archbuild.yaml:3 shop/compose.yaml:3",
		"old shop/web:0 https://example.com/web.git   archbuild.yaml:3 shop/compose.yaml:4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(p.Images) != 1 || p.Images[0].Name != "db" || strings.Join(p.Default, " ") != "cart old" {
		t.Errorf("%v, default %v", p.Images, p.Default)
	}
	if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, "archbuild.yaml:3: no service has the image shop/none") {
		t.Error(notes)
	}
	o.Foreign = true
	if _, err := compose.Load(o); err == nil || !strings.Contains(err.Error(), "archbuild.yaml:3: the context of shop/web:1 lies outside the project") {
		t.Errorf("%v", err)
	}
}

// TestARequiredVariableCountsWhereItIsNeeded: compose asks for all variables of a file before anything else; what is built
// here counts alone.
func TestARequiredVariableCountsWhereItIsNeeded(t *testing.T) {
	const text = `services:
  web: {build: web}
  args: {build: {context: args, args: {V: "${VERSION:?say which}"}, tags: ["x:${TAG?}"]}}
  image: {image: "x:${VERSION:?}", build: image}
  short: {build: "${DIR:?}"}
  secret: {build: {secrets: [token]}}
  base: {build: ., image: "${DIR:?}"}
  over: {extends: base, image: y}
  db: {image: "db:${VERSION:?}"}
secrets:
  token: {file: "${TOKEN_FILE:?}"}
`
	p, err := compose.Load(compose.Options{Files: []string{"-"}, Stdin: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, target := range p.Targets {
		got[target.Name] = fmt.Sprint(target.Broken)
	}
	want := map[string]string{
		"web": "<nil>", "over": "<nil>",
		"args":   "-:3: build.args.V of service args: the variable VERSION is required, and not set: say which\n-:3: build.tags[0] of service args: the variable TAG is required, and not set",
		"image":  "-:4: image of service image: the variable VERSION is required, and not set",
		"short":  "-:5: build of service short: the variable DIR is required, and not set",
		"secret": "-:11: token.file of secret token: the variable TOKEN_FILE is required, and not set",
		"base":   "-:7: image of service base: the variable DIR is required, and not set",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
