package placement_test

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/placement"
)

// The rules of the three schedulers, written down a second time and in their own words, so that what package placement
// emits is judged by something else than itself.

// swarmAccepts is swarmkit's manager/constraint: every constraint has to hold, values are compared without regard to case, a
// label that is missing is empty.
func swarmAccepts(constraints []string, n placement.Node) bool {
	for _, c := range constraints {
		key, value, equal := strings.Cut(c, "==")
		if !equal {
			key, value, _ = strings.Cut(c, "!=")
		}
		var is string
		switch label, isLabel := strings.CutPrefix(key, "node.labels."); {
		case isLabel:
			is = n.Labels[label]
		case key == "node.platform.arch":
			is = n.Machine
		case key == "node.platform.os":
			is = n.Platform.OS
		case key == "node.hostname":
			is = n.Name
		case key == "node.role":
			is = n.Role
		default:
			return false
		}
		if strings.EqualFold(is, value) != equal {
			return false
		}
	}
	return true
}

// swarmFilter is what swarm does of itself when the image was resolved: the engine's client fills in the platforms of the
// manifest list and clears arm; the scheduler knows two of the kernels' texts.
func swarmFilter(held []string, n placement.Node) bool {
	normal := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}
	machine := n.Machine
	if to := normal[machine]; to != "" {
		machine = to
	}
	for _, p := range held {
		os, rest, _ := strings.Cut(p, "/")
		arch, _, _ := strings.Cut(rest, "/")
		if arch == "arm" {
			arch = ""
		}
		if os == n.Platform.OS && (arch == "" || arch == machine) {
			return true
		}
	}
	return false
}

// kubernetesAccepts is required node affinity and nodeSelector: terms are alternatives, expressions of a term are not.
func kubernetesAccepts(terms []placement.Term, selector map[string]string, n placement.Node) bool {
	for key, value := range selector {
		if n.Labels[key] != value {
			return false
		}
	}
	if terms == nil {
		return true
	}
	return slices.ContainsFunc(terms, func(t placement.Term) bool {
		if len(t.Expressions)+len(t.Fields) == 0 {
			return false
		}
		for _, e := range t.Fields {
			if e.Operator != "In" || !slices.Contains(e.Values, n.Name) {
				return false
			}
		}
		for _, e := range t.Expressions {
			value, has := n.Labels[e.Key]
			in := has && slices.Contains(e.Values, value)
			switch {
			case e.Operator == "In" && !in, e.Operator == "NotIn" && in:
				return false
			case e.Operator == "Exists" && !has, e.Operator == "DoesNotExist" && has:
				return false
			}
		}
		return true
	})
}

// cattleAccepts is Cattle: all pairs of host_label, none of host_label_ne.
func cattleAccepts(labels map[string]string, n placement.Node) bool {
	for key, value := range labels {
		for _, pair := range strings.Split(value, ",") {
			name, want, _ := strings.Cut(pair, "=")
			switch key {
			case "io.rancher.scheduler.affinity:host_label":
				if n.Labels[name] != want {
					return false
				}
			case "io.rancher.scheduler.affinity:host_label_ne":
				if n.Labels[name] == want {
					return false
				}
			}
		}
	}
	return true
}
