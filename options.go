package archbuild

import (
	"io"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/project"
)

// Options is what a user can say of a build. The zero value with one path
// builds for this machine into ./archbuild-out/NAME. Where docker buildx build
// has the flag, the field holds the same text.
type Options struct {
	outside.System

	// Paths of the build contexts, at least one: folders, tar archives, "-" for
	// standard input, addresses of Git repositories and of archives.
	Paths []string
	// File is the Dockerfile, relative to the working directory, or to a context that is
	// no folder; empty is PATH/Dockerfile, "-" is standard input.
	File string
	// Platforms as --platform gives them: each may hold several, comma-separated.
	Platforms []string
	Tags      []string
	Outputs   []string
	Push      bool
	// Load brings the image into the container engine that is found: -o type=docker.
	Load   bool
	Target string
	// BuildArgs are KEY=VALUE, KEY (the environment's value) or PLATFORM:KEY=VALUE.
	BuildArgs     []string
	BuildContexts []string
	Secrets       []string
	// SSH are agents and keys to offer: ID or ID=SOCKET|KEY[,KEY].
	SSH           []string
	Labels        []string
	Annotations   []string
	NoCache, Pull bool
	Provenance    string
	MetadataFile  string
	IIDFile       string
	Progress      string
	// Bases are rules by --base, BasesMode is --bases.
	Bases     []string
	BasesMode string
	// Verify is off, warn or fail; empty means archbuild.yaml's word, else fail.
	Verify      string
	VerifyAllow []string
	// Locked takes bases from archbuild.lock alone; Offline asks no registry.
	Locked, Offline bool
	// AllowMove are pairs of registries, FROM=TO: rules that come with the source may take images of the
	// one from the other.
	AllowMove []string
	// AllowForeign names stages of another platform that the image may stand on or copy from.
	AllowForeign []string
	// Cross is auto, off or require: whether stages run on the build platform. Empty
	// means archbuild.yaml's word, else auto.
	Cross string
	// AllowSyntax are frontends beside Docker's own that a # syntax= may name, as it names them.
	AllowSyntax []string
	// ForceRewrite rewrites files that another frontend than Docker's reads.
	ForceRewrite bool
	// MaxBytes and MaxInstructions of a Dockerfile; 0 means 4 MB and 10,000.
	MaxBytes, MaxInstructions int
	// Deps is a file for rules of make, or empty: of a build that the files of IIDFile
	// and MetadataFile depend on all that is read, of Rewrite that Dockerfile.ARCH does.
	Deps string
	// Resume takes results that are recorded from a former run: "true" says why where that
	// cannot be, "false" builds everything, empty does what it can.
	Resume string
	// DryRun plans and does nothing.
	DryRun bool
	// GraphOnly finds out how the services stand on each other, asks no registry and does nothing.
	GraphOnly bool
	// StdoutUse names the flag by which the caller itself writes to Stdout, so that
	// no output may go there: "--json". Empty means that Stdout is free.
	StdoutUse string
	// BuildPlatform is the platform of the node; empty asks the node.
	BuildPlatform string
	// Nodes are ADDRESS[,KEY=VALUE…] as package nodes reads them; none means BUILDKIT_HOST,
	// else the user's own file, else the private engine.
	Nodes []string
	// NodeInsecure allows nodes of other machines over tcp without TLS.
	NodeInsecure bool
	Farm
	BuildFlags
	Leg
	outside.Engine
	outside.Registries
	manifest.Release
	// PerService moves the tags of each of several services by itself.
	PerService bool
	Projects

	// found is the project that Paths have turned out to be.
	found *foundProject
	// opened is what was opened to look for a project in it, and letGo lets go of it; nil is nothing.
	opened *farRoot
	letGo  func()
	// of is the target that the options are those of, inline the text of its Dockerfile, and
	// platformsFrom says what lists Platforms if it is not the flag.
	of     *project.Target
	inline string
	// saidArgs are those of BuildArgs that the command line has.
	saidArgs      []string
	platformsFrom string
	// several is how many images are made, where Paths do not tell.
	several int
	// aside says that the image is made for others alone, and delivered nowhere; unpushed that it has no name to be pushed under.
	aside, unpushed bool
}

// imageCount is how many images are made, as far as is known.
func (o Options) imageCount() int { return max(o.several, len(o.Paths)) }

// imagesWord is what they are made of.
func (o Options) imagesWord() string {
	if o.found != nil {
		return "images"
	}
	return "folders"
}

// world is what the options say of it.
func (o Options) world() outside.World {
	return outside.World{System: o.System, Engine: o.Engine, Registries: o.Registries, Progress: o.Progress, StdoutUse: o.StdoutUse}
}

func (o Options) lookupEnv(key string) (string, bool) { return o.LookupEnv(key) }

func isTerminal(w io.Writer) bool { return outside.IsTerminal(w) }

func (o Options) stateDir() string { return o.world().StateDir() }

func (o Options) engineOptions() (engine.Options, error) { return o.world().EngineOptions() }

func (o Options) engineLog() io.Writer { return o.world().EngineLog() }

func (o Options) progressMode() string { return o.world().ProgressMode() }

func (o Options) registryClient() (*registry.Client, map[string][]string, error) {
	return o.world().Client(o.DryRun)
}

// RawProgress says that standard error is a JSON document in each line and nothing
// else, as long as nothing fails.
func (o Options) RawProgress() bool { return o.world().RawProgress() }

// Farm is what a user can say of how jobs go to nodes, and of what a failure stops.
type Farm struct {
	// Jobs is how many platforms a node builds at once; 0 asks the node's processors.
	Jobs int
	// Emulation is allow, fallback or never; empty is allow.
	Emulation string
	// FailFast ends everything with the first failure, KeepGoing builds all the rest.
	FailFast, KeepGoing bool
	// Optional are platforms that may fail, each text with several, comma-separated.
	Optional []string
	// Retries is how often a job is begun again when a node was to blame; 0 means 2,
	// below 0 never.
	Retries int
	// NodeTimeout is how long a node may be silent while it builds; 0 means a minute.
	NodeTimeout time.Duration
	// Witness has another node build each platform as well, and both have to build the same.
	Witness bool
	// ExplainNodes adds to the plan why each node was chosen where there is no choice too.
	ExplainNodes bool
}

// Leg is what a user can say of a build that is one job of a matrix.
type Leg struct {
	// Record is where the record goes: a file, a folder, or registry. Images are then
	// pushed by digest and no tag moves.
	Record string
	// Run is the pipeline that the leg belongs to; empty means what the CI says.
	Run string
}
