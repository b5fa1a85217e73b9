package resolve

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// ask answers one question: a rule, else what the mode says.
func ask(ctx context.Context, reg Registry, rules table, q Question) (r result) {
	n, err := parseName(q.Image)
	if err != nil {
		return result{err: err}
	}
	a := &asker{reg: reg, question: q, name: n, home: rules.home, offline: rules.offline}
	defer func() { r.answer.Trail = a.trail }()
	chosen, err := rules.find(n, q.Platform)
	if err != nil {
		return result{err: err}
	}
	if passed := chosen.passed; passed != nil && chosen.rule == nil {
		text := fmt.Sprintf("%s is pinned by digest, so the rule %s (%s) does not touch it", q.Image, passed.Rule, passed.Source)
		r.warnings = append(r.warnings, Warning{Question: q, Kind: RulePassed, Rule: passed.Rule, Text: text})
	}
	switch {
	case chosen.rule != nil:
		a.because = fmt.Sprintf("rule %s (%s)", chosen.rule.Rule, chosen.rule.Source)
		r.answer, r.err = a.trust(ctx, chosen.use, chosen.rule.Source)
		r.answer.By = chosen.rule.Rule
	case rules.mode == Keep || rules.mode == Prefix && q.Chosen:
		r.answer, r.err = a.trust(ctx, q.Image, "kept")
	case rules.mode == Prefix && q.Platform != rules.home:
		if n.official() && n.pinned() {
			r.warnings = append(r.warnings, Warning{Question: q, Kind: NoPrefix, Text: q.Image + " is pinned by digest, so it gets no prefix"})
		}
		r.answer, r.err = a.prefix(ctx)
	case rules.mode == Prefix:
		r.answer, r.err = a.trust(ctx, q.Image, "kept on the default platform")
	default:
		r.answer, r.err = a.auto(ctx)
	}
	return r
}

// asker finds the answer to one question.
type asker struct {
	reg      Registry
	question Question
	name     name
	home     platform.Platform
	offline  bool
	// because names the rule of the user that decides.
	because string
	trail   []Step
}

// auto keeps the reference if it serves the platform, and otherwise tries what
// convention names. What a registry will not show is no reason to try others:
// only an image that is not there, or not for the platform, is.
func (a *asker) auto(ctx context.Context) (Answer, error) {
	answer, err := a.try(ctx, a.question.Image, "")
	if err == nil || !isMissing(err) {
		return answer, err
	}
	var none *PlatformError
	errors.As(err, &none)
	if none != nil && none.Single {
		return a.repin(ctx, none)
	}
	found, tried, doubt := a.conventions(ctx, err)
	switch {
	case doubt != nil:
		return Answer{}, doubt
	case found != nil:
		return *found, nil
	case a.offline && isNotLocked(err):
		return Answer{Question: a.question, Use: a.question.Image, Rule: "kept: offline", Undecided: true}, nil
	case none != nil:
		none.Tried = tried
	case len(tried) > 0:
		err = fmt.Errorf("%w (tried too: %s)", err, strings.Join(tried, ", "))
	}
	return answer, err
}

// isMissing tells whether an error says that a reference is not there, or not
// for the platform.
func isMissing(err error) bool {
	wrong := errors.As(err, new(*PlatformError)) || errors.As(err, new(*MismatchError))
	return wrong || IsNotFound(err) || isUnauthorized(err) || isNotLocked(err)
}

// prefix takes the official prefix where there is one.
func (a *asker) prefix(ctx context.Context) (Answer, error) {
	list := officialNames(a.name, a.question.Platform)
	if len(list) == 0 {
		answer, err := a.trust(ctx, a.question.Image, "kept: no official image")
		var none *PlatformError
		if errors.As(err, &none) && none.Single {
			return a.repin(ctx, none)
		}
		answer.Kept = answer.Digest == ""
		return answer, err
	}
	if found, _, doubt := a.first(ctx, list); found != nil || doubt != nil {
		return orNone(found), doubt
	}
	return a.trust(ctx, list[0].use, list[0].rule)
}

// trust takes a reference that was decided on. Offline it needs no proof, unless
// there is one in the lock.
func (a *asker) trust(ctx context.Context, use, rule string) (Answer, error) {
	answer, err := a.try(ctx, use, rule)
	if a.offline && isNotLocked(err) {
		return Answer{Question: a.question, Use: use, Rule: rule}, nil
	}
	return answer, err
}

// conventions gives the first conventional name that is proven to serve the
// platform, and otherwise the names that were tried. A digest names one image:
// under another name it would be a lie.
func (a *asker) conventions(ctx context.Context, why error) (found *Answer, tried []string, doubt error) {
	if a.name.pinned() {
		return nil, nil, nil
	}
	is := []platform.Platform{a.home}
	if none := new(PlatformError); errors.As(why, &none) {
		is = none.Offers
	}
	list := officialNames(a.name, a.question.Platform)
	for _, candidate := range wordNames(a.name, a.question.Platform, is) {
		if !contains(list, candidate.use) {
			list = append(list, candidate)
		}
	}
	return a.first(ctx, list)
}

// first tries candidates, best first, and takes the first that is proven. The
// best one mostly is, so the others are asked, all at once, only if it is not. A
// candidate that a registry says nothing about is a doubt, which ends the search:
// with the registry back another one would be taken.
func (a *asker) first(ctx context.Context, list []candidate) (found *Answer, tried []string, doubt error) {
	answers := make([]Answer, len(list))
	errs := make([]error, len(list))
	for i, candidate := range list {
		if i < 2 {
			together(list[i:], i == 0, func(j int) { answers[i+j], errs[i+j] = a.prove(ctx, list[i+j].use, list[i+j].rule) })
		}
		a.note(candidate.use, candidate.rule, answers[i], errs[i])
		if errs[i] == nil {
			return &answers[i], nil, nil
		}
		if !isMissing(errs[i]) && !mirrorsLackIt(errs[i]) {
			return nil, tried, errs[i]
		}
		if candidate.use != a.question.Image {
			tried = append(tried, candidate.use)
		}
	}
	return nil, tried, nil
}

func orNone(found *Answer) Answer {
	if found == nil {
		return Answer{}
	}
	return *found
}

// try is prove, and leaves a step behind.
func (a *asker) try(ctx context.Context, use, rule string) (Answer, error) {
	answer, err := a.prove(ctx, use, rule)
	a.note(use, rule, answer, err)
	return answer, err
}

// prove asks the registry whether use serves the platform. An empty rule means
// that use is the reference itself.
func (a *asker) prove(ctx context.Context, use, rule string) (Answer, error) {
	want := a.question.Platform
	image, err := a.reg.Image(ctx, use)
	if err != nil {
		return Answer{}, a.by(use, rule, err)
	}
	best, ok := pick(image.Offers, want)
	if !ok {
		n, err := parseName(use)
		single := err == nil && n.pinned() && !image.Index
		return Answer{}, &PlatformError{
			Question: a.question, Use: use, Rule: rule, Offers: platformsOf(image.Offers), Single: single, Locked: image.Locked,
		}
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
		Question: a.question, Use: use, Digest: best.Digest, Index: onlyChoice(image, best), Rule: rule,
		Onbuild: config.Onbuild, Env: config.Env, Layers: config.Layers, DiffIDs: config.DiffIDs, Locked: image.Locked,
	}, nil
}

// onlyChoice is the digest of an index in which whoever looks for the architecture
// finds this image, whatever is thought of variants.
func onlyChoice(image Image, best Offer) string {
	if !image.Index {
		return ""
	}
	for _, other := range image.Offers {
		if other.Platform.OS == best.Platform.OS && other.Platform.Arch == best.Platform.Arch && other.Digest != best.Digest {
			return ""
		}
	}
	return image.Digest
}

// by adds to an error which rule brought the reference in.
func (a *asker) by(use, rule string, err error) error {
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
