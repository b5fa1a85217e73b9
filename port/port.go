package port

import (
	"bytes"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// Request is a Dockerfile that is to serve more platforms than it does.
type Request struct {
	Template *template.Template
	// Findings of lint about Template. Nothing is changed but what they name; those
	// for information change nothing.
	Findings []lint.Finding
	// Platforms that it is to serve, all of them Linux.
	Platforms []platform.Platform
	// Written is the platform that it was written for, if nobody wants that any longer:
	// what stands in the file is taken for it. Else it is zero.
	Written platform.Platform
	// Config is archbuild.yaml as it is; nil when there is none.
	Config []byte
	// Images answers for images: which of Platforms has an image under a name. It is nil
	// when nobody can be asked; then only what is known of names is done.
	Images func(image string) (platforms []platform.Platform, known bool)
	// Index gives the digest of the index that stands under image's name without its
	// digest, if that holds the image. Nil knows none.
	Index func(image string) (digest string, ok bool)
	// Has tells whether the context has a file or folder. Nil knows of none.
	Has func(path string) bool
	// Again reads the files as they are edited and gives lint's findings about them: an
	// edit can make something visible that is edited as well. Nil edits Findings only.
	Again func(source, config []byte) (*template.Template, []lint.Finding, error)
}

// Result is what became of a Dockerfile.
type Result struct {
	// Source is the Dockerfile, Config archbuild.yaml: the bytes that came in where
	// nothing changed, nil for an archbuild.yaml that is not needed.
	Source, Config []byte
	// Done are the findings of the request that were edited.
	Done []lint.Finding
	// Later are those that Again brought; their lines are of files between the old and the new.
	Later []lint.Finding
	// Gaps are values that somebody has to fill in, in order.
	Gaps []Gap
	// Args are the build arguments that Config is to set, each on some platforms.
	Args []Arg
	// Bases are the rules that Config is to have.
	Bases []Base
}

// Gap is a value that is not known.
type Gap struct {
	// File is "archbuild.yaml" or that of the Dockerfile; Line is in the ported file.
	File string `json:"file"`
	Line int    `json:"line"`
	// Platform that cannot be built without it.
	Platform platform.Platform `json:"platform"`
	// What is missing: "sha256 of https://…".
	What string `json:"what"`
	// mark is the text by which its line is found.
	mark string
}

// Arg is a build argument of one platform.
type Arg struct {
	Name, Value string
	Platform    platform.Platform
}

// Missing begins the value of a build argument that is to be filled in; what is missing
// follows. A build for that platform ends with it.
const Missing = "MISSING "

// Base says which image serves another one on a platform.
type Base struct {
	Old, New string
	Platform platform.Platform
}

// mostRounds is how often edited files are looked at again. Each round takes findings away.
const mostRounds = 5

// Dockerfile makes the edits, until nothing is left that can be edited. The error is that
// of Again, or says that the edited file is not what it is meant to be.
func Dockerfile(r Request) (Result, error) {
	out, err := round(r)
	if err != nil || r.Again == nil {
		return out, err
	}
	for i := 0; i < mostRounds && len(out.Done) > 0; i++ {
		if r.Template, r.Findings, err = r.Again(out.Source, out.Config); err != nil {
			return out, err
		}
		r.Config = out.Config
		more, err := round(r)
		if err != nil || bytes.Equal(more.Source, out.Source) && bytes.Equal(more.Config, out.Config) {
			return out, nil // what cannot be edited is left
		}
		out = out.then(more)
	}
	return out, nil
}

// then is a result with that of the next round.
func (out Result) then(next Result) Result {
	next.Done, next.Later = out.Done, append(out.Later, next.Done...)
	next.Gaps = append(out.Gaps, next.Gaps...)
	next.Args = unique(append(out.Args, next.Args...))
	next.Bases = unique(append(out.Bases, next.Bases...))
	next.Gaps = locate(next)
	return next
}

// round makes the edits for the findings of a request.
func round(r Request) (Result, error) {
	w := newWork(r)
	for range 2 { // what the first round edits, names of the same file follow in the second
		w.changes = nil
		for stage := range r.Template.Stages {
			w.stage(stage)
		}
	}
	w.globals()
	w.bases()
	return w.finish()
}
