// Package project knows the images of one project and how they stand on each other.
//
// A compose file, a bake file or the Dockerfiles below a folder become a Project:
// Targets, each with what a command line would say of it. Connect looks which
// names the images have (Made) and which names their Dockerfiles ask for (Taken).
// Where they are equal there is an Edge, and the edges make the Graph: what is
// built before what, and for which platforms.
//
// The package is pure. Files are read by the rooms compose and bake, Dockerfiles
// by package template, and the facade brings what both have found.
package project

import (
	"fmt"

	"github.com/archbuild/archbuild/platform"
)

// Project is what files or folders say of a project's images.
type Project struct {
	// Name of the project; compose's default for the names of images has it in front.
	Name string
	// Files are those it was read from, as the user would write them.
	Files []string
	// Targets are the images that can be built, in the order of the files.
	Targets []Target
	// Groups are names for several of them; a bake file has "default".
	Groups []Group
	// Images are services that are not built here: they have an image and nothing else.
	Images []Image
	// Default are the names that are built when the user names none: groups or targets;
	// empty is all Targets. Services that compose's profiles leave out are targets, and not here.
	Default []string
	// Notes are what a user should know of the files: keys that mean nothing here.
	Notes []string
}

// Place is where something stands; the zero value is nowhere.
type Place struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// String is FILE:LINE, or what of it is known.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Group is a name for several targets or groups.
type Group struct {
	Name    string
	Members []string
	At      Place
}

// Image is a service that only names an image.
type Image struct {
	Name, Image string
	At          Place
}

// Target is one image of a project: what its file says, in the words that the flags of
// archbuild build have. Relative paths are those of the file, made relative to the
// working directory, or absolute.
type Target struct {
	Name        string
	Description string
	At          Place
	// Places are where the file says single things, by key: "image", "context", "dockerfile",
	// "target", "platforms", "output", "secret", "ssh", "cache-from", "cache-to", "call", "tags", and "tags NAME" for one of several.
	Places map[string]Place
	// Context is a folder, or what else PATH may be.
	Context string
	// Dockerfile is relative to the context; empty is the usual name. Inline is the text
	// of one that stands in the file itself.
	Dockerfile, Inline string
	// Contexts are named contexts, by name: values as --build-context takes them, and
	// "target:NAME" and "service:NAME" for another image of the project.
	Contexts []NamedContext
	Stage    string // --target
	// Args and Labels with their values; nil takes the environment's, if it has one.
	Args, Labels map[string]*string
	// Tags are full names, as the file has them. Image is what compose calls the image: its
	// image:, which is one of the tags, else PROJECT-SERVICE, which is none.
	Tags  []string
	Image string
	// Platforms that the file lists: the image is built for no other one.
	Platforms []string
	// As the flags --cache-from, --cache-to, --secret, --ssh, --output, --annotation,
	// --attest, --no-cache-filter, --allow, --ulimit take them.
	CacheFrom, CacheTo, Secrets, SSH, Outputs, Annotations, Attests, NoCacheFilter, Allow, Ulimits []string
	// ExtraHosts are NAME=ADDRESS.
	ExtraHosts             []string
	Network, ShmSize, Call string
	NoCache, Pull          bool
	// Broken is what keeps the image from being built, and is told of images that have to be: a variable that
	// the file requires and nobody has set. Little else of the target is known then.
	Broken error
	// Needs are other targets by name, whether or not an image of theirs is taken:
	// compose's depends_on is none of these.
	Needs []Need
}

// Place is where the file says a thing (a key of Places), or else where the target stands.
func (t Target) Place(key string) Place {
	if at, known := t.Places[key]; known {
		return at
	}
	return t.At
}

// NamedContext is another context of a target.
type NamedContext struct {
	Name, Value string
	At          Place
}

// Need is a target that another one needs, and why.
type Need struct {
	Name, Why string
	At        Place
}

// Service is a Target with what its Dockerfile tells: what Connect goes by.
type Service struct {
	Name string
	At   Place
	// Aside says that nobody asked for it: it is built only if another one stands on it, and for what that one needs.
	Aside bool
	// Made are the names of its image, the surest first. Its bare name need not be among them.
	Made []Made
	// Platforms that the user asked for.
	Platforms []platform.Platform
	// Listed says that Platforms stand in the project's file, so that no other one is
	// added for the sake of those who stand on it. ListedAt is where.
	Listed   bool
	ListedAt Place
	// Needs are those of the Target.
	Needs []Need
	// Takes lists the images that a build for a platform asks for. It is asked once for each
	// platform, those included that only its users need.
	Takes func(platform.Platform) ([]Taken, error)
	// Onbuild are the ONBUILD instructions that its image for a platform has, and Fires lists
	// what a build asks for when those of an image fire in it that it has taken. Nil is none.
	Onbuild func(platform.Platform) []string
	Fires   func(on platform.Platform, from Taken, instructions []string) ([]Taken, error)
}

// Made is a name that an image of the project has.
type Made struct {
	// Name as FROM would have it: NAME[:TAG].
	Name string
	// From says what names it: "image", "tags", "services", "name".
	From string
	At   Place
}

// Taken is an image that a Dockerfile asks for, its arguments filled in.
type Taken struct {
	// Name as written, its ARGs evaluated.
	Name string
	// On is the platform of the image.
	On platform.Platform
	// Where it stands: "FROM", "COPY --from", "RUN --mount"; Stage is the stage's name or number.
	Where, Stage string
	At           Place
	// Target is the one that a named context gives the name to, at TargetAt; empty is none.
	Target   string
	TargetAt Place
	// Waits tells of an ONBUILD that fires in other builds: those that start from this image.
	Waits bool
}

// Link is an edge that the user gives where names do not: --link USER:NAME=BASE.
type Link struct {
	// User is the service it holds for; empty is all. Name is what its Dockerfile asks
	// for, Base the service that stands for it.
	User, Name, Base string
}

// Graph is a project's services in an order in which they can be built.
type Graph struct {
	// Nodes are all services, bases first, else in the order they were given.
	Nodes []Node `json:"services"`
	Edges []Edge `json:"edges"`
	// Waiting are what ONBUILD instructions of a service ask for of others, in builds that start
	// from it. Its own build needs nothing of them.
	Waiting []Edge `json:"waiting,omitempty"`
	// Notes are warnings: an image of the same repository under another tag.
	Notes []string `json:"notes,omitempty"`
}

// Node is one service with all platforms that it is built for.
type Node struct {
	Name      string              `json:"name"`
	Platforms []platform.Platform `json:"platforms"`
	// Added are those that nobody asked for, but somebody stands on.
	Added []platform.Platform `json:"added,omitempty"`
}

// Edge says that User stands on Base: for the platform For it needs Base's image for On.
type Edge struct {
	User string            `json:"user"`
	For  platform.Platform `json:"for"`
	Base string            `json:"base"`
	On   platform.Platform `json:"on"`
	// Name is the reference as the Dockerfile writes it; empty for a Need.
	Name  string `json:"name,omitempty"`
	Where string `json:"where,omitempty"`
	At    Place  `json:"at"`
	// Why is a clause: `its image "shop/base:1" is that of base (image, compose.yaml:12)`.
	Why string `json:"why"`
}
