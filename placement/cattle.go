package placement

import (
	"slices"
	"strings"
)

// Labels of a service by which Cattle, the scheduler of Rancher 1.x, chooses hosts: KEY=VALUE[,KEY=VALUE…],
// all of which have to hold, or to hold not.
const (
	HostLabel    = "io.rancher.scheduler.affinity:host_label"
	HostLabelNot = "io.rancher.scheduler.affinity:host_label_ne"
)

// CattleArch is the label of hosts that says what a host is, in the words of Dockerfile.ARCH: arch=amd64, arch=arm-v7. Cattle
// has no such label of its own, so it is set by hand on every host.
const CattleArch = "arch"

func cattleWords() []word {
	return []word{{name: CattleArch, of: func(n Node) string { return n.Platform.Suffix() }}}
}

// cattleAllows tells whether the labels of a service let it onto a host, and which does not. What hosts
// have beside their architecture nobody knows here.
func cattleAllows(labels []Label, n Node) (answer, Line) {
	worst := yes
	for _, l := range labels {
		for _, pair := range pairs(l.Value) {
			key, value, _ := strings.Cut(pair, "=")
			if strings.TrimSpace(key) != CattleArch {
				worst = min(worst, unknown)
				continue
			}
			a := is(strings.EqualFold(strings.TrimSpace(value), n.Platform.Suffix()))
			if l.Key == HostLabelNot {
				a = a.negated()
			}
			if a == no {
				return no, Line{l.Key + ": " + l.Value, l.At}
			}
		}
	}
	return worst, Line{}
}

func pairs(value string) []string {
	var list []string
	for _, pair := range strings.Split(value, ",") {
		if pair = strings.TrimSpace(pair); pair != "" {
			list = append(list, pair)
		}
	}
	return list
}

// hostLabels are the labels that a service needs, with what is written there by hand: a file that is laid over another
// one replaces a label.
func hostLabels(written []Label, wants []want) map[string]string {
	values := map[string][]string{}
	for _, l := range written {
		values[l.Key] = append(values[l.Key], pairs(l.Value)...)
	}
	changed := map[string]string{}
	for _, w := range wants {
		key := HostLabel
		if w.not {
			key = HostLabelNot
		}
		if pair := w.key + "=" + w.value; !slices.Contains(values[key], pair) {
			values[key] = append(values[key], pair)
		}
		changed[key] = strings.Join(values[key], ",")
	}
	return changed
}
