package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/archbuild/archbuild/platform"
)

// Runner is the label of the machines that a CI takes for a leg of the matrix.
type Runner struct {
	// Platform of the leg; zero means all.
	Platform platform.Platform
	Label    string
	Line     int
}

// Runners are the labels by platform; the zero platform stands for all others.
func (f File) Runners() map[platform.Platform]string {
	labels := map[platform.Platform]string{}
	for _, r := range f.CIRunners {
		labels[r.Platform] = r.Label
	}
	return labels
}

// ci reads what is said of CI systems: runners, for all platforms or for each.
func (r *reader) ci(node ast.Node) []Runner {
	var runners []Runner
	for _, e := range r.mapping(node, within(Source, "ci")) {
		for _, value := range r.perPlatform(e.value) {
			if strings.ContainsFunc(value.text.text, func(c rune) bool { return c < ' ' || c == 0x7f }) || value.text.text == "" {
				r.fail(value.text, fmt.Sprintf("%q is no label of a runner", value.text.text), "write the label on one line: ubuntu-24.04-arm")
				continue
			}
			runners = append(runners, Runner{Platform: value.on, Label: value.text.text, Line: value.line})
		}
	}
	return runners
}
