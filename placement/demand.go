package placement

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// PlatformLabel is a label of nodes for what a scheduler cannot tell by itself: two variants of arm in Kubernetes, two byte
// orders of mips64 in swarm. Its value is the platform in the words of Dockerfile.ARCH: arm-v6.
const PlatformLabel = "archbuild.platform"

// MemoryLabel is the label of nodes that have at least so much memory; its value is "true".
func MemoryLabel(bytes int64) string { return "memory-" + memory(bytes, "") }

// memory writes a size as it fits into the name of a label, in the largest unit without a rest: 2g, 1536m.
func memory(bytes int64, gap string) string {
	for _, unit := range []struct {
		shift uint
		name  string
	}{{30, "g"}, {20, "m"}, {10, "k"}} {
		if bytes >= 1<<unit.shift && bytes%(1<<unit.shift) == 0 {
			return fmt.Sprintf("%d%s%s", bytes>>unit.shift, gap, unit.name)
		}
	}
	return fmt.Sprintf("%d%sb", bytes, gap)
}

// Demand is what a scheduler has to be told of a service, beside what is written by hand.
type Demand struct {
	// Constraints are swarm's, to be added.
	Constraints []string `json:"constraints,omitempty"`
	// HostLabels are Cattle's: whole values, with what is written by hand.
	HostLabels map[string]string `json:"hostLabels,omitempty"`
	// Terms are Kubernetes' required node affinity: the whole list, with what is written by hand.
	Terms []Term `json:"nodeSelectorTerms,omitempty"`
	// Labels are those that somebody has to give to nodes so that the demand means what it says.
	Labels []NodeLabel `json:"nodeLabels,omitempty"`
}

// Empty says that nothing has to be said.
func (d Demand) Empty() bool {
	return len(d.Constraints) == 0 && len(d.HostLabels) == 0 && len(d.Terms) == 0
}

// Lines are the demand in a scheduler's own words, one for each thing that it has to be told.
func (d Demand) Lines() []string {
	lines := slices.Clone(d.Constraints)
	for _, key := range slices.Sorted(maps.Keys(d.HostLabels)) {
		lines = append(lines, key+": "+d.HostLabels[key])
	}
	var terms []string
	for _, t := range d.Terms {
		terms = append(terms, t.String())
	}
	if len(terms) > 0 {
		lines = append(lines, strings.Join(terms, ", or "))
	}
	return lines
}

// NodeLabel is a label that a node needs. Node is empty where all nodes of the platform do, and Platform as well where
// it is for the user to know which.
type NodeLabel struct {
	Node     string            `json:"node,omitempty"`
	Platform platform.Platform `json:"platform,omitzero"`
	Key      string            `json:"key"`
	Value    string            `json:"value"`
}

// question is what a Demand answers: which nodes a service may run on.
type question struct {
	service Service
	// in and out are the nodes whose kind the images can run on, and cannot, of those that are not
	// excluded by hand for their kind.
	in, out []Node
	// small are the nodes of in that have too little memory, or of which nobody knows.
	small []Node
	// good are the platforms of all images, for a cluster that is not known.
	good []platform.Platform
}

// demand asks for what is needed and no more.
func (q question) demand(s Scheduler) Demand {
	var d Demand
	var left []Node
	var wants []want
	in := q.in
	if len(in) == 0 { // It runs nowhere, and waits for a machine that its images can run on.
		for _, p := range q.good {
			in = append(in, Node{Platform: p, Machine: Machines(p)[0], Any: true})
		}
	}
	switch s {
	case Swarm:
		wants, left = separate(swarmWords(), in, q.out)
		d.Constraints = constraints(append(wants, asLabels(q.labels(left))...))
	case Cattle:
		wants, _ = separate(cattleWords(), in, q.out)
		if len(wants) > 0 {
			d.Labels = append(d.Labels, labelled(append(slices.Clone(q.in), q.out...), CattleArch)...)
		}
		d.HostLabels = hostLabels(q.service.HostLabels, append(wants, q.labels(nil)...))
	case Kubernetes:
		var terms []Term
		terms, left = kubernetesTerms(in, q.out)
		if len(q.in)+len(q.out) == 0 {
			terms = anywhere(q.good)
		}
		d.Terms = q.terms(terms, q.labels(left))
	default:
		return d
	}
	d.Labels = append(d.Labels, labelled(left, PlatformLabel)...)
	d.Labels = append(d.Labels, q.memoryLabels()...)
	return d
}

// labels are the wants that only labels can meet.
func (q question) labels(left []Node) []want {
	var list []want
	for _, value := range suffixes(left) {
		list = append(list, want{PlatformLabel, value, true})
	}
	if len(q.small) > 0 {
		list = append(list, want{MemoryLabel(q.service.MinMemory), "true", false})
	}
	return list
}

// terms adds what labels have to say to each term, and joins them with those written by hand.
func (q question) terms(terms []Term, wants []want) []Term {
	var more []Expression
	for _, w := range wants {
		operator := "In"
		if w.not {
			operator = "NotIn"
		}
		if at := len(more) - 1; at >= 0 && more[at].Key == w.key && more[at].Operator == operator {
			more[at].Values = append(more[at].Values, w.value)
			continue
		}
		more = append(more, Expression{w.key, operator, []string{w.value}})
	}
	if len(terms) == 0 && len(more) > 0 {
		terms = []Term{{}}
	}
	for i := range terms {
		terms[i].Expressions = append(slices.Clone(terms[i].Expressions), more...)
	}
	if len(terms) == 0 {
		return nil
	}
	return joined(q.service.Pod.Terms, terms)
}

// memoryLabels are for the nodes that have enough; of which nobody knows, the user does.
func (q question) memoryLabels() []NodeLabel {
	if len(q.small) == 0 {
		return nil
	}
	label := NodeLabel{Key: MemoryLabel(q.service.MinMemory), Value: "true"}
	var list []NodeLabel
	for _, n := range q.in {
		if n.Memory >= q.service.MinMemory && !n.Any && n.Labels[label.Key] != label.Value {
			label.Node, label.Platform = n.Name, n.Platform
			list = append(list, label)
		}
	}
	if slices.ContainsFunc(q.small, func(n Node) bool { return n.Memory == 0 && n.Labels[label.Key] != label.Value }) {
		list = append(list, NodeLabel{Key: label.Key, Value: label.Value})
	}
	return list
}

func suffixes(nodes []Node) []string {
	var list []string
	for _, n := range nodes {
		list = append(list, n.Platform.Suffix())
	}
	return sorted(list)
}

// labelled is the label of each node's own platform, where it is not set; of nodes that stand for many, once for
// each platform.
func labelled(nodes []Node, key string) []NodeLabel {
	var list []NodeLabel
	for _, n := range nodes {
		value := n.Platform.Suffix()
		label := NodeLabel{Node: n.Name, Platform: n.Platform, Key: key, Value: value}
		if n.Any {
			label.Node = ""
		}
		if n.Labels[key] != value && !slices.Contains(list, label) {
			list = append(list, label)
		}
	}
	return list
}
