package template_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/template"
)

// seen is a reference as a test row writes it: text, kind, place, the bytes of
// its span when they differ from the text.
func seen(t *template.Template) []string {
	var list []string
	for _, r := range t.References {
		s := r.Where + " " + r.Text + " " + string(r.Kind)
		if raw := string(t.Source[r.Span.Start:r.Span.End]); raw != r.Text {
			s += " ‹" + raw + "›"
		}
		list = append(list, s)
	}
	return list
}

// referenceRows hold one trap each; a row without want is refused.
var referenceRows = []struct {
	name, source string
	want         []string
}{
	{"a plain FROM", "FROM debian:12\n", []string{"FROM debian:12 external"}},
	{"no final newline", "FROM debian:12", []string{"FROM debian:12 external"}},
	{"lower case and indented", "  from debian as x\n\tfrom x\n", []string{"FROM debian external", "FROM x stage"}},
	{"CRLF", "FROM debian\r\nFROM alpine AS b\r\nCOPY --from=b /a /b\r\n",
		[]string{"FROM debian external", "FROM alpine external", "COPY --from b stage"}},
	{"mixed line ends", "FROM debian\r\nRUN a \\\r\n b \\\n c\nFROM alpine\n", []string{"FROM debian external", "FROM alpine external"}},
	{"a byte-order mark", "\ufeffFROM debian\n", []string{"FROM debian external"}},
	{"escape=`", "# escape=`\nFROM deb`\nian\nRUN dir c:\\\nFROM x\n", []string{"FROM debian external ‹deb`\nian›", "FROM x external"}},
	{"escape after syntax", "# syntax=docker/dockerfile:1\n#escape = `\nFROM deb`\nian\n", []string{"FROM debian external ‹deb`\nian›"}},
	{"a continuation inside a reference", "FROM deb\\\nian:12\n", []string{"FROM debian:12 external ‹deb\\\nian:12›"}},
	{"comments and blank lines inside a reference", "FROM deb\\ \t\n# no\n\n  # FROM no\nian \\\n AS x\n",
		[]string{"FROM debian external ‹deb\\ \t\n# no\n\n  # FROM no\nian›"}},
	{"a continuation before a reference", "FROM \\\n\\\ndebian\n", []string{"FROM debian external"}},
	{"a line that is only a continuation", "\\\nFROM debian\n", []string{"FROM debian external"}},
	{"quotes around", "FROM \"debian:12\" AS x\nFROM 'alpine'\n", []string{"FROM debian:12 external", "FROM alpine external"}},
	{"quotes inside", "FROM \"debian\":12\nFROM deb'ian'\n",
		[]string{"FROM debian:12 external ‹\"debian\":12›", "FROM debian external ‹deb'ian'›"}},
	{"an escaped character", "FROM debian\\:12\n", []string{"FROM debian:12 external ‹debian\\:12›"}},
	{"a stage named like its image", "FROM maven:3 AS maven\nFROM maven\nCOPY --from=maven /a /a\n",
		[]string{"FROM maven:3 external", "FROM maven stage", "COPY --from maven stage"}},
	{"a stage with its own image's name", "FROM maven AS maven\n", []string{"FROM maven external"}},
	{"COPY --from by number", "FROM a\nFROM b\nCOPY --from=0 x y\nCOPY --from=5 x y\n",
		[]string{"FROM a external", "FROM b external", "COPY --from 0 stage", "COPY --from 5 variable"}},
	{"FROM and mounts know no numbers", "FROM a\nFROM 0\nRUN --mount=from=0,target=/x y\n",
		[]string{"FROM a external", "FROM 0 external", "RUN --mount from 0 external"}},
	{"COPY --from in any case", "FROM a AS Build\nFROM b\nCOPY --from=BUILD x y\n",
		[]string{"FROM a external", "FROM b external", "COPY --from BUILD stage"}},
	{"COPY --from a later stage", "FROM a\nCOPY --from=late x y\nFROM b AS late\n",
		[]string{"FROM a external", "COPY --from late stage", "FROM b external"}},
	{"FROM a later stage is an image", "FROM late\nFROM b AS late\n", []string{"FROM late external", "FROM b external"}},
	{"COPY --from an image", "FROM a\nCOPY --chown=1 --from=\"nginx:1\" [\"x\", \"y\"]\n",
		[]string{"FROM a external", "COPY --from nginx:1 external"}},
	{"COPY --from with quotes inside", "FROM a\nCOPY --from=\"nginx\":1 x y\nCOPY \"--from=b\" c\n",
		[]string{"FROM a external", "COPY --from nginx:1 external ‹nginx\":1›"}},
	{"COPY --from a variable", "FROM a\nARG X=b\nCOPY --from=$X x y\n", []string{"FROM a external", "COPY --from $X variable"}},
	{"an empty --from", "FROM a\nCOPY --from= x y\n", []string{"FROM a external"}},
	{"a --from after the first argument", "FROM a\nCOPY x --from=y z\nRUN x --mount=from=b y\n", []string{"FROM a external"}},
	{"mounts", "FROM a AS s\nRUN --mount=type=bind,FROM=b:1,target=/x \\\n --mount=from=s,target=/y --mount=type=cache,target=/z make\n",
		[]string{"FROM a external", "RUN --mount from b:1 external", "RUN --mount from s stage"}},
	{"mounts in quotes", "FROM a\nRUN --mount=\"type=bind,from=b\" --mount='type=bind,\"from=c\",target=/x' x\n",
		[]string{"FROM a external", "RUN --mount from b external", "RUN --mount from c external"}},
	{"the last from of a mount", "FROM a\nRUN --mount=from=b,from=c x\nRUN --mount=from=b,from= x\n",
		[]string{"FROM a external", "RUN --mount from c external"}},
	{"a continuation inside --mount", "FROM a\nRUN --mount=type=bind,from=b\\\n:1,target=/x x\n",
		[]string{"FROM a external", "RUN --mount from b:1 external ‹b\\\n:1›"}},
	{"a heredoc that holds FROM", "FROM a\nRUN <<EOF\nFROM no\nCOPY --from=no a b\nEOF\nFROM b\n", []string{"FROM a external", "FROM b external"}},
	{"several heredocs", "FROM a\nCOPY <<A <<-\"B\" /x/\nFROM no\nA\nFROM no\n\tB\nFROM b\n", []string{"FROM a external", "FROM b external"}},
	{"<< that is none", "FROM a\nRUN [\"cat\", \"<<EOF\"]\nRUN echo '<<EOF'\nENV X=<<EOF\nRUN echo $((1 << 2 ))\n2\nFROM b\n",
		[]string{"FROM a external", "FROM b external"}},
	{"ONBUILD", "FROM a AS s\nONBUILD COPY --from=b:1 x y\nONBUILD RUN --mount=from=s,target=/x y\nonbuild copy --from=s x y\n",
		[]string{"FROM a external", "ONBUILD COPY --from b:1 external", "ONBUILD RUN --mount from s stage", "ONBUILD COPY --from s stage"}},
	{"ONBUILD with a heredoc", "FROM a\nONBUILD RUN <<EOF\nFROM no\nEOF\nFROM b\n", []string{"FROM a external", "FROM b external"}},
	{"ONBUILD that will never work", "FROM a\nONBUILD COPY --from=b x\n", []string{"FROM a external"}},
	{"comments that look like FROM", "# FROM no\nFROM a\n# FROM arm64=b arm=skip\nRUN x \\\n  # FROM no\n  y\n", []string{"FROM a external"}},
	{"a digest", "FROM a:1@sha256:" + strings.Repeat("a", 64) + "\n", []string{"FROM a:1@sha256:" + strings.Repeat("a", 64) + " external"}},
	{"variables", "ARG V=1\nFROM a:${V:-x:1}\nFROM \"$B\"\nFROM '$B'\nFROM x${V:+\"y\"}\n",
		[]string{"FROM a:${V:-x:1} variable", "FROM $B variable", "FROM $B external", "FROM x${V:+\"y\"} variable"}},
	{"scratch", "FROM scratch\nCOPY --from=scratch x y\n", []string{"FROM scratch scratch", "COPY --from scratch scratch"}},
	{"a comment behind FROM, which BuildKit refuses", "FROM a # b\n", nil},
	{"Latin-1 bytes", "# caf\xe9\nFROM a\nRUN echo \xe9 \\\n # \xe9\n x\nFROM b\n", []string{"FROM a external", "FROM b external"}},
	{"# check=", "# check=skip=all;error=true\nFROM a\n", []string{"FROM a external"}},
	{"a platform flag", "FROM --platform=$BUILDPLATFORM a\n", []string{"FROM a external"}},
	{"tabs and form feeds", "FROM\t\v a\f AS\tb\n", []string{"FROM a external"}},
}

func TestReferences(t *testing.T) {
	for _, row := range referenceRows {
		t.Run(row.name, func(t *testing.T) {
			got, err := template.Parse("Dockerfile", []byte(row.source))
			if row.want == nil {
				var syntax *template.SyntaxError
				if !errors.As(err, &syntax) {
					t.Fatalf("%v is no *SyntaxError", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, seen(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
