package placement

import (
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/platform"
)

// contradictions are what is written by hand and what the images cannot follow: words that leave none of their platforms,
// words that leave no machine which they can run on, and architectures that are named and not held.
func (d deciding) contradictions(c Cluster) []Contradiction {
	good := d.good()
	if len(good) == 0 {
		return nil
	}
	if one, found := d.excluded(Listed(good).Nodes, kindOnly); found {
		one.Why = "leaves none of the platforms that " + d.who() + " for: " + names(good)
		return []Contradiction{one}
	}
	var can []Node
	for _, n := range c.Nodes {
		if holds, _ := d.holds(n.Platform); holds {
			can = append(can, n)
		}
	}
	if one, found := d.excluded(can, everything); found {
		one.Why = "leaves no node that " + d.what() + " can run on"
		return []Contradiction{one}
	}
	return d.claims(c, good)
}

func (d deciding) who() string {
	if len(d.images) > 1 {
		return "all its images are"
	}
	return d.images[0].Name + " is"
}

func (d deciding) what() string {
	if len(d.images) > 1 {
		return "all its images"
	}
	return d.images[0].Name
}

// excluded finds what excludes all of some nodes.
func (d deciding) excluded(nodes []Node, s scope) (Contradiction, bool) {
	var first Line
	for _, n := range nodes {
		a, line := d.allowed(n, s)
		if a != no {
			return Contradiction{}, false
		}
		if first.Text == "" {
			first = line
		}
	}
	return Contradiction{At: first.At, Text: first.Text}, first.Text != ""
}

// claims are architectures that a pod asks for by name, beside others, and that the images do not hold. Those that the
// cluster does not have do no harm.
func (d deciding) claims(c Cluster, good []platform.Platform) []Contradiction {
	if d.Object == nil {
		return nil
	}
	var list []Contradiction
	for _, arch := range d.Pod.named() {
		has := func(p platform.Platform) bool { return p.Arch == arch }
		there := len(c.Nodes) == 0 || slices.ContainsFunc(c.Platforms(), has)
		if there && !slices.ContainsFunc(good, has) {
			list = append(list, Contradiction{d.Pod.At, "its node selector",
				fmt.Sprintf("names %s, and %s for %s only", arch, d.who(), names(good))})
		}
	}
	return list
}

// notes are what the user should know beside the demand.
func (d deciding) notes(q question) []string {
	var list []string
	if d.by == Swarm {
		var odd []string
		for _, n := range q.in {
			if filtered[n.Platform.Arch] && !slices.Contains(odd, n.Platform.Arch) {
				odd = append(odd, n.Platform.Arch)
			}
		}
		for _, arch := range odd {
			list = append(list, fmt.Sprintf("swarm itself does not know that its nodes run images for %s: deploy with --resolve-image never", arch))
		}
	}
	for _, image := range d.images {
		if image.From == "build" {
			list = append(list, image.Name+" is not in its registry yet: these are the platforms that it is to be built for")
		}
	}
	return list
}
