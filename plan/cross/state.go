package cross

import (
	"maps"
	"path"
	"strings"
)

// unknown stands in a text for a part that is known only when the stage runs.
const unknown = "\x00"

// known tells whether all of a text is.
func known(text string) bool { return !strings.Contains(text, unknown) }

// value is that of one variable. Its text may hold unknown parts.
type value struct {
	text     string
	exported bool
	line     int
}

// state is what a shell has in hand between two commands.
type state struct {
	vars map[string]value
	// dir is the working directory; empty when it is not known.
	dir string
	// dead tells that the script does not come here.
	dead bool
}

func (s state) clone() state {
	s.vars = maps.Clone(s.vars)
	return s
}

// merge is the state after one of two ways was gone.
func merge(a, b state) state {
	switch {
	case a.dead:
		return b
	case b.dead:
		return a
	}
	out := a.clone()
	if a.dir != b.dir {
		out.dir = ""
	}
	for name, v := range b.vars {
		if was, ok := a.vars[name]; !ok || was != v {
			out.vars[name] = value{text: unknown, exported: was.exported || v.exported, line: v.line}
		}
	}
	for name, v := range a.vars {
		if _, ok := b.vars[name]; !ok {
			out.vars[name] = value{text: unknown, exported: v.exported, line: v.line}
		}
	}
	return out
}

// set gives a variable a new text. It is exported if it was.
func (s state) set(name, text string, line int) {
	s.vars[name] = value{text: text, exported: s.vars[name].exported, line: line}
}

// env is the value of a variable in the environment of a command.
func (s state) env(name string) (value, bool) {
	v, ok := s.vars[name]
	return v, ok && v.exported
}

// abs makes a path absolute; empty when it cannot be told.
func (s state) abs(text string) string {
	if home, ok := s.vars["HOME"]; ok && (text == "~" || strings.HasPrefix(text, "~/")) {
		text = home.text + text[1:]
	}
	switch {
	case text == "" || !known(text) || strings.HasPrefix(text, "~"):
		return ""
	case path.IsAbs(text):
		return path.Clean(text)
	case s.dir == "" || !known(s.dir):
		return ""
	}
	return path.Join(s.dir, text)
}
