package github_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/github"
)

// counted are words that everybody can guess, for tests.
func counted() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("word%d", n) }
}

func TestWhatStrangersPrintIsNoCommand(t *testing.T) {
	for name, row := range map[string]struct{ in, want string }{
		"a command":                        {"::add-mask::x\n", ": :add-mask::x\n"},
		"after blanks":                     {" \t::add-mask::x\n", " \t: :add-mask::x\n"},
		"after a carriage return":          {"x\r::add-mask::x\n", "x\r: :add-mask::x\n"},
		"on the second line":               {"x\n::add-mask::x", "x\n: :add-mask::x"},
		"behind what has no width":         {"\u200d::add-mask::x", "\u200d: :add-mask::x"},
		"with what has no width inside":    {":\u00ad:add-mask::x", ":\u00ad :add-mask::x"},
		"an old one anywhere":              {"ok ##[add-mask]x\n", "ok ## [add-mask]x\n"},
		"an old one with a joiner":         {"#\u200d#[add-mask]x\n", "#\u200d# [add-mask]x\n"},
		"an old one after more signs":      {"###[add-mask]x\n", "### [add-mask]x\n"},
		"colons in the middle stay":        {"a::b ##x\n", "a::b ##x\n"},
		"progress stays":                   {"#5 [linux/arm64 1/2] RUN x\n", "#5 [linux/arm64 1/2] RUN x\n"},
		"what was made harmless stays":     {": :add-mask::x ## [y]\n", ": :add-mask::x ## [y]\n"},
		"one colon alone stays":            {": x\n:\n", ": x\n:\n"},
		"bytes that are no letters at all": {"::\n", ": :\n"},
	} {
		if got := github.Harmless(row.in); got != row.want {
			t.Errorf("%s: %q became %q, want %q", name, row.in, got, row.want)
		}
	}
}

func TestLogIsReadInWholeLines(t *testing.T) {
	var out strings.Builder
	log := github.New(&out, counted())
	for _, part := range []string{"one\n:", ":add-mask::x\ntwo ##", "[add-mask]y\n", " :"} {
		if n, err := log.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	log.Group("a\nb%")
	fmt.Fprintln(log, "::word1::")
	fmt.Fprint(log, "::group::x")
	log.Annotate(github.Annotation{Level: "error", File: "a:b,c", Line: 3, Title: "100%", Message: "x\r\ny: z, 1%"})
	log.Annotate(github.Annotation{Level: "warning", Line: 3, Message: "m"})
	if err := log.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `one
: :add-mask::x
two ## [add-mask]y
 :
::group::a%0Ab%25
::stop-commands::word1
: :word1::
: :group::x
::word1::
::error file=a%3Ab%2Cc,line=3,title=100%25::x%0D%0Ay: z, 1%25
::stop-commands::word2
::word2::
::warning::m
::stop-commands::word3
::word3::
::endgroup::
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestALineWithoutEndIsCut(t *testing.T) {
	var out strings.Builder
	log := github.New(&out, counted())
	fmt.Fprint(log, strings.Repeat("x", 100_000)+"#")
	fmt.Fprint(log, "#[add-mask]x\n")
	if strings.Contains(out.String(), "##[") || len(out.String()) < 100_000 {
		t.Error("it is not cut, or a command in it is whole")
	}
}

func TestElsewhereTheLogDoesNothing(t *testing.T) {
	var log *github.Log
	log.Group("x")
	log.EndGroup()
	log.Annotate(github.Annotation{Level: "error"})
	if err := log.Flush(); err != nil {
		t.Error(err)
	}
}

func TestAnOutputIsOneLine(t *testing.T) {
	for value, want := range map[string]string{"sha256:a": "digest=sha256:a\n", "": "", "a\nimage=b": "", "a\rb": ""} {
		if got := github.Output("digest", value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestATableTakesNothingForMarkdown(t *testing.T) {
	got := github.Table([]string{"a", "b"}, [][]string{{github.Cell("<img>|[x](y)\n@z"), github.Code("`|\n")}})
	want := "| a | b |\n|---|---|\n| &#60;img&#62;&#124;&#91;x&#93;&#40;y&#41; &#64;z | `???` |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzHarmless: no line is a command for a reader who passes over what cannot be seen; a second
// pass changes nothing; no line is lost.
func FuzzHarmless(f *testing.F) {
	for _, seed := range []string{"::a", "##[a]", "\u200b::\n#\u0300#[", ":\r:::", "\xff::"} {
		f.Add(seed)
	}
	hidden := regexp.MustCompile(`[\p{Cf}\p{Mn}\p{Me}\x00-\x08\x0e-\x1f\x7f]`)
	f.Fuzz(func(t *testing.T, text string) {
		got := github.Harmless(text)
		if again := github.Harmless(got); again != got {
			t.Fatalf("%q became %q, then %q", text, got, again)
		}
		if strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Fatalf("%q lost a line: %q", text, got)
		}
		for line := range strings.Lines(hidden.ReplaceAllString(got, "")) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
				t.Fatalf("%q became %q", text, got)
			}
		}
	})
}
