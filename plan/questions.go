package plan

import (
	"errors"
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
		for _, o := range seen.others {
			open.add(o.Question)
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
	return resolve.Question{Image: use.Image, Platform: use.Platform, Chosen: use.Chosen()}
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
	return &MissingArgError{File: req.Template.File, Line: ref.Line, Reference: ref.Text, Names: use.Missing, Advice: use.Problem.Advice}
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
