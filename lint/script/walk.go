package script

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/lint/arch"
)

// stmts walks over a list.
func (s *state) stmts(list []*syntax.Stmt) {
	for _, stmt := range list {
		s.stmt(stmt)
	}
}

// stmt walks over one statement.
func (s *state) stmt(st *syntax.Stmt) {
	if s.budget--; s.budget < 0 || st == nil {
		return
	}
	if st.Negated && !s.handled {
		s.handled = true
		defer func() { s.handled = false }()
	}
	if c, ok := st.Cmd.(*syntax.CallExpr); ok {
		s.call(st, c)
		return
	}
	into, input := s.redirects(st)
	first := len(s.out.Commands)
	s.compound(st)
	for i := first; i < len(s.out.Commands); i++ {
		s.out.Commands[i].Into = append(s.out.Commands[i].Into, into...)
		s.out.Commands[i].Input = append(s.out.Commands[i].Input, input...)
	}
}

// compound walks over a command that holds others.
func (s *state) compound(st *syntax.Stmt) {
	switch c := st.Cmd.(type) {
	case *syntax.BinaryCmd:
		s.binary(c)
	case *syntax.Block:
		s.stmts(c.Stmts)
	case *syntax.Subshell:
		s.apart(func() { s.stmts(c.Stmts) })
	case *syntax.IfClause:
		s.ifClause(c)
	case *syntax.CaseClause:
		s.caseClause(c)
	case *syntax.WhileClause:
		s.asCondition(func() { s.whatever(func() { s.stmts(c.Cond) }) })
		s.stmts(c.Do)
	case *syntax.ForClause:
		s.forClause(c)
	case *syntax.DeclClause:
		s.declare(c)
	case *syntax.TimeClause:
		s.stmt(c.Stmt)
	case *syntax.TestClause:
		s.test(c)
	case *syntax.ArithmCmd:
		s.touch(c)
	case *syntax.LetClause:
		s.touch(c)
	case *syntax.FuncDecl:
		if c.Name != nil {
			if s.functions == nil {
				s.functions = map[string]function{}
			}
			s.functions[c.Name.Value] = function{c.Body, s.source, s.place}
		}
	case *syntax.CoprocClause:
		s.stmt(c.Stmt)
	}
}

// apart walks over what has variables of its own.
func (s *state) apart(do func()) {
	vars, rest := s.vars, s.rest
	s.shared = true
	do()
	s.vars, s.shared, s.rest, s.ended = vars, true, rest, false
}

// asCondition walks over a condition, and tells whether it asks for the architecture.
func (s *state) asCondition(do func()) bool {
	before, condition := s.asked, s.condition
	s.condition = true
	do()
	s.condition = condition
	return s.asked > before
}

// test is [[ … ]]: what it compares with an architecture asks for it.
func (s *state) test(c *syntax.TestClause) {
	s.compares = nil
	syntax.Walk(c, func(n syntax.Node) bool {
		if w, ok := n.(*syntax.Word); ok {
			word := s.word(w)
			s.compared(word)
			s.compares = append(s.compares, word)
			return false
		}
		return true
	})
}

// compared notes a word of a comparison.
func (s *state) compared(w Word) {
	if w.Varying || len(arch.Find(w.Text)) > 0 {
		s.asked++
	}
}

// touch evaluates the words of an expression, for the commands in them.
func (s *state) touch(n syntax.Node) {
	syntax.Walk(n, func(n syntax.Node) bool {
		if w, ok := n.(*syntax.Word); ok {
			s.word(w)
			return false
		}
		return true
	})
}

// binary is a && b, a || b, a | b.
func (s *state) binary(c *syntax.BinaryCmd) {
	if c.Op != syntax.AndStmt && c.Op != syntax.OrStmt {
		s.pipeline(c)
		return
	}
	isTest := decides(c.X)
	asked := false
	first := len(s.out.Commands)
	left := func() { s.stmt(c.X) }
	if c.Op == syntax.OrStmt {
		left = func() { s.whatever(func() { s.stmt(c.X) }) }
	}
	if isTest {
		asked = s.asCondition(left)
	} else {
		left()
	}
	if !asked {
		s.stmt(c.Y)
		return
	}
	guard, ok := s.guard(c.X, first)
	fails, _ := s.branch(func() { s.stmt(c.Y) }, nil)
	if ok && fails {
		guard.Equal = guard.Equal == (c.Op == syntax.AndStmt)
		s.out.Guards = append(s.out.Guards, guard)
	}
}

// decides tells whether a statement is a test: what follows it depends on its answer.
func decides(st *syntax.Stmt) bool {
	if st == nil {
		return false
	}
	switch c := st.Cmd.(type) {
	case *syntax.TestClause, *syntax.ArithmCmd:
		return true
	case *syntax.BinaryCmd:
		if c.Op == syntax.AndStmt || c.Op == syntax.OrStmt {
			return decides(c.X) && (c.Op == syntax.AndStmt || decides(c.Y)) || decides(c.Y)
		}
		return decides(c.Y)
	case *syntax.Block:
		return len(c.Stmts) == 1 && decides(c.Stmts[0])
	case *syntax.Subshell:
		return len(c.Stmts) == 1 && decides(c.Stmts[0])
	case *syntax.CallExpr:
		if len(c.Args) == 0 {
			return false
		}
		switch c.Args[0].Lit() {
		case "[", "test", "grep", "egrep", "fgrep", "expr":
			return true
		}
	}
	return false
}

// pipeline is a | b.
func (s *state) pipeline(c *syntax.BinaryCmd) {
	before := s.pipe
	if before == 0 {
		s.pipes++
		s.pipe = s.pipes
	}
	vars := s.vars
	s.shared = true
	s.stmt(c.X)
	s.stmt(c.Y)
	s.vars, s.shared, s.pipe = vars, true, before
}

// branch walks over branches of which one is taken, by architecture. It tells which of them
// end the script as one that has failed.
func (s *state) branch(do func(), other func()) (fails, otherFails bool) {
	vars, chosen := s.vars, s.chosen
	s.chosen = true
	ends := 0
	var results []Variables
	for i, one := range []func(){do, other} {
		s.vars, s.shared, s.ended = vars, true, false
		if one != nil {
			one()
		}
		if s.ended {
			ends++
			fails, otherFails = fails || i == 0 && s.failed, otherFails || i == 1 && s.failed
		} else {
			results = append(results, s.vars)
		}
	}
	s.vars, s.chosen, s.ended = vars, chosen, false
	s.rest = s.rest || ends == 1
	s.merge(results, true)
	return fails, otherFails
}

// merge puts together what branches have left. Of a variable that they set differently
// nobody knows the value if they are chosen; else the first that set it speaks for all.
func (s *state) merge(results []Variables, chosen bool) {
	base := s.vars
	out := s.copied()
	s.shared = false
	settled := map[string]bool{}
	for _, r := range results {
		for name, v := range r.values {
			old, was := base.values[name]
			if was && same(old, v) || settled[name] {
				continue
			}
			settled[name] = true
			if chosen && len(results) > 1 || v.varying {
				v.known, v.varying = false, true
			}
			out.set(name, v)
		}
	}
	s.vars = out
}

func same(a, b value) bool {
	return a.text.s == b.text.s && a.known == b.known && a.varying == b.varying && (len(a.text.at) == 0 || len(b.text.at) == 0 || a.text.at[0] == b.text.at[0])
}

// ifClause is if … then … elif … else.
func (s *state) ifClause(c *syntax.IfClause) {
	first := len(s.out.Commands)
	asked := len(c.Cond) > 0 && s.asCondition(func() { s.whatever(func() { s.stmts(c.Cond) }) })
	var otherwise func()
	if c.Else != nil {
		otherwise = func() { s.ifClause(c.Else) }
	}
	if asked {
		guard, ok := s.guard(c.Cond[0], first)
		fails, otherFails := s.branch(func() { s.stmts(c.Then) }, otherwise)
		if ok && len(c.Cond) == 1 && fails != otherFails {
			guard.Equal = guard.Equal == fails
			s.out.Guards = append(s.out.Guards, guard)
		}
		return
	}
	if len(c.Cond) == 0 { // a plain else
		s.stmts(c.Then)
		return
	}
	s.alternatives(func() { s.stmts(c.Then) }, otherwise)
}

// alternatives are branches that are taken by something else.
func (s *state) alternatives(list ...func()) {
	vars := s.vars
	var results []Variables
	for _, one := range list {
		if one == nil {
			continue
		}
		s.vars, s.shared, s.ended = vars, true, false
		one()
		results = append(results, s.vars)
	}
	s.vars, s.ended = vars, false
	s.merge(results, false)
}

// caseClause is case … in: by architecture when its word or a pattern says so.
func (s *state) caseClause(c *syntax.CaseClause) {
	asked := s.asCondition(func() {
		s.compared(s.word(c.Word))
		for _, item := range c.Items {
			for _, pattern := range item.Patterns {
				if len(arch.Find(strings.ReplaceAll(s.word(pattern).Text, "*", " "))) > 0 {
					s.asked++
				}
			}
		}
	})
	var list []func()
	for _, item := range c.Items {
		list = append(list, func() { s.stmts(item.Stmts) })
	}
	if !asked {
		s.alternatives(list...)
		return
	}
	vars, chosen := s.vars, s.chosen
	s.chosen = true
	var results []Variables
	for _, one := range list {
		s.vars, s.shared, s.ended = vars, true, false
		one()
		if !s.ended {
			results = append(results, s.vars)
		}
	}
	s.vars, s.chosen, s.ended = vars, chosen, false
	// One machine goes on, and all others are sent away.
	s.rest = s.rest || len(results) == 1 && len(list) > 1 && len(c.Items[0].Patterns) == 1
	s.merge(results, true)
	if len(results) == 1 {
		s.vary(results[0], vars)
	}
}

// vary marks what a single branch has set: it depends on the architecture all the same.
func (s *state) vary(result, before Variables) {
	for name, v := range result.values {
		if old, was := before.values[name]; !was || !same(old, v) {
			v.known, v.varying = false, true
			s.set(name, v)
		}
	}
}

// forClause walks over a loop: once for each word when all of them are known.
func (s *state) forClause(c *syntax.ForClause) {
	words, ok := c.Loop.(*syntax.WordIter)
	if !ok {
		s.touch(c.Loop)
		s.stmts(c.Do)
		return
	}
	var items []Word
	known := words.InPos.IsValid() && !c.Select
	for _, item := range words.Items {
		list := s.words(item)
		items = append(items, list...)
	}
	machines := map[string]bool{}
	varying := false
	for _, item := range items {
		varying = varying || item.Varying
		for _, w := range arch.Find(item.Text) {
			machines[w.Arch] = true
		}
	}
	switch name := words.Name.Value; {
	case len(machines) > 1 || varying: // the author's own list of machines
		chosen := s.chosen
		s.chosen = true
		s.set(name, value{varying: true})
		s.stmts(c.Do)
		s.chosen = chosen
	case known && len(items) > 0 && len(items) <= mostTurns:
		for _, item := range items {
			s.set(name, value{text: item.text(), known: true})
			s.stmts(c.Do)
		}
	default:
		s.set(name, value{})
		s.stmts(c.Do)
	}
}
