package archbuild

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/verify"
	"github.com/opencontainers/go-digest"
)

// Outcome is what Build has done, or with DryRun would do.
type Outcome struct {
	// Graph says how the services stand on each other; nil where no project was given.
	Graph  *project.Graph `json:"graph,omitempty"`
	Plans  []plan.Plan    `json:"plans,omitempty"`
	Images []Image        `json:"images,omitempty"`
}

// Image is what came of one PATH.
type Image struct {
	Name string   `json:"name"`
	Tags []string `json:"tags,omitempty"`
	// Digest of the index; empty when there is none.
	Digest    string  `json:"digest,omitempty"`
	Platforms []Built `json:"platforms"`
	// Cache says how many of all steps a cache answered.
	Cache *Hits `json:"cache,omitempty"`
	// Sent is what each node got of the context.
	Sent []SentTo `json:"sent,omitempty"`
	// Refused is what nodes asked for that the plan does not name; none of it was given.
	Refused []RefusedTo `json:"refused,omitempty"`
	// Without are platforms that were optional and failed: the index does not hold them.
	Without []platform.Platform `json:"without,omitempty"`
	Outputs []manifest.Written  `json:"outputs,omitempty"`
	Loaded  []Loaded            `json:"loaded,omitempty"`
	Pushed  *manifest.Pushed    `json:"pushed,omitempty"`
	// Held are the services that failed, so that no tag was moved: those of a project move together.
	Held []string `json:"held,omitempty"`
	// Records of its platforms, where it is a part of a matrix and so has no index.
	Records []Recorded `json:"records,omitempty"`

	metadata []byte // buildx's keys, as for --metadata-file
	aside    bool   // nobody has asked for it: it is made for others alone
}

// Built is one platform of an image.
type Built struct {
	Platform platform.Platform `json:"platform"`
	// Base is the image that it stands on; empty is scratch.
	Base       string   `json:"base,omitempty"`
	BaseDigest string   `json:"baseDigest,omitempty"`
	How        plan.How `json:"how"`
	// Cross is nil where no stage was moved to the build platform.
	Cross *BuiltCross `json:"cross,omitempty"`
	// State is built, resumed, failed, interrupted, not started, not built, or refused by verification.
	State string `json:"state"`
	// Because is the service, not built either, on which it would stand: the state is "not built".
	Because string `json:"because,omitempty"`
	// Node that built it, or tried last; empty if none began.
	Node string `json:"node,omitempty"`
	// Tries is how often it was begun: more than once where a node was lost.
	Tries int `json:"tries,omitempty"`
	// Error is why it was not built, in a line, and Log what the failing step said last.
	Error    string           `json:"error,omitempty"`
	Log      []string         `json:"log,omitempty"`
	Seconds  float64          `json:"seconds"`
	Steps    int              `json:"steps"`
	Cached   int              `json:"cached"`
	Size     int64            `json:"size,omitempty"`
	Digest   string           `json:"digest,omitempty"`
	Findings []verify.Finding `json:"findings,omitempty"`
	// Witness is what another node has built of the same; nil where none was asked.
	Witness *Witness `json:"witness,omitempty"`

	ran map[digest.Digest]bool // the steps, and whether a cache answered
	// began and ended are of the last try that was made; zero where nothing was built.
	began, ended time.Time
}

// SentTo is what a node got of the context and of named contexts, in bytes.
type SentTo struct {
	Node string `json:"node"`
	builder.Sent
}

// RefusedTo is what a node asked for and did not get.
type RefusedTo struct {
	Node     string          `json:"node"`
	Refusals []guard.Refusal `json:"refusals"`
	// Passwords are registries of the plan whose password is among them: a node of another machine gets tokens alone.
	Passwords []string `json:"passwords,omitempty"`
}

// The states of a platform.
const (
	stateBuilt       = "built"
	stateResumed     = "resumed"
	stateFailed      = "failed"
	stateInterrupted = "interrupted"
	stateRefused     = "refused"
	stateNotStarted  = "not started"
	stateNotBuilt    = "not built"
)

func newImage(s service, p plan.Plan) Image {
	image := Image{Name: s.name, aside: s.self != nil && s.self.aside}
	for _, job := range p.Jobs {
		built := Built{Platform: job.Platform, How: job.How, Cross: builtCross(job), State: stateFailed}
		if job.Final != nil {
			built.Base, built.BaseDigest = job.Final.To, job.Final.Digest
		} else if job.StandsOn != "" { // its digest is known when it is built
			built.Base, _, _ = strings.Cut(job.StandsOn, "::")
		}
		image.Platforms = append(image.Platforms, built)
	}
	return image
}

// done takes over what became of one platform's job; times add up.
func (b *Built) done(job plan.Job, result builder.Result, outcome dispatch.Outcome) {
	b.How, b.Tries, b.Because = job.How, b.Tries+outcome.Tries, because(result.Err)
	if job.Final != nil {
		b.Base, b.BaseDigest = job.Final.To, job.Final.Digest
	}
	if outcome.Node >= 0 {
		b.Node = job.Node
	}
	b.Steps, b.Cached, b.ran = result.Steps, result.Cached, result.Ran
	if !result.Began.IsZero() {
		b.began, b.ended = result.Began, result.Began.Add(result.Elapsed)
	}
	b.Seconds += result.Elapsed.Round(time.Millisecond).Seconds()
	switch {
	case result.Resumed:
		b.State, b.Digest = stateResumed, result.Descriptor.Digest.String()
	case result.Err == nil:
		b.State, b.Digest = stateBuilt, result.Descriptor.Digest.String()
	case b.Because != "":
		b.State = stateNotBuilt
	case errors.Is(result.Err, dispatch.ErrNotStarted):
		b.State = stateNotStarted
	case errors.Is(result.Err, context.Canceled), errors.Is(result.Err, dispatch.ErrStopped):
		b.State = stateInterrupted
	default:
		b.State, b.Digest, b.Size = stateFailed, "", 0
	}
	b.failed(result.Err)
}

// failed notes an error, nil for none.
func (b *Built) failed(err error) {
	b.Error, b.Log = "", nil
	if err == nil {
		return
	}
	b.Error = ui.Line(firstLine(err))
	if failed := new(builder.Error); errors.As(err, &failed) {
		for _, line := range failed.Log {
			b.Log = append(b.Log, ui.Line(line))
		}
	}
}

// join adds what another push did.
func join(before *manifest.Pushed, more manifest.Pushed) *manifest.Pushed {
	if before == nil {
		return &more
	}
	return &manifest.Pushed{
		Tags:       append(before.Tags, more.Tags...),
		References: append(before.References, more.References...),
		Sent:       before.Sent + more.Sent,
		Blobs:      before.Blobs + more.Blobs,
		Manifests:  before.Manifests + more.Manifests,
	}
}
