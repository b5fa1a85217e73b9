package resolve

import (
	"fmt"
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
	return "", &RuleError{Text: fmt.Sprintf("unknown mode %q for bases", s), hint: "one of auto, prefix, keep"}
}

// Rules decide which image serves a base. The zero value is mode Auto without
// any rule, for templates written for linux/amd64.
type Rules struct {
	// Default is the platform that the template was written for; zero means linux/amd64.
	Default platform.Platform
	Mode    Mode
	List    []Rule
	// Offline asks no registry: rules and the lock decide, and what they leave open is kept.
	Offline bool
}

// Rule maps references to others. What Old looks like says which it fits:
//
//	debian:12                 this reference
//	debian:*-slim             these tags of a repository
//	debian                    the repository: the tag is kept, unless New has one
//	registry.example/*/base   a glob: * fits within a name, ** across slashes too;
//	                          each in New stands for what its like in Old fitted
//	~quay.io/(.*)             a regular expression for the whole reference, in full
//	                          or else short form; New says $1, ${name}
//
// Of several that fit, the one named first here decides, of two globs the one
// with more letters; then the command line before archbuild.yaml; then a rule for
// this platform before one for all. Comments in the Dockerfile are no Rules: what
// they say comes in as the reference, unless Rules.Overruling says otherwise.
//
// A digest says exactly which image is meant: a reference pinned by one is left
// alone, but by a rule that names the digest, and by a regular expression that
// takes the digest over into New.
type Rule struct {
	Old, New string
	// Platform it holds for; zero means every platform.
	Platform platform.Platform
	// Source says where the rule is written: "--base", "archbuild.yaml:7".
	Source string
	// CommandLine rules win over those of a file.
	CommandLine bool
	// Column in the line that Source names, or 0.
	Column int
}

// Check tells whether both sides of the rule are references.
func (r Rule) Check() error {
	_, err := r.read()
	return err
}

// ParseRule reads the value of --base: OLD=NEW[@PLATFORM]. What follows the last
// @ is a digest if it holds a colon and no slash, else a platform.
func ParseRule(s string) (Rule, error) {
	old, to, found := strings.Cut(s, "=")
	if !found || old == "" || to == "" {
		return Rule{}, &RuleError{
			Text: fmt.Sprintf("--base %q is no rule", s),
			hint: "write --base OLD=NEW or --base OLD=NEW@PLATFORM, for example --base debian=registry.example/debian@linux/arm64",
		}
	}
	var on platform.Platform
	if i := strings.LastIndexByte(to, '@'); i >= 0 && isPlatform(to[i+1:]) {
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

// isPlatform tells whether what follows an @ is a platform: no digest, and no
// group of a regular expression.
func isPlatform(text string) bool {
	return strings.Contains(text, "/") || !strings.Contains(text, ":") && !strings.HasPrefix(text, "$")
}

// String writes the rule as --base takes it.
func (r Rule) String() string {
	s := r.Old + "=" + r.New
	if r.Platform != (platform.Platform{}) {
		s += "@" + r.Platform.String()
	}
	return s
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
	return fmt.Sprintf("two rules fight: %s (%s) and %s (%s)", e.First, e.First.writtenAt(), e.Second, e.Second.writtenAt())
}

// writtenAt is Source with the column.
func (r Rule) writtenAt() string {
	if r.Column == 0 {
		return r.Source
	}
	return fmt.Sprintf("%s:%d", r.Source, r.Column)
}

// Hint is the one thing to do.
func (e *FightError) Hint() string { return "keep one of them" }

// RuleError is an error about a rule the user wrote.
type RuleError struct {
	Text string
	// Side of the rule that it is about: its Old or its New; empty for the whole.
	Side string
	hint string
}

func (e *RuleError) Error() string { return e.Text }

// Hint is the one thing to do.
func (e *RuleError) Hint() string { return e.hint }
