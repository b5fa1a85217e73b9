package ui_test

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/archbuild/archbuild/internal/ui"
)

// written is what comes out below a stream that gets these parts.
func written(o ui.StreamOptions, parts ...string) string {
	var out strings.Builder
	s := ui.NewStream(&out, o)
	for _, part := range parts {
		_, _ = io.WriteString(s, part)
	}
	_ = s.Flush()
	return out.String()
}

func TestAStreamIsHarmlessHoweverItIsCut(t *testing.T) {
	for name, row := range map[string]struct{ in, want string }{
		"text and its colours":                   {"a \x1b[1;31mred\x1b[0m b\n", "a red b\n"},
		"a title":                                {"a\x1b]0;title\x07b\n", "ab\n"},
		"a link, ended by ST":                    {"\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\\n", "click\n"},
		"an open string":                         {"a\x1b]52;c;AAAA\nb\n", "a\nb\n"},
		"C1 forms":                               {"a\u009b31mb\u009d0;t\u009cc\n", "abc\n"},
		"letters of several bytes":               {"größe 大小 👩\u200d💻\n", "größe 大小 👩\u200d💻\n"},
		"direction marks":                        {"a\u202eb\u2066c\n", "abc\n"},
		"half a letter at the end":               {"a\xe5\xa4", "a\ufffd\ufffd"},
		"half a sequence at the end":             {"a\x1b[31", "a"},
		"a command of GitHub's":                  {"x\n::set-output name=a::b\n", "x\n: :set-output name=a::b\n"},
		"one put together by what is cleaned":    {":\x1b[0m:add-mask::x\n", ": :add-mask::x\n"},
		"one behind a carriage return":           {"x\r::add-mask::x\n", "x::add-mask::x\n"},
		"one of Azure's":                         {"##v\x1b[0mso[x]\n", "##vso [x]\n"},
		"a section of GitLab's":                  {"\x1b[0Ksection_start:1:x\r\x1b[0Kx\n", "section_start:1:xx\n"},
		"a fold of Buildkite's, where it is not": {"--- a\n+++ b\n", "--- a\n+++ b\n"},
	} {
		if got := written(ui.StreamOptions{}, row.in); got != row.want {
			t.Errorf("%s: %q became %q, want %q", name, row.in, got, row.want)
		}
		if got := written(ui.StreamOptions{}, strings.Split(row.in, "")...); got != row.want && !strings.Contains(row.in, "\xe5") {
			t.Errorf("%s: letter by letter it became %q, want %q", name, got, row.want)
		}
	}
}

func TestHeadingsOfBuildkiteAreBroken(t *testing.T) {
	got := written(ui.StreamOptions{Headings: true}, "--- a\n++", "+ b\n ^^^ +++\n~~~ c\n-- d\na --- b\n")
	if want := "-- - a\n++ + b\n ^^ ^ +++\n~~ ~ c\n-- d\na --- b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheDoorsPastAStream(t *testing.T) {
	var out bytes.Buffer
	const hostile = "\x1b[1m::x\n"
	pipe := ui.NewStream(&out, ui.StreamOptions{})
	_, _ = io.WriteString(ui.Exact(pipe), hostile)
	if out.String() != hostile {
		t.Errorf("into a pipe went %q", &out)
	}
	out.Reset()
	terminal := ui.NewStream(&out, ui.StreamOptions{Terminal: true})
	_, _ = io.WriteString(ui.Exact(terminal), hostile)
	if got := out.String(); got != ": :x\n" {
		t.Errorf("to a terminal went %q", got)
	}
	if ui.Screen(terminal) != io.Writer(&out) || ui.Screen(pipe) != io.Writer(pipe) || ui.Exact(&out) != io.Writer(&out) {
		t.Error("a door leads elsewhere")
	}
}

func TestOwnLinesBeginALine(t *testing.T) {
	var out strings.Builder
	s := ui.NewStream(&out, ui.StreamOptions{})
	_, _ = io.WriteString(s, "x\x1b[")
	if err := s.Own("::group::a\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(s, "::b\n")
	if got, want := out.String(), "x\n::group::a\n: :b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestASequenceWithoutEndTakesNoMemory(t *testing.T) {
	s := ui.NewStream(io.Discard, ui.StreamOptions{})
	part := []byte("\x1b]0;" + strings.Repeat("x", 3<<10))
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.Write(part) }); n > 1 {
		t.Errorf("%.0f allocations a write", n)
	}
}

// FuzzStream: whatever comes in whatever parts, nothing that is obeyed comes out; and the parts do
// not matter.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{"", "a\x1b]8;;x\x1b\\y", "\u009b1\u009c", "\x1b]\n\x1bP\xff", ":\x1b[0m:x\n##\u200b[", "\xe5\xa4\xa7"} {
		f.Add(seed, uint8(3))
	}
	command := regexp.MustCompile(`(?m)^\s*::|##[a-zA-Z]*\[`)
	f.Fuzz(func(t *testing.T, text string, step uint8) {
		var parts []string
		for rest := text; rest != ""; {
			n := min(int(step%7)+1, len(rest))
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		got := written(ui.StreamOptions{}, parts...)
		if whole := written(ui.StreamOptions{}, text); whole != got {
			t.Fatalf("%q became %q, in parts %q", text, whole, got)
		}
		if strings.IndexFunc(got, func(r rune) bool {
			return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
		}) >= 0 || command.MatchString(got) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

// What a stream costs: bytes a second, for a log as builds have it, one line a write.
func BenchmarkStream(b *testing.B) {
	file, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	for name, line := range map[string]string{
		"plain":   "#12 34.56 Get:17 http://mirror.example/debian bookworm/main amd64 libc6-dev amd64 2.36-9 [1,904 kB]\n",
		"colours": "#12 34.56 \x1b[1m\x1b[32m   Compiling\x1b[0m serde_derive v1.0.193 (größer)\n",
	} {
		for to, w := range map[string]io.Writer{"cleaned": ui.NewStream(file, ui.StreamOptions{}), "direct": file} {
			b.Run(name+"/"+to, func(b *testing.B) {
				b.SetBytes(int64(len(line)))
				for b.Loop() {
					_, _ = io.WriteString(w, line)
				}
			})
		}
	}
}
