package rewrite_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

// seeds are small files, each with one of the things that go wrong.
var seeds = []string{
	"FROM debian:12 AS x\nCOPY --from=x a b\n",
	"# escape=`\r\nFROM deb`\r\nian\r\n",
	"\ufeff# syntax=docker/dockerfile:1\nfrom \"debian\"\n",
	"FROM deb\\\n# FROM c\n\nian:12 AS \\\n x",
	"FROM a\nCOPY --from=\"nginx\":1 a b\nCOPY --from=ng\"inx\" a b\nCOPY --\"from=ng\"'inx' a b\n",
	"FROM a\nRUN --mount=from=b,target=/x --mount='type=bind,\"from=c\"\"d\",target=/y' z\n",
	"FROM a\nRUN --mount=FROM=b\\\n:1,target=/x,from=c z\n",
	"FROM a\nRUN <<EOF cat <<-'X'\nFROM a\nEOF\n\tX\nFROM b\n",
	"FROM a\nCOPY <<\"A\" <<B /x\nA\n$X\nB\nADD [\"<<A\", \"b\"]\n",
	"FROM a\nONBUILD COPY --from=a b c\nonbuild run --mount=from=a,target=/x <<E\nx\nE\n",
	"ARG V=1\nFROM a:${V:-x:1} AS b\nFROM \"$V\"\nFROM 'a'b\n",
	"FROM a\\:1\nCOPY --from=a\\b x y\nCOPY --chown=\\\"1 --from='\\b' -- x y\n",
	"FROM \\\n\\\na\\\n\\\n\\\nb\n\\\n\nRUN x",
	"FROM a@sha256:0000000000000000000000000000000000000000000000000000000000000000\nCOPY --from=0 x y",
	"FROM a\xa0\nRUN --mount=from=\xe9,target=\x85 x\n# \xff\n",
}

// FuzzRewrite holds the promises of the package for any file BuildKit accepts.
func FuzzRewrite(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed), uint64(0xffff))
		f.Add([]byte(seed), uint64(0b101))
	}
	os.Stderr, _ = os.Open(os.DevNull) // BuildKit's lexer complains of bad UTF-8 there
	f.Fuzz(func(t *testing.T, source []byte, which uint64) {
		parsed, err := template.Parse("Dockerfile", source)
		if err != nil {
			notMismatch(t, err)
			return
		}
		same, err := rewrite.Dockerfile(parsed, nil)
		if err != nil || !bytes.Equal(same.Bytes, source) || len(same.Edits) > 0 {
			t.Fatalf("no replacements change the file: %q %v", same.Bytes, err)
		}
		var replacements []rewrite.Replacement
		for _, r := range external(parsed) {
			if which>>(r.Reference%64)&1 == 1 {
				replacements = append(replacements, r)
			}
		}
		out, err := rewrite.Dockerfile(parsed, replacements)
		if err != nil {
			var limit *template.LimitError
			if !errors.As(err, &limit) {
				t.Fatal(err)
			}
			return
		}
		account(t, source, out)
		again, err := template.Parse("Dockerfile", out.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		second, err := rewrite.Dockerfile(again, replacements)
		if err != nil || len(second.Edits) > 0 || !bytes.Equal(second.Bytes, out.Bytes) {
			t.Fatalf("the second pass changes something: %v %v", second.Edits, err)
		}
		sameTree(t, source, out)
	})
}

func notMismatch(t *testing.T, err error) {
	t.Helper()
	var mismatch *template.MismatchError
	if errors.As(err, &mismatch) {
		t.Fatal(err)
	}
}

// account checks that the edits explain every changed byte, and that no line
// is added or lost.
func account(t *testing.T, source []byte, out rewrite.Output) {
	t.Helper()
	rest, at := out.Bytes, 0
	for i, e := range out.Edits {
		kept := source[at:e.Span.Start]
		if !bytes.HasPrefix(rest, kept) {
			t.Fatalf("edit %d: bytes before it changed", i)
		}
		rest, at = rest[len(kept):], e.Span.End
		next := len(source)
		if i+1 < len(out.Edits) {
			next = out.Edits[i+1].Span.Start
		}
		following := source[at:next]
		end := bytes.Index(rest, []byte(e.New)) + len(e.New)
		if i+1 < len(out.Edits) {
			end += bytes.Index(rest[end:], following)
		} else {
			end = len(rest) - len(following)
		}
		if end < len(e.New) || !bytes.Contains(rest[:end], []byte(e.New)) || !bytes.HasPrefix(rest[end:], following) {
			t.Fatalf("edit %d: %q is not followed by %q", i, e.New, following)
		}
		if bytes.Count(rest[:end], []byte("\n")) != bytes.Count(source[e.Span.Start:at], []byte("\n")) {
			t.Fatalf("edit %d changes the number of lines", i)
		}
		rest = rest[end:]
	}
	if !bytes.Equal(rest, source[at:]) {
		t.Fatal("bytes after the last edit changed")
	}
}

// sameTree lets BuildKit parse both files and compares all that the edits do
// not explain.
func sameTree(t *testing.T, source []byte, out rewrite.Output) {
	t.Helper()
	old, err := parser.Parse(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	now, err := parser.Parse(bytes.NewReader(out.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if len(old.AST.Children) != len(now.AST.Children) || old.EscapeToken != now.EscapeToken {
		t.Fatal("another number of instructions")
	}
	for i, a := range old.AST.Children {
		b := now.AST.Children[i]
		if a.StartLine != b.StartLine || a.EndLine != b.EndLine || !slices.Equal(a.Heredocs, b.Heredocs) {
			t.Fatalf("instruction %d moves", i)
		}
		if a.Dump() != b.Dump() && !explained(a, b, out.Edits) {
			t.Fatalf("instruction %d: %s becomes %s", i, a.Dump(), b.Dump())
		}
	}
}

// explained undoes the edits of an instruction, one word after the other.
func explained(a, b *parser.Node, edits []rewrite.Edit) bool {
	if a.Next != nil && len(a.Next.Children) == 1 && b.Next != nil && len(b.Next.Children) == 1 {
		a, b = a.Next.Children[0], b.Next.Children[0]
	}
	if a.Value != b.Value || len(a.Flags) != len(b.Flags) {
		return false
	}
	undo := func(now, before string) bool {
		return now == before || slices.ContainsFunc(edits, func(e rewrite.Edit) bool {
			return strings.Replace(now, e.New, e.Old, 1) == before || now == e.New || now == `"`+e.New+`"` || now == "'"+e.New+"'" ||
				strings.Replace(now, e.New, strings.ReplaceAll(e.Old, `"`, `""`), 1) == before
		})
	}
	for i := range a.Flags {
		if !undo(b.Flags[i], a.Flags[i]) {
			return false
		}
	}
	for a, b = a.Next, b.Next; a != nil && b != nil; a, b = a.Next, b.Next {
		if !undo(b.Value, a.Value) {
			return false
		}
	}
	return a == nil && b == nil
}
