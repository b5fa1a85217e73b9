package cross_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// apply makes the edits of all decisions in a text.
func apply(source []byte, decisions []cross.Decision) string {
	var edits []cross.Edit
	for _, d := range decisions {
		edits = append(edits, d.Edits...)
	}
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.Write(source[at:e.Span.Start])
		b.WriteString(e.New)
		at = e.Span.End
	}
	b.Write(source[at:])
	return b.String()
}

func decide(t *testing.T, source string, target string, idiom bool) ([]byte, []cross.Decision) {
	t.Helper()
	read, err := template.Parse("Dockerfile", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return read.Source, cross.Decide(cross.Request{Template: read, Target: platform.MustParse(target), Build: amd64, Idiom: idiom})
}

// around puts a RUN into a builder whose program leaves from where it is expected.
func around(run, leaves string) string {
	return "FROM golang:1.26 AS build\nENV CGO_ENABLED=0\nWORKDIR /src\nCOPY . .\n" + run + "\nFROM scratch\nCOPY --from=build " + leaves + " /\n"
}

func TestEditsStandBeforeTheCommandsThatMakeWhatLeaves(t *testing.T) {
	const arm64 = "GOOS=linux GOARCH=arm64 "
	for _, row := range []struct{ name, target, run, leaves, want string }{
		{
			"a plain build", "linux/arm64",
			"RUN go build -o /out/a .", "/out/a",
			"RUN " + arm64 + "go build -o /out/a .",
		},
		{
			"the variant of arm is its level", "linux/arm/v6",
			"RUN go build -o /out/a .", "/out/a",
			"RUN GOOS=linux GOARCH=arm GOARM=6 go build -o /out/a .",
		},
		{
			"arm without a variant is the seventh", "linux/arm",
			"RUN go build -o /out/a .", "/out/a",
			"RUN GOOS=linux GOARCH=arm GOARM=7 go build -o /out/a .",
		},
		{
			"386", "linux/386",
			"RUN go build -o /out/a .", "/out/a",
			"RUN GOOS=linux GOARCH=386 go build -o /out/a .",
		},
		{
			"a level of amd64", "linux/amd64/v3",
			"RUN go build -o /out/a .", "/out/a",
			"RUN GOOS=linux GOARCH=amd64 GOAMD64=v3 go build -o /out/a .",
		},
		{
			"what is downloaded, tested and generated stays native", "linux/arm64",
			"RUN go mod download && go test ./... && CGO_ENABLED=0 go build -o /out/a .", "/out/a",
			"RUN go mod download && go test ./... && CGO_ENABLED=0 " + arm64 + "go build -o /out/a .",
		},
		{
			"continuations and comments within", "linux/arm64",
			"RUN set -eux; \\\n  # first\n  CGO_ENABLED=0 \\\n\n  go \\\n  build -o /out/a .", "/out/a",
			"RUN set -eux; \\\n  # first\n  CGO_ENABLED=0 \\\n\n  " + arm64 + "go \\\n  build -o /out/a .",
		},
		{
			"a heredoc", "linux/arm64",
			"RUN <<EOF\nset -e\ngo build -o /out/a .\nEOF", "/out/a",
			"RUN <<EOF\nset -e\n" + arm64 + "go build -o /out/a .\nEOF",
		},
		{
			"a command with a heredoc before", "linux/arm64",
			"RUN cat > version.txt <<EOF && go build -o /out/a .\ngo build\nEOF", "/out/a",
			"RUN cat > version.txt <<EOF && " + arm64 + "go build -o /out/a .\ngo build\nEOF",
		},
		{
			"env before it", "linux/arm64",
			"RUN env CGO_ENABLED=0 go build -o /out/a .", "/out/a",
			"RUN " + arm64 + "env CGO_ENABLED=0 go build -o /out/a .",
		},
		{
			"go by its path", "linux/arm64",
			"RUN /usr/local/go/bin/go build -o /out/a .", "/out/a",
			"RUN " + arm64 + "/usr/local/go/bin/go build -o /out/a .",
		},
		{
			"JSON", "linux/arm64",
			`RUN [ "go", "build", "-o", "/out/a", "." ]`, "/out/a",
			`RUN [ "env", "GOOS=linux", "GOARCH=arm64", "go", "build", "-o", "/out/a", "." ]`,
		},
		{
			"a loop is edited once", "linux/arm64",
			"RUN for c in a b; do go build -o /out/$c ./cmd/$c || exit 1; done", "/out/",
			"RUN for c in a b; do " + arm64 + "go build -o /out/$c ./cmd/$c || exit 1; done",
		},
		{
			"what is installed goes where a native one does", "linux/arm64",
			"RUN go install ./cmd/a", "/go/bin/a",
			`RUN ( mkdir -p "$(go env GOPATH)/bin" && ln -sfn . "$(go env GOPATH)/bin/linux_arm64" && ` + arm64 +
				`go install ./cmd/a && rm -f "$(go env GOPATH)/bin/linux_arm64" )`,
		},
		{
			"with its variables", "linux/arm64",
			"RUN set -e; GOFLAGS=-v go install ./cmd/a", "/go/bin/a",
			`RUN set -e; ( mkdir -p "$(go env GOPATH)/bin" && ln -sfn . "$(go env GOPATH)/bin/linux_arm64" && GOFLAGS=-v ` + arm64 +
				`go install ./cmd/a && rm -f "$(go env GOPATH)/bin/linux_arm64" )`,
		},
		{
			"a tool that stays in the stage stays native", "linux/arm64",
			"RUN go install golang.org/x/tools/cmd/stringer@v0.30.0 && stringer -type=A . && go build -o /out/a .", "/out/a",
			"RUN go install golang.org/x/tools/cmd/stringer@v0.30.0 && stringer -type=A . && " + arm64 + "go build -o /out/a .",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			source, decisions := decide(t, around(row.run, row.leaves), row.target, false)
			if diff := cmp.Diff(around(row.want, row.leaves), apply(source, decisions)); diff != "" {
				t.Errorf("%s\n%+v", diff, decisions[0].Obstacles)
			}
		})
	}
}

func TestIdiomIsForAnyTarget(t *testing.T) {
	const settings = "GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} "
	for _, row := range []struct{ name, run, leaves, want string }{
		{
			"the arguments stand right before the first build",
			"RUN go mod download\nRUN go build -o /out/a .\nRUN go build -o /out/b ./b", "/out/",
			"RUN go mod download\nARG TARGETOS TARGETARCH TARGETVARIANT\nRUN " + settings + "go build -o /out/a .\nRUN " + settings + "go build -o /out/b ./b",
		},
		{
			"what is installed",
			"RUN go install ./cmd/a", "/go/bin/a",
			"ARG TARGETOS TARGETARCH TARGETVARIANT\n" + `RUN ( mkdir -p "$(go env GOPATH)/bin" && ln -sfn . "$(go env GOPATH)/bin/${TARGETOS}_${TARGETARCH}" && ` + settings +
				`go install ./cmd/a && rm -f "$(go env GOPATH)/bin/${TARGETOS}_${TARGETARCH}" )`,
		},
		{
			"JSON wants a shell for it",
			`RUN ["go", "build", "-o", "/out/a", "."]`, "/out/a",
			"ARG TARGETOS TARGETARCH TARGETVARIANT\n" + `RUN ["sh", "-c", "GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} exec \"$@\"", "sh", "go", "build", "-o", "/out/a", "."]`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			source, decisions := decide(t, around(row.run, row.leaves), "linux/arm64", true)
			if diff := cmp.Diff(around(row.want, row.leaves), apply(source, decisions)); diff != "" {
				t.Errorf("%s\n%+v", diff, decisions[0].Obstacles)
			}
		})
	}
}

func TestNothingIsDecidedWhereNothingIsEmulated(t *testing.T) {
	if _, decisions := decide(t, around("RUN go build -o /a .", "/a"), "linux/amd64", false); decisions != nil {
		t.Errorf("%+v", decisions)
	}
}

// FuzzDecide: whatever the file holds, Decide ends, its edits are those of RUNs in
// stages that move, and with them made BuildKit reads the same file but for these RUNs.
func FuzzDecide(f *testing.F) {
	for _, row := range rows(&testing.T{}) {
		f.Add(row.dockerfile, false)
		f.Add(row.dockerfile, true)
	}
	os.Stderr, _ = os.Open(os.DevNull) // BuildKit's lexer complains of bad UTF-8 there
	f.Fuzz(func(t *testing.T, source []byte, force bool) {
		read, err := template.Parse("Dockerfile", source)
		if err != nil {
			return
		}
		r := cross.Request{Template: read, Target: arm64, Build: amd64, Files: memory{"go.mod": []byte("module a\n"), "package.json": source, "pom.xml": source, "main.go": []byte("package main\n")}}
		if force {
			r.Force = func(int) bool { return true }
		}
		decisions := cross.Decide(r)
		check(t, read, decisions)
	})
}

// check states the promise of FuzzDecide.
func check(t *testing.T, read *template.Template, decisions []cross.Decision) {
	t.Helper()
	edited := map[int]bool{}
	end := 0
	for _, d := range decisions {
		if !d.Move && (len(d.Edits) > 0 || d.Kind == "" || d.Why == "" || d.Line == 0) {
			t.Fatalf("%+v", d)
		}
		for _, e := range d.Edits {
			if e.Span.Start < end || e.Span.End < e.Span.Start {
				t.Fatalf("%+v overlaps or is out of order", e)
			}
			end = e.Span.End
			if line := within(read, d.Stage, e.Span); line > 0 {
				edited[line] = true
			} else {
				t.Fatalf("%+v is in no RUN of stage %d", e, d.Stage)
			}
		}
	}
	now, err := template.Parse("Dockerfile", []byte(apply(read.Source, decisions)))
	if err != nil {
		t.Fatalf("the edited file is none: %v", err)
	}
	for i := range read.Stages {
		was, is := read.Steps(i), now.Steps(i)
		if len(was) != len(is) {
			t.Fatalf("stage %d: %d instructions become %d", i, len(was), len(is))
		}
		for j, step := range was {
			if step.Line != is[j].Line || step.Command.Name() != is[j].Command.Name() {
				t.Fatalf("line %d: another instruction", step.Line)
			}
			if same := step.Command.(interface{ String() string }).String() == is[j].Command.(interface{ String() string }).String(); !same && !edited[step.Line] {
				t.Fatalf("line %d changes: %v, %v", step.Line, step.Command, is[j].Command)
			}
		}
	}
}

// within is the line of the RUN of a stage that a span is in, or 0.
func within(read *template.Template, stage int, span template.Span) int {
	for _, step := range read.Steps(stage) {
		if _, isRun := step.Command.(*instructions.RunCommand); isRun && span.Start >= step.Span.Start && span.End <= step.Span.End {
			return step.Line
		}
	}
	return 0
}
