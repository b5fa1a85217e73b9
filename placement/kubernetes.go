package placement

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Labels that every kubelet sets; the second of each pair is their old name.
var (
	archLabels = []string{"kubernetes.io/arch", "beta.kubernetes.io/arch"}
	osLabels   = []string{"kubernetes.io/os", "beta.kubernetes.io/os"}
)

// KindLabels are the labels that Kubernetes gives a machine of a platform by itself.
func KindLabels(p platform.Platform) map[string]string {
	return map[string]string{archLabels[0]: p.Arch, osLabels[0]: p.OS}
}

// of says whether an expression holds on a node, by the rules of node selectors: NotIn and DoesNotExist hold where the label
// is missing; Gt and Lt compare whole numbers.
func (e Expression) of(n Node, s scope) answer {
	value, has := n.Labels[e.Key]
	switch {
	case slices.Contains(archLabels, e.Key):
		value, has = n.Platform.Arch, true
	case slices.Contains(osLabels, e.Key):
		value, has = n.Platform.OS, true
	case n.Any || s == kindOnly:
		return unknown
	}
	switch e.Operator {
	case "In":
		return is(has && slices.Contains(e.Values, value))
	case "NotIn":
		return is(!has || !slices.Contains(e.Values, value))
	case "Exists":
		return is(has)
	case "DoesNotExist":
		return is(!has)
	case "Gt", "Lt":
		is64, err := strconv.ParseInt(value, 10, 64)
		if err != nil || len(e.Values) != 1 {
			return no
		}
		than, err := strconv.ParseInt(e.Values[0], 10, 64)
		return is(err == nil && (e.Operator == "Gt" && is64 > than || e.Operator == "Lt" && is64 < than))
	}
	return no
}

// field is the same of a field of a node; there is one, its name.
func (e Expression) field(n Node, s scope) answer {
	if n.Any || s == kindOnly {
		return unknown
	}
	return Expression{Key: e.Key, Operator: e.Operator, Values: e.Values}.of(Node{Labels: map[string]string{"metadata.name": n.Name}}, everything)
}

func (t Term) of(n Node, s scope) answer {
	if len(t.Expressions)+len(t.Fields) == 0 {
		return no
	}
	worst := yes
	for _, e := range t.Expressions {
		worst = min(worst, e.of(n, s))
	}
	for _, e := range t.Fields {
		worst = min(worst, e.field(n, s))
	}
	return worst
}

// Allows tells whether what is written by hand lets the pod onto a node.
func (p Pod) allows(n Node, s scope) answer {
	worst := yes
	if p.NodeName != "" {
		worst = min(worst, Expression{"metadata.name", "In", []string{p.NodeName}}.field(n, s))
	}
	for key, value := range p.Selector {
		worst = min(worst, Expression{key, "In", []string{value}}.of(n, s))
	}
	if len(p.Terms) == 0 {
		return worst
	}
	best := no
	for _, t := range p.Terms {
		best = max(best, t.of(n, s))
	}
	return min(worst, best)
}

// named are the architectures that a pod asks for by name.
func (p Pod) named() []string {
	var list []string
	for key, value := range p.Selector {
		if slices.Contains(archLabels, key) {
			list = append(list, value)
		}
	}
	for _, t := range p.Terms {
		for _, e := range t.Expressions {
			if e.Operator == "In" && slices.Contains(archLabels, e.Key) {
				list = append(list, e.Values...)
			}
		}
	}
	return sorted(list)
}

// kind is what Kubernetes knows of a machine by itself.
type kind struct{ os, arch string }

func kindOf(n Node) kind { return kind{n.Platform.OS, n.Platform.Arch} }

func kinds(nodes []Node) []kind {
	var list []kind
	for _, n := range nodes {
		if k := kindOf(n); !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b kind) int { return cmp.Or(cmp.Compare(a.os, b.os), cmp.Compare(a.arch, b.arch)) })
	return list
}

func archesOf(list []kind, os string) []string {
	var words []string
	for _, k := range list {
		if os == "" || k.os == os {
			words = append(words, k.arch)
		}
	}
	return sorted(words)
}

func systemsOf(list []kind) []string {
	var words []string
	for _, k := range list {
		words = append(words, k.os)
	}
	return sorted(words)
}

// kubernetesTerms are the terms of which one has to hold so that all of in and none of out is allowed; the nodes of out that
// Kubernetes cannot tell from in by itself are left. No terms at all is that nothing has to be said.
func kubernetesTerms(in, out []Node) (terms []Term, left []Node) {
	good := kinds(in)
	var others []Node
	for _, n := range out {
		if slices.Contains(good, kindOf(n)) {
			left = append(left, n)
		} else {
			others = append(others, n)
		}
	}
	bad := kinds(others)
	if len(bad) == 0 {
		return nil, left
	}
	if len(good) == 0 {
		return []Term{{Expressions: []Expression{{archLabels[0], "NotIn", archesOf(bad, "")}}}}, left
	}
	if term, found := oneTerm(archesOf(good, ""), systemsOf(good), bad); found {
		return []Term{term}, left
	}
	for _, os := range systemsOf(good) {
		term, _ := oneTerm(archesOf(good, os), []string{os}, bad) // of one system, an architecture is good or bad
		terms = append(terms, term)
	}
	return terms, left
}

// oneTerm is the shortest term that holds for some architectures and systems, and for none that is bad.
func oneTerm(arches, systems []string, bad []kind) (Term, bool) {
	arch, system := Expression{archLabels[0], "In", arches}, Expression{osLabels[0], "In", systems}
	for _, choice := range [][]Expression{{arch}, {system}, {arch, system}} {
		if !slices.ContainsFunc(bad, func(k kind) bool { return meets(choice, k) }) {
			return Term{Expressions: choice}, true
		}
	}
	return Term{}, false
}

func meets(list []Expression, k kind) bool {
	n := Node{Platform: platform.Platform{OS: k.os, Arch: k.arch}}
	return Term{Expressions: list}.of(n, everything) == yes
}

// anywhere are the terms for a cluster of which nothing is known.
func anywhere(good []platform.Platform) []Term {
	var terms []Term
	list := kinds(Listed(good).Nodes)
	for _, os := range systemsOf(list) {
		terms = append(terms, Term{Expressions: []Expression{{archLabels[0], "In", archesOf(list, os)}, {osLabels[0], "In", []string{os}}}})
	}
	return terms
}

// joined are terms of which one holds where one of both does. Terms of hand-written affinity that hold nowhere
// are left out: with something added they would hold.
func joined(written, ours []Term) []Term {
	if len(written) == 0 {
		return ours
	}
	var list []Term
	for _, w := range written {
		if len(w.Expressions)+len(w.Fields) == 0 {
			continue
		}
		for _, o := range ours {
			t := Term{Expressions: slices.Clone(w.Expressions), Fields: w.Fields}
			for _, e := range o.Expressions {
				if !slices.ContainsFunc(t.Expressions, e.same) {
					t.Expressions = append(t.Expressions, e)
				}
			}
			list = append(list, t)
		}
	}
	return list
}

func (e Expression) same(o Expression) bool {
	return e.Key == o.Key && e.Operator == o.Operator && slices.Equal(e.Values, o.Values)
}

func (e Expression) String() string {
	text := e.Key + " " + e.Operator
	if len(e.Values) > 0 {
		text += " [" + strings.Join(e.Values, ", ") + "]"
	}
	return text
}

func (t Term) String() string {
	var words []string
	for _, e := range t.Expressions {
		words = append(words, e.String())
	}
	for _, e := range t.Fields {
		words = append(words, e.String())
	}
	return strings.Join(words, " and ")
}
