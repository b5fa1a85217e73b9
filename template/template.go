package template

import (
	"github.com/archbuild/archbuild/platform"
)

// Template is a Dockerfile as its author wrote it, read but not changed.
type Template struct {
	// Name is how messages call the file: "Dockerfile".
	Name string
	// Source holds the bytes as they were; every Span points into it.
	Source []byte
	// Syntax is the reference of a `# syntax=` directive in any of its forms, or empty.
	Syntax string
	// Stages in order. There is at least one.
	Stages []Stage
	// References in order of appearance: every place where an image or stage is named.
	References []Reference
	// globals are the ARGs before the first FROM, unexported state for evaluation, and so on.
	state
}

// Stage is one FROM and what follows it.
type Stage struct {
	// Name after AS, as written; empty when it has none.
	Name string
	// Line of the FROM, counted from 1.
	Line int
	// Base is the index in References of the image or stage it starts from.
	Base int
	// PlatformFlag is the text of --platform as written, or empty.
	PlatformFlag string
	// Run is the line of the first RUN (also one that a heredoc follows), or 0.
	Run int
	// Copies lists COPY and ADD instructions, for telling where a file came from.
	Copies []Copy
}

// Copy is one COPY or ADD.
type Copy struct {
	Line        int
	Instruction string   // "COPY" or "ADD"
	Sources     []string // as written, variables not expanded
	Dest        string   // as written
	Workdir     string   // the WORKDIR in force there, as far as it is literal
	From        string   // --from, or empty
}

// Kind says what a reference names.
type Kind string

const (
	// External is an image in some registry, or a named context.
	External Kind = "external"
	// StageKind is a stage of this file, by name or number.
	StageKind Kind = "stage"
	// Scratch is the empty base.
	Scratch Kind = "scratch"
	// Variable needs ARGs before it can be told: see Uses.
	Variable Kind = "variable"
)

// Span is a half-open range of bytes in Source.
type Span struct{ Start, End int }

// Reference is one place where an image or a stage is named.
type Reference struct {
	// Text is what it says, without quotes and continuations: "debian:12", "$BASE".
	Text string
	// Span of exactly these bytes (quotes excluded, continuations inside included).
	Span Span
	Line int
	// Where names the place: "FROM", "COPY --from", "ADD --from", "RUN --mount from", "ONBUILD COPY --from" …
	Where string
	// Stage holds the reference (index in Stages).
	Stage int
	Kind  Kind
	// Target is the index in Stages when Kind is StageKind, else -1.
	Target int
}

// Env is what evaluation depends on besides the file.
type Env struct {
	// Target is the platform that is built, Build the one the node runs on.
	Target, Build platform.Platform
	// Args are the values of --build-arg.
	Args map[string]string
	// TargetStage is --target: a name or a number; empty means the last stage.
	TargetStage string
}

// Use is a reference as one platform sees it, its ARGs evaluated.
type Use struct {
	// Reference is the index in Template.References.
	Reference int
	// Image is the evaluated text.
	Image string
	Kind  Kind
	// Target is the stage named, when Kind is StageKind, else -1.
	Target int
	// Platform the image has to serve: that of the stage holding the reference.
	Platform platform.Platform
	// Needed says whether building TargetStage comes past here at all.
	Needed bool
	// Missing names the ARGs that have neither default nor value.
	Missing []string
}
