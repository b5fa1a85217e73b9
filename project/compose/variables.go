package compose

import (
	"fmt"
	"slices"
	"strings"
)

// unfilled says why variables cannot be filled in. One that is required and not set is a mistake only where
// its value is needed.
type unfilled struct {
	text, hint string
	required   bool
}

// operators follow the name in ${NAME…}; with a colon, an empty value counts as none.
var operators = []string{":?", "?", ":-", "-", ":+", "+"}

const (
	// maxNested bounds defaults within defaults.
	maxNested = 32
	// maxValue bounds what variables make of a value.
	maxValue = 1 << 20
)

// fill replaces $NAME, ${NAME} and the forms with operators as compose does (its reference: Interpolation);
// $$ is a dollar sign. Names that have no value and no default are empty, and told.
func fill(text string, env map[string]string, set func(name string) string) (filled string, missing []string, err *unfilled) {
	f := filler{env: env, set: set}
	filled = f.fill(text, 0)
	return filled, f.missing, f.err
}

type filler struct {
	env map[string]string
	// set is the hint for a variable that has to have a value.
	set     func(name string) string
	missing []string
	err     *unfilled
}

func (f *filler) fail(hint, format string, args ...any) string {
	if f.err == nil {
		f.err = &unfilled{text: fmt.Sprintf(format, args...), hint: hint}
	}
	return ""
}

func (f *filler) fill(text string, depth int) string {
	if depth > maxNested {
		return f.fail("take some of the defaults out", "variables are nested more than %d deep", maxNested)
	}
	var b strings.Builder
	for f.err == nil {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			break
		}
		if b.Len() > maxValue {
			return f.fail("give the variables shorter values", "variables make it longer than %d bytes", maxValue)
		}
		switch name := leadingName(after); {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			text = after[1:]
		case name != "":
			b.WriteString(f.plain(name))
			text = after[len(name):]
		case strings.HasPrefix(after, "{"):
			end := closing(after)
			if end < 0 {
				return f.fail("close it with }, or write $$ for a dollar sign", "a variable is not closed: $%.40s", after)
			}
			b.WriteString(f.braced(after[1:end], depth))
			text = after[end+1:]
		default: // a dollar sign that begins nothing
			b.WriteByte('$')
			text = after
		}
	}
	return b.String()
}

// plain is the value of a name; one that has none is told.
func (f *filler) plain(name string) string {
	value, set := f.env[name]
	if !set && !slices.Contains(f.missing, name) {
		f.missing = append(f.missing, name)
	}
	return value
}

// braced is the value of what stands in ${…}.
func (f *filler) braced(inside string, depth int) string {
	name := leadingName(inside)
	rest := inside[len(name):]
	if name == "" {
		return f.fail("write ${NAME}, or $$ for a dollar sign", "${%.40s} is no variable", inside)
	}
	if rest == "" {
		return f.plain(name)
	}
	for _, operator := range operators {
		argument, is := strings.CutPrefix(rest, operator)
		if !is {
			continue
		}
		value, set := f.env[name]
		given := set && (value != "" || operator[0] != ':')
		switch operator[len(operator)-1] {
		case '-':
			if !given {
				return f.fill(argument, depth+1)
			}
		case '+':
			if given {
				return f.fill(argument, depth+1)
			}
		case '?':
			if !given {
				return f.required(name, f.fill(argument, depth+1))
			}
		}
		return value
	}
	return f.fail("write ${NAME}, ${NAME:-DEFAULT} or $$ for a dollar sign", "${%.40s} is no variable", inside)
}

func (f *filler) required(name, why string) string {
	if why != "" {
		why = ": " + why
	}
	if f.err == nil { // what stands after the question mark can be wrong itself
		f.err = &unfilled{fmt.Sprintf("the variable %s is required, and not set%s", name, why), f.set(name), true}
	}
	return ""
}

// closing is where the } stands that closes the { at the beginning; -1 is nowhere.
func closing(text string) int {
	open := 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

func leadingName(text string) string {
	for i := range len(text) {
		c := text[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return text[:i]
		}
	}
	return text
}
