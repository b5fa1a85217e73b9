package rewrite_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
	"github.com/google/go-cmp/cmp"
)

func TestStagesMoveByEditsThatAreListed(t *testing.T) {
	const source = "\ufeff# a comment\r\nFROM golang:1 AS base\r\nFROM base AS build\r\nRUN cd x && \\\r\n  go build .\r\nFROM debian:12\r\nCOPY --from=build /a /"
	parsed, err := template.Parse("Dockerfile", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(source, "go build")
	decisions := []cross.Decision{
		{Stage: 0, Move: true, Recipe: "go"},
		{Stage: 1, Move: true, Recipe: "go", Edits: []cross.Edit{{Span: template.Span{Start: at, End: at}, New: "GOARCH=arm64 ", Line: 5, Rule: "words"}}},
		{Stage: 2},
	}
	out, err := rewrite.Crossed(parsed, decisions, nil, []rewrite.Replacement{{Reference: 0, New: "golang:1@sha256:x"}, {Reference: 2, New: "arm64v8/debian:12", Rule: "prefix"}})
	if err == nil {
		t.Fatal("an image that is none is written")
	}
	out, err = rewrite.Crossed(parsed, decisions, nil, []rewrite.Replacement{{Reference: 2, New: "arm64v8/debian:12", Rule: "prefix"}})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("FROM golang", "FROM --platform=$BUILDPLATFORM golang", "go build", "GOARCH=arm64 go build", "debian:12", "arm64v8/debian:12").Replace(source)
	if diff := cmp.Diff(want, string(out.Bytes)); diff != "" {
		t.Error(diff)
	}
	var edits []string
	for _, e := range out.Edits {
		if source[e.Span.Start:e.Span.End] != e.Old {
			t.Errorf("the span of %q holds %q", e.Old, source[e.Span.Start:e.Span.End])
		}
		edits = append(edits, strings.Join([]string{e.Where, e.Old, e.New, e.Rule}, "|"))
	}
	if diff := cmp.Diff([]string{"FROM|| --platform=$BUILDPLATFORM|cross go", "RUN||GOARCH=arm64 |words", "FROM|debian:12|arm64v8/debian:12|prefix"}, edits); diff != "" {
		t.Error(diff)
	}
}

func TestAnEditThatWouldMeanSomethingElseIsRefused(t *testing.T) {
	parsed, err := template.Parse("Dockerfile", []byte("FROM golang:1 AS build\nRUN go build .\nFROM scratch\nCOPY --from=build /a /\n"))
	if err != nil {
		t.Fatal(err)
	}
	end := len("FROM golang:1 AS build\nRUN go build .")
	decisions := []cross.Decision{{Move: true, Edits: []cross.Edit{{Span: template.Span{Start: end, End: end}, New: " \\"}}}}
	if _, err := rewrite.Crossed(parsed, decisions, nil, nil); !errors.As(err, new(*rewrite.ProofError)) {
		t.Errorf("got %v", err)
	}
}
