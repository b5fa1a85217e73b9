package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/platform"
)

// Warning is something the user should know that stops nothing.
type Warning struct {
	Question
	Text string
}

func (w Warning) String() string { return w.Text }

// All finds which image serves each question. Every answer is proven: the image
// exists, and its own config is for the platform. Questions are asked in
// parallel; all failures are collected, each an *Error. The Registry is expected
// to remember what it was asked.
func All(ctx context.Context, reg Registry, rules Rules, questions []Question) (map[Question]Answer, []Warning, error) {
	table, err := rules.read()
	if err != nil {
		return nil, nil, err
	}
	questions = distinct(questions)
	results := make([]result, len(questions))
	var wait sync.WaitGroup
	for i, q := range questions {
		wait.Go(func() { results[i] = ask(ctx, reg, table, q) })
	}
	wait.Wait()
	answers := map[Question]Answer{}
	var warnings []Warning
	var failures []failure
	for i, r := range results {
		if r.err != nil {
			failures = append(failures, failure{questions[i], r.err})
			continue
		}
		answers[questions[i]] = r.answer
		warnings = append(warnings, r.warnings...)
	}
	return answers, warnings, join(failures)
}

type result struct {
	answer   Answer
	warnings []Warning
	err      error
}

type failure struct {
	question Question
	err      error
}

// distinct sorts the questions and drops repetitions.
func distinct(questions []Question) []Question {
	sorted := slices.SortedFunc(slices.Values(questions), func(a, b Question) int {
		return cmp.Or(cmp.Compare(a.Image, b.Image), a.Platform.Compare(b.Platform))
	})
	return slices.Compact(sorted)
}

// join makes one error for each reference and cause, however many platforms it touches.
func join(failures []failure) error {
	type cause struct{ image, text string }
	seen := map[cause]*Error{}
	var errs []error
	for _, f := range failures {
		at := cause{f.question.Image, f.err.Error()}
		if e := seen[at]; e != nil {
			e.Platforms = append(e.Platforms, f.question.Platform)
			continue
		}
		seen[at] = &Error{Image: f.question.Image, Platforms: []platform.Platform{f.question.Platform}, Err: f.err}
		errs = append(errs, seen[at])
	}
	return errors.Join(errs...)
}

// ask answers one question: a rule, else what the mode says.
func ask(ctx context.Context, reg Registry, rules table, q Question) result {
	n, err := parseName(q.Image)
	if err != nil {
		return result{err: err}
	}
	asker := asker{reg: reg, question: q, name: n}
	rule, passed := rules.find(n, q.Platform)
	var r result
	switch {
	case rule != nil:
		r.answer, r.err = asker.prove(ctx, rule.apply(n), rule.Source)
	case rules.mode == Keep:
		r.answer, r.err = asker.prove(ctx, q.Image, "kept")
	case rules.mode == Prefix && q.Platform != rules.home:
		r = asker.prefix(ctx)
	case rules.mode == Prefix:
		r.answer, r.err = asker.prove(ctx, q.Image, "kept on the default platform")
	default:
		r.answer, r.err = asker.auto(ctx)
	}
	if rule == nil && passed != nil {
		r.warn(q, fmt.Sprintf("%s is pinned by digest, so the rule %s (%s) does not touch it", q.Image, passed.Rule, passed.Source))
	}
	return r
}

func (r *result) warn(q Question, text string) {
	r.warnings = append(r.warnings, Warning{Question: q, Text: text})
}

// asker finds the answer to one question.
type asker struct {
	reg      Registry
	question Question
	name     name
}

// auto keeps the reference if it serves the platform, and otherwise tries what
// convention names. What a registry will not show is no reason to try others:
// only an image that is not there, or not for the platform, is.
func (a asker) auto(ctx context.Context) (Answer, error) {
	answer, err := a.prove(ctx, a.question.Image, "")
	wrong := errors.As(err, new(*PlatformError)) || errors.As(err, new(*MismatchError))
	if err == nil || !wrong && !IsNotFound(err) && !isUnauthorized(err) {
		return answer, err
	}
	found, tried := a.conventions(ctx)
	if found != nil {
		return *found, nil
	}
	var none *PlatformError
	switch {
	case errors.As(err, &none):
		none.Tried = tried
	case len(tried) > 0:
		err = fmt.Errorf("%w (tried too: %s)", err, strings.Join(tried, ", "))
	}
	return answer, err
}

// prefix takes the official prefix where there is one.
func (a asker) prefix(ctx context.Context) result {
	var r result
	official := a.name.official()
	switch {
	case official && a.name.pinned():
		r.warn(a.question, a.question.Image+" is pinned by digest, so it gets no prefix")
		fallthrough
	case !official || len(prefixes(a.question.Platform)) == 0:
		r.answer, r.err = a.prove(ctx, a.question.Image, "kept: no official image")
	default:
		if found, _ := a.conventions(ctx); found != nil {
			r.answer = *found
			return r
		}
		prefix := prefixes(a.question.Platform)[0]
		r.answer, r.err = a.prove(ctx, a.name.in(prefix), "official prefix "+prefix+"/")
	}
	return r
}

// conventions gives the first conventional name that is proven to serve the
// platform, and otherwise the names that were tried. A digest names one image:
// under another name it would be a lie.
func (a asker) conventions(ctx context.Context) (found *Answer, tried []string) {
	if !a.name.official() || a.name.pinned() {
		return nil, nil
	}
	for _, prefix := range prefixes(a.question.Platform) {
		use := a.name.in(prefix)
		answer, err := a.prove(ctx, use, "official prefix "+prefix+"/")
		if err == nil {
			return &answer, nil
		}
		if use != a.question.Image {
			tried = append(tried, use)
		}
	}
	return nil, tried
}

// prove asks the registry whether use serves the platform. An empty rule means
// that use is the reference itself.
func (a asker) prove(ctx context.Context, use, rule string) (Answer, error) {
	want := a.question.Platform
	image, err := a.reg.Image(ctx, use)
	if err != nil {
		return Answer{}, a.by(use, rule, err)
	}
	best, ok := pick(image.Offers, want)
	if !ok {
		n, err := parseName(use)
		single := err == nil && n.pinned() && !image.Index
		return Answer{}, &PlatformError{Question: a.question, Use: use, Rule: rule, Offers: platformsOf(image.Offers), Single: single}
	}
	config, err := a.reg.Config(ctx, use, best.Digest)
	if err != nil {
		return Answer{}, a.by(use, rule, err)
	}
	if !confirms(config, best.Platform, want) {
		return Answer{}, &MismatchError{Question: a.question, Use: use, Digest: best.Digest, Found: config.Platform}
	}
	if rule == "" {
		rule = "image is for it"
		if image.Index {
			rule = "index holds it"
		}
	}
	return Answer{
		Question: a.question, Use: use, Digest: best.Digest, Rule: rule,
		Onbuild: config.Onbuild, Layers: config.Layers,
	}, nil
}

// by adds to an error which rule brought the reference in.
func (a asker) by(use, rule string, err error) error {
	if use == a.question.Image {
		return err
	}
	return fmt.Errorf("%w (by %s)", err, rule)
}

// confirms tells whether an image's config bears out that it serves want. Many
// images for ARM name no variant in their config: then the index's word counts.
func confirms(config Config, listed, want platform.Platform) bool {
	if config.NoVariant {
		return config.Platform.OS == listed.OS && config.Platform.Arch == listed.Arch
	}
	return config.Platform.Serves(want)
}

// pick finds the offer that fits a platform best; of equal ones the first.
func pick(offers []Offer, want platform.Platform) (best Offer, ok bool) {
	for _, offer := range offers {
		if offer.Platform.Serves(want) && (!ok || offer.Platform.Better(best.Platform, want)) {
			best, ok = offer, true
		}
	}
	return best, ok
}

func platformsOf(offers []Offer) []platform.Platform {
	list := make([]platform.Platform, len(offers))
	for i, offer := range offers {
		list[i] = offer.Platform
	}
	return list
}
