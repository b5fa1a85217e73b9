package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/github"
	"github.com/archbuild/archbuild/internal/ui"
)

// counted are words that everybody can guess, for tests.
func counted() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("word%d", n) }
}

func TestWhatStrangersPrintIsNoCommand(t *testing.T) {
	var out strings.Builder
	log := github.New(ui.NewStream(&out, ui.StreamOptions{}), counted())
	for _, part := range []string{"one\n:", ":add-mask::x\ntwo ##", "[add-mask]y\n", " :"} {
		if n, err := log.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	log.Group("a\nb%")
	fmt.Fprintln(log, "::word1::")
	fmt.Fprint(log, "::group::x")
	log.Annotate(github.Annotation{Level: "error", File: "a:b,c", Line: 3, Title: "100%", Message: "x\x1b[1m\r\ny: z, 1%"})
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
::error file=a%3Ab%2Cc,line=3,title=100%25::x%0Ay: z, 1%25
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
	got := github.Table([]string{"a", "b"}, [][]string{{github.Cell("<img>|[x]\u202e\u009b1m(y)\n@z"), github.Code("`|\n")}})
	want := "| a | b |\n|---|---|\n| &#60;img&#62;&#124;&#91;x&#93;&#40;y&#41; &#64;z | `???` |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
