// Package plan decides what will be done, before anything is done.
//
// A Request and the answers of package resolve become a Plan: plain data that
// prints as a table and as JSON, and that is then run as it stands. So what
// --dry-run shows is what a build does. Nothing here reads files, asks a
// network or looks at the machine: what is known of them comes in as values.
package plan

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// How a stage's programs run on the node.
type How string

const (
	// None says that no program is run at all.
	None How = "none"
	// Native programs run on the node's own processor.
	Native How = "native"
	// Cross programs run on the node's own processor and make what the target needs:
	// the stage was moved to the build platform.
	Cross How = "cross"
	// Emulated programs run under qemu through binfmt.
	Emulated How = "emulated"
	// Impossible means that the node can run no program of the platform.
	Impossible How = "impossible"
)

// Ability is how a node runs programs of a platform.
type Ability struct {
	How How
	// Why it is so: a clause, "no emulator is registered".
	Why string
	// Hint is what to do about it, when it is Impossible.
	Hint string
	// Note is what a user should know of it, when it is Emulated: a clause that
	// goes on from "linux/arm64 is emulated".
	Note string
}

// Request is what the user wants of one template.
type Request struct {
	// Name of the service: the last part of its folder's path.
	Name     string
	Template *template.Template
	// Targets are the platforms to build, in the order they were asked for.
	Targets []Target
	// PlatformsFrom says where the list came from: "--platform", "archbuild.yaml" …
	PlatformsFrom string
	// Build is the platform of the node.
	Build platform.Platform
	// Node is how the plan calls the node: "engine" or an address.
	Node string
	// Contexts are the names given by --build-context, in ContextKey's form. Each
	// stands for an image or a whole stage, on all platforms or on one.
	Contexts []string
	// ContextImages says of those among Contexts that are images (docker-image://)
	// which: they are resolved as any image. What the others are is no registry's business.
	ContextImages map[string]string
	// ContextOnbuild are the ONBUILD instructions of the images that Contexts stand for, by
	// their keys, where they are known beforehand: those of an image that the same run builds.
	ContextOnbuild map[string][]string
	// AllowForeign are the stages, by name or number, whose programs may be of
	// another platform than the image: --allow-foreign-stage.
	AllowForeign []string
	// Overruled is template.Env's; nil means never.
	Overruled func(image string, on platform.Platform, skip bool) bool
	// Runs tells how the node runs programs of a platform.
	Runs func(platform.Platform) Ability
	// Cross decides which stages of a target move to the build platform; it says the
	// same every time. Nil moves none.
	Cross func(Target) []cross.Decision
}

// Target is one platform to build with what holds for it alone.
type Target struct {
	Platform platform.Platform
	// Stage is --target for this platform; empty is the last one.
	Stage string
	Args  map[string]string
}

// Plan is everything that will be done for one template.
type Plan struct {
	Name     string `json:"name"`
	Template string `json:"template"`
	// Context is where the files come from when that is no folder of this machine.
	// The facade fills it in.
	Context       *Context `json:"context,omitempty"`
	PlatformsFrom string   `json:"platformsFrom"`
	// Node and BuildPlatform are those of the first job; each job has its own.
	Node          string            `json:"node"`
	BuildPlatform platform.Platform `json:"buildPlatform"`
	Syntax        string            `json:"syntax,omitempty"`
	Jobs          []Job             `json:"jobs"`
	// Outputs, Tags and Push say what becomes of the index. The facade fills them in.
	Outputs []string `json:"outputs,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	Push    bool     `json:"push,omitempty"`
	Verify  string   `json:"verify,omitempty"`
	// Notes are things decided that a user would want to know.
	Notes []string `json:"notes,omitempty"`
}

// Context is where the files of a build come from.
type Context struct {
	// From is the address as the user gave it, without what is secret in it.
	From string `json:"from"`
	// Pin is the commit, or the digest of the file, that template and builds are taken from.
	Pin string `json:"pin,omitempty"`
}

// String is the address and, if it is known, what was found there.
func (c Context) String() string {
	if c.Pin == "" {
		return c.From
	}
	return c.From + " at " + c.Pin
}

// Stand is an image that another service of the same run makes, and so no registry is asked for.
type Stand struct {
	// Name as the Dockerfile has it, Platform of the image, and the Service that makes it.
	Name     string            `json:"name"`
	Platform platform.Platform `json:"platform"`
	Service  string            `json:"service"`
	// Where it is asked for: "FROM", "COPY --from" …; Line is 0 where that is not in the Dockerfile.
	Where string `json:"where"`
	Line  int    `json:"line,omitempty"`
}

// Job is one platform of a plan.
type Job struct {
	Platform platform.Platform `json:"platform"`
	// Node builds it, and BuildPlatform is that node's.
	Node          string            `json:"node"`
	BuildPlatform platform.Platform `json:"buildPlatform"`
	// Choice is why that node; nil where there is one alone. The facade fills it in.
	Choice *Choice `json:"choice,omitempty"`
	// Witness is another node that builds it as well, where one is to. The facade fills it in.
	Witness string `json:"witness,omitempty"`
	// Dockerfile is the name of the rewritten file: Dockerfile.arm64.
	Dockerfile string `json:"dockerfile"`
	// Stands are the images of other services that it is built on. The facade fills them in.
	Stands []Stand `json:"stands,omitempty"`
	Target string  `json:"target,omitempty"`
	// Frontend is the image that a foreign # syntax= names; empty is the frontend inside BuildKit.
	Frontend string `json:"frontend,omitempty"`
	// ArgNames are the build arguments by name; values are never shown.
	ArgNames []string          `json:"args,omitempty"`
	Args     map[string]string `json:"-"`
	Stages   []Stage           `json:"stages"`
	Bases    []Base            `json:"bases"`
	// Onbuild are the images that ONBUILD instructions of bases name. They stand
	// in no Dockerfile, so their Reference is -1, and the node is told by a source
	// policy what to take in their place.
	Onbuild []Base `json:"onbuild,omitempty"`
	// Triggers are the ONBUILD instructions of the images in Request.ContextOnbuild that a
	// stage starts from. Those of others stand with their bases.
	Triggers []string `json:"-"`
	// Contexts are the images that named contexts stand for. The Dockerfile keeps
	// the name, and the node is told which image it is. Reference is -1 where the
	// context stands for a whole stage, or where an ONBUILD names it.
	Contexts []Base `json:"contexts,omitempty"`
	// Final is the base of the image itself, or nil when that is scratch or a context that is no image.
	Final *Base `json:"final,omitempty"`
	// StandsOn is the key of the named context that is the base of the image itself; empty where that is none.
	StandsOn string `json:"-"`
	// CacheNamespace comes before the ids of all cache mounts; empty is BuildKit's way.
	CacheNamespace string `json:"cacheNamespace,omitempty"`
	// CacheIDs are written into the file, where a namespace would be for too many.
	CacheIDs []CacheID `json:"cacheIds,omitempty"`
	// Crossed are the decisions about its stages, with the edits that they take.
	Crossed []cross.Decision `json:"-"`
	// How is the slowest way in which any needed stage runs programs.
	How How `json:"how"`
}

// Choice is how a job's node was found among several.
type Choice struct {
	// Why is a clause: "native; 45 s there last time".
	Why string `json:"why"`
	// Seconds that the job is expected to take, and when it is expected to begin, from
	// the start of the build; 0 is unknown.
	Seconds float64 `json:"seconds,omitempty"`
	Start   float64 `json:"start,omitempty"`
	// Others are the nodes that may do it as well: whichever is free first, or is left.
	Others []string `json:"others,omitempty"`
}

// Stage is a stage that this job needs.
type Stage struct {
	Index    int               `json:"index"`
	Name     string            `json:"name,omitempty"`
	Line     int               `json:"line"`
	Base     string            `json:"base"`
	Platform platform.Platform `json:"platform"`
	// How its programs run; empty when it runs none.
	How    How    `json:"how,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Caches says how its cache mounts are kept; empty when it has none.
	Caches Caches `json:"caches,omitempty"`
	// Cross is what was decided about running it on the build platform. It is nil
	// where the question does not arise: its programs run natively, or there are none.
	Cross *Crossing `json:"cross,omitempty"`
}

// Base is a reference to an image, decided.
type Base struct {
	// Reference is the index in Template.References.
	Reference int               `json:"-"`
	Line      int               `json:"line"`
	Where     string            `json:"where"`
	Platform  platform.Platform `json:"platform"`
	// From is what the file says, its ARGs evaluated.
	From   string `json:"from"`
	To     string `json:"to"`
	Digest string `json:"digest,omitempty"`
	// Index is the digest of the index that holds it, where that leaves no choice.
	Index string `json:"-"`
	// Layers of the image, lowest first, and DiffIDs of what they unpack to.
	Layers  []string `json:"-"`
	DiffIDs []string `json:"-"`
	// Triggers are the ONBUILD instructions of its config.
	Triggers []string `json:"-"`
	Rule     string   `json:"rule"`
	// BroughtBy is the base whose ONBUILD instruction names the image.
	BroughtBy string `json:"broughtBy,omitempty"`
	// Context is the named context that stands for the image.
	Context string `json:"context,omitempty"`
	// Moved tells of a rule that comes with the source and takes the image from another
	// registry than the one that is written; else it is nil.
	Moved *Move `json:"moved,omitempty"`
}

// Mapped says whether another image takes the place of the one written.
func (b Base) Mapped() bool { return b.From != b.To }

// HasTriggers says whether an image that a stage starts from has ONBUILD instructions.
func (j Job) HasTriggers() bool {
	return len(j.Triggers) > 0 || slices.ContainsFunc(j.Bases, func(b Base) bool { return len(b.Triggers) > 0 })
}

// Fires says whether an ONBUILD instruction of the file names the base. Such a
// text becomes part of an image's config, so it is not pinned there.
func (b Base) Fires() bool { return strings.HasPrefix(b.Where, "ONBUILD ") }

// Pinned is the base by name and digest, as the node gets it.
func (b Base) Pinned() string {
	if b.Digest == "" {
		return b.To
	}
	name, _, _ := strings.Cut(b.To, "@")
	return name + "@" + b.Digest
}
