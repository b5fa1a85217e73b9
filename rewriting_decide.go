package archbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// rewriter decides every reference of a template by itself: unlike a build, it
// goes on where one cannot be decided, and takes in the stages that the target
// does not need.
type rewriter struct {
	run
	service
	place place
	build platform.Platform
	pin   bool
	// cacheIDs asks for ids of cache mounts.
	cacheIDs bool
	// dockerfile is the name of the result, stage the one that is to be built.
	dockerfile, stage string
	// env is what references and placeholders are evaluated for, fillings the values
	// of those outside of references.
	env      template.Env
	fillings []template.Filling
	// crossed says which stages move to the build platform.
	crossed []cross.Decision
}

// at is the rewriter of one platform, which may have a Dockerfile of its own.
func (w rewriter) at(p platform.Platform) rewriter {
	w.dockerfile = w.archName(p)
	w.source = w.of(p)
	return w
}

// all rewrites the template for every platform.
func (w rewriter) all(ctx context.Context) ([]Rewritten, error) {
	var uses [][]template.Use
	var questions []resolve.Question
	requests, err := w.requestsByPlatform(ctx)
	if err != nil {
		return nil, err
	}
	env := func(target plan.Target) template.Env { return requests[target.Platform].Env(target) }
	for _, target := range w.targets {
		list, err := w.at(target.Platform).template.Uses(env(target))
		if err != nil {
			return nil, err
		}
		uses = append(uses, list)
		for _, use := range list {
			if w.asks(use) {
				questions = append(questions, question(use))
			}
		}
	}
	known, err := w.ask(ctx, questions)
	if err != nil {
		return nil, err
	}
	var images []resolve.Question
	told := true
	for _, list := range uses {
		more, all := imagesOf(list)
		images, told = append(images, more...), told && all
	}
	if told {
		none := resolve.Question{}
		known.notes[none] = append(known.notes[none], w.rulesOf(w.service).UnusedOfFile(images)...)
	}
	var done []Rewritten
	for i, target := range w.targets {
		if at := slices.IndexFunc(uses[i], func(u template.Use) bool { return u.Needed && u.Skip }); at >= 0 {
			done = append(done, Rewritten{File: w.of(target.Platform).file, Platform: target.Platform, skipped: uses[i][at].Rule})
			continue
		}
		at := w.at(target.Platform)
		at.stage, at.env, at.crossed = target.Stage, env(target), requests[target.Platform].Decisions(target)
		if !at.leftAlone() {
			at.fillings = at.template.Fillings(at.env)
		}
		one, err := at.one(target.Platform, uses[i], known)
		if err != nil {
			return nil, fmt.Errorf("rewriting for %s: %w", target.Platform, err)
		}
		done = append(done, one)
	}
	return done, nil
}

// asks says whether a use is an image that someone has to decide about: not a
// stage, and nothing that a named context stands for.
func (w rewriter) asks(use template.Use) bool {
	if use.Kind != template.External || use.Problem != nil {
		return false
	}
	_, found := plan.ContextOn(w.contextKeys(), use.Image, use.Platform)
	return use.Written != "" || !found
}

func question(use template.Use) resolve.Question {
	return resolve.Question{Image: use.Image, Platform: use.Platform, Chosen: use.Chosen()}
}

// knowledge is what was found out about the questions. One may have an answer
// and a doubt.
type knowledge struct {
	answers map[resolve.Question]resolve.Answer
	doubts  map[resolve.Question]doubt
	notes   map[resolve.Question][]resolve.Warning
}

// doubt is why an image is left as it is.
type doubt struct {
	text, hint string
	// unproven is a doubt about an image that nobody was asked about.
	unproven bool
	// harmless ones are no failure under --strict.
	harmless bool
	// host is the registry that could not be asked, or empty.
	host string
	// missing says that --locked finds the image in no lock.
	missing bool
}

// ask takes the answers that there are; what has none is a doubt.
func (w rewriter) ask(ctx context.Context, questions []resolve.Question) (knowledge, error) {
	rules := w.rulesOf(w.service)
	if err := rules.Check(); err != nil {
		return knowledge{}, err
	}
	registry, err := w.sources(w.service)
	if err != nil {
		return knowledge{}, err
	}
	known := knowledge{doubts: map[resolve.Question]doubt{}, notes: map[resolve.Question][]resolve.Warning{}}
	var notes []resolve.Warning
	known.answers, notes, err = resolve.All(ctx, registry, rules, questions)
	if ctx.Err() != nil {
		return knowledge{}, context.Cause(ctx)
	}
	for _, note := range notes {
		known.notes[note.Question] = append(known.notes[note.Question], note)
	}
	for _, e := range leaves(err) {
		failed := new(resolve.Error)
		if !errors.As(e, &failed) {
			return knowledge{}, e
		}
		why := doubt{
			text: failed.Err.Error(), hint: wrong.Hint(failed.Err), missing: w.Locked && errors.As(failed.Err, new(*resolve.NotLockedError)),
		}
		if why.host, _ = unreached(failed.Err); why.host != "" {
			why.hint += withoutNetwork
		}
		for _, p := range failed.Platforms {
			for _, chosen := range []bool{false, true} {
				q := resolve.Question{Image: failed.Image, Platform: p, Chosen: chosen}
				if _, ok := known.answers[q]; !ok {
					known.doubts[q] = why
				}
			}
		}
	}
	if w.Offline {
		known.doubtOffline(rules)
	}
	return known, nil
}

// leaves are the independent errors in a joined one.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, leaves(e)...)
	}
	return list
}

// one rewrites for one platform.
func (w rewriter) one(p platform.Platform, uses []template.Use, known knowledge) (Rewritten, error) {
	done := Rewritten{
		File: w.file, Platform: p, Dockerfile: w.dockerfile,
		Edits: []rewrite.Edit{}, Warnings: w.remarks(p, known), source: w.template.Source,
	}
	if w.leftAlone() {
		uses = nil
	}
	var list []rewrite.Replacement
	for _, use := range uses {
		to, rule := w.decide(&done, use, known)
		if written := cmp.Or(use.Written, use.Image); to != "" && to != written {
			list = append(list, rewrite.Replacement{Reference: use.Reference, New: to, Rule: rule})
		}
	}
	out, err := w.replace(&done, uses, list)
	if err == nil {
		err = w.stays(&done, uses)
	}
	if err == nil {
		out, err = w.withCacheIDs(&done, out)
	}
	done.Edits, done.Content = append(done.Edits, out.Edits...), out.Bytes
	return done, err
}

// leftAlone says whether the file is for another frontend, and nobody said that
// it reads Dockerfiles all the same.
func (w rewriter) leftAlone() bool {
	return foreignSyntax(w.template.Syntax) && !w.ForceRewrite
}

// decide says what a use becomes and why; empty is to leave it as it is.
func (w rewriter) decide(done *Rewritten, use template.Use, known knowledge) (to, rule string) {
	if use.Problem != nil {
		done.warn(w.warning(use, doubt{text: use.Problem.Message, hint: use.Problem.Advice}))
		return "", ""
	}
	if use.Guessed {
		done.warn(w.warning(use, doubt{text: use.Image + " is a guess: a platform does not name the machine", hint: "name it with --build-arg PLATFORM:BALENA_MACHINE_NAME=NAME"}))
	}
	if !w.asks(use) {
		return "", ""
	}
	q := question(use)
	doubtful, doubted := known.doubts[q]
	if doubted && !(doubtful.unproven && use.Rule != "") { // a rule in the file needs no proof either
		done.warn(w.warning(use, doubtful))
	}
	for _, note := range known.notes[q] {
		if note.Kind == resolve.RulePassed {
			done.warn(w.warning(use, doubt{text: note.Text, harmless: true}))
		}
	}
	answer, ok := known.answers[q]
	if !ok {
		return "", ""
	}
	if m := plan.MoveOf(w.template, use, answer); m != nil && !w.mayMove(w.service, *m) {
		done.warn(w.warning(use, doubt{text: moveText(*m), hint: (&MoveError{Moves: []plan.Move{*m}}).Hint()}))
		return "", ""
	}
	to, rule = answer.Use, answer.Rule
	if use.Rule != "" && to == use.Image {
		rule = use.Rule
	}
	if w.pin {
		var pinned bool
		if to, pinned = pin(answer); !pinned {
			done.warn(w.warning(use, doubt{text: "the digest of " + to + " is not known", hint: "leave --offline out: a registry knows it"}))
		}
	}
	return to, rule
}

// pin writes an answer with its digest, unless it has one: the digest of an
// index, which the author chose, says more.
func pin(answer resolve.Answer) (to string, pinned bool) {
	switch {
	case strings.Contains(answer.Use, "@"):
		return answer.Use, true
	case answer.Digest == "":
		return answer.Use, false
	}
	return answer.Use + "@" + answer.Digest, true
}

// replace writes all replacements. If together they would make another
// Dockerfile (an image has the name of a stage), those that are to blame are
// left out, image by image.
func (w rewriter) replace(done *Rewritten, uses []template.Use, list []rewrite.Replacement) (rewrite.Output, error) {
	out, err := rewrite.Crossed(w.template, w.crossed, w.fillings, list)
	if err == nil {
		return out, nil
	}
	byImage := map[string][]rewrite.Replacement{}
	for _, r := range list {
		byImage[r.New] = append(byImage[r.New], r)
	}
	const most = 64
	if len(byImage) > most {
		return out, err
	}
	var kept []rewrite.Replacement
	out, _ = rewrite.Crossed(w.template, w.crossed, w.fillings, nil)
	for _, image := range slices.Sorted(maps.Keys(byImage)) {
		next, err := rewrite.Crossed(w.template, w.crossed, w.fillings, slices.Concat(kept, byImage[image]))
		if err == nil {
			kept, out = append(kept, byImage[image]...), next
			continue
		}
		for _, r := range byImage[image] {
			text := fmt.Sprintf("%s (%s) cannot take its place: %v", r.New, r.Rule, err)
			done.warn(w.warning(uses[r.Reference], doubt{text: text, hint: wrong.Hint(err)}))
		}
	}
	return out, nil
}

// archName is the name of a result. A Dockerfile.template is one for
// Dockerfile.ARCH already, and a platform's own file may have its name.
func (s service) archName(p platform.Platform) string {
	if own, ok := s.own[p]; ok && strings.HasSuffix(own.template.Name, "."+p.Suffix()) {
		return own.template.Name
	}
	return rewrite.Name(strings.TrimSuffix(s.template.Name, ".template"), p.Suffix())
}
