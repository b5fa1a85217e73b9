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
	open := open{answers: answers}
	failed := req.badRules()
	var memory []template.Use
	for _, target := range req.Targets {
		seen, err := req.look(target, answers, memory)
		if err != nil {
			return nil, err
		}
		memory = seen.uses
		if seen.skipped() != nil {
			continue
		}
		open.expect(len(req.Targets) * count(seen.uses, req.asks))
		for i := range seen.uses {
			switch use := &seen.uses[i]; {
			case !use.Needed && !req.Template.Refused(*use):
			case len(use.Missing) > 0:
				failed = append(failed, req.missing(use))
			case use.Problem != nil:
				failed = append(failed, use.Problem)
			case req.asks(use):
				open.add(question(use))
			}
		}
		for _, b := range seen.brought {
			if b.Kind == template.External {
				open.add(b.question)
			}
		}
	}
	return open.list, joinOnce(failed)
}

// open are the questions without an answer.
type open struct {
	answers Answers
	list    []resolve.Question
	// listed holds what is in a long list; a short one is searched.
	listed map[resolve.Question]bool
}

// expect makes room for the first questions.
func (o *open) expect(n int) {
	if o.list == nil {
		o.list = slices.Grow(o.list, n)
	}
}

func (o *open) add(q resolve.Question) {
	const short = 50
	if _, known := o.answers[q]; known || o.listed[q] || o.listed == nil && slices.Contains(o.list, q) {
		return
	}
	o.list = append(o.list, q)
	if len(o.list) == short {
		o.listed = make(map[resolve.Question]bool, 2*short)
		for _, before := range o.list {
			o.listed[before] = true
		}
	} else if o.listed != nil {
		o.listed[q] = true
	}
}

// count tells how many needed uses are of some sort.
func count(uses []template.Use, sort func(*template.Use) bool) int {
	n := 0
	for i := range uses {
		if uses[i].Needed && sort(&uses[i]) {
			n++
		}
	}
	return n
}

func question(use *template.Use) resolve.Question {
	return resolve.Question{Image: use.Image, Platform: use.Platform}
}

// Whence tells who asks a question that no reference of the file asks: the
// ONBUILD instruction of a base image. It is empty for all others.
func Whence(req Request, answers Answers, q resolve.Question) string {
	for _, target := range req.Targets {
		seen, err := req.look(target, answers, nil)
		if err != nil || count(seen.uses, func(u *template.Use) bool { return question(u) == q }) > 0 {
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
// instructions of base images name are needed as well. The memory is that of a
// look at another target, which is over.
func (req Request) look(target Target, answers Answers, memory []template.Use) (look, error) {
	env := req.env(target)
	for {
		uses, err := req.Template.UsesInto(memory, env)
		if err != nil {
			return look{}, err
		}
		memory = uses
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
	for i := range uses {
		use := &uses[i]
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
	for i := range l.uses {
		if use := &l.uses[i]; use.Needed && use.Skip {
			return use
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

func (req Request) missing(use *template.Use) error {
	ref := req.Template.References[use.Reference]
	return &MissingArgError{File: req.Template.Name, Line: ref.Line, Reference: ref.Text, Names: use.Missing}
}

// joinOnce is errors.Join with equal messages said once: one cause often
// stands in the way of several platforms.
func joinOnce(list []error) error {
	list = slices.DeleteFunc(list, func(err error) bool { return err == nil })
	if len(list) == 0 {
		return nil
	}
	var kept []error
	said := map[string]bool{}
	for _, err := range list {
		if said[err.Error()] {
			continue
		}
		said[err.Error()] = true
		kept = append(kept, err)
	}
	return errors.Join(kept...)
}
