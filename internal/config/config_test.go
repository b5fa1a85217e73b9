package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/google/go-cmp/cmp"
)

var (
	amd64 = platform.MustParse("linux/amd64")
	arm64 = platform.MustParse("linux/arm64")
	armv7 = platform.MustParse("linux/arm/v7")
)

const full = `# what this project needs
default: amd64
platforms: [linux/amd64, linux/arm64/v8, "linux/arm/v7"]
bases:
  debian:12: registry.example:5000/debian:12
  vendor/tool:
    linux/arm64: vendor/tool-arm64:3
    arm: vendor/tool-arm:3
args:
  VERSION: 1.10
  FLAG: true
  linux/arm64: {URL_ARCH: aarch64, VERSION: 0x10}
target: {default: app, linux/arm64: app-arm}
verify:
  mode: off
  allow: ["opt/firmware/*", "usr/share/[a-z]*"]
dockerfiles: {linux/arm/v7: docker/Dockerfile.arm}
cross: {default: off, build: require}
services:
  shop/cart: ./cart
  shop/web:1.0: {context: ../web, dockerfile: docker/Dockerfile, target: app, args: {VERSION: 1.10}}
`

func TestEverySectionIsRead(t *testing.T) {
	got, err := config.Load("archbuild.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := config.File{
		Name:      "archbuild.yaml",
		Default:   amd64,
		Platforms: []platform.Platform{amd64, arm64, armv7}, PlatformLines: []int{3, 3, 3},
		Bases: []config.Base{
			{Old: "debian:12", New: "registry.example:5000/debian:12", Line: 5, Column: 14},
			{Old: "vendor/tool", New: "vendor/tool-arm64:3", Platform: arm64, Line: 7, Column: 18},
			{Old: "vendor/tool", New: "vendor/tool-arm:3", Platform: armv7, Line: 8, Column: 10},
		},
		Args: []config.Arg{
			{Key: "VERSION", Value: "1.10", Line: 10},
			{Key: "FLAG", Value: "true", Line: 11},
			{Key: "URL_ARCH", Value: "aarch64", Platform: arm64, Line: 12},
			{Key: "VERSION", Value: "0x10", Platform: arm64, Line: 12},
		},
		Targets:     []config.Target{{Name: "app", Line: 13}, {Name: "app-arm", Platform: arm64, Line: 13}},
		Verify:      config.Verify{Mode: "off", Allow: []string{"opt/firmware/*", "usr/share/[a-z]*"}, Line: 15},
		Dockerfiles: []config.Dockerfile{{Platform: armv7, Path: "docker/Dockerfile.arm", Line: 17}},
		Cross:       []config.Cross{{Mode: "off", Line: 18}, {Stage: "build", Mode: "require", Line: 18}},
		Services: []config.Service{
			{Image: "shop/cart", Context: "./cart", Line: 20},
			{Image: "shop/web:1.0", Context: "../web", Dockerfile: "docker/Dockerfile", Target: "app", Args: []config.Arg{{Key: "VERSION", Value: "1.10", Line: 21}}, Line: 21},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	rule := resolve.Rule{Old: "vendor/tool", New: "vendor/tool-arm64:3", Platform: arm64, Source: "archbuild.yaml:7", Column: 18}
	if diff := cmp.Diff(rule, got.Rules()[1]); diff != "" {
		t.Error(diff)
	}
}

func TestAPlatformsOwnValueWins(t *testing.T) {
	f, err := config.Load("archbuild.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"VERSION": "0x10", "FLAG": "true", "URL_ARCH": "aarch64"}, f.ArgsFor(arm64)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"VERSION": "1.10", "FLAG": "true"}, f.ArgsFor(amd64)); diff != "" {
		t.Error(diff)
	}
	if got := f.TargetFor(arm64) + " " + f.TargetFor(amd64); got != "app-arm app" {
		t.Error(got)
	}
	if got := f.DockerfileFor(armv7) + "|" + f.DockerfileFor(amd64); got != "docker/Dockerfile.arm|" {
		t.Error(got)
	}
}

func TestWhatSaysNothingIsEmpty(t *testing.T) {
	for _, source := range []string{"", "\n", "# nothing\n", "---\n", "bases:\nargs: {}\n", "{}"} {
		got, err := config.Load("archbuild.yaml", []byte(source))
		if err != nil {
			t.Errorf("%q: %v", source, err)
		}
		if diff := cmp.Diff(config.File{Name: "archbuild.yaml"}, got); diff != "" {
			t.Errorf("%q: %s", source, diff)
		}
	}
}

func TestAliasesStandForTheirValue(t *testing.T) {
	f, err := config.Load("a.yaml", []byte("bases:\n  one:1: &new registry.example/x:1\n  two:1: *new\n"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Bases[1].New != "registry.example/x:1" || f.Bases[1].Line != 3 {
		t.Errorf("%+v", f.Bases[1])
	}
}

func TestErrorsSayWhereAndWhatToDo(t *testing.T) {
	for _, c := range []struct{ problem, source, want, hint string }{
		{"an image without a context", "services: {shop/cart: {target: app}}", "a.yaml:1:12: shop/cart has no context", "write context: FOLDER"},
		{"an image that cannot be", "services: {shop/Cart: ./cart}", `a.yaml:1:12: "shop/Cart" is no name of an image`, "write it as the compose file has it under image:"},
		{"one image in two ways of writing", "services:\n  redis: ./a\n  docker.io/library/redis: ./b\n", "a.yaml:3:3: \"docker.io/library/redis\" is given twice, first on line 2", "keep one of them"},
		{"an argument for one platform of a service", "services: {shop/cart: {context: a, args: {linux/arm64: {A: b}}}}", "a.yaml:1:1: arguments for one platform are not read here", "put them into the archbuild.yaml beside the service's Dockerfile"},
		{"a misspelt key", "platform: [linux/arm64]", `a.yaml:1:1: unknown key "platform"`, "did you mean platforms?"},
		{"a key of another tool", "volumes: {}", `a.yaml:1:1: unknown key "volumes"`, "known keys: default, platforms, bases, args, target, verify, dockerfiles"},
		{"a misspelt key further in", "verify:\n  mod: off", `a.yaml:2:3: unknown key "mod"`, "did you mean mode?"},
		{"nodes, which a repository must not choose", "nodes: [tcp://a:1]", `a.yaml:1:1: nodes are not taken from a file that comes with the source`, ".config/archbuild/config.yaml"},
		{"a key twice", "default: amd64\nplatforms: [arm64]\ndefault: arm64", `a.yaml:3:1: "default" is given twice, first on line 1`, "keep one of them"},
		{"an unknown platform", "platforms:\n  - linux/amd64\n  - linux/arm46", `a.yaml:3:5: unknown platform "linux/arm46"`, "did you mean linux/arm64?"},
		{"an unknown default", "default: sparc", `a.yaml:1:10: unknown platform "sparc"`, "write os/arch"},
		{"a platform twice in two spellings", "platforms: [arm64, linux/arm64/v8]", `a.yaml:1:20: "linux/arm64/v8" is given twice, first on line 1`, "keep one"},
		{"a platform twice for one base", "bases:\n  x:\n    arm64: a\n    linux/arm64: b", `a.yaml:4:5: "linux/arm64" is given twice, first on line 3`, "keep one"},
		{"a bad reference", "bases:\n  debian:12: Not_A_Ref:", `a.yaml:2:14:`, ""},
		{"a bad new reference", "bases:\n  debian:12: Registry/Debian", `a.yaml:2:14: "Registry/Debian" is no image reference`, "write [host/]name"},
		{"a bad old reference", "bases:\n  Debian:12: debian:12", `a.yaml:2:3: "Debian:12" is no image reference`, "write [host/]name"},
		{"one base in two spellings", "bases:\n  debian:12: a\n  docker.io/library/debian:12: b", `a.yaml:3:32: two rules fight: debian:12=a (a.yaml:2:14) and docker.io/library/debian:12=b (a.yaml:3:32)`, "keep one"},
		{"a glob that is none", "bases:\n  deb***: x", `a.yaml:2:3: "deb***" is no glob`, "registry.example/*/base"},
		{"more wildcards than there are", "bases:\n  deb*: x/*/*", `a.yaml:2:9: x/*/* has 2 wildcards, but deb* only 1`, "stands for"},
		{"an expression that is none", "bases:\n  ~quay.io/(.*: x/$1", `a.yaml:2:3: "quay.io/(.*" is no regular expression`, "~quay.io/(.*)"},
		{"a group that is not there", "bases:\n  ~quay.io/(.*): x/$2", `a.yaml:2:18: $2 is no group of the regular expression "quay.io/(.*)"`, "${1}"},
		{"scratch as a new base", "bases: {debian: scratch}", `a.yaml:1:17: scratch is no image`, "change the FROM"},
		{"a bad name of an argument", "args: {A-B: c}", `a.yaml:1:8: "A-B" cannot be the name of a build argument`, "letters"},
		{"an argument without value", "args:\n  KEY:", `a.yaml:2:8: a value is missing here`, `""`},
		{"arguments for no platform", "args:\n  sparc: {A: b}", `a.yaml:2:3: unknown platform "sparc"`, "write os/arch"},
		{"an unknown mode", "verify: {mode: strict}", `a.yaml:1:16: unknown verify mode "strict"`, "one of fail, warn, off"},
		{"a bad glob", "verify: {allow: ['[a']}", `a.yaml:1:18: "[a" is no glob`, "bracket"},
		{"a file outside", "dockerfiles: {arm64: ../../etc/passwd}", `a.yaml:1:22: "../../etc/passwd" is not below the folder`, "Dockerfile.arm64"},
		{"a list where a mapping belongs", "bases: [a]", `a.yaml:1:8: expected a mapping`, "KEY: VALUE"},
		{"a mapping where a list belongs", "platforms: {a: b}", `expected a list`, "[a, b]"},
		{"a value where a list belongs", "platforms: linux/arm64", `a.yaml:1:12: expected a list`, "[linux/arm64]"},
		{"an empty list of platforms", "platforms: []", `a.yaml:1:12: the list of platforms is empty`, "leave platforms out"},
		{"a list where a value belongs", "default: [amd64]", `a.yaml:1:10: expected a single value`, "without [ ]"},
		{"a scalar for a file", "hello", `a.yaml:1:1: expected a mapping`, "KEY: VALUE"},
		{"a key in capitals", "Args: {A: b}", `a.yaml:1:1: unknown key "Args"`, "did you mean args?"},
		{"a glob without quotes", "bases:\n  *-slim: x", `a.yaml:2:11: no valid YAML`, `"*-slim": NEW`},
		{"two stars without quotes", "bases:\n  **/tool: x", `a.yaml:2:4: no valid YAML`, "in quotes"},
		{"an alias of nothing", "bases:\n  debian: *x", `a.yaml:2:11: an alias`, "in quotes"},
		{"a second document", "default: amd64\n---\ndefault: arm64", `a second document`, "one document"},
		{"a merge key", "args:\n  <<: {A: b}", `merge keys`, "write the keys out"},
		{"broken YAML", "bases: [a", `a.yaml:1:8: no valid YAML`, "line 1"},
		{"a tab", "bases:\n\tdebian: x", `a.yaml:2:1: no valid YAML`, "spaces"},
	} {
		t.Run(c.problem, func(t *testing.T) {
			_, err := config.Load("a.yaml", []byte(c.source))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			var hinted interface{ Hint() string }
			if c.hint != "" && (!errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), c.hint)) {
				t.Errorf("hint of %v does not hold %q", err, c.hint)
			}
			var placed *config.Error
			if !errors.As(err, &placed) {
				t.Errorf("%v is no config.Error", err)
			}
		})
	}
}

func TestPatternsAreRules(t *testing.T) {
	f, err := config.Load("a.yaml", []byte(`bases:
  registry.example/*/base: mirror.example/*/base
  debian:*-slim: x/debian:*-slim
  ~^quay.io/(.*)$: mirror.example/$1
  "**/tool": {linux/arm64: x/tool}
  ~gcr.io/(?P<a>[^:]*):.*: "x/${a}:2"
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rule := range f.Rules() {
		got = append(got, rule.String()+" "+rule.Source)
	}
	want := []string{
		"registry.example/*/base=mirror.example/*/base a.yaml:2", "debian:*-slim=x/debian:*-slim a.yaml:3",
		"~^quay.io/(.*)$=mirror.example/$1 a.yaml:4", "**/tool=x/tool@linux/arm64 a.yaml:5", "~gcr.io/(?P<a>[^:]*):.*=x/${a}:2 a.yaml:6",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAllErrorsAreCollected(t *testing.T) {
	_, err := config.Load("a.yaml", []byte("default: sparc\nplatform: []\nverify: {mode: x}\n"))
	if n := len(strings.Split(err.Error(), "\n")); n != 3 {
		t.Errorf("%d errors: %v", n, err)
	}
}

func TestHostileFilesEndQuickly(t *testing.T) {
	bomb := "a: &a [x,x]\n"
	for c := 'b'; c < 'z'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "]\n"
	}
	for name, source := range map[string]string{
		"alias bomb":       "args:\n  A: &a x\n" + strings.Repeat("  B: *a\n", 5000),
		"more aliases":     "args:\n  A: &a x\n" + aliases(1_100),
		"nested bomb":      bomb,
		"self alias":       "args: &a {linux/arm64: *a}",
		"alias of itself":  "args: &a *a",
		"deep flow":        "args: " + strings.Repeat("[", 1<<19),
		"deep maps":        strings.Repeat("{a: ", 1<<17),
		"deep sequences":   strings.Repeat("- ", 1<<18),
		"complex keys":     strings.Repeat("? ", 1<<18),
		"anchors":          strings.Repeat("&a ", 1<<18),
		"tags":             strings.Repeat("!a ", 1<<18),
		"many keys":        "args:\n" + strings.Repeat("  A: b\n", 1<<16),
		"colons":           strings.Repeat(": ", 1<<18),
		"too large":        strings.Repeat("#\n", 1<<20),
		"staircase":        staircase(1 << 10),
		"a list of lists":  "platforms: [" + strings.Repeat("a,", 1<<18) + "]",
		"binary":           string([]byte{0, 1, 2, 0xff, 0xfe}),
		"nothing but ---":  strings.Repeat("---\n", 1<<17),
		"quadratic values": "args:\n" + strings.Repeat("  ? a\n", 6000),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := config.Load("a.yaml", []byte(source))
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if err == nil && name != "nothing but ---" {
				t.Error("no error")
			}
		})
	}
}

// aliases are so many keys that stand for one value: nothing is wrong but their number.
func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  B%d: *a\n", i)
	}
	return b.String()
}

func staircase(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "args:\n")
	}
	return b.String()
}

// FuzzLoad holds: never a panic, and what is accepted consists of valid platforms and rules.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("bases: &a {x: *a}\n"))
	f.Add([]byte("args: {A: |\n  b\n}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := config.Load("a.yaml", data)
		if err != nil {
			return
		}
		if err := (resolve.Rules{List: file.Rules()}).Check(); err != nil {
			t.Errorf("accepted rules are refused: %v", err)
		}
		for _, b := range file.Bases {
			if b.Line < 1 || b.Line > strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+1 {
				t.Errorf("line %d is not in the file", b.Line)
			}
		}
	})
}

// FuzzLoadUser: whatever the file holds, a node that is read has its place in it, and
// what is refused says where.
func FuzzLoadUser(f *testing.F) {
	f.Add([]byte("nodes:\n- engine\n- {address: tcp://a:1, platforms: [arm64], weight: 2}\n"))
	f.Add([]byte("nodes: [&a {name: x}, *a]\n"))
	f.Add([]byte("nodes:\n  - name: |\n      x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		nodes, err := config.LoadUser("c.yaml", data)
		if bad := new(config.Error); err != nil && !errors.As(err, &bad) {
			t.Errorf("an error without a place: %v", err)
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		for _, n := range nodes {
			if n.Line < 1 || n.Line > lines || n.Column < 1 {
				t.Errorf("%+v is not in the file", n.Value)
			}
		}
	})
}
