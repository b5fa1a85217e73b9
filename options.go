package archbuild

import (
	"io"
	"strings"
	"time"
)

// Options is what a user can say of a build. The zero value with one path
// builds for this machine into ./archbuild-out/NAME. Where docker buildx build
// has the flag, the field holds the same text.
type Options struct {
	System

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
	Engine
	Registries
	Release
}

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

// Release is what a user can say of moving tags.
type Release struct {
	// Attestations is index, referrers, none or split.
	Attestations string
	// ChildTags is a pattern for a tag of each image; see manifest.ChildTag.
	ChildTags string
	// IfMatch is the digest that the tags have to name now.
	IfMatch string
}

// Engine is what a user can say of the private BuildKit server.
type Engine struct {
	// State is the folder for the engine and all that archbuild remembers.
	State string
	// Config is a buildkitd.toml.
	Config string
	Runc   string
	// Memory is the most that the engine and its steps may take together, with a
	// unit; empty leaves a running engine as it is.
	Memory string
	// Idle is how long the engine outlives its last client; 0 means five minutes.
	Idle time.Duration
}

// System is the world outside: passed in, so that tests have their own.
type System struct {
	// Environ in the form of os.Environ.
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	// Version of archbuild, for records and user agents.
	Version string
	// Executable re-executes archbuild as the engine; empty means this program.
	Executable []string
	// OnNodes is told how many nodes there are when they have answered; it may be nil.
	OnNodes func(nodes int)
}

// Getenv looks up the environment that was passed in; the last entry wins.
func (s System) Getenv(key string) string {
	value, _ := s.lookupEnv(key)
	return value
}

func (s System) lookupEnv(key string) (value string, found bool) {
	for _, entry := range s.Environ {
		if k, v, ok := strings.Cut(entry, "="); ok && k == key {
			value, found = v, true
		}
	}
	return value, found
}

// UsageError is a wrong flag or argument: exit status 2.
type UsageError struct {
	Err  error
	Help string
}

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Hint is the one thing to do next.
func (e *UsageError) Hint() string { return e.Help }

// ExitStatus is 2, as for every wrong usage.
func (e *UsageError) ExitStatus() int { return 2 }
