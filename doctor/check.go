package doctor

import (
	"slices"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
)

// Status is the verdict of a check, as package detect has it.
type Status = detect.Status

// The verdicts.
const (
	OK       = detect.OK
	Degraded = detect.Degraded
	Missing  = detect.Lacking
	Unknown  = detect.Unknown
)

// Group is a heading that checks stand under.
type Group string

// The groups, in the order in which they are shown.
const (
	Host      Group = "host"
	Kernel    Group = "kernel"
	Engine    Group = "engine"
	Tools     Group = "tools"
	Nodes     Group = "nodes"
	Emulators Group = "emulators"
	Network   Group = "network"
	Templates Group = "templates"
)

// groups in their order.
var groups = []Group{Host, Kernel, Engine, Tools, Nodes, Emulators, Network, Templates}

// Check is one question and its answer.
type Check struct {
	// ID is the question: stable, of small letters, digits and hyphens.
	ID    string `json:"id"`
	Group Group  `json:"group"`
	// Subject is what was asked about, where there are several: a node, a platform,
	// a host, a path.
	Subject string `json:"subject,omitempty"`
	Status  Status `json:"status"`
	// Detail is what was found: a clause without full stop.
	Detail string `json:"detail"`
	// Affects says what it means for builds; empty when the status is ok.
	Affects string `json:"affects,omitempty"`
	// NoBuild says that no build is concerned, only who runs images on this machine.
	NoBuild bool `json:"noBuild,omitempty"`
	// Fix is what mends it: a command, a kernel option, or a sentence. It may have
	// several lines. Empty when nothing is to be mended, or nobody knows how.
	Fix string `json:"fix,omitempty"`
	// Command says that Fix is to be typed as it stands.
	Command bool `json:"-"`
	// Brief stands for the check in the line of its group when it is ok.
	Brief string `json:"-"`
}

// How says in what way builds for a platform work here.
type How string

// The ways, from best to worst.
const (
	Native   How = "native"
	Emulated How = "emulated"
	// Copying means that only Dockerfiles without RUN can be built.
	Copying How = "without RUN"
	No      How = "no"
)

var ways = []How{Native, Emulated, Copying, No}

// Platform is what builds for one platform can expect here.
type Platform struct {
	Platform platform.Platform `json:"platform"`
	How      How               `json:"how"`
	// Node does it best; empty when none can.
	Node string `json:"node,omitempty"`
	// Reason is on what the verdict rests: a clause.
	Reason string `json:"reason,omitempty"`
}

// better says whether a is to be preferred.
func (a Platform) better(b Platform) bool {
	return slices.Index(ways, a.How) < slices.Index(ways, b.How)
}

// Best joins what several nodes say: each platform once, with the best of them,
// sorted. Of equals the first counts.
func Best(lists ...[]Platform) []Platform {
	best := []Platform{}
	for _, p := range slices.Concat(lists...) {
		i := slices.IndexFunc(best, func(b Platform) bool { return b.Platform == p.Platform })
		switch {
		case i < 0:
			best = append(best, p)
		case p.better(best[i]):
			best[i] = p
		}
	}
	slices.SortStableFunc(best, func(a, b Platform) int { return a.Platform.Compare(b.Platform) })
	return best
}

// Path is the verdict on one template.
type Path struct {
	// Path as it was given.
	Path string `json:"path"`
	// CanBuild is false when a build would fail, as far as that is known beforehand.
	// Unknown says that it is not.
	CanBuild bool `json:"canBuild"`
	Unknown  bool `json:"unknown,omitempty"`
	// Platforms are those that it is built for, where a plan could be made.
	Platforms []Platform `json:"platforms"`
}

// Report is all that `archbuild doctor` found.
type Report struct {
	Checks    []Check    `json:"checks"`
	Platforms []Platform `json:"platforms"`
	Summary   Summary    `json:"summary"`
	// Registered and Unregistered are what was changed in binfmt_misc before, where that
	// was asked for.
	Registered   *detect.Registered `json:"registered,omitempty"`
	Unregistered []string           `json:"unregistered,omitempty"`
}

// Summary counts the checks and says what they come to.
type Summary struct {
	OK       int `json:"ok"`
	Degraded int `json:"degraded"`
	Missing  int `json:"missing"`
	Unknown  int `json:"unknown"`
	// NoBuild counts what is degraded or missing and concerns no build: it is in none of
	// the other numbers.
	NoBuild int `json:"noBuild"`
	// CanBuild says that every path can be built, or without any that every platform that
	// was asked for can, or without those that anything can.
	CanBuild bool `json:"canBuild"`
	// Paths are those that were given.
	Paths []Path `json:"paths"`
	// Lacking are platforms that were asked for without a path, and cannot be built for.
	Lacking []platform.Platform `json:"lacking,omitempty"`
	// Text is the last line of the report.
	Text string `json:"text"`
}

// Make puts a report together: the groups in their order, the checks of each as
// they come. asked are platforms that were named; they count where there is no path.
func Make(checks []Check, platforms []Platform, paths []Path, asked []platform.Platform) Report {
	r := Report{Checks: slices.Clone(checks), Platforms: platforms, Summary: Summary{Paths: paths}}
	if r.Checks == nil {
		r.Checks = []Check{}
	}
	if paths == nil {
		r.Summary.Paths = []Path{}
	}
	slices.SortStableFunc(r.Checks, func(a, b Check) int { return slices.Index(groups, a.Group) - slices.Index(groups, b.Group) })
	s := &r.Summary
	for _, c := range r.Checks {
		switch {
		case c.Status == OK:
			s.OK++
		case c.Status == Unknown:
			s.Unknown++
		case c.NoBuild:
			s.NoBuild++
		case c.Status == Degraded:
			s.Degraded++
		case c.Status == Missing:
			s.Missing++
		}
	}
	for _, p := range asked {
		builds := func(on Platform) bool { return on.How != No && on.Platform.Serves(p) }
		if len(paths) == 0 && !slices.ContainsFunc(platforms, builds) {
			s.Lacking = append(s.Lacking, p)
		}
	}
	s.CanBuild = r.canBuild()
	s.Text = r.sentence()
	return r
}

func (r Report) canBuild() bool {
	if len(r.Summary.Paths) > 0 {
		return !slices.ContainsFunc(r.Summary.Paths, func(p Path) bool { return !p.CanBuild && !p.Unknown })
	}
	return len(r.Summary.Lacking) == 0 && slices.ContainsFunc(r.Platforms, func(p Platform) bool { return p.How != No })
}
