package plan

import (
	"fmt"

	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
	"github.com/distribution/reference"
)

// Move tells of a rule in a file that comes with the source, archbuild.yaml or a comment of the
// Dockerfile, and takes an image from another registry than the one that is written: whoever reads FROM sees
// one owner, and the build trusts another.
type Move struct {
	// From and To are the registries, as references name them: "docker.io", "registry.example:5000".
	From string `json:"from"`
	To   string `json:"to"`
	// Rule is what moves it, as --base takes it, and At where that stands: "archbuild.yaml:7".
	Rule string `json:"rule"`
	At   string `json:"at"`
}

// MoveOf tells whether what decided about a use moves it to another registry without the user
// having said so; nil is no. Where --base or --build-context decided, the user has.
func MoveOf(t *template.Template, use template.Use, answer resolve.Answer) *Move {
	rule, ok := t.RuleFor(use.Reference, use.Platform)
	if !ok || rule.Skip || use.Rule == "" || use.Written == "" || rule.New != use.Image || answer.By.CommandLine {
		return moveBy(answer)
	}
	m := &Move{Rule: use.Written + "=" + answer.Use, At: fmt.Sprintf("%s:%d", t.Name, rule.Line)}
	if answer.By != (resolve.Rule{}) { // the comment's image was moved once more
		m.Rule, m.At = m.Rule+", "+answer.By.String(), m.At+", "+answer.By.Source
	}
	return m.between(use.Written, answer.Use)
}

// moveBy is the move of an answer by itself.
func moveBy(answer resolve.Answer) *Move {
	if answer.By == (resolve.Rule{}) || answer.By.CommandLine {
		return nil
	}
	m := &Move{Rule: answer.By.String(), At: answer.By.Source}
	return m.between(answer.Image, answer.Use)
}

// between fills in the registries; it is nil if they are the same. What names no image moves nothing.
func (m *Move) between(from, to string) *Move {
	a, err := reference.ParseNormalizedNamed(from)
	b, err2 := reference.ParseNormalizedNamed(to)
	if err != nil || err2 != nil || reference.Domain(a) == reference.Domain(b) {
		return nil
	}
	m.From, m.To = reference.Domain(a), reference.Domain(b)
	return m
}

// Moves are those of all jobs, each once, in the order of the jobs.
func (p Plan) Moves() []Move {
	var list []Move
	seen := map[Move]bool{}
	for _, job := range p.Jobs {
		for _, bases := range [][]Base{job.Bases, job.Onbuild, job.Contexts} {
			for _, base := range bases {
				if base.Moved != nil && !seen[*base.Moved] {
					seen[*base.Moved] = true
					list = append(list, *base.Moved)
				}
			}
		}
	}
	return list
}
