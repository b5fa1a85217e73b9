package script

import (
	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/lint/arch"
)

// Guard is a comparison of the machine with one that is named, after which the script ends
// as one that has failed: [ "$(uname -m)" != x86_64 ] && exit 1.
type Guard struct {
	// Machine is the word that names one.
	Machine Word
	// Equal tells that the script ends on that machine, and not on all others.
	Equal bool
	// Line is that of the command that asks for the machine, or of the word.
	Line int
}

// whatever walks over what may fail: the script goes on.
func (s *state) whatever(do func()) {
	handled := s.handled
	s.handled = true
	do()
	s.handled = handled
}

// guard reads a condition that has been walked over: first is the number of its first
// command. Equal then tells that it is true where the machine is the one named. Branches of
// a choice are no guards, nor are conditions of several parts.
func (s *state) guard(st *syntax.Stmt, first int) (Guard, bool) {
	if s.chosen || s.rest || st == nil {
		return Guard{}, false
	}
	var words []Word
	operator := ""
	switch c := st.Cmd.(type) {
	case *syntax.TestClause:
		if binary, ok := c.X.(*syntax.BinaryTest); ok {
			words, operator = s.compares, binary.Op.String()
		}
	case *syntax.CallExpr:
		if len(s.out.Commands) == first {
			return Guard{}, false
		}
		last := s.out.Commands[len(s.out.Commands)-1]
		if last.Name != "[" && last.Name != "test" || len(last.Args) < 3 || len(last.Args) > 4 {
			return Guard{}, false
		}
		words, operator = []Word{last.Args[0], last.Args[2]}, last.Args[1].Text
	}
	if len(words) != 2 || operator != "=" && operator != "==" && operator != "!=" {
		return Guard{}, false
	}
	if words[1].Varying {
		words[0], words[1] = words[1], words[0]
	}
	if named := arch.Find(words[1].Text); !words[0].Varying || words[1].Varying || len(named) != 1 {
		return Guard{}, false
	}
	g := Guard{Machine: words[1], Equal: (operator != "!=") != st.Negated, Line: s.line(words[1].At)}
	for _, c := range s.out.Commands[first:] {
		if Asks(c) != "" {
			g.Line = c.Line
		}
	}
	return g, true
}
