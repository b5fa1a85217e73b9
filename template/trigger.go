package template

import (
	"regexp"
	"strings"
)

// Trigger is an image or stage that an ONBUILD instruction of a base image
// names. It stands in the base's config, so no Dockerfile can change it.
type Trigger struct {
	// Where is "ONBUILD COPY --from" or "ONBUILD RUN --mount from".
	Where string
	// Text is what it says.
	Text string
	Kind Kind
	// Target is the stage of this file that it names, when Kind is StageKind, else -1.
	Target int
}

// Triggers reads the ONBUILD instructions of an image's config ("COPY --from=x
// a b") as they fire in this file, where they may name its stages. One that
// BuildKit cannot read is left out: it fails where it fires.
func (t *Template) Triggers(instructions []string) []Trigger {
	var list []Trigger
	for _, text := range instructions {
		if !strings.Contains(strings.ToLower(text), "from") {
			continue
		}
		small, err := Parse(t.File, []byte("FROM scratch\nONBUILD "+text+"\n"))
		if err != nil {
			continue
		}
		for _, r := range small.References[1:] {
			trigger := Trigger{Where: r.Where, Text: r.Text}
			if strings.HasSuffix(r.Where, inCopy) {
				trigger.Kind, trigger.Target = t.source(r.Text)
			} else {
				trigger.Kind, trigger.Target = t.byLastName(r.Text)
			}
			list = append(list, trigger)
		}
	}
	return list
}

// Onbuild are the ONBUILD instructions of a stage as the config of its image holds them, which
// Triggers reads: they fire in builds that start from that image. Those that a stage before it
// has have fired in it already.
func (t *Template) Onbuild(stage int) []string {
	var list []string
	at := -1
	for i, node := range t.nodes {
		if at+1 < len(t.from) && t.from[at+1] == i {
			at++
		}
		if at == stage && strings.EqualFold(node.Value, "onbuild") {
			list = append(list, onbuildWord.ReplaceAllString(node.Original, ""))
		}
	}
	return list
}

var onbuildWord = regexp.MustCompile(`(?i)^\s*onbuild\s*`)
