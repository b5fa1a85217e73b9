package placement_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/placement"
	"github.com/archbuild/archbuild/platform"
)

// tables are clusters and services. A machine is PLATFORM MACHINE, with + where the service can run and - where it cannot; of
// images those of one service are separated by spaces, platforms of one by commas.
var tables = []struct {
	name, images string
	machines     []string
	// swarm is what swarm has to be told, kubernetes what Kubernetes has: empty is nothing. "*" is not compared.
	swarm, kubernetes string
}{
	{"an image for all of the cluster needs nothing", "linux/amd64,linux/arm64",
		[]string{"+linux/amd64 x86_64", "+linux/arm64 aarch64"}, "", ""},
	{"an image for more than the cluster needs nothing", "linux/amd64,linux/arm64,linux/s390x",
		[]string{"+linux/amd64 x86_64", "+linux/arm64 aarch64"}, "", ""},
	{"one platform of two is named", "linux/amd64",
		[]string{"+linux/amd64 x86_64", "-linux/arm64 aarch64"}, "node.platform.arch==x86_64", "kubernetes.io/arch In [amd64]"},
	{"the other one of two", "linux/arm64",
		[]string{"-linux/amd64 x86_64", "+linux/arm64 aarch64"}, "node.platform.arch==aarch64", "kubernetes.io/arch In [arm64]"},
	{"two of three exclude the third", "linux/amd64,linux/arm64",
		[]string{"+linux/amd64 x86_64", "+linux/arm64 aarch64", "-linux/arm/v7 armv7l"}, "node.platform.arch!=armv7l", "kubernetes.io/arch In [amd64, arm64]"},
	{"two of four exclude two", "linux/amd64,linux/arm64",
		[]string{"+linux/amd64 x86_64", "+linux/arm64 aarch64", "-linux/arm/v7 armv7l", "-linux/s390x s390x"},
		"node.platform.arch!=armv7l node.platform.arch!=s390x", "kubernetes.io/arch In [amd64, arm64]"},
	{"one of four is named", "linux/s390x,linux/ppc64le",
		[]string{"-linux/amd64 x86_64", "-linux/arm64 aarch64", "-linux/arm/v7 armv7l", "+linux/s390x s390x"},
		"node.platform.arch==s390x", "kubernetes.io/arch In [s390x]"},
	{"arm in the image, which swarm's filter lets onto every node", "linux/arm/v7",
		[]string{"-linux/amd64 x86_64", "+linux/arm/v7 armv7l", "-linux/arm64 aarch64"}, "node.platform.arch==armv7l", "kubernetes.io/arch In [arm]"},
	{"arm beside amd64 in the image: only arm64 is excluded", "linux/amd64,linux/arm/v7",
		[]string{"+linux/amd64 x86_64", "+linux/arm/v7 armv7l", "-linux/arm64 aarch64"}, "node.platform.arch!=aarch64", "kubernetes.io/arch In [amd64, arm]"},
	{"two texts for one kind of ARM: the others are excluded", "linux/arm/v7",
		[]string{"-linux/amd64 x86_64", "+linux/arm/v7 armv7l", "+linux/arm/v7 armv8l"}, "node.platform.arch!=x86_64", "kubernetes.io/arch In [arm]"},
	{"v6 runs on v6 and on v7", "linux/arm/v6",
		[]string{"-linux/amd64 x86_64", "+linux/arm/v6 armv6l", "+linux/arm/v7 armv7l"}, "node.platform.arch!=x86_64", "kubernetes.io/arch In [arm]"},
	{"v7 does not run on v6, which Kubernetes cannot tell", "linux/arm/v7",
		[]string{"-linux/arm/v6 armv6l", "+linux/arm/v7 armv7l"}, "node.platform.arch==armv7l", "archbuild.platform NotIn [arm-v6]"},
	{"v7 and amd64, with v6 and arm64 there", "linux/amd64,linux/arm/v7",
		[]string{"+linux/amd64 x86_64", "-linux/arm64 aarch64", "-linux/arm/v6 armv6l", "+linux/arm/v7 armv7l"},
		"node.platform.arch!=aarch64 node.platform.arch!=armv6l", "kubernetes.io/arch In [amd64, arm] and archbuild.platform NotIn [arm-v6]"},
	{"three texts for 32-bit x86", "linux/386",
		[]string{"-linux/amd64 x86_64", "+linux/386 i686", "+linux/386 i586", "+linux/386 i386"}, "node.platform.arch!=x86_64", "kubernetes.io/arch In [386]"},
	{"32-bit x86 is excluded under each of its texts", "linux/amd64,linux/arm64",
		[]string{"+linux/amd64 x86_64", "+linux/arm64 aarch64", "-linux/386 i686", "-linux/386 i586"},
		"node.platform.arch!=i586 node.platform.arch!=i686", "kubernetes.io/arch In [amd64, arm64]"},
	{"a capital letter is none to swarm", "linux/amd64",
		[]string{"+linux/amd64 X86_64", "-linux/arm64 AArch64"}, "node.platform.arch==x86_64", "kubernetes.io/arch In [amd64]"},
	{"two byte orders under one text need a label", "linux/mips64le",
		[]string{"+linux/mips64le mips64", "-linux/mips64 mips64"}, "node.labels.archbuild.platform!=mips64", "kubernetes.io/arch In [mips64le]"},
	{"two byte orders, one of them in capitals", "linux/mips64le",
		[]string{"+linux/mips64le mips64", "-linux/mips64 MIPS64"}, "node.labels.archbuild.platform!=mips64", "kubernetes.io/arch In [mips64le]"},
	{"two byte orders, and one more machine", "linux/mips64le",
		[]string{"+linux/mips64le mips64", "-linux/mips64 mips64", "-linux/amd64 x86_64"},
		"node.platform.arch==mips64 node.labels.archbuild.platform!=mips64", "kubernetes.io/arch In [mips64le]"},
	{"a system is told from another one", "linux/amd64,linux/arm64",
		[]string{"+linux/amd64 x86_64", "+linux/arm64 aarch64", "-windows/amd64 x86_64"}, "node.platform.os==linux", "kubernetes.io/os In [linux]"},
	{"a system and an architecture", "linux/amd64",
		[]string{"+linux/amd64 x86_64", "-linux/arm64 aarch64", "-windows/amd64 x86_64"},
		"node.platform.arch==x86_64 node.platform.os==linux", "kubernetes.io/arch In [amd64] and kubernetes.io/os In [linux]"},
	{"an image for windows alone", "windows/amd64",
		[]string{"-linux/amd64 x86_64", "-linux/arm64 aarch64", "+windows/amd64 x86_64"}, "node.platform.os==windows", "kubernetes.io/os In [windows]"},
	{"two systems, one machine each", "linux/amd64,windows/amd64",
		[]string{"+linux/amd64 x86_64", "-linux/arm64 aarch64", "+windows/amd64 x86_64"}, "node.platform.arch==x86_64", "kubernetes.io/arch In [amd64]"},
	{"what no conjunction says needs a label, and in Kubernetes two terms", "linux/arm64,windows/amd64",
		[]string{"-linux/amd64 x86_64", "+linux/arm64 aarch64", "+windows/amd64 x86_64"},
		"node.labels.archbuild.platform!=amd64", "kubernetes.io/arch In [arm64], or kubernetes.io/os In [windows]"},
	{"the same architecture has another text on another system", "linux/amd64,linux/arm64",
		[]string{"+linux/amd64 x86_64", "+linux/arm64 aarch64", "-windows/arm64 arm64"}, "node.platform.arch!=arm64", "kubernetes.io/os In [linux]"},
	{"a variant above the baseline", "linux/amd64/v3",
		[]string{"+linux/amd64/v3 x86_64", "-linux/amd64 x86_64"}, "node.labels.archbuild.platform!=amd64", "archbuild.platform NotIn [amd64]"},
	{"the baseline runs on a later one", "linux/amd64",
		[]string{"+linux/amd64/v3 x86_64", "+linux/amd64 x86_64"}, "", ""},
	{"nowhere: it waits for the machine it is for", "linux/arm64",
		[]string{"-linux/amd64 x86_64", "-linux/s390x s390x"}, "node.platform.arch==aarch64", "kubernetes.io/arch In [arm64]"},
	{"nowhere, for several: all there are are excluded", "linux/arm64,linux/riscv64",
		[]string{"-linux/amd64 x86_64", "-linux/s390x s390x"}, "node.platform.arch!=s390x node.platform.arch!=x86_64", "kubernetes.io/arch In [arm64, riscv64]"},
	{"nowhere, and nothing in it runs", "!linux/amd64",
		[]string{"-linux/amd64 x86_64", "-linux/arm64 aarch64"}, "node.platform.os!=linux", "kubernetes.io/arch NotIn [amd64, arm64]"},
	{"a platform that only its label has does not count", "linux/amd64,!linux/arm64",
		[]string{"+linux/amd64 x86_64", "-linux/arm64 aarch64"}, "node.platform.arch==x86_64", "kubernetes.io/arch In [amd64]"},
	{"two containers run where both do", "linux/amd64,linux/arm64 linux/amd64,linux/s390x",
		[]string{"+linux/amd64 x86_64", "-linux/arm64 aarch64", "-linux/s390x s390x"}, "node.platform.arch==x86_64", "kubernetes.io/arch In [amd64]"},
	{"two containers that have nothing in common", "linux/amd64 linux/arm64",
		[]string{"-linux/amd64 x86_64", "-linux/arm64 aarch64"}, "node.platform.os!=linux", "kubernetes.io/arch NotIn [amd64, arm64]"},
	{"a variant that another container restricts", "linux/amd64,linux/arm/v6 linux/amd64,linux/arm/v7",
		[]string{"+linux/amd64 x86_64", "-linux/arm/v6 armv6l", "+linux/arm/v7 armv7l"}, "node.platform.arch!=armv6l", "archbuild.platform NotIn [arm-v6]"},
	{"a kernel that says what swarm's filter does not know", "linux/loong64",
		[]string{"-linux/amd64 x86_64", "+linux/loong64 loongarch64"}, "node.platform.arch==loongarch64", "kubernetes.io/arch In [loong64]"},
}

// world is one of the tables, read.
type world struct {
	nodes  []placement.Node
	runs   []bool
	images map[string]placement.Image
	held   [][]string
	one    placement.Service
}

func read(images string, machines []string) world {
	w := world{images: map[string]placement.Image{}, one: placement.Service{Name: "web"}}
	for i, m := range machines {
		p, machine, _ := strings.Cut(m[1:], " ")
		n := placement.Node{Name: fmt.Sprintf("n%d", i), Platform: platform.MustParse(p), Machine: machine}
		n.Labels = placement.KindLabels(n.Platform)
		w.nodes, w.runs = append(w.nodes, n), append(w.runs, m[0] == '+')
	}
	for i, text := range strings.Fields(images) {
		image := placement.Image{Name: fmt.Sprintf("image%d", i), From: "index"}
		var held []string
		for _, word := range strings.Split(text, ",") {
			name, bad := strings.CutPrefix(word, "!")
			h := placement.Held{Platform: platform.MustParse(name)}
			if bad {
				h.Bad = "its program is for another machine"
			}
			image.Held, held = append(image.Held, h), append(held, h.Platform.String())
		}
		w.images[image.Name], w.held = image, append(w.held, held)
		w.one.Containers = append(w.one.Containers, placement.Container{Name: fmt.Sprintf("c%d", i), Image: image.Name})
	}
	return w
}

// decide answers for one scheduler; listed tells it no more of the machines than their platforms.
func (w world) decide(s placement.Scheduler, listed bool) placement.Row {
	one := w.one
	if s == placement.Kubernetes {
		one.Object = &placement.Object{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	}
	c := placement.Cluster{Nodes: w.nodes}
	if listed {
		c = placement.Listed(c.Platforms())
	}
	return placement.Decide([]placement.Service{one}, w.images, c, s).Rows[0]
}

// labelled are the machines when somebody has set the labels as told.
func (w world) labelled(d placement.Demand) []placement.Node {
	var list []placement.Node
	for _, n := range w.nodes {
		n.Labels = maps.Clone(n.Labels)
		for _, l := range d.Labels {
			if l.Node == n.Name || l.Node == "" && l.Platform == n.Platform {
				n.Labels[l.Key] = l.Value
			}
		}
		list = append(list, n)
	}
	return list
}

// accepts is a scheduler obeying a demand.
func accepts(s placement.Scheduler, d placement.Demand, n placement.Node) bool {
	switch s {
	case placement.Swarm:
		return swarmAccepts(d.Constraints, n)
	case placement.Cattle:
		return cattleAccepts(d.HostLabels, n)
	}
	return kubernetesAccepts(d.Terms, nil, n)
}

var everyScheduler = []placement.Scheduler{placement.Swarm, placement.Cattle, placement.Kubernetes}

// judge holds a demand against what is so: the service lands on each machine that it can run on, and on no other.
func (w world) judge(t *testing.T, about string, s placement.Scheduler, row placement.Row) {
	t.Helper()
	for i, n := range w.labelled(row.Demand) {
		if got := accepts(s, row.Demand, n); got != w.runs[i] {
			t.Errorf("%s: %s: %s (%s) is accepted: %v, can run it: %v; demand %q", about, s, n.Platform, n.Machine, got, w.runs[i], row.Demand.Lines())
		}
	}
}

func TestServicesLandWhereTheyCanRunAndNowhereElse(t *testing.T) {
	if len(tables) < 30 {
		t.Fatalf("%d tables", len(tables))
	}
	for _, table := range tables {
		t.Run(table.name, func(t *testing.T) {
			w := read(table.images, table.machines)
			for _, s := range everyScheduler {
				w.judge(t, "machines known", s, w.decide(s, false))
				w.judge(t, "platforms known", s, w.decide(s, true))
			}
			row := w.decide(placement.Swarm, false)
			if got := strings.Join(row.Demand.Constraints, " "); got != table.swarm {
				t.Errorf("swarm is told %q, want %q", got, table.swarm)
			}
			w.filter(t, row)
			if got := strings.Join(w.decide(placement.Kubernetes, false).Demand.Lines(), "; "); got != table.kubernetes {
				t.Errorf("Kubernetes is told %q, want %q", got, table.kubernetes)
			}
			if row.Nowhere == slices.Contains(w.runs, true) {
				t.Errorf("nowhere: %v", row.Nowhere)
			}
		})
	}
}

// filter looks at what swarm does of itself as well: with it nothing lands elsewhere, and where it keeps a service from a
// machine that can run it, the user is told.
func (w world) filter(t *testing.T, row placement.Row) {
	t.Helper()
	if len(w.held) != 1 {
		return
	}
	for i, n := range w.labelled(row.Demand) {
		own := swarmFilter(w.held[0], n)
		told := strings.Contains(strings.Join(row.Notes, "\n"), "--resolve-image never")
		if !own && w.runs[i] && n.Machine != "X86_64" && !told {
			t.Errorf("swarm's own filter keeps it from %s, and nobody says so", n.Machine)
		}
	}
}

// Each thing that is asked is needed: without it, the service would land where it cannot run.
func TestNothingIsAskedInVain(t *testing.T) {
	for _, table := range tables {
		w := read(table.images, table.machines)
		for i, c := range w.decide(placement.Swarm, false).Demand.Constraints {
			d := w.decide(placement.Swarm, false).Demand
			d.Constraints = slices.Delete(slices.Clone(d.Constraints), i, i+1)
			w.needed(t, table.name, placement.Swarm, c, d)
		}
		for at, term := range w.decide(placement.Kubernetes, false).Demand.Terms {
			for i, e := range term.Expressions {
				d := w.decide(placement.Kubernetes, false).Demand
				d.Terms = slices.Clone(d.Terms)
				d.Terms[at] = placement.Term{Expressions: slices.Delete(slices.Clone(term.Expressions), i, i+1)}
				if len(d.Terms[at].Expressions) == 0 { // everything is accepted then
					d.Terms = nil
				}
				w.needed(t, table.name, placement.Kubernetes, e.String(), d)
			}
		}
		for key, value := range w.decide(placement.Cattle, false).Demand.HostLabels {
			for _, pair := range strings.Split(value, ",") {
				d := w.decide(placement.Cattle, false).Demand
				var rest []string
				for _, p := range strings.Split(value, ",") {
					if p != pair {
						rest = append(rest, p)
					}
				}
				d.HostLabels = map[string]string{key: strings.Join(rest, ",")}
				if len(rest) == 0 {
					d.HostLabels = nil
				}
				w.needed(t, table.name, placement.Cattle, pair, d)
			}
		}
	}
}

func (w world) needed(t *testing.T, about string, s placement.Scheduler, what string, without placement.Demand) {
	t.Helper()
	for i, n := range w.labelled(without) {
		if !w.runs[i] && accepts(s, without, n) {
			return
		}
	}
	t.Errorf("%s: %s: %s is asked in vain", about, s, what)
}

// The same promise, for clusters and images that nobody has thought of.
func TestServicesLandWhereTheyCanRunByChance(t *testing.T) {
	kinds := []string{
		"linux/amd64 x86_64", "linux/arm64 aarch64", "linux/arm/v7 armv7l", "linux/arm/v7 armv8l", "linux/arm/v6 armv6l", "linux/arm/v5 armv5tel",
		"linux/386 i686", "linux/386 i586", "linux/s390x s390x", "linux/riscv64 riscv64", "linux/mips64le mips64", "linux/mips64 mips64",
		"windows/amd64 x86_64", "windows/arm64 arm64", "linux/amd64/v3 x86_64", "linux/ppc64le ppc64le",
	}
	random := rand.New(rand.NewPCG(11, 2026))
	for round := range 3000 {
		var machines, images []string
		for range 1 + random.IntN(6) {
			machines = append(machines, "-"+kinds[random.IntN(len(kinds))])
		}
		for range 1 + random.IntN(3) {
			var held []string
			for range 1 + random.IntN(5) {
				p, _, _ := strings.Cut(kinds[random.IntN(len(kinds))], " ")
				held = append(held, p)
			}
			images = append(images, strings.Join(held, ","))
		}
		w := read(strings.Join(images, " "), machines)
		for i, n := range w.nodes {
			w.runs[i] = !slices.ContainsFunc(w.held, func(held []string) bool {
				return !slices.ContainsFunc(held, func(p string) bool { return serves(p, n.Platform.String()) })
			})
		}
		for _, s := range everyScheduler {
			w.judge(t, fmt.Sprintf("round %d, %v on %v", round, images, machines), s, w.decide(s, false))
			w.judge(t, fmt.Sprintf("round %d, %v on %v, listed", round, images, machines), s, w.decide(s, true))
		}
		if t.Failed() {
			return
		}
	}
}

// serves says by plain words which image runs on which machine.
func serves(image, machine string) bool {
	also := map[string][]string{
		"linux/arm/v7": {"linux/arm/v6", "linux/arm/v5"}, "linux/arm/v6": {"linux/arm/v5"}, "linux/amd64/v3": {"linux/amd64"},
	}
	return image == machine || slices.Contains(also[machine], image)
}
