package template_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/template"
)

// at is the span of a text that stands once in a source.
func at(t *testing.T, source, text string) template.Span {
	t.Helper()
	if strings.Count(source, text) != 1 {
		t.Fatalf("%q does not stand once in %q", text, source)
	}
	i := strings.Index(source, text)
	return template.Span{Start: i, End: i + len(text)}
}

func before(s template.Span) template.Span { return template.Span{Start: s.Start, End: s.Start} }

func TestAFromGetsTheBuildPlatformInItsAuthorsStyle(t *testing.T) {
	for _, c := range []struct{ name, from, want string }{
		{"plain", "FROM golang:1.26 AS build\n", "FROM --platform=$BUILDPLATFORM golang:1.26 AS build\n"},
		{"lower case, tab", "from\tgolang as build\n", "from\t--platform=$BUILDPLATFORM\tgolang as build\n"},
		{"braces elsewhere", "ARG V=1\nFROM golang:${V}\n", "ARG V=1\nFROM --platform=${BUILDPLATFORM} golang:${V}\n"},
		{"a continuation", "FROM \\\n  golang:1\n", "FROM --platform=$BUILDPLATFORM \\\n  golang:1\n"},
		{"a continuation in the word", "FR\\\nOM golang:1\n", "FR\\\nOM --platform=$BUILDPLATFORM golang:1\n"},
		{"quotes", "FROM \"golang:1\"\n", "FROM --platform=$BUILDPLATFORM \"golang:1\"\n"},
		{"CRLF and no last newline", "# x\r\n  FROM  golang:1", "# x\r\n  FROM --platform=$BUILDPLATFORM  golang:1"},
		{"another escape", "# escape=`\nFROM `\n golang:1\n", "# escape=`\nFROM --platform=$BUILDPLATFORM `\n golang:1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parsed, err := template.Parse("Dockerfile", []byte(c.from))
			if err != nil {
				t.Fatal(err)
			}
			now, err := parsed.Edit([]template.TextEdit{parsed.OnBuildPlatform(0)})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(now.Source); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if now.Stages[0].PlatformFlag == "" {
				t.Error("the stage has no platform")
			}
		})
	}
}

func TestEditsOfRunsAreProven(t *testing.T) {
	const source = "FROM golang:1.26\nRUN cd x && \\\n  # a comment\n  go build -o /a .\nRUN <<EOF\ngo build ./b\nEOF\nRUN <<-EOF\n\tgo build ./c\n\tEOF\nCOPY . /d\nRUN [\"go\", \"build\"]\n"
	parsed, err := template.Parse("Dockerfile", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		edit template.TextEdit
		want string // part of the error, or of the result after "="
	}{
		{"words before a word", template.TextEdit{Span: before(at(t, source, "go build -o")), New: "GOARCH=arm64 "}, "=  GOARCH=arm64 go build -o /a .\n"},
		{"another word", template.TextEdit{Span: at(t, source, "/a"), New: "/e"}, "=-o /e ."},
		{"words in a heredoc", template.TextEdit{Span: before(at(t, source, "go build ./b")), New: "GOARCH=arm64 "}, "=<<EOF\nGOARCH=arm64 go build ./b\nEOF"},
		{"an ARG of its own", template.TextEdit{Span: before(at(t, source, "RUN cd")), New: "ARG TARGETOS TARGETARCH\n"}, "=\nARG TARGETOS TARGETARCH\nRUN cd"},
		{"a heredoc that loses its tabs", template.TextEdit{Span: before(at(t, source, "go build ./c")), New: "GOARCH=arm64 "}, "tabs are taken away"},
		{"an instruction that is no RUN", template.TextEdit{Span: at(t, source, "/d"), New: "/e"}, "only FROM and RUN"},
		{"a comment", template.TextEdit{Span: at(t, source, "a comment"), New: "x"}, "in no word"},
		{"a word over two lines", template.TextEdit{Span: at(t, source, "&& \\\n  # a comment\n  go"), New: "&& go"}, "number of its lines"},
		{"a line that is no ARG", template.TextEdit{Span: before(at(t, source, "RUN cd")), New: "ENV A=b\n"}, "is no ARG"},
		{"a second instruction", template.TextEdit{Span: at(t, source, "/a ."), New: "/a .\nRUN evil"}, "reads another line"},
		{"the end of a heredoc", template.TextEdit{Span: at(t, source, "./b"), New: "./b\nEOF\nRUN evil\nRUN <<EOF"}, "change"},
		{"a new heredoc", template.TextEdit{Span: at(t, source, "/a ."), New: "<<X"}, ""},
		{"a flag", template.TextEdit{Span: before(at(t, source, "cd x")), New: "--network=none "}, "flags change"},
		{"a comment instead of an instruction", template.TextEdit{Span: before(at(t, source, "RUN cd")), New: "#"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, err := parsed.Edit([]template.TextEdit{c.edit})
			if want, ok := strings.CutPrefix(c.want, "="); ok {
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(string(now.Source), want) {
					t.Errorf("it became %q", now.Source)
				}
				return
			}
			if err == nil {
				t.Fatalf("it became %q", now.Source)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
	overlap := []template.TextEdit{{Span: at(t, source, "build -o"), New: "x"}, {Span: at(t, source, "-o /a"), New: "x"}}
	if _, err := parsed.Edit(overlap); err == nil {
		t.Error("two edits of one word are made")
	}
}

// moves puts every stage of a file that may be on the build platform there. Other
// bytes stay what they are, and BuildKit finds the same stages.
func moves(t *testing.T, parsed *template.Template) {
	t.Helper()
	var edits []template.TextEdit
	want, at := "", 0
	for i, s := range parsed.Stages {
		if s.PlatformFlag == "" {
			e := parsed.OnBuildPlatform(i)
			edits = append(edits, e)
			want += string(parsed.Source[at:e.Span.Start]) + e.New
			at = e.Span.Start
		}
	}
	want += string(parsed.Source[at:])
	now, err := parsed.Edit(edits)
	if limit := (*template.LimitError)(nil); errors.As(err, &limit) {
		return // the lines become too long
	}
	if err != nil {
		t.Fatalf("%v in %q", err, parsed.Source)
	}
	if string(now.Source) != want {
		t.Fatalf("%q becomes %q", parsed.Source, now.Source)
	}
	for i, s := range now.Stages {
		if s.PlatformFlag == "" || s.Name != parsed.Stages[i].Name {
			t.Fatalf("stage %d of %q does not move", i, parsed.Source)
		}
	}
}

func TestAnyStageCanBeMoved(t *testing.T) {
	n := 0
	for name, text := range corpus(t) {
		if parsed, err := template.Parse("Dockerfile", []byte(text)); err == nil {
			n++
			t.Run(name, func(t *testing.T) { moves(t, parsed) })
		}
	}
	if n < 100 {
		t.Errorf("%d Dockerfiles", n)
	}
}

// FuzzMove: whatever is read can be moved, and means the same but for that.
func FuzzMove(f *testing.F) {
	for _, row := range referenceRows {
		f.Add([]byte(row.source))
	}
	os.Stderr, _ = os.Open(os.DevNull) // BuildKit's lexer complains of bad UTF-8 there
	f.Fuzz(func(t *testing.T, source []byte) {
		if parsed, err := template.Parse("Dockerfile", source); err == nil {
			moves(t, parsed)
		}
	})
}
