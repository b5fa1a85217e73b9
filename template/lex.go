package template

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// command is an instruction taken apart the way BuildKit's parser does it.
type command struct {
	name  string
	flags []flag
	// from and to bound the arguments in the text that was split.
	from, to int
}

// flag is one flag of an instruction: what BuildKit reads, quotes and escapes
// taken away, and where it begins and ends in the split text.
type flag struct {
	text     string
	from, to int
}

// word is a text and where each byte of it stands in the split text: at the
// places that marks tell, or, without marks, all in a row from base on.
type word struct {
	text  string
	base  int32
	marks []mark
}

// mark is the place of one byte of a word: an escape character before it
// belongs to it. quote is the quote that it begins in, or 0, and after the one
// that it ends in: they may differ for a byte that is written as two.
type mark struct {
	from, to     int32
	quote, after byte
}

// mark tells where a byte of the word stands.
func (w word) mark(i int) mark {
	if w.marks != nil {
		return w.marks[i]
	}
	return mark{from: w.base + int32(i), to: w.base + int32(i) + 1}
}

// cut returns the part of a word from one byte to another.
func (w word) cut(from, to int) word {
	part := word{text: w.text[from:to], base: w.base + int32(from)}
	if w.marks != nil {
		part.marks = w.marks[from:to]
	}
	return part
}

const blanks = "\t\v\f\r "

// splitCommand separates name, flags and arguments of a joined line. The flags
// are put into memory, as far as there is some.
func splitCommand(text string, escape byte, memory []flag) command {
	begin := len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	end := len(strings.TrimRightFunc(text, unicode.IsSpace))
	if begin > end {
		begin = end
	}
	i := strings.IndexAny(text[begin:end], blanks)
	if i < 0 {
		return command{name: text[begin:end], from: end, to: end}
	}
	c := command{name: text[begin : begin+i], flags: memory[:0], to: end}
	at := begin + i
	for at < end && strings.IndexByte(blanks, text[at]) >= 0 {
		at++
	}
	c.from = flags(&c, text[:end], at, escape)
	c.from += len(text[c.from:end]) - len(strings.TrimLeftFunc(text[c.from:end], unicode.IsSpace))
	return c
}

// flags reads the words that begin with -- and returns where the first other
// word begins. Like BuildKit it goes by bytes, each taken for a Latin-1 letter.
func flags(c *command, text string, at int, escape byte) int {
	for {
		for at < len(text) && isSpace(text[at]) {
			at++
		}
		if !strings.HasPrefix(text[at:], "--") {
			return at
		}
		f := flag{from: at, to: unquote(text, at, escape, func(byte, mark) {})}
		if f.text = text[at:f.to]; !isPlain(f.text, escape) {
			f.text = f.word(text, escape).text
		}
		if f.text == "--" {
			return f.to
		}
		c.flags = append(c.flags, f)
		at = f.to
	}
}

// word tells where every byte of a flag stands. A byte above 127 becomes two,
// as it does in BuildKit.
func (f flag) word(text string, escape byte) word {
	if raw := text[f.from:f.to]; isPlain(raw, escape) {
		return word{text: raw, base: int32(f.from)}
	}
	size := 0
	unquote(text[:f.to], f.from, escape, func(ch byte, _ mark) { size += utf8.RuneLen(rune(ch)) })
	b := make([]byte, 0, size)
	w := word{marks: make([]mark, 0, size)}
	unquote(text[:f.to], f.from, escape, func(ch byte, m mark) {
		b = utf8.AppendRune(b, rune(ch))
		for len(w.marks) < len(b) {
			w.marks = append(w.marks, m)
		}
	})
	w.text = string(b)
	return w
}

// unquote walks over one word with its quotes and escapes, yields what is in
// it, and returns the place after it.
func unquote(text string, at int, escape byte, yield func(byte, mark)) int {
	var quote byte
	for ; at < len(text); at++ {
		ch, from := text[at], at
		switch {
		case quote == 0 && isSpace(ch):
			return at
		case quote == 0 && (ch == '\'' || ch == '"'):
			quote = ch
			continue
		case quote != 0 && ch == quote:
			quote = 0
			continue
		case ch == escape && at+1 == len(text):
			continue
		case ch == escape:
			at++
			ch = text[at]
		}
		yield(ch, mark{int32(from), int32(at + 1), quote, quote})
	}
	return at
}

func isSpace(b byte) bool { return unicode.IsSpace(rune(b)) }

// first bounds the first of several arguments.
func (c command) first(text string) (from, to int) {
	if i := strings.IndexAny(text[c.from:c.to], blanks); i >= 0 {
		return c.from, c.from + i
	}
	return c.from, c.to
}

// fields yields the comma-separated fields of the value of --mount. A field in
// double quotes may hold commas, and "" for a quote. BuildKit has checked the
// form; where it would refuse, the fields end.
func (w word) fields(yield func(word) bool) {
	for at := 0; ; at++ {
		var field word
		if at < len(w.text) && w.text[at] == '"' {
			var ok bool
			if field, at, ok = w.quotedField(at + 1); !ok {
				return
			}
		} else {
			end := strings.IndexByte(w.text[at:], ',')
			if end < 0 {
				end = len(w.text) - at
			}
			field = w.cut(at, at+end)
			at += end
		}
		if !yield(field) || at == len(w.text) || w.text[at] != ',' {
			return
		}
	}
}

// quotedField reads a field after its opening quote; end is the byte after the
// closing one.
func (w word) quotedField(at int) (field word, end int, ok bool) {
	var b strings.Builder
	for ; at < len(w.text); at++ {
		if w.text[at] == '"' {
			if !strings.HasPrefix(w.text[at:], `""`) {
				field.text = b.String()
				return field, at + 1, true
			}
			at++ // a quote is written twice, and both are part of it
			m := w.mark(at)
			first := w.mark(at - 1)
			m.from, m.quote = first.from, first.quote
			field.marks = append(field.marks, m)
		} else {
			field.marks = append(field.marks, w.mark(at))
		}
		b.WriteByte(w.text[at])
	}
	return word{}, at, false
}

// noValues are variables for BuildKit's shell lexer: none.
type noValues struct{}

func (noValues) Get(string) (string, bool) { return "", false }
func (noValues) Keys() []string            { return nil }

// isPlain tells whether a word holds nothing that BuildKit's lexers change.
func isPlain(text string, escape byte) bool {
	for i := 0; i < len(text); i++ {
		if ch := text[i]; ch == '$' || ch == '\'' || ch == '"' || ch == '<' || ch == escape || ch >= utf8.RuneSelf || ch == 0 {
			return false
		}
	}
	return true
}

// readable replaces bytes that are no text the way BuildKit's shell lexer does,
// which would also complain of them on the standard error of the process.
func readable(text string) string {
	return strings.ReplaceAll(string([]rune(text)), "\x00", "\uFFFD")
}
