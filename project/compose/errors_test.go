package compose_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/compose"
	"golang.org/x/tools/txtar"
)

// hinted is what every error of a file is.
type hinted interface {
	error
	At() (string, int)
	Hint() string
}

// each takes joined errors apart.
func each(err error) []error {
	if all, joined := err.(interface{ Unwrap() []error }); joined {
		return all.Unwrap()
	}
	return []error{err}
}

// loaded reads compose files out of an archive's text.
func loaded(t *testing.T, text string, change func(*compose.Options)) error {
	t.Helper()
	if !strings.HasPrefix(text, "-- ") {
		text = "-- compose.yaml --\n" + text
	}
	files, environ := unpacked(t, txtar.Parse([]byte(text)))
	o := compose.Options{Files: files, Environ: environ}
	if change != nil {
		change(&o)
	}
	p, err := compose.Load(o)
	return errors.Join(err, broken(p))
}

// broken joins what keeps images of a project from being built.
func broken(p project.Project) error {
	var list []error
	for _, t := range p.Targets {
		list = append(list, t.Broken)
	}
	return errors.Join(list...)
}

func TestWhatIsWrongIsSaidWithItsLine(t *testing.T) {
	for name, tt := range map[string]struct{ text, want, hint string }{
		"no YAML":                           {"services:\n  web: {build: .\n", "compose.yaml:2: no valid YAML", "look for an open quote"},
		"a tab":                             {"services:\n\tweb: {build: .}\n", "compose.yaml:2: no valid YAML", "look for an open quote"},
		"no mapping":                        {"- a\n- b\n", "compose.yaml:1: expected a mapping", "is it a compose file?"},
		"services that are a list":          {"name: x\nservices: [web]\n", "compose.yaml:2: services is a list", "write services:"},
		"a service that is a word":          {"services:\n  web: nginx\n", `compose.yaml:2: service web is "nginx"`, "image: NAME"},
		"a build that is a list":            {"services:\n  web:\n    build: [a]\n", "compose.yaml:3: build of service web is a list", "one value, or as a mapping"},
		"a context that is a list":          {"services:\n  web:\n    build:\n      context: [a]\n", "compose.yaml:4: build.context of service web is a list", "one value"},
		"tags that are a mapping":           {"services:\n  web:\n    build: {context: ., tags: {a: b}}\n", "compose.yaml:3: build.tags of service web is a mapping", "a list"},
		"a switch that is neither":          {"services:\n  web:\n    build: {no_cache: maybe}\n", `compose.yaml:3: build.no_cache of service web is "maybe"`, "true or false"},
		"a limit that is no number":         {"services:\n  web:\n    build: {ulimits: {nofile: many}}\n", `compose.yaml:3: build.ulimits.nofile of service web is "many"`, "whole number"},
		"a size that is none":               {"services:\n  web:\n    build:\n      context: .\n      shm_size: big\n", "compose.yaml:3: build of service web", "docs.docker.com"},
		"a key twice":                       {"services:\n  web:\n    build: a\n    build: b\n", "compose.yaml:4: build of service web is given twice", "keep one"},
		"a service twice":                   {"services:\n  web: {build: a}\n  web: {build: b}\n", "compose.yaml:3: service web is given twice", "keep one"},
		"an image's name":                   {"services:\n  web: {build: ., image: 'Not An Image'}\n", `compose.yaml:2: image of service web is "Not An Image"`, "correct it"},
		"a tag":                             {"services:\n  web:\n    build:\n      tags:\n        - a/b:1\n        - a b\n", `compose.yaml:6: a tag of service web is "a b"`, "correct it"},
		"a platform":                        {"services:\n  web:\n    build:\n      platforms:\n        - linux/amd64\n        - linux/arm46\n", `compose.yaml:6: a platform of service web is "linux/arm46"`, "correct it"},
		"an image broken by a variable":     {"services:\n  web:\n    build: .\n    image: shop/web:${TAG}\n", `compose.yaml:4: image of service web is "shop/web:" without the variable TAG`, "export TAG=VALUE"},
		"an image emptied by a variable":    {"services:\n  web:\n    build: .\n    image: $IMAGE\n", "compose.yaml:4: image of service web is empty without the variable IMAGE", "export IMAGE=VALUE"},
		"a context emptied by a variable":   {"services:\n  web:\n    build: ${SRC}\n", "compose.yaml:3: context of service web is empty without the variable SRC", "export SRC=VALUE"},
		"a long one, too":                   {"services:\n  web:\n    build:\n      context: ${SRC}\n", "compose.yaml:4: context of service web is empty without the variable SRC", "export SRC=VALUE"},
		"a tag broken by a variable":        {"services:\n  web:\n    build:\n      tags: ['a/b:$V']\n", `compose.yaml:4: a tag of service web is "a/b:" without the variable V`, "export V=VALUE"},
		"a variable that is required":       {"services:\n  web:\n    build: {args: {V: '${VERSION:?say which}'}}\n", "compose.yaml:3: build.args.V of service web: the variable VERSION is required, and not set: say which", "export VERSION=VALUE"},
		"a variable that is not closed":     {"services:\n  web:\n    build: {args: {V: '${VERSION'}}\n", "compose.yaml:3: build.args.V of service web: a variable is not closed", "close it"},
		"a variable that is none":           {"services:\n  web:\n    build: {args: {V: '${1}'}}\n", "compose.yaml:3: build.args.V of service web: ${1} is no variable", "$$"},
		"a secret that nobody defines":      {"services:\n  web:\n    build: {secrets: [token]}\n", `compose.yaml:3: service web names the secret "token"`, "secrets: {token:"},
		"a secret from elsewhere":           {"services:\n  web:\n    build: {secrets: [token]}\nsecrets:\n  token: {external: true}\n", "compose.yaml:5: secret token has no value that a build can read", "file: or an environment:"},
		"a context without a value":         {"services:\n  web:\n    build:\n      additional_contexts:\n        - src\n", `compose.yaml:5: build.additional_contexts of service web has "src"`, "KEY=VALUE"},
		"extends of nobody":                 {"services:\n  web:\n    extends: base\n", "compose.yaml:3: service web extends base, which compose.yaml does not have", "name a service"},
		"extends in a circle":               {"services:\n  a: {extends: b}\n  b:\n    extends: {service: c}\n  c:\n    extends: a\n", "extends cycle: a in compose.yaml extends b in compose.yaml extends c in compose.yaml extends a in compose.yaml", "take one of them out"},
		"extends of itself":                 {"services:\n  a:\n    extends: a\n", "compose.yaml:3: extends cycle: a in compose.yaml extends a in compose.yaml", "take one of them out"},
		"extends in a circle of files":      {"-- compose.yaml --\nservices:\n  a: {extends: {file: sub/b.yaml, service: b}}\n-- sub/b.yaml --\nservices:\n  b:\n    extends: {file: ../compose.yaml, service: a}\n", "extends cycle: a in compose.yaml extends b in sub/b.yaml extends a in compose.yaml", "take one of them out"},
		"extends without a service":         {"services:\n  a:\n    extends: {file: b.yaml}\n", "compose.yaml:3: extends of service a names no service", "extends: {service: NAME}"},
		"extends of a file that is missing": {"services:\n  a:\n    extends: {file: b.yaml, service: x}\n", "compose.yaml:3: b.yaml: no such file or directory", "name a file that is there"},
		"extends of an address":             {"services:\n  a:\n    extends: {file: 'https://example.com/b.yaml', service: x}\n", "compose.yaml:3: extends of https://example.com/b.yaml: only files are read", "fetch it"},
		"includes in a circle":              {"-- compose.yaml --\ninclude: [b/two.yaml]\n-- b/two.yaml --\ninclude:\n  - ../compose.yaml\n", "b/two.yaml:2: include cycle: compose.yaml includes b/two.yaml includes compose.yaml", "take one of the includes out"},
		"an include that is missing":        {"services: {a: {build: .}}\ninclude:\n  - x.yaml\n  - none.yaml\n-- x.yaml --\n", "compose.yaml:4: none.yaml: no such file or directory", "name a file that is there"},
		"an include that is a folder":       {"include:\n  - sub\n-- sub/x --\n", "compose.yaml:2: sub: it is a folder", "plain file"},
		"an include of an address":          {"include:\n  - oci://example.com/x\n", "compose.yaml:2: include of oci://example.com/x: only files are included", "fetch it"},
		"an include that is broken":         {"include:\n  - sub/x.yaml\n-- sub/x.yaml --\nservices: {\n", "sub/x.yaml:", "look for an open quote"},
		"variables that are none":           {"services: {a: {build: .}}\n-- .env --\nA=1\nB C=secret-value\n", ".env:2: no file of variables", "NAME=VALUE"},
		"a NUL":                             {"services:\n  a:\n    build: {args: {A: \"x\\0y\"}}\n", "compose.yaml:3: build.args.A of service a holds a NUL byte", "anew"},
	} {
		t.Run(name, func(t *testing.T) {
			err := loaded(t, tt.text, nil)
			if err == nil {
				t.Fatal("nothing is wrong")
			}
			all := each(err)
			if len(all) != 1 {
				t.Errorf("%d errors: %v", len(all), err)
			}
			var e hinted
			if !errors.As(all[0], &e) {
				t.Fatalf("%T: %v", all[0], all[0])
			}
			if !strings.Contains(e.Error(), tt.want) || !strings.Contains(e.Hint(), tt.hint) || strings.Contains(e.Error(), "secret-value") {
				t.Errorf("%v\nhint: %s", e, e.Hint())
			}
			if file, line := e.At(); file == "" || line == 0 {
				t.Errorf("%v: at %s:%d", e, file, line)
			}
		})
	}
}

func TestWhatNoBuildNeedsIsNeverWrong(t *testing.T) {
	for name, text := range map[string]string{
		"ports":                  "services: {web: {build: ., ports: [{a: b}, 99999999]}}\n",
		"an unknown key":         "services: {web: {build: ., prots: [80]}}\n",
		"an unknown key of all":  "sevrices: {}\nservices: {web: {build: .}}\n",
		"an unknown build key":   "services: {web: {build: {context: ., contxt: x}}}\n",
		"what a container needs": "services: {web: {build: ., environment: {A: '${A:?needed}', B: '${'}, env_file: none.env}}\n",
		"a version":              "version: [3]\nservices: {web: {build: .}}\n",
		"networks and volumes":   "networks: 3\nvolumes: [a, b]\nconfigs: {a: '${X:?y}'}\nservices: {web: {build: .}}\n",
		"depends_on of nobody":   "services: {web: {build: ., depends_on: [nobody], links: [x], network_mode: 'service:nobody'}}\n",
		"neither build or image": "services: {web: {command: x}}\n",
		"a provider":             "services: {ai: {provider: {type: model}}, web: {build: .}}\n",
		"nothing at all":         "# nothing\n",
		"an empty service":       "services:\n  web:\n  db: {image: x}\n",
		"a duplicate elsewhere":  "services: {web: {build: ., ports: [], ports: []}}\n",
		"a variable of no build": "services: {web: {build: .}, db: {image: 'x:${V:?needed}'}, cache: {image: '${V:?needed}', platform: '${V:?}'}}\n",
		"an overridden variable": "services:\n  web:\n    build: {args: {A: '${V:?}'}, target: '${V:?}'}\n    image: '${V:?}'\n---\nservices:\n  web: {image: x, build: {args: {A: x}, target: !reset null}}\n",
		"an unused secret":       "services: {web: {build: .}}\nsecrets: {a: {external: true}, b: {}}\n",
	} {
		if err := loaded(t, text, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnothersDefinitionGetsNothingOfThisMachine(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a context above":             {"services:\n  a: {build: ..}\n", "compose.yaml:2: the context lies outside the project"},
		"an absolute one":             {"services:\n  a: {build: {context: /etc}}\n", "compose.yaml:2: the context lies outside the project"},
		"one more context":            {"services:\n  a: {build: {additional_contexts: {x: ../../x}}}\n", "compose.yaml:2: the context x lies outside the project"},
		"bake's, too":                 {"services:\n  a: {build: {x-bake: {contexts: {x: /x}}}}\n", "compose.yaml:2: the context x lies outside the project"},
		"a secret's file":             {"services:\n  a: {build: {secrets: [s]}}\nsecrets:\n  s: {file: ../s}\n", "compose.yaml:4: the secret s lies outside the project"},
		"a secret of the environment": {"services:\n  a: {build: {secrets: [s]}}\nsecrets:\n  s: {environment: HOME}\n", "compose.yaml:4: secret s takes from the environment"},
		"bake's secret":               {"services:\n  a: {build: {x-bake: {secret: ['id=x,env=HOME']}}}\n", "compose.yaml:2: service a asks for a secret"},
		"SSH":                         {"services:\n  a: {build: {ssh: [default]}}\n", "compose.yaml:2: service a asks for SSH"},
		"an include":                  {"include:\n  - ../../../../etc/passwd\n", "compose.yaml:2: the included file ../../../../etc/passwd lies outside the project"},
		"an included project":         {"include:\n  - {path: x.yaml, project_directory: ../..}\n-- x.yaml --\n", "compose.yaml:2: the folder ../.. lies outside the project"},
		"extends":                     {"services:\n  a:\n    extends: {file: /etc/passwd, service: x}\n", "compose.yaml:3: the file /etc/passwd lies outside the project"},
		"variables of an include":     {"include:\n  - {path: x.yaml, env_file: /etc/environment}\n-- x.yaml --\n", "compose.yaml:2: the file /etc/environment lies outside the project"},
		"the environment":             {"services:\n  a:\n    build: {args: {A: '${SHELL_SECRET:?x}'}}\n-- env --\nSHELL_SECRET=1\n", "compose.yaml:3: build.args.A of service a: the variable SHELL_SECRET is required"},
	} {
		err := loaded(t, tt.text, func(o *compose.Options) { o.Foreign = true })
		if err == nil || len(each(err)) != 1 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(tt.text, "passwd") || strings.Contains(tt.text, "/environment") {
			continue // which is no YAML, and maybe not there
		}
		if err := loaded(t, tt.text, nil); err != nil {
			t.Errorf("%s, on one's own machine: %v", name, err)
		}
	}
}

// TestABadFileCostsABlink holds time and memory of files that want to be expensive.
func TestABadFileCostsABlink(t *testing.T) {
	bomb := &strings.Builder{}
	bomb.WriteString("x-0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n")
	for i := range 9 {
		fmt.Fprintf(bomb, "x-%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	merges := &strings.Builder{}
	merges.WriteString("x-0: &m0 {a: {b: c}}\n")
	for i := range 20 {
		fmt.Fprintf(merges, "x-%d: &m%d {<<: [%s]}\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*m%d, ", i), 9), ", "))
	}
	chain := &strings.Builder{}
	chain.WriteString("services:\n")
	for i := range 9_000 {
		fmt.Fprintf(chain, "  s%d: {extends: s%d}\n", i, i+1)
	}
	laughs := &strings.Builder{}
	laughs.WriteString("services: {a: {build: .}}\n-- .env --\nA0=lol\n")
	for i := range 60 {
		fmt.Fprintf(laughs, "A%d=${A%d}$A%d\n", i+1, i, i)
	}
	includes := &strings.Builder{}
	includes.WriteString("include: [f0.yaml, f0.yaml]\n")
	for i := range 40 {
		fmt.Fprintf(includes, "-- f%d.yaml --\ninclude: [f%d.yaml, f%d.yaml]\n", i, i+1, i+1)
	}
	includes.WriteString("-- f40.yaml --\nservices: {a: {build: .}}\n")
	many := func(n int, format string) string {
		b := &strings.Builder{}
		b.WriteString("services:\n")
		for i := range n {
			fmt.Fprintf(b, format, i)
		}
		return b.String()
	}
	for name, tt := range map[string]struct{ text, want string }{
		"a 10 MB file":                           {"services:\n" + strings.Repeat("# nothing\n", 1<<20), "compose.yaml: it is longer than 4194304 bytes"},
		"4 MB of empty items":                    {strings.Repeat("- \n", 1_300_000), "compose.yaml:"},
		"4 MB of flow":                           {"[" + strings.Repeat("a,", 2_000_000) + "]", "compose.yaml:1: the file holds more than"},
		"4 MB of brackets":                       {strings.Repeat("[", 4_000_000), "compose.yaml:1: the file holds more than"},
		"100,000 brackets":                       {strings.Repeat("[", 100_000), "compose.yaml:1: no valid YAML"},
		"a bomb of aliases":                      {bomb.String() + "services:\n  a:\n    build:\n      tags: *a9\n", "compose.yaml:"},
		"a bomb of merge keys":                   {merges.String() + "services:\n  a:\n    build:\n      args: *m20\n", "compose.yaml:"},
		"an alias of where it stands":            {"services:\n  a:\n    build: &b\n      <<: *b\n", "compose.yaml:"},
		"more services than there are anywhere":  {many(10_001, "  s%d: {build: .}\n"), "compose.yaml:10002: more than 10000 services"},
		"a long chain of extends":                {chain.String(), "extends leads over more than 100 services"},
		"variables within variables":             {laughs.String(), "variables within variables"},
		"includes that include each other twice": {includes.String(), "more than 1000 files are read"},
		"defaults within defaults":               {"services:\n  a:\n    build: {args: {A: '" + strings.Repeat("${A:-", 100) + strings.Repeat("}", 100) + "'}}\n", "compose.yaml:3: build.args.A of service a: variables are nested more than 32 deep"},
		"a variable 100,000 times":               {"services:\n  a:\n    build: {args: {A: '" + strings.Repeat("$A", 100_000) + "'}}\n-- env --\nA=" + strings.Repeat("x", 100) + "\n", "compose.yaml:3: build.args.A of service a: variables make it longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			text := tt.text
			start := time.Now()
			err := loaded(t, text, nil)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil || len(each(err)) > 21 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%.500v", err)
			}
			for _, e := range each(err) {
				if h := hinted(nil); !errors.As(e, &h) || h.Hint() == "" {
					t.Errorf("%v has no hint", e)
				}
			}
			// What is allocated in all is more than what is held at any time.
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 10*time.Second || made > 128 {
				t.Errorf("it took %v and %d MB", took, made)
			}
			t.Logf("%v, %d MB: %.120v", took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, err)
		})
	}
	start := time.Now()
	if err := loaded(t, many(10_000, "  s%d: {build: {context: ., args: {A: b}}, image: 'shop/x:1'}\n"), nil); err != nil {
		t.Error(err)
	}
	t.Logf("10,000 services are read in %v", time.Since(start).Round(time.Millisecond))
}
