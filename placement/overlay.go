package placement

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Mark begins every overlay; a file without it is somebody else's.
const Mark = "# archbuild place: "

// Overlay is what is laid over the user's own file.
type Overlay struct {
	Table Table
	// Over are the names of those files, without folders.
	Over []string
	// Version is compose's version key, which has to be the same in all files; empty is none.
	Version string
	// Pin writes the digests of what was looked at.
	Pin bool
}

// Bytes writes it: the same table, the same bytes.
func (o Overlay) Bytes() []byte {
	var w writer
	w.comment(strings.TrimPrefix(Mark, "# ") + "laid over " + strings.Join(o.Over, ", ") + " for " + string(o.Table.Scheduler) + "; the same command writes it anew")
	rows := slices.Clone(o.Table.Rows)
	slices.SortStableFunc(rows, func(a, b Row) int { return strings.Compare(a.Service, b.Service) })
	for _, row := range rows {
		if row.Nowhere && !row.Unknown && len(row.Cells) > 0 {
			w.comment(row.Service + " can run nowhere now, and waits: " + row.Cells[0].Why)
		}
	}
	if o.Table.Scheduler == Kubernetes {
		o.patches(&w, rows)
	} else {
		o.compose(&w, rows)
	}
	return w.Bytes()
}

func (o Overlay) compose(w *writer, rows []Row) {
	if o.Version != "" {
		w.line(0, "version: "+quoted(o.Version))
	}
	empty := true
	for _, row := range rows {
		image := ""
		if o.Pin && len(row.Images) == 1 {
			image = pinned(row.Images[0])
		}
		if row.Demand.Empty() && image == "" {
			continue
		}
		if empty {
			w.line(0, "services:")
			empty = false
		}
		w.line(1, key(row.Service)+":")
		if image != "" {
			w.line(2, "image: "+literal(image))
		}
		if len(row.Demand.Constraints) > 0 {
			w.line(2, "deploy:")
			w.line(3, "placement:")
			w.line(4, "constraints:")
			for _, c := range row.Demand.Constraints {
				w.line(5, "- "+literal(c))
			}
		}
		if labels := row.Demand.HostLabels; len(labels) > 0 {
			w.line(2, "labels:")
			for _, name := range slices.Sorted(maps.Keys(labels)) {
				w.line(3, quoted(name)+": "+literal(labels[name]))
			}
		}
	}
	if empty {
		w.line(0, "services: {}")
	}
}

// pods says where the kinds that Kubernetes has of itself keep the specification of their pods.
var pods = map[string][]string{
	"Pod":                   {"spec"},
	"PodTemplate":           {"template", "spec"},
	"Deployment":            {"spec", "template", "spec"},
	"StatefulSet":           {"spec", "template", "spec"},
	"DaemonSet":             {"spec", "template", "spec"},
	"ReplicaSet":            {"spec", "template", "spec"},
	"ReplicationController": {"spec", "template", "spec"},
	"Job":                   {"spec", "template", "spec"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template", "spec"},
}

// PodPath is where a kind keeps the specification of its pods; nil for kinds that Kubernetes does not have of itself.
// Nobody knows how a patch would be merged into those.
func PodPath(kind string) []string { return slices.Clone(pods[kind]) }

// patches are strategic merge patches, one document for each object.
func (o Overlay) patches(w *writer, rows []Row) {
	first := true
	for _, row := range rows {
		if row.Object == nil || pods[row.Object.Kind] == nil {
			continue
		}
		var pins []Fact
		for _, fact := range row.Images {
			if o.Pin && pinned(fact) != "" && fact.Container != "" {
				pins = append(pins, fact)
			}
		}
		if len(row.Demand.Terms) == 0 && len(pins) == 0 {
			continue
		}
		if !first {
			w.line(0, "---")
		}
		first = false
		w.object(*row.Object)
		depth := 0
		for _, word := range pods[row.Object.Kind] {
			w.line(depth, word+":")
			depth++
		}
		w.terms(depth, row.Demand.Terms)
		for _, list := range []struct {
			name string
			init bool
		}{{"initContainers", true}, {"containers", false}} {
			w.pins(depth, list.name, slices.DeleteFunc(slices.Clone(pins), func(f Fact) bool { return f.Init != list.init }))
		}
	}
}

// pinned is the name of an image with the digest that was looked at; empty where there is none to add.
func pinned(f Fact) string {
	if f.Digest == "" || strings.Contains(f.Image, "@") {
		return ""
	}
	return f.Image + "@" + f.Digest
}

// writer writes YAML, two spaces a level.
type writer struct{ bytes.Buffer }

func (w *writer) line(depth int, text string) {
	fmt.Fprintf(w, "%s%s\n", strings.Repeat("  ", depth), text)
}

// comment writes one line, whatever is in the text.
func (w *writer) comment(text string) {
	w.line(0, "# "+strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text))
}

func (w *writer) object(o Object) {
	w.line(0, "apiVersion: "+key(o.APIVersion))
	w.line(0, "kind: "+key(o.Kind))
	w.line(0, "metadata:")
	w.line(1, "name: "+key(o.Name))
	if o.Namespace != "" {
		w.line(1, "namespace: "+key(o.Namespace))
	}
}

func (w *writer) terms(depth int, terms []Term) {
	if len(terms) == 0 {
		return
	}
	for _, word := range []string{"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"} {
		w.line(depth, word+":")
		depth++
	}
	for _, t := range terms {
		start := "- "
		for _, list := range []struct {
			name string
			all  []Expression
		}{{"matchExpressions", t.Expressions}, {"matchFields", t.Fields}} {
			if len(list.all) == 0 {
				continue
			}
			w.line(depth, start+list.name+":")
			start = "  "
			for _, e := range list.all {
				w.line(depth+2, "- key: "+key(e.Key))
				w.line(depth+3, "operator: "+key(e.Operator))
				if len(e.Values) > 0 {
					var values []string
					for _, v := range e.Values {
						values = append(values, quoted(v))
					}
					w.line(depth+3, "values: ["+strings.Join(values, ", ")+"]")
				}
			}
		}
	}
}

func (w *writer) pins(depth int, name string, pins []Fact) {
	if len(pins) == 0 {
		return
	}
	w.line(depth, name+":")
	for _, f := range pins {
		w.line(depth+1, "- name: "+key(f.Container))
		w.line(depth+2, "image: "+quoted(pinned(f)))
	}
}

// quoted writes a text as JSON does, which YAML reads as it is.
func quoted(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text always can be
	return strings.TrimSpace(b.String())
}

// literal writes a value of a compose file, where a dollar begins a variable.
func literal(text string) string { return quoted(strings.ReplaceAll(text, "$", "$$")) }

var (
	plainWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/-]*$`)
	// meant are words that YAML takes for something else.
	meant = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)
)

// key writes a word without quotes where YAML needs none.
func key(text string) string {
	if plainWord.MatchString(text) && !meant.MatchString(text) {
		return text
	}
	return quoted(text)
}
