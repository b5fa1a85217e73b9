package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
)

// Answers are what package resolve found out.
type Answers = map[resolve.Question]resolve.Answer

// Questions lists what package resolve has to answer before Make, each once.
// The answers may raise more: see MoreQuestions.
func Questions(req Request) ([]resolve.Question, error) { return MoreQuestions(req, nil) }

// MoreQuestions lists what is still to be answered: an image that was found may
// have ONBUILD instructions that name images and stages. The caller asks and
// calls again until there is nothing more.
func MoreQuestions(req Request, answers Answers) ([]resolve.Question, error) {
	var list []resolve.Question
	failed := req.badRules()
	add := func(q resolve.Question) {
		if _, known := answers[q]; !known && !slices.Contains(list, q) {
			list = append(list, q)
		}
	}
	for _, target := range req.Targets {
		seen, err := req.look(target, answers)
		if err != nil {
			return nil, err
		}
		if seen.skipped() != nil {
			continue
		}
		for _, use := range seen.uses {
			switch {
			case !use.Needed:
			case len(use.Missing) > 0:
				failed = append(failed, req.missing(use))
			case use.Problem != nil:
				failed = append(failed, use.Problem)
			case req.asks(use):
				add(question(use))
			}
		}
		for _, b := range seen.brought {
			if b.Kind == template.External {
				add(b.question)
			}
		}
	}
	return list, joinOnce(failed)
}

func question(use template.Use) resolve.Question {
	return resolve.Question{Image: use.Image, Platform: use.Platform}
}

// Whence tells who asks a question that no reference of the file asks: the
// ONBUILD instruction of a base image. It is empty for all others.
func Whence(req Request, answers Answers, q resolve.Question) string {
	for _, target := range req.Targets {
		seen, err := req.look(target, answers)
		if err != nil || slices.ContainsFunc(seen.uses, func(u template.Use) bool { return u.Needed && question(u) == q }) {
			return ""
		}
		for _, b := range seen.brought {
			if b.Kind == template.External && b.question == q {
				return b.String()
			}
		}
	}
	return ""
}

// look is how one target sees the template.
type look struct {
	uses    []template.Use
	brought []brought
}

// brought is a reference in an ONBUILD instruction of a base image.
type brought struct {
	template.Trigger
	question resolve.Question
	file     string
	line     int
	base     string
}

func (b brought) String() string {
	return fmt.Sprintf("%s:%d: %s=%s, which %s brings along", b.file, b.line, b.Where, b.Text, b.base)
}

// look evaluates all references for a target. Stages that only the ONBUILD
// instructions of base images name are needed as well.
func (req Request) look(target Target, answers Answers) (look, error) {
	env := req.env(target)
	for {
		uses, err := req.Template.Uses(env)
		if err != nil {
			return look{}, err
		}
		req.replaceStages(target, env.Also, uses)
		seen := look{uses: uses, brought: req.brought(target, uses, answers)}
		before := len(env.Also)
		for _, b := range seen.brought {
			if b.Kind == template.StageKind && !slices.Contains(env.Also, b.Target) {
				env.Also = append(env.Also, b.Target)
			}
		}
		if len(env.Also) == before {
			return seen, nil
		}
	}
}

// brought lists what the ONBUILD instructions of the base images name.
func (req Request) brought(target Target, uses []template.Use, answers Answers) []brought {
	var list []brought
	for _, use := range uses {
		if !use.Needed || !req.isFrom(use) || !req.asks(use) {
			continue
		}
		triggers := answers[question(use)].Onbuild
		if len(triggers) == 0 {
			continue
		}
		for _, t := range req.Template.Triggers(triggers) {
			if req.hasContext(t.Text) {
				continue
			}
			list = append(list, brought{
				Trigger: t, question: resolve.Question{Image: t.Text, Platform: target.Platform},
				file: req.Template.Name, line: req.Template.References[use.Reference].Line, base: use.Image,
			})
		}
	}
	return list
}

// skipped finds a use by which an in-file rule leaves the target out.
func (l look) skipped() *template.Use {
	for i, use := range l.uses {
		if use.Needed && use.Skip {
			return &l.uses[i]
		}
	}
	return nil
}

// badRules are archbuild's own comments that cannot be used.
func (req Request) badRules() []error {
	var failed []error
	for _, r := range req.Template.Rules {
		if r.Problem != nil && r.Source == template.FromArchbuild {
			failed = append(failed, r.Problem)
		}
	}
	return failed
}

func (req Request) missing(use template.Use) error {
	ref := req.Template.References[use.Reference]
	return &MissingArgError{File: req.Template.Name, Line: ref.Line, Reference: ref.Text, Names: use.Missing}
}

// joinOnce is errors.Join with equal messages said once: one cause often
// stands in the way of several platforms.
func joinOnce(list []error) error {
	var kept []error
	said := map[string]bool{}
	for _, err := range list {
		if err == nil || said[err.Error()] {
			continue
		}
		said[err.Error()] = true
		kept = append(kept, err)
	}
	return errors.Join(kept...)
}
