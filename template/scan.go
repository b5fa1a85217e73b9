package template

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// BuildKit's parser keeps lines, not columns. The scanner here joins lines by
// the same rules and remembers where every byte of the joined line came from.
// It decides nothing: what it finds must agree with BuildKit's AST.

// lineBytes is what a LimitError counts when a single line is too long.
const lineBytes = "bytes in one line"

// maxLine is the longest line that BuildKit's parser reads, without its newline.
const maxLine = 65535

// instruction is one instruction with its lines joined.
type instruction struct {
	// text is the joined line: continuations, comments and line ends are gone.
	text   string
	pieces []piece
	// first and last are its lines in the file, heredocs included; begin and
	// end are where these lines begin and end, line end included.
	first, last int
	begin, end  int
}

// piece is a run of bytes of the joined line that is one run in the file, too.
type piece struct {
	at     int32 // in instruction.text
	source int32 // in Template.Source
	size   int32
	line   int32
}

func newPiece(at, source, size, line int) piece {
	return piece{int32(at), int32(source), int32(size), int32(line)}
}

// source gives the place in the file of the byte at in the joined line.
func (in *instruction) source(at int) int {
	p := in.pieces[in.piece(at)]
	return int(p.source) + at - int(p.at)
}

// line gives the line in the file of the byte at in the joined line.
func (in *instruction) line(at int) int { return int(in.pieces[in.piece(at)].line) }

// piece finds the piece that holds a byte.
func (in *instruction) piece(at int) int {
	low, high := 0, len(in.pieces)-1
	for low < high {
		middle := (low + high) / 2
		if p := in.pieces[middle]; at < int(p.at+p.size) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// span turns a range of the joined line into one of the file. Continuations
// before its first and after its last byte are outside.
func (in *instruction) span(from, to int) Span {
	return Span{Start: in.source(from), End: in.source(to-1) + 1}
}

// gaps returns what lies between the pieces inside a range of the joined line:
// the continuations, line ends, comments and blank lines.
func (in *instruction) gaps(source string, from, to int) string {
	var b strings.Builder
	for i, last := in.piece(from), in.piece(to-1); i < last; i++ {
		p := in.pieces[i]
		b.WriteString(source[p.source+p.size : in.pieces[i+1].source])
	}
	return b.String()
}

// scanner walks over the lines of a file.
type scanner struct {
	source       string
	at           int // start of the next line
	number       int // of the line that next returned, counted from 1
	escape       byte
	found        []instruction
	pieces       []piece // memory for those of many instructions
	joined       []piece // of the instruction in hand
	directives   parser.DirectiveParser
	past         bool // no directive can follow
	directiveBad int  // line of a directive that BuildKit refuses, or 0
	tooLong      int  // first line that is longer than maxLine, or 0
	mostLines    int
	tooMany      bool     // lines
	unterminated int      // line of a heredoc that does not end, or 0
	remarks      []remark // comments between instructions that may be rules
}

// scan reads instructions until the end of the file, until more than most are
// found, or until something that BuildKit is certain to refuse.
func scan(source string, limits Limits) *scanner {
	s := &scanner{source: source, escape: '\\', mostLines: limits.Lines}
	lines := strings.Count(source, "\n") - strings.Count(source, "\\\n")
	s.found = make([]instruction, 0, min(lines, limits.Instructions)+1)
	for len(s.found) <= limits.Instructions && s.tooLong == 0 {
		start, line, ok := s.next()
		if !ok {
			break
		}
		begin := start
		if s.number == 1 {
			trimmed := strings.TrimPrefix(line, "\ufeff")
			start, line = start+len(line)-len(trimmed), trimmed
			begin = start
		}
		trimmed := strings.TrimLeftFunc(line, unicode.IsSpace)
		start, line = start+len(line)-len(trimmed), trimmed
		if !s.directive(line) {
			break
		}
		if isComment(line) {
			if mayBeRule(line, start > begin) {
				s.remarks = append(s.remarks, remark{text: line, line: s.number, before: len(s.found)})
			}
			continue
		}
		text, more := s.trimContinuation(line)
		if text == "" && !more {
			continue
		}
		if !s.instruction(begin, start, text, more) {
			break
		}
	}
	return s
}

// next returns the next line without its line end.
func (s *scanner) next() (start int, line string, ok bool) {
	if s.at >= len(s.source) {
		return 0, "", false
	}
	if s.number == s.mostLines {
		s.tooMany = true
		return 0, "", false
	}
	start = s.at
	if i := strings.IndexByte(s.source[start:], '\n'); i >= 0 {
		s.at = start + i + 1
		line = s.source[start : start+i]
	} else {
		s.at = len(s.source)
		line = s.source[start:]
	}
	s.number++
	if len(line) > maxLine && s.tooLong == 0 {
		s.tooLong = s.number
	}
	return start, strings.TrimRight(line, "\r\n"), true
}

// directive looks for `# escape=` among the first lines and reports whether
// reading can go on.
func (s *scanner) directive(line string) bool {
	if s.past {
		return true
	}
	d, err := s.directives.ParseLine([]byte(line))
	if err != nil {
		s.directiveBad = s.number
		return false
	}
	s.past = d == nil
	if d != nil && d.Name == "escape" {
		if d.Value != "`" && d.Value != `\` {
			s.directiveBad = s.number
			return false
		}
		s.escape = d.Value[0]
	}
	return true
}

// instruction reads the lines that belong to the one that has begun. It
// reports false where BuildKit refuses the file.
func (s *scanner) instruction(begin, start int, text string, more bool) bool {
	in := instruction{text: text, first: s.number, begin: begin}
	s.joined = append(s.joined[:0], newPiece(0, start, len(text), s.number))
	if more {
		in.text = s.join(len(text))
	}
	if !s.heredocs(in.text, in.first) {
		return false
	}
	in.pieces = s.keep()
	in.last, in.end = s.number, s.at
	s.found = append(s.found, in)
	return true
}

// keep moves the joined pieces to where they can stay.
func (s *scanner) keep() []piece {
	if n := len(s.joined); cap(s.pieces)-len(s.pieces) < n {
		s.pieces = make([]piece, 0, max(n, 32, min(2*cap(s.pieces), 4096)))
	}
	at := len(s.pieces)
	s.pieces = append(s.pieces, s.joined...)
	return s.pieces[at:len(s.pieces):len(s.pieces)]
}

// join adds the pieces of the continuation lines to the first, of some size, and
// returns the joined line.
func (s *scanner) join(size int) string {
	for more := true; more; {
		start, line, ok := s.next()
		if !ok {
			break
		}
		if isComment(line) || strings.TrimLeftFunc(line, unicode.IsSpace) == "" {
			continue
		}
		line, more = s.trimContinuation(line)
		if line == "" {
			continue
		}
		if size == 0 {
			s.joined = s.joined[:0]
		}
		if len(s.joined) == cap(s.joined) {
			s.joined = slices.Grow(s.joined, len(s.joined))
		}
		s.joined = append(s.joined, newPiece(size, start, len(line), s.number))
		size += len(line)
	}
	var b strings.Builder
	b.Grow(size)
	for _, p := range s.joined {
		b.WriteString(s.source[p.source : p.source+p.size])
	}
	return b.String()
}

// heredocs skips the bodies that follow an instruction, which begins in the
// line first, and reports whether all of them end.
func (s *scanner) heredocs(text string, first int) bool {
	if !strings.Contains(text, "<<") || !takesHeredoc(text, s.escape) {
		return true
	}
	lex := shell.NewLex('\\')
	lex.RawQuotes, lex.RawEscapes, lex.SkipUnsetEnv = true, true, true
	words, _ := lex.ProcessWords(text, noValues{})
	for _, word := range words {
		doc, err := parser.ParseHeredoc(word)
		if err != nil {
			return false
		}
		if doc != nil && !s.body(doc) {
			s.unterminated = first
			return false
		}
	}
	return true
}

// body skips one heredoc up to and with its last line.
func (s *scanner) body(doc *parser.Heredoc) bool {
	for {
		_, line, ok := s.next()
		if !ok {
			return false
		}
		if doc.Chomp {
			line = strings.TrimLeft(line, "\t")
		}
		if line == doc.Name {
			return true
		}
	}
}

// takesHeredoc tells whether `<<` can begin a heredoc: in ADD, COPY and RUN,
// also under ONBUILD, but not in their JSON forms.
func takesHeredoc(text string, escape byte) bool {
	c := splitCommand(text, escape, nil)
	if strings.EqualFold(c.name, "onbuild") {
		if rest := text[c.from:c.to]; rest != "" {
			c, text = splitCommand(rest, escape, nil), rest
		}
	}
	switch strings.ToLower(c.name) {
	case "add", "copy", "run":
		return !isJSON(text[c.from:c.to])
	}
	return false
}

// isJSON tells whether arguments are a JSON array, which BuildKit tries first.
func isJSON(arguments string) bool {
	arguments = strings.TrimLeftFunc(arguments, unicode.IsSpace)
	var list []any
	return strings.HasPrefix(arguments, "[") && json.Unmarshal([]byte(arguments), &list) == nil
}

func isComment(line string) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "#")
}

// trimContinuation removes the escape character at the end of a line, if it
// continues there. Two of them in a row do not continue it.
func (s *scanner) trimContinuation(line string) (text string, more bool) {
	text = strings.TrimRight(line, " \t")
	n := len(text) - 1
	if n < 0 || text[n] != s.escape || n > 0 && text[n-1] == s.escape {
		return line, false
	}
	return text[:n], true
}
