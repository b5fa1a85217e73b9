package resolve

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// maxPattern bounds the left side of a rule; a reference has 255 bytes.
const maxPattern = 1000

// isExpression tells whether the left side of a rule is a regular expression.
func isExpression(old string) bool { return strings.HasPrefix(old, "~") }

// isGlob tells whether the left side of a rule is a glob.
func isGlob(old string) bool { return strings.Contains(old, "*") }

// glob is a rule's left side with wildcards, and its right side.
type glob struct {
	repo *regexp.Regexp
	// tag is nil when the glob names none, so it stands for repositories.
	tag *regexp.Regexp
	// wildRepo tells that the repository has a wildcard, not the tag alone.
	wildRepo bool
	// letters counts what is no wildcard.
	letters int
	// new is the right side, cut at its wildcards; bare: it has no tag.
	new  []string
	bare bool
}

var stars = regexp.MustCompile(`\*\*?`)

func readGlob(old, to string) (*glob, error) {
	if len(old) > maxPattern || strings.Contains(old, "***") || strings.Contains(old, "@") || !isReference(stars.ReplaceAllString(old, "x")) {
		return nil, &RuleError{
			Side: old,
			Text: fmt.Sprintf("%.100q is no glob for image references", old),
			hint: "write a reference with * in its names or tag, ** across slashes: registry.example/*/base, debian:*-slim",
		}
	}
	repo, tag := cutTag(old)
	g := &glob{letters: len(stars.ReplaceAllString(old, "")), wildRepo: isGlob(repo), new: stars.Split(to, -1)}
	g.repo = wildcards(fullRepository(repo))
	if tag != "" {
		g.tag = wildcards(tag)
	}
	given, taken := len(stars.FindAllString(old, -1)), len(g.new)-1
	if taken > given {
		return nil, &RuleError{
			Side: to,
			Text: fmt.Sprintf("%s has %d wildcards, but %s only %d", to, taken, old, given),
			hint: "each * on the right stands for what the * at its place on the left fitted",
		}
	}
	example, err := parseName(strings.Join(g.new, "x"))
	if err != nil {
		return nil, &ReferenceError{Reference: to, Err: err}
	}
	g.bare = example.bare()
	return g, nil
}

func isReference(text string) bool {
	_, err := reference.ParseNormalizedNamed(text)
	return err == nil
}

// cutTag separates the tag of a reference without digest.
func cutTag(text string) (repo, tag string) {
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, '/') {
		return text[:i], text[i+1:]
	}
	return text, ""
}

// fullRepository fills in what a short name leaves out, wildcards and all. A
// name that begins with ** may begin with any registry.
func fullRepository(repo string) string {
	first, rest, found := strings.Cut(repo, "/")
	switch {
	case strings.Contains(first, "**"):
		return repo
	case !found:
		return "docker.io/library/" + repo
	case first == "index.docker.io" || first == "docker.io":
		if !strings.Contains(rest, "/") && !strings.Contains(rest, "**") {
			rest = "library/" + rest
		}
		return "docker.io/" + rest
	case !isHost(first):
		return "docker.io/" + repo
	}
	return repo
}

// wildcards makes an expression of a glob: one group for each wildcard.
func wildcards(text string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("^")
	at := 0
	for _, span := range stars.FindAllStringIndex(text, -1) {
		b.WriteString(regexp.QuoteMeta(text[at:span[0]]))
		if at = span[1]; span[1]-span[0] == 2 {
			b.WriteString("(.*)")
		} else {
			b.WriteString("([^/]*)")
		}
	}
	b.WriteString(regexp.QuoteMeta(text[at:]) + "$")
	return regexp.MustCompile(b.String())
}

func (g *glob) kind() kind {
	if g.tag != nil && !g.wildRepo {
		return byTags
	}
	return byGlob
}

func (g *glob) match(n name) (fit, string) {
	repo := g.repo.FindStringSubmatch(n.repo)
	if repo == nil {
		return no, ""
	}
	groups := repo[1:]
	if g.tag != nil {
		tag := g.tag.FindStringSubmatch(n.effective())
		if tag == nil {
			return no, ""
		}
		groups = append(groups, tag[1:]...)
	}
	if n.pinned() {
		return pinned, ""
	}
	var b strings.Builder
	for i, piece := range g.new {
		if i > 0 {
			b.WriteString(groups[i-1])
		}
		b.WriteString(piece)
	}
	if g.tag != nil {
		return yes, b.String()
	}
	return yes, keepTag(b.String(), g.bare, n)
}

// expression is a rule's left side as a regular expression, and its right side.
type expression struct {
	re  *regexp.Regexp
	new string
}

// groupName finds the groups that the right side of a rule takes over, as
// regexp.Expand does.
var groupName = regexp.MustCompile(`\$\$|\$\{(\w*)\}|\$(\w+)|\$`)

func readExpression(old, to string) (*expression, error) {
	bad := func(side, format string, args ...any) error {
		return &RuleError{
			Side: side,
			Text: fmt.Sprintf(format, args...),
			hint: "write ~EXPRESSION for the whole reference, $1 or ${1} for its groups: ~quay.io/(.*) and mirror.example/$1",
		}
	}
	if len(old) > maxPattern {
		return nil, bad(old, "the regular expression is longer than %d bytes", maxPattern)
	}
	// Compiled alone first, so that a stray ) cannot leave the group.
	if _, err := regexp.Compile(old[1:]); err != nil {
		return nil, bad(old, "%q is no regular expression: %v", old[1:], err)
	}
	re, err := regexp.Compile("^(?:" + old[1:] + ")$")
	if err != nil || old == "~" {
		return nil, bad(old, "%q is no regular expression", old[1:])
	}
	known := map[string]bool{}
	for i, name := range re.SubexpNames() {
		known[fmt.Sprint(i)], known[name] = true, true
	}
	delete(known, "")
	for _, m := range groupName.FindAllStringSubmatch(to, -1) {
		if group := m[1] + m[2]; !known[group] {
			return nil, bad(to, "%s is no group of the regular expression %q", m[0], old[1:])
		}
	}
	// Whatever the groups fit, what is around them must be a reference's.
	const digest = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	example := groupName.ReplaceAllString(regexp.MustCompile(`@\$(\{\w+\}|\w+)$`).ReplaceAllString(to, digest), "x")
	if _, err := parseName(example); err != nil {
		return nil, &ReferenceError{Reference: to, Err: err}
	}
	return &expression{re: re, new: to}, nil
}

// match looks at the full form of a reference, and if that does not fit, at the
// short one. A digest must come out as it went in.
func (e *expression) match(n name) (fit, string) {
	for _, form := range n.forms() {
		groups := e.re.FindStringSubmatchIndex(form)
		if groups == nil {
			continue
		}
		use := string(e.re.ExpandString(nil, e.new, form, groups))
		if n.pinned() && !strings.HasSuffix(use, "@"+n.digest) {
			return pinned, ""
		}
		return yes, use
	}
	return no, ""
}

// forms are the full form of a reference and its short one, both with the tag
// that counts: docker.io/library/debian:12, debian:12.
func (n name) forms() []string {
	suffix := ""
	if tag := n.effective(); tag != "" {
		suffix = ":" + tag
	}
	if n.pinned() {
		suffix += "@" + n.digest
	}
	list := []string{n.repo + suffix}
	if short := n.short(); short != n.repo {
		list = append(list, short+suffix)
	}
	return list
}

// short is the repository without what Docker fills in.
func (n name) short() string {
	named, err := reference.ParseNormalizedNamed(n.repo)
	if err != nil {
		return n.repo
	}
	return reference.FamiliarName(named)
}
