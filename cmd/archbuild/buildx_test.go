package main

import (
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/outside"
)

// buildxRow is a row of the tables in docs/buildx.md: a name, and how it stands.
var buildxRow = regexp.MustCompile("(?m)^\\| `(--)?([^`]+)` \\| (same|different|not yet) \\|")

// buildxDoc is what docs/buildx.md says of each flag.
func buildxDoc(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/buildx.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]string{}
	for _, row := range buildxRow.FindAllStringSubmatch(string(text), -1) {
		if row[1] == "" {
			continue
		}
		if flags[row[2]] != "" {
			t.Errorf("--%s is there twice", row[2])
		}
		flags[row[2]] = row[3]
	}
	return flags
}

func TestEveryFlagOfBuildxIsInTheTable(t *testing.T) {
	x := newTools(t)
	help := string(x.run(x.built("buildx"), "build", "--help"))
	listed := buildxDoc(t)
	found := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)`).FindAllStringSubmatch(help, -1) {
		found[match[1]] = true
		if listed[match[1]] == "" {
			t.Errorf("docs/buildx.md has no row for --%s", match[1])
		}
	}
	if len(found) < 30 {
		t.Errorf("buildx's help shows %d flags:\n%s", len(found), help)
	}
	for name := range listed {
		if !found[name] {
			t.Errorf("docs/buildx.md has a row for --%s, which buildx has not", name)
		}
	}
}

func TestTheTableOfBuildxFlagsIsTrue(t *testing.T) {
	flags := newRoot(outside.System{Stdout: io.Discard, Stderr: io.Discard}).Flags()
	for name, how := range buildxDoc(t) {
		there := name == "help" || flags.Lookup(name) != nil
		instead := buildxFlags[name]
		switch {
		case how != "not yet" && !there:
			t.Errorf("--%s is said to be %s, and archbuild does not have it", name, how)
		case how == "not yet" && there:
			t.Errorf("--%s is said to be missing, and archbuild has it", name)
		case how == "not yet" && instead == "":
			t.Errorf("--%s is refused without a word about what to do instead", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(buildxFlags)) {
		if flags.Lookup(name) != nil {
			t.Errorf("--%s is refused in buildx.go, and archbuild has it", name)
		}
	}
	for _, shorthand := range strings.Split("fotq", "") {
		if flags.ShorthandLookup(shorthand) == nil {
			t.Errorf("there is no -%s", shorthand)
		}
	}
}
