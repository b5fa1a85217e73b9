package resolve

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/platform"
)

// kind orders rules by how exactly they name a reference, best last.
type kind int

const (
	byRegexp     kind = iota
	byGlob            // registry.example/*/base
	byRepository      // debian
	byTags            // debian:*-slim
	byReference       // debian:12
)

// entry is a rule that has been read.
type entry struct {
	Rule
	kind kind
	// from and to are both sides, where they are references.
	from, to name
	// glob or expression is the left side where it is a pattern.
	glob       *glob
	expression *expression
}

func (r Rule) read() (entry, error) {
	e := entry{Rule: r}
	if r.Old == "scratch" || r.New == "scratch" {
		return e, &RuleError{Text: "scratch is no image and cannot be mapped", hint: "map the image, or change the FROM line"}
	}
	var err error
	switch {
	case isExpression(r.Old):
		e.kind = byRegexp
		e.expression, err = readExpression(r.Old, r.New)
		return e, err
	case isGlob(r.Old):
		e.glob, err = readGlob(r.Old, r.New)
		if err == nil {
			e.kind = e.glob.kind()
		}
		return e, err
	}
	if e.from, err = parseName(r.Old); err != nil {
		return e, err
	}
	if e.to, err = parseName(r.New); err != nil {
		return e, err
	}
	e.kind = byReference
	if e.from.bare() {
		e.kind = byRepository
	}
	return e, nil
}

// fit tells how a rule stands to a reference.
type fit int

const (
	no     fit = iota
	pinned     // would fit, but a digest says exactly which image is meant
	yes
)

// match tells how a rule stands to a reference, and what it makes of it.
func (e entry) match(n name, on platform.Platform) (fit, string) {
	if e.Platform != (platform.Platform{}) && e.Platform != on {
		return no, ""
	}
	switch {
	case e.expression != nil:
		return e.expression.match(n)
	case e.glob != nil:
		return e.glob.match(n)
	case e.from.repo != n.repo:
		return no, ""
	case e.from.pinned():
		if e.from.digest == n.digest && (e.from.tag == "" || e.from.tag == n.tag) {
			return yes, e.New
		}
		return no, ""
	case !e.from.bare() && e.from.tag != n.effective():
		return no, ""
	case n.pinned():
		return pinned, ""
	case e.from.bare():
		return yes, keepTag(e.New, e.to.bare(), n)
	}
	return yes, e.New
}

// keepTag adds the reference's tag to the right side of a rule that names none.
func keepTag(use string, bare bool, n name) string {
	if bare && n.tag != "" {
		return use + ":" + n.tag
	}
	return use
}

// rank orders rules for the same question; see Rule.
func (e entry) rank() []int {
	number := map[bool]int{true: 1}
	letters := 0
	if e.glob != nil {
		letters = e.glob.letters
	}
	return []int{int(e.kind), letters, number[e.CommandLine], number[e.Platform != (platform.Platform{})]}
}

// table is Rules made ready for questions.
type table struct {
	mode    Mode
	home    platform.Platform // the default one
	offline bool
	// rules that name a repository, by its full name, and those that are patterns.
	rules    map[string][]entry
	patterns []entry
}

// Each rule that is a pattern is held against every reference, and archbuild.yaml
// comes with the source, as the Dockerfile does: together they are bounded.
const (
	maxPatterns = 200
	maxMatches  = 20_000
)

// bounded tells whether there are too many patterns for so many questions.
func (t table) bounded(questions []Question) error {
	if len(t.patterns)*len(questions) <= maxMatches {
		return nil
	}
	return &RuleError{
		Text: fmt.Sprintf("%d rules that are globs or regular expressions are too many for %d questions", len(t.patterns), len(questions)),
		hint: "join some by ** or by (a|b), or name repositories",
	}
}

// choice is what the rules say about a question.
type choice struct {
	// rule is the one that decides, or nil; use is what it makes of the reference.
	rule *entry
	use  string
	// passed is one that would decide, were the reference not pinned by digest.
	passed *entry
}

// about lists the rules that may fit a reference.
func (t table) about(n name) []*entry {
	var list []*entry
	for _, rules := range [][]entry{t.rules[n.repo], t.patterns} {
		for i := range rules {
			list = append(list, &rules[i])
		}
	}
	return list
}

// find gives the rule that decides. Two of the same weight that want different
// things are an error.
func (t table) find(n name, on platform.Platform) (choice, error) {
	var c choice
	var other *entry
	for _, candidate := range t.about(n) {
		fits, use := candidate.match(n, on)
		if fits == pinned && c.passed == nil {
			c.passed = candidate
		}
		if fits != yes {
			continue
		}
		order := 1
		if c.rule != nil {
			order = slices.Compare(candidate.rank(), c.rule.rank())
		}
		switch {
		case order > 0:
			c.rule, c.use, other = candidate, use, nil
		case order == 0 && use != c.use:
			other = candidate
		}
	}
	if other != nil {
		return c, &FightError{First: c.rule.Rule, Second: other.Rule}
	}
	if c.rule == nil {
		return c, nil
	}
	if _, err := parseName(c.use); err != nil || c.use == "scratch" {
		return c, &RuleError{
			Text: fmt.Sprintf("the rule %s (%s) makes %q of %s, which is no image reference", c.rule.Rule, c.rule.writtenAt(), c.use, n.written),
			hint: "correct the right side of the rule",
		}
	}
	return c, nil
}

// unused lists the rules of the command line that fit none of the questions.
func (t table) unused(rules []Rule, questions []Question) []Rule {
	used := map[Rule]bool{}
	if !slices.ContainsFunc(rules, func(r Rule) bool { return r.CommandLine }) {
		return nil
	}
	for _, q := range questions {
		n, err := parseName(q.Image)
		if err != nil {
			continue
		}
		for _, e := range t.about(n) {
			if fits, _ := e.match(n, q.Platform); e.CommandLine && fits != no {
				used[e.Rule] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return !r.CommandLine || used[r] })
}

// UnusedOfFile lists the rules of files that fit none of the questions, though
// they are for one of their platforms. What has no use in one Dockerfile may have
// it in another one beside it.
func (r Rules) UnusedOfFile(questions []Question) []Warning {
	table, err := r.read()
	if err != nil || table.bounded(questions) != nil {
		return nil
	}
	used, asked := map[Rule]bool{}, map[platform.Platform]bool{{}: true}
	for _, q := range distinct(questions) {
		asked[q.Platform] = true
		n, err := parseName(q.Image)
		if err != nil {
			continue
		}
		for _, e := range table.about(n) {
			if fits, _ := e.match(n, q.Platform); fits != no {
				used[e.Rule] = true
			}
		}
	}
	var list []Warning
	for _, rule := range r.List {
		if !rule.CommandLine && !used[rule] && asked[rule.Platform] {
			list = append(list, unusedRule(rule))
		}
	}
	return list
}

func unusedRule(rule Rule) Warning {
	return Warning{Kind: UnusedRule, Rule: rule, Text: fmt.Sprintf("%s %s matched no image of this Dockerfile", rule.Source, rule)}
}

// place is what two rules must not both decide.
type place struct {
	repo, tag, digest string
	on                platform.Platform
	commandLine       bool
}

func (e entry) place() place {
	p := place{repo: e.from.repo, tag: e.from.tag, digest: e.from.digest, on: e.Platform, commandLine: e.CommandLine}
	if e.expression != nil || e.glob != nil {
		p.repo = e.Old
	}
	return p
}

// read fills in the defaults and refuses rules that are none, and two that
// fight: the same reference, platform and origin, but another image.
func (r Rules) read() (table, error) {
	t := table{
		mode: cmp.Or(r.Mode, Auto), home: cmp.Or(r.Default, platform.Platform{OS: "linux", Arch: "amd64"}),
		offline: r.Offline, rules: map[string][]entry{},
	}
	var errs []error
	seen := map[place]Rule{}
	for _, rule := range r.List {
		e, err := rule.read()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", rule.Source, err))
			continue
		}
		at := e.place()
		if other, ok := seen[at]; ok && other.New != rule.New {
			errs = append(errs, &FightError{First: other, Second: rule})
		}
		seen[at] = rule
		if e.expression != nil || e.glob != nil {
			t.patterns = append(t.patterns, e)
			continue
		}
		t.rules[e.from.repo] = append(t.rules[e.from.repo], e)
	}
	if len(t.patterns) > maxPatterns {
		errs = append(errs, &RuleError{
			Text: fmt.Sprintf("%d rules are globs or regular expressions, more than %d", len(t.patterns), maxPatterns),
			hint: "join some by ** or by (a|b)",
		})
	}
	return t, errors.Join(errs...)
}
