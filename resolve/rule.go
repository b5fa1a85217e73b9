package resolve

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Mode says what happens to a reference for which there is no rule.
type Mode string

const (
	// Auto keeps a reference that holds the platform, and otherwise takes the
	// official prefix, if that holds it. It is the default: an empty Mode means it.
	Auto Mode = "auto"
	// Prefix takes the official prefix on every platform but the default one.
	Prefix Mode = "prefix"
	// Keep changes nothing.
	Keep Mode = "keep"
)

// ParseMode reads the value of --bases.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return Auto, nil
	case Auto, Prefix, Keep:
		return m, nil
	}
	return "", &ruleError{text: fmt.Sprintf("unknown mode %q for bases", s), hint: "one of auto, prefix, keep"}
}

// Rules decide which image serves a base. The zero value is mode Auto without
// any rule, for templates written for linux/amd64.
type Rules struct {
	// Default is the platform that the template was written for; zero means linux/amd64.
	Default platform.Platform
	Mode    Mode
	List    []Rule
}

// Rule maps one reference, or one repository, to another reference.
type Rule struct {
	// Old without tag and digest stands for the whole repository.
	Old, New string
	// Platform it holds for; zero means every platform.
	Platform platform.Platform
	// Source says where the rule is written: "--base", "archbuild.yaml:7".
	Source string
	// CommandLine rules win over those of a file.
	CommandLine bool
}

// Check tells whether both sides of the rule are references.
func (r Rule) Check() error {
	_, err := r.read()
	return err
}

// entry is a rule with its references read.
type entry struct {
	Rule
	from, to name
}

func (r Rule) read() (entry, error) {
	from, err := parseName(r.Old)
	if err != nil {
		return entry{}, err
	}
	to, err := parseName(r.New)
	if err != nil {
		return entry{}, err
	}
	if r.Old == "scratch" || r.New == "scratch" {
		return entry{}, &ruleError{text: "scratch is no image and cannot be mapped", hint: "map the image, or change the FROM line"}
	}
	return entry{Rule: r, from: from, to: to}, nil
}

// ParseRule reads the value of --base: OLD=NEW[@PLATFORM]. What follows the last
// @ is a digest if it holds a colon and no slash, else a platform.
func ParseRule(s string) (Rule, error) {
	old, to, found := strings.Cut(s, "=")
	if !found || old == "" || to == "" {
		return Rule{}, &ruleError{
			text: fmt.Sprintf("--base %q is no rule", s),
			hint: "write --base OLD=NEW or --base OLD=NEW@PLATFORM, for example --base debian=registry.example/debian@linux/arm64",
		}
	}
	var on platform.Platform
	if i := strings.LastIndexByte(to, '@'); i >= 0 && (strings.Contains(to[i:], "/") || !strings.Contains(to[i:], ":")) {
		var err error
		if on, err = platform.Parse(to[i+1:]); err != nil {
			return Rule{}, fmt.Errorf("--base %q: %w", s, err)
		}
		to = to[:i]
	}
	rule := Rule{Old: old, New: to, Platform: on, Source: "--base", CommandLine: true}
	if err := rule.Check(); err != nil {
		return Rule{}, fmt.Errorf("--base %q: %w", s, err)
	}
	return rule, nil
}

// String writes the rule as --base takes it.
func (r Rule) String() string {
	s := r.Old + "=" + r.New
	if r.Platform != (platform.Platform{}) {
		s += "@" + r.Platform.String()
	}
	return s
}

// match tells how a rule stands to a reference.
func (r entry) match(n name, on platform.Platform) matching {
	if r.Platform != (platform.Platform{}) && r.Platform != on || r.from.repo != n.repo {
		return no
	}
	switch {
	case r.from.bare() && n.pinned():
		return pinned
	case r.from.bare():
		return repository
	case r.from.pinned():
		if r.from.digest == n.digest && (r.from.tag == "" || r.from.tag == n.tag) {
			return exact
		}
		return no
	case r.from.tag != n.effective():
		return no
	case n.pinned():
		return pinned
	}
	return exact
}

// matching orders the ways in which a rule fits, best last.
type matching int

const (
	no         matching = iota
	pinned              // would fit, but a digest says exactly which image is meant
	repository          // the repository is named
	exact               // this very reference is named
)

// apply is what the rule makes of a reference: a rule for a repository keeps
// the tag, unless it names one itself.
func (r entry) apply(n name) string {
	if r.from.bare() && r.to.bare() && n.tag != "" {
		return r.New + ":" + n.tag
	}
	return r.New
}

// rank orders rules for the same question: the one that names the reference more
// exactly, then the command line before a file, then the one for this platform.
func (r entry) rank() []int {
	yes := map[bool]int{true: 1}
	return []int{yes[!r.from.bare()], yes[r.CommandLine], yes[r.Platform != (platform.Platform{})]}
}

// table is Rules made ready for questions.
type table struct {
	mode  Mode
	home  platform.Platform // the default one
	rules []entry
}

// find gives the rule that decides, or nil; passed is one that would, were the
// reference not pinned by digest.
func (t table) find(n name, on platform.Platform) (rule, passed *entry) {
	for i := range t.rules {
		candidate := &t.rules[i]
		switch candidate.match(n, on) {
		case repository, exact:
			if rule == nil || slices.Compare(candidate.rank(), rule.rank()) > 0 {
				rule = candidate
			}
		case pinned:
			if passed == nil {
				passed = candidate
			}
		}
	}
	return rule, passed
}

// place is what two rules must not both decide.
type place struct {
	repo, tag, digest string
	on                platform.Platform
	commandLine       bool
}

// read fills in the defaults and refuses rules that are none, and two that
// fight: the same reference, platform and origin, but another image.
func (r Rules) read() (table, error) {
	t := table{mode: cmp.Or(r.Mode, Auto), home: cmp.Or(r.Default, platform.Platform{OS: "linux", Arch: "amd64"})}
	var errs []error
	seen := map[place]Rule{}
	for _, rule := range r.List {
		e, err := rule.read()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", rule.Source, err))
			continue
		}
		at := place{e.from.repo, e.from.tag, e.from.digest, rule.Platform, rule.CommandLine}
		if other, ok := seen[at]; ok && other.New != rule.New {
			errs = append(errs, &FightError{First: other, Second: rule})
		}
		seen[at] = rule
		t.rules = append(t.rules, e)
	}
	return t, errors.Join(errs...)
}

// Check tells whether the rules can be used: each a pair of references, no two
// that fight. All does the same first.
func (r Rules) Check() error {
	_, err := r.read()
	return err
}

// FightError says that two rules of the same weight want different things.
type FightError struct{ First, Second Rule }

func (e *FightError) Error() string {
	return fmt.Sprintf("two rules fight: %s (%s) and %s (%s)", e.First, e.First.Source, e.Second, e.Second.Source)
}

// Hint is the one thing to do.
func (e *FightError) Hint() string { return "keep one of them" }

// ruleError is an error about a rule the user wrote.
type ruleError struct{ text, hint string }

func (e *ruleError) Error() string { return e.text }

// Hint is the one thing to do.
func (e *ruleError) Hint() string { return e.hint }
