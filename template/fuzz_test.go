package template_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// accepts tells whether BuildKit's parser takes a file and finds a stage in it.
func accepts(source []byte) bool {
	result, err := parser.Parse(bytes.NewReader(source))
	if err != nil {
		return false
	}
	stages, _, err := instructions.Parse(result.AST, linter.New(&linter.Config{}))
	return err == nil && len(stages) > 0
}

// FuzzParse: whatever BuildKit accepts is read, what it refuses is refused,
// and the spans agree with the AST.
func FuzzParse(f *testing.F) {
	for _, row := range referenceRows {
		f.Add([]byte(row.source))
	}
	os.Stderr, _ = os.Open(os.DevNull) // BuildKit's lexer complains of bad UTF-8 there
	f.Fuzz(func(t *testing.T, source []byte) {
		parsed, err := template.Parse("Dockerfile", source)
		var limit *template.LimitError
		var syntax *template.SyntaxError
		switch {
		case errors.As(err, &limit):
			return
		case errors.As(err, &syntax):
			if accepts(source) {
				t.Fatalf("BuildKit accepts it: %v", err)
			}
			return
		case err != nil:
			t.Fatal(err)
		case !accepts(source):
			t.Fatal("BuildKit refuses it")
		}
		spans(t, parsed)
	})
}

// spans checks order, lines, and that plain texts stand in the file as they are.
func spans(t *testing.T, parsed *template.Template) {
	t.Helper()
	end := 0
	for _, r := range parsed.References {
		if r.Span.Start < end || r.Span.End <= r.Span.Start || r.Span.End > len(parsed.Source) {
			t.Fatalf("%+v overlaps", r)
		}
		end = r.Span.End
		if line := 1 + bytes.Count(parsed.Source[:r.Span.Start], []byte("\n")); line != r.Line {
			t.Fatalf("%+v is in line %d", r, line)
		}
		raw := string(parsed.Source[r.Span.Start:r.Span.End])
		if !strings.ContainsAny(raw, "\\`\"'\n") && raw != r.Text && isASCII(raw) {
			t.Fatalf("%+v: the file says %q", r, raw)
		}
		if r.Where == "FROM" && parsed.Stages[r.Stage].Base >= len(parsed.References) {
			t.Fatalf("%+v has no stage", r)
		}
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 126 })
}

// FuzzUses: for any file that BuildKit's frontend accepts, the needed images
// and their platforms are those it asks a registry for.
func FuzzUses(f *testing.F) {
	for _, source := range evaluated {
		f.Add(source, uint(0))
		f.Add(source, uint(1))
	}
	os.Stderr, _ = os.Open(os.DevNull)
	f.Fuzz(func(t *testing.T, source string, row uint) {
		parsed, err := template.Parse("Dockerfile", []byte(source))
		if err != nil || unmodelled(parsed) {
			return
		}
		env := envs[row%uint(len(envs))]
		if asked, refused := buildkit(source, env); refused == nil {
			list, problems, err := wanted(parsed, env)
			if err != nil || len(problems) > 0 {
				t.Fatalf("BuildKit accepts, Uses says %v %q", err, problems)
			}
			if strings.Join(asked, " ") != strings.Join(list, " ") && env.Build != platform.Host() {
				// A platform without an architecture has that of the process in BuildKit, which here is none of a node.
				env.Build = platform.Host()
				asked, refused = buildkit(source, env)
				list, _, _ = wanted(parsed, env)
			}
			if refused == nil && strings.Join(asked, " ") != strings.Join(list, " ") {
				t.Fatalf("BuildKit asks for %q, Uses says %q", asked, list)
			}
		}
	})
}

// unmodelled are two oddities of BuildKit that no file can want: a stage named
// scratch is mounted by every mount without from=, and a number beyond the
// stages can mean an image that an earlier COPY --from named.
func unmodelled(parsed *template.Template) bool {
	for _, r := range parsed.References {
		if strings.HasSuffix(r.Where, "COPY --from") && r.Kind == template.Variable {
			return true
		}
	}
	_, scratch := parsed.Stage("scratch")
	return scratch
}
