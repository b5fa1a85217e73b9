package spec

import (
	"fmt"
	"regexp"
	"strings"
)

// variableName is what shells accept as the name of a variable.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME} by a variable's value, and $$ by $. Any other $
// stays. Values are not read again, so a variable cannot bring another in.
// What is wrong is told at the place of s.
func (r *reader) expand(s text) (string, bool) {
	var out strings.Builder
	rest := s.written
	for {
		before, after, found := strings.Cut(rest, "$")
		out.WriteString(before)
		if !found {
			return out.String(), true
		}
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{"):
			name, tail, closed := strings.Cut(after[1:], "}")
			value, ok := r.variable(s, name, closed)
			if !ok || !r.spend(s, len(value)) {
				return "", false
			}
			out.WriteString(value)
			rest = tail
		default:
			out.WriteByte('$')
			rest = after
		}
	}
}

func (r *reader) variable(at text, name string, closed bool) (string, bool) {
	if !closed || !variableName.MatchString(name) {
		shown := "${" + name
		if closed {
			shown += "}"
		}
		r.fail(at, fmt.Sprintf("%s is no variable", quote(shown)), "write ${NAME} for a variable of the environment, $${ for the text ${")
		return "", false
	}
	if r.opts.Env != nil {
		if value, ok := r.opts.Env(name); ok {
			return value, true
		}
	}
	r.fail(at, fmt.Sprintf("the variable %s is not set", name), fmt.Sprintf("set %s in the environment (empty will do), or write $${%s} for the text itself", name, name))
	return "", false
}
