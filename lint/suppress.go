package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/template"
)

// suppress leaves out what comments of the file name. A comment holds for the
// instruction that follows it, or that it stands in:
//
//	# archbuild ignore=arch-literal,checksum-one-arch the server offers it to its clients
//
// and for the whole file with the word global before ignore. What follows the names is for readers.
func suppress(t *template.Template, found []Finding) []Finding {
	var everywhere []string
	lines := map[int][]string{}
	for _, c := range comments(t) {
		if c.global {
			everywhere = append(everywhere, c.rules...)
			continue
		}
		first, last := t.Around(c.line)
		for at := first; at <= last; at++ {
			lines[at] = append(lines[at], c.rules...)
		}
	}
	return slices.DeleteFunc(found, func(f Finding) bool {
		return f.File == t.File && (slices.Contains(everywhere, f.ID) || slices.Contains(lines[f.Line], f.ID))
	})
}

// Mistyped tells of comments that are meant to suppress a rule and do not, a sentence each.
func Mistyped(t *template.Template) []string {
	var notes []string
	for _, c := range comments(t) {
		for _, name := range c.unknown {
			note := fmt.Sprintf("%s:%d: ignore=%s: there is no such rule", t.File, c.line, name)
			if near := nearRule(name); near != "" {
				note += "; did you mean " + near + "?"
			}
			notes = append(notes, note)
		}
		if c.form != "" {
			notes = append(notes, fmt.Sprintf("%s:%d: the comment suppresses nothing; write # archbuild %s", t.File, c.line, c.form))
		}
	}
	return notes
}

// comment is one that is about suppressing.
type comment struct {
	line   int
	global bool
	// rules that it names, and names that are none.
	rules, unknown []string
	// form is how it has to be written when it is not.
	form string
}

var (
	suppressing = regexp.MustCompile(`^[ \t]*#[ \t]*archbuild[ \t]+(global[ \t]+)?ignore=(.*)$`)
	// almost matches what is easily written instead: a blank or a colon for the equals sign.
	almost = regexp.MustCompile(`^[ \t]*#[ \t]*archbuild:?[ \t]+(global[ \t]+)?ignore[ \t]*[:= ][ \t]*([a-z][a-z0-9-]*)`)
	// listed names are separated by commas, with blanks beside them or none.
	firstName = regexp.MustCompile(`^[^\s,]*`)
	nextName  = regexp.MustCompile(`^[ \t]*,([ \t]*)([^\s,]*)`)
)

// comments reads those of a file.
func comments(t *template.Template) []comment {
	var list []comment
	for number, line := range strings.Split(string(t.Source), "\n") {
		line = strings.TrimRight(line, "\r")
		if m := suppressing.FindStringSubmatch(line); m != nil {
			c := comment{line: number + 1, global: m[1] != ""}
			c.names(strings.TrimLeft(m[2], " \t"))
			list = append(list, c)
		} else if m := almost.FindStringSubmatch(line); m != nil && nearRule(m[2]) != "" {
			list = append(list, comment{line: number + 1, form: strings.TrimLeft(strings.TrimSpace(m[1])+" ignore=", " ") + nearRule(m[2])})
		}
	}
	return list
}

// names reads the rules behind ignore=. After a comma and a blank the names go on as long as
// they are rules, or nearly: else it is what the author has to say.
func (c *comment) names(rest string) {
	name := firstName.FindString(rest)
	rest = rest[len(name):]
	c.name(name)
	for {
		m := nextName.FindStringSubmatch(rest)
		if m == nil || m[1] != "" && nearRule(m[2]) == "" {
			return
		}
		c.name(m[2])
		rest = rest[len(m[0]):]
	}
}

func (c *comment) name(name string) {
	if _, known := ByID(name); known {
		c.rules = append(c.rules, name)
	} else if name != "" {
		c.unknown = append(c.unknown, name)
	}
}

// nearRule is the rule that a name is, or is meant to be.
func nearRule(name string) string {
	if _, known := ByID(name); known {
		return name
	}
	var ids []string
	for _, r := range Rules {
		ids = append(ids, r.ID)
	}
	return nearest.Word(name, ids)
}
