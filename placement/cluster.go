package placement

import (
	"cmp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Scheduler is who decides where services run.
type Scheduler string

// The schedulers that a Demand can be written for. Generic is none of them: there is a table and no Demand.
const (
	Generic    Scheduler = ""
	Swarm      Scheduler = "swarm"
	Cattle     Scheduler = "cattle"
	Kubernetes Scheduler = "kubernetes"
)

// Node is a machine of a cluster.
type Node struct {
	// Name is the host's name, for people; ID is swarm's.
	Name, ID string
	Platform platform.Platform
	// Machine is the architecture as its kernel tells it (`uname -m`), which swarm compares with.
	Machine string
	// Role is manager or worker, Address an IP address, both swarm's.
	Role, Address string
	// Labels of the node, and those that its engine has of itself (swarm).
	Labels, EngineLabels map[string]string
	// Memory in bytes; 0 is unknown.
	Memory int64
	Taints []Taint
	// Closed says why it takes no new work now: "drained"; empty for one that does.
	Closed string
	// Any says that it stands for all machines of its platform: only Platform and Machine are known.
	Any bool
}

// Taint keeps pods away that do not tolerate it (Kubernetes). An Effect of PreferNoSchedule keeps nobody away.
type Taint struct{ Key, Value, Effect string }

// Cluster is the machines there are. The zero value is a cluster of which nothing is known.
type Cluster struct {
	Nodes []Node
	// Kind is whose word the nodes are, where that is known.
	Kind Scheduler
}

// Listed is a cluster of which only the platforms are known. A platform whose kernels print several texts
// stands there once for each.
func Listed(platforms []platform.Platform) Cluster {
	var c Cluster
	for _, p := range platforms {
		for _, machine := range Machines(p) {
			c.Nodes = append(c.Nodes, Node{Platform: p, Machine: machine, Any: true})
		}
	}
	return c
}

// Platforms are those of its nodes, each once, sorted.
func (c Cluster) Platforms() []platform.Platform {
	var list []platform.Platform
	for _, n := range c.Nodes {
		if !slices.Contains(list, n.Platform) {
			list = append(list, n.Platform)
		}
	}
	slices.SortFunc(list, platform.Platform.Compare)
	return list
}

// printed are the texts of `uname -m` beside the usual one that Linux kernels print on machines of a platform: 32-bit x86 tells
// its generation, and a 64-bit ARM kernel that serves a 32-bit userland says armv8l.
var printed = map[string][]string{
	"linux/386":    {"i386", "i486", "i586"},
	"linux/arm/v7": {"armv8l"},
	"linux/arm/v5": {"armv5tejl"},
}

// spelt are texts that other kernels, or old engines, have for an architecture: no Linux machine of today prints them, but to
// exclude them as well costs nothing.
var spelt = map[string][]string{
	"linux/amd64":   {"amd64"},
	"linux/arm64":   {"arm64"},
	"linux/loong64": {"loong64"},
}

// elsewhere is what machines of other systems call themselves.
var elsewhere = map[string]string{"windows/amd64": "x86_64", "windows/arm64": "arm64"}

// Machines are the texts that machines of a platform have for themselves, the usual one first. A platform that
// is in no table has the name of its architecture.
func Machines(p platform.Platform) []string {
	bare := p
	bare.OSVersion = ""
	if text := elsewhere[bare.String()]; text != "" {
		return []string{text}
	}
	usual := p.Names().Uname
	if usual == "" {
		usual = p.Arch
	}
	return append([]string{usual}, printed[bare.String()]...)
}

// byMachine reads what a kernel prints where that is no spelling of a platform.
var byMachine = map[string]string{"i486": "386", "i586": "386", "armv8l": "arm", "armv5tejl": "arm/v5", "armv7": "arm/v7", "armv6": "arm/v6", "mips64el": "mips64le"}

// OfMachine is the platform of a machine whose kernel prints a text and whose engine names a system: ("linux", "aarch64").
// ok is false where the text is none that is known; the platform then has it as its architecture, and no image serves it.
func OfMachine(system, machine string) (p platform.Platform, ok bool) {
	system, word := strings.ToLower(system), strings.ToLower(machine)
	if system == "" {
		system = "linux"
	}
	if arch := byMachine[word]; arch != "" {
		word = arch
	}
	p, err := platform.Parse(word)
	if err != nil {
		p, err = platform.Parse(system + "/" + word)
	}
	if err != nil {
		return platform.Platform{OS: system, Arch: word}, false
	}
	p.OS = system
	return p, true
}

// sorted gives a list without repetitions, in order.
func sorted[T cmp.Ordered](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}
