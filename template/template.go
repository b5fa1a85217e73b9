// Package template reads a Dockerfile without losing a byte of it.
//
// BuildKit's own parser (frontend/dockerfile/parser and instructions) decides
// what each instruction is. It keeps line numbers only, so a scanner of this
// package finds the exact bytes of every image reference; the two are held
// against each other while a file is read, and where they differ Parse refuses
// the file (*MismatchError) instead of guessing.
//
// A reference is an image or a stage named in FROM, in COPY --from, in
// RUN --mount=…,from=, or in one of these under ONBUILD. (BuildKit knows no
// ADD --from.) What a reference means may depend on build arguments and on the
// platform: Uses evaluates all of them for one Env.
//
// How BuildKit looks up the names, which differs from place to place:
//
//	FROM NAME           the latest stage before it of that name, else an image; its own
//	                    name is not yet known there: FROM maven AS maven is the image
//	COPY --from=NAME    the last stage of the file of that name, else a stage number, else
//	                    an image; no variables
//	RUN --mount from    the last stage of that name, else an image; no numbers, no variables
//
// An image of COPY --from or of a mount is fetched for the target platform,
// even in a stage that is FROM --platform=$BUILDPLATFORM. A stage that starts
// from another one has that one's platform, whatever its own --platform says.
//
// The package is pure: no files, network, processes, clock or environment.
package template

import (
	"github.com/archbuild/archbuild/platform"
)

// Template is a Dockerfile as its author wrote it, read but not changed.
type Template struct {
	// File is how messages call the file, a path: "svc/Dockerfile". Name is its last
	// part, which rules and placeholders go by.
	File, Name string
	// Source holds the bytes as they were; every Span points into it.
	Source []byte
	// Syntax is the reference of a `# syntax=` directive in any of its forms, or empty.
	Syntax string
	// Stages in order. There is at least one.
	Stages []Stage
	// References in order of appearance: every place where an image or stage is named.
	References []Reference
	// Rules are the comments that say what a FROM stands for on a platform.
	Rules []InFileRule
	// Placeholders are balena's %%NAME%% that stand outside of references.
	Placeholders []Placeholder
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
	// onbuildRun is the line of the first ONBUILD RUN, or 0.
	onbuildRun int
	// workdir is the directory that it ends in, or empty like Copy.Workdir.
	workdir string
}

// Copy is one COPY or ADD.
type Copy struct {
	Line        int
	Instruction string   // "COPY" or "ADD"
	Sources     []string // as written, variables not expanded, heredocs as <<NAME
	Dest        string   // as written
	Workdir     string   // the WORKDIR in force there; empty when an image or a variable decides it
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
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Reference is one place where an image or a stage is named.
type Reference struct {
	// Text is what it says, without quotes and continuations: "debian:12", "$BASE".
	Text string
	// Span of exactly these bytes. Continuations inside are included; quotes are
	// excluded when they surround the whole, and included in forms like
	// "debian":12. Spell says what to write there.
	Span Span
	// Line where the span begins, counted from 1.
	Line int
	// Where names the place: "FROM", "COPY --from", "RUN --mount from",
	// "ONBUILD COPY --from", "ONBUILD RUN --mount from".
	Where string
	// Stage holds the reference (index in Stages).
	Stage int
	Kind  Kind
	// Target is the index in Stages when Kind is StageKind, else -1. It may be the
	// stage itself or a later one, which BuildKit refuses when it builds.
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
	// Also are further stages (indexes) that the build needs: those that the
	// ONBUILD instructions of base images name.
	Also []int
	// Moved are stages (indexes) that are put on the build platform though their FROM
	// has no --platform. Those that start from one of them go along by themselves.
	Moved []int
	// Overruled tells that the in-file rule about an image on a platform has no say,
	// because the user said otherwise for this run; skip is a rule that leaves the
	// platform out. Nil means never.
	Overruled func(image string, on platform.Platform, skip bool) bool
}

// Use is a reference as one platform sees it, its ARGs evaluated.
type Use struct {
	// Reference is the index in Template.References.
	Reference int
	// Image is the evaluated text, or what Rule put in its place.
	Image string
	// Written is what the file itself says there, when Image is something else: an
	// in-file rule's image, or a text whose placeholders (%%BALENA_ARCH%%) are
	// filled in. The reference has to be rewritten then; else it is empty.
	Written string
	// Rule says what made Image of Written, "Dockerfile:3 comment", or is empty.
	Rule string
	// Kind is Variable only when Problem says why the reference cannot be told.
	Kind Kind
	// Target is the stage named, when Kind is StageKind, else -1.
	Target int
	// Platform the image has to serve: for FROM its --platform, else the target
	// platform; for COPY --from and mounts the target platform; for a stage the
	// platform of that stage.
	Platform platform.Platform
	// Needed says whether building TargetStage comes past here at all. An ONBUILD
	// of the target stage itself counts: it becomes part of the image's config.
	Needed bool
	// Waits tells that it is such an ONBUILD: it fires in other builds, where its
	// name may be that of a stage.
	Waits bool
	// Skip tells that an in-file rule (Rule) leaves this platform out.
	Skip bool
	// Guessed tells that a placeholder's value is a default that may be wrong: the
	// architecture's name for a machine.
	Guessed bool
	// Missing names the ARGs that have neither default nor value and without
	// which the text is no image reference. ARGs whose empty value does no harm
	// (FROM ${PREFIX}debian) are in Unset only.
	Missing []string
	// Unset names all ARGs that were read as empty because nothing sets them.
	Unset []string
	// Problem is why the reference cannot be used, or nil: an ARG is missing, the
	// text is no image reference, a stage is named before it exists …
	Problem *Problem
}
