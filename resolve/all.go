package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/archbuild/archbuild/platform"
)

// WarningKind says what a warning is about, for callers that make errors of some.
type WarningKind string

const (
	// RulePassed means that a rule would fit, but the reference is pinned by digest.
	RulePassed WarningKind = "rule passed"
	// NoPrefix means that a reference pinned by digest gets no prefix in mode Prefix.
	NoPrefix WarningKind = "no prefix"
	// Undecided means that a reference was kept because offline nothing says what serves it.
	Undecided WarningKind = "undecided"
	// UndecidedPin is Undecided for a reference pinned by digest.
	UndecidedPin WarningKind = "undecided pin"
	// UnusedRule means that a rule fits no reference.
	UnusedRule WarningKind = "unused rule"
)

// Warning is something the user should know that stops nothing.
type Warning struct {
	// Question it is about; of several platforms the first. Zero for UnusedRule.
	Question
	Kind WarningKind
	// Rule it is about, for RulePassed and UnusedRule.
	Rule Rule
	Text string
}

func (w Warning) String() string { return w.Text }

// All finds which image serves each question. Every answer is proven: the image
// exists, and its own config is for the platform. Questions are asked in
// parallel; all failures are collected, each an *Error. The Registry is expected
// to remember what it was asked.
//
// Offline the registry is not asked, unless it is a lock's (Lock.Over, Lock.Only),
// of which only the lock is. What was decided by a rule or left open then has no
// Digest, and what was left open is Undecided.
func All(ctx context.Context, reg Registry, rules Rules, questions []Question) (map[Question]Answer, []Warning, error) {
	table, err := rules.read()
	if err != nil {
		return nil, nil, err
	}
	if rules.Offline {
		reg = withoutNetwork(reg)
	}
	questions = distinct(questions)
	if err := table.bounded(questions); err != nil {
		return nil, nil, err
	}
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
			failures = append(failures, failure{questions[i], r.err, r.answer.Trail})
			continue
		}
		answers[questions[i]] = r.answer
		warnings = append(warnings, r.warnings...)
	}
	warnings = append(warnings, undecided(questions, answers)...)
	for _, rule := range table.unused(rules.List, questions) {
		warnings = append(warnings, unusedRule(rule))
	}
	return answers, warnings, join(failures)
}

// undecided makes one warning for each reference that was left open, however
// many platforms it touches. The questions are sorted.
func undecided(questions []Question, answers map[Question]Answer) []Warning {
	open := map[string][]platform.Platform{}
	var first []Question
	for _, q := range questions {
		if !answers[q].Undecided {
			continue
		}
		if open[q.Image] == nil {
			first = append(first, q)
		}
		if !slices.Contains(open[q.Image], q.Platform) {
			open[q.Image] = append(open[q.Image], q.Platform)
		}
	}
	var warnings []Warning
	for _, q := range first {
		w := Warning{Question: q, Kind: Undecided}
		w.Text = fmt.Sprintf("%s is kept for %s: offline, and neither a rule nor archbuild.lock says what serves it", q.Image, list(open[q.Image]))
		if n, err := parseName(q.Image); err == nil && n.pinned() {
			w.Kind = UndecidedPin
			w.Text = fmt.Sprintf("%s is kept for %s: offline nothing says whether its digest is that of an index", q.Image, list(open[q.Image]))
		}
		warnings = append(warnings, w)
	}
	return warnings
}

type result struct {
	answer   Answer
	warnings []Warning
	err      error
}

type failure struct {
	question Question
	err      error
	trail    []Step
}

// distinct sorts the questions and drops repetitions.
func distinct(questions []Question) []Question {
	return slices.Compact(slices.SortedFunc(slices.Values(questions), compareQuestions))
}

func compareQuestions(a, b Question) int {
	chosen := 0
	switch {
	case a.Chosen && !b.Chosen:
		chosen = 1
	case b.Chosen && !a.Chosen:
		chosen = -1
	}
	return cmp.Or(cmp.Compare(a.Image, b.Image), a.Platform.Compare(b.Platform), chosen)
}

// join makes one error for each reference and cause, however many platforms it touches.
func join(failures []failure) error {
	type cause struct{ image, text string }
	seen := map[cause]*Error{}
	var errs []error
	for _, f := range failures {
		at := cause{f.question.Image, f.err.Error()}
		if e := seen[at]; e != nil {
			if !slices.Contains(e.Platforms, f.question.Platform) {
				e.Platforms = append(e.Platforms, f.question.Platform)
			}
			continue
		}
		seen[at] = &Error{Image: f.question.Image, Platforms: []platform.Platform{f.question.Platform}, Err: f.err, Trail: f.trail}
		errs = append(errs, seen[at])
	}
	return errors.Join(errs...)
}
