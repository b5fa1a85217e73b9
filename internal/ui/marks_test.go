package ui_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/ui"
)

func TestHarmlessBreaksWhatACISystemObeys(t *testing.T) {
	for name, row := range map[string]struct{ in, want string }{
		"a command":                        {"::add-mask::x\n", ": :add-mask::x\n"},
		"after blanks":                     {" \t::add-mask::x\n", " \t: :add-mask::x\n"},
		"after a carriage return":          {"x\r::add-mask::x\n", "x\r: :add-mask::x\n"},
		"on the second line":               {"x\n::add-mask::x", "x\n: :add-mask::x"},
		"behind what has no width":         {"\u200d::add-mask::x", "\u200d: :add-mask::x"},
		"with what has no width inside":    {":\u00ad:add-mask::x", ":\u00ad :add-mask::x"},
		"one of Azure":                     {"x ##vso[task.setvariable variable=x]y\n", "x ##vso [task.setvariable variable=x]y\n"},
		"one of TeamCity":                  {"##teamcity[publishArtifacts '/']\n", "##teamcity [publishArtifacts '/']\n"},
		"an old one anywhere":              {"ok ##[add-mask]x\n", "ok ## [add-mask]x\n"},
		"an old one with a joiner":         {"#\u200d#[add-mask]x\n", "#\u200d# [add-mask]x\n"},
		"an old one after more signs":      {"###[add-mask]x\n", "### [add-mask]x\n"},
		"colons in the middle stay":        {"a::b ##x\n", "a::b ##x\n"},
		"progress stays":                   {"#5 [linux/arm64 1/2] RUN x\n", "#5 [linux/arm64 1/2] RUN x\n"},
		"what was made harmless stays":     {": :add-mask::x ## [y]\n", ": :add-mask::x ## [y]\n"},
		"one colon alone stays":            {": x\n:\n", ": x\n:\n"},
		"bytes that are no letters at all": {"::\n", ": :\n"},
	} {
		if got := ui.Harmless(row.in); got != row.want {
			t.Errorf("%s: %q became %q, want %q", name, row.in, got, row.want)
		}
	}
}

// FuzzHarmless: no line is a command for a reader who passes over what cannot be seen; a second
// pass changes nothing; no line is lost.
func FuzzHarmless(f *testing.F) {
	for _, seed := range []string{"::a", "##[a]", "\u200b::\n#\u0300#[", ":\r:::", "\xff::"} {
		f.Add(seed)
	}
	oldCommand := regexp.MustCompile(`##[a-zA-Z]*\[`)
	hidden := regexp.MustCompile(`[\p{Cf}\p{Mn}\p{Me}\x00-\x08\x0e-\x1f\x7f]`)
	f.Fuzz(func(t *testing.T, text string) {
		got := ui.Harmless(text)
		if again := ui.Harmless(got); again != got {
			t.Fatalf("%q became %q, then %q", text, got, again)
		}
		if strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Fatalf("%q lost a line: %q", text, got)
		}
		for line := range strings.Lines(hidden.ReplaceAllString(got, "")) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || oldCommand.MatchString(line) {
				t.Fatalf("%q became %q", text, got)
			}
		}
	})
}
