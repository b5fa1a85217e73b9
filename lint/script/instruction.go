package script

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/template"
)

// reader reads the words of an instruction as BuildKit does, and keeps their places.
type reader struct {
	text string
	// place is where a byte of the text is written.
	place  func(int) int32
	escape byte
	vars   Variables
}

// placed tells where the bytes of a script are written, from one of them on.
func placed(s template.Script, from int) func(int) int32 {
	return func(at int) int32 {
		offset, _, ok := s.Place(from + at)
		if !ok {
			return -1
		}
		return int32(offset)
	}
}

// words reads all words of an instruction behind its name; expand tells whether
// variables are filled in.
func (r *reader) words(expand bool) (flags, args []Word) {
	s := r.text
	at := skip(s, 0)
	for at < len(s) && !blank(s[at]) {
		at++
	}
	at = skip(s, at)
	for strings.HasPrefix(s[at:], "--") {
		w, end := r.word(at, expand)
		flags = append(flags, w)
		at = skip(s, end)
	}
	if strings.HasPrefix(s[at:], "[") {
		if list, ok := r.json(at, expand); ok {
			return flags, list
		}
	}
	for at < len(s) {
		w, end := r.word(at, expand)
		args = append(args, w)
		at = skip(s, end)
		if len(args) > mostWords {
			break
		}
	}
	return flags, args
}

const mostWords = 5000

func blank(b byte) bool {
	return b == ' ' || b == '\t' || b == '\r' || b == '\n' || b == '\v' || b == '\f'
}

func skip(s string, at int) int {
	for at < len(s) && blank(s[at]) {
		at++
	}
	return at
}

// word reads one word.
func (r *reader) word(at int, expand bool) (Word, int) {
	end := r.wordEnd(at)
	return r.evaluate(at, end, expand), end
}

// wordEnd is where a word ends: at a blank outside of quotes.
func (r *reader) wordEnd(at int) int {
	s := r.text
	var quote byte
	depth := 0
	for ; at < len(s); at++ {
		switch b := s[at]; {
		case b == r.escape && quote != '\'' && at+1 < len(s):
			at++
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"' || b == '\'':
			quote = b
		case b == '{' && at > 0 && s[at-1] == '$':
			depth++
		case b == '}' && depth > 0:
			depth--
		case blank(b) && depth == 0:
			return at
		}
	}
	return at
}

// evaluate takes quotes and escapes away and fills variables in.
func (r *reader) evaluate(at, end int, expand bool) Word {
	s := r.text
	w := Word{Raw: s[at:end]}
	w.At, w.End = r.bounds(at, end)
	if end-at >= 2 && (s[at] == '"' || s[at] == '\'') && s[end-1] == s[at] && strings.Count(s[at:end], s[at:at+1]) == 2 {
		w.Quote = s[at]
	}
	w.fill(r.inside(&w, at, end, expand, true, 0))
	return w
}

// bounds are the bytes in the file of a part of the line.
func (r *reader) bounds(at, end int) (int, int) {
	if end <= at {
		return 0, 0
	}
	return int(r.place(at)), int(r.place(end-1)) + 1
}

// inside evaluates a part of a word.
func (r *reader) inside(w *Word, at, end int, expand, quotes bool, depth int) text {
	s := r.text
	var out builder
	var quote byte
	for ; at < end; at++ {
		switch b := s[at]; {
		case b == r.escape && quote != '\'' && at+1 < end:
			at++
			if quote == '"' && s[at] != '"' && s[at] != '$' && s[at] != r.escape {
				out.put(b, r.place(at-1))
			}
			out.put(s[at], r.place(at))
		case quotes && quote == 0 && (b == '"' || b == '\''):
			quote = b
		case quotes && quote != 0 && b == quote:
			quote = 0
		case b == '$' && expand && quote != '\'' && depth < 8:
			value, next := r.variable(w, at, end, depth)
			out.add(value)
			at = next - 1
		default:
			out.put(b, r.place(at))
		}
	}
	return out.text()
}

// variable fills in $NAME, ${NAME} or ${NAME:-word}; next is the byte behind it.
func (r *reader) variable(w *Word, at, end, depth int) (value text, next int) {
	s := r.text
	from := at + 1
	braced := from < end && s[from] == '{'
	if braced {
		from++
	}
	to := from
	for to < end && (s[to] == '_' || s[to] >= 'a' && s[to] <= 'z' || s[to] >= 'A' && s[to] <= 'Z' || to > from && s[to] >= '0' && s[to] <= '9') {
		to++
	}
	if to == from {
		return phrase("$", r.place(at)), at + 1
	}
	name := s[from:to]
	w.note(name, r.vars)
	if !braced {
		return r.vars.fill(name, r.place(at)), to
	}
	closing := closingBrace(s, to, end)
	value = r.vars.fill(name, r.place(at))
	if closing < 0 {
		return value, end
	}
	operator := strings.TrimPrefix(s[to:closing], ":")
	known := r.vars.values[name]
	empty := known.text.s == ""
	switch {
	case operator == "":
	case operator[0] == '-' && r.vars.unlessGiven(name):
		value = r.inside(w, closing-len(operator)+1, closing, true, false, depth+1)
	case operator[0] == '+' && known.known && !empty:
		value = r.inside(w, closing-len(operator)+1, closing, true, false, depth+1)
	case operator[0] == '-':
	default:
		value = phrase("${"+name+"}", r.place(at))
	}
	return value, closing + 1
}

// closingBrace finds the brace that closes a ${.
func closingBrace(s string, at, end int) int {
	depth := 1
	for ; at < end; at++ {
		switch s[at] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at
			}
		}
	}
	return -1
}

// fill is what stands for a variable.
func (v Variables) fill(name string, at int32) text {
	if one, ok := v.values[name]; ok && one.known {
		return one.text
	}
	return phrase("${"+name+"}", at)
}

// note remembers that a word names a variable.
func (w *Word) note(name string, vars Variables) {
	if !slices.Contains(w.Vars, name) {
		w.Vars = append(w.Vars, name)
	}
	w.Varying = w.Varying || vars.Varying(name)
}

// json reads the JSON form.
func (r *reader) json(at int, expand bool) ([]Word, bool) {
	s := strings.TrimRight(r.text, " \t\r\n")
	if !strings.HasSuffix(s, "]") {
		return nil, false
	}
	var list []Word
	for at++; ; at++ {
		at = skip(s, at)
		switch {
		case at < len(s) && s[at] == ']':
			return list, at == len(s)-1
		case at >= len(s) || s[at] != '"':
			return nil, false
		}
		end := at + 1
		for end < len(s) && s[end] != '"' {
			if s[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(s) {
			return nil, false
		}
		list = append(list, r.jsonWord(at, end, expand))
		at = skip(s, end+1)
		if at < len(s) && s[at] == ']' {
			return list, at == len(s)-1
		}
		if at >= len(s) || s[at] != ',' || len(list) > mostWords {
			return nil, false
		}
	}
}

// jsonWord is one string of the JSON form; at is its first quote, end its last.
func (r *reader) jsonWord(at, end int, expand bool) Word {
	s := r.text
	w := Word{Raw: s[at+1 : end], Quote: '"'}
	w.At, w.End = r.bounds(at, end+1)
	w.fill(r.inside(&w, at+1, end, expand, false, 0))
	return w
}
