package template

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// command is an instruction taken apart the way BuildKit's parser does it.
type command struct {
	name  string
	flags []word
	// from and to bound the arguments in the text that was split.
	from, to int
}

// word is a flag as BuildKit reads it, quotes and escapes taken away, and
// where each byte of it stands.
type word struct {
	text  string
	marks []mark
}

// mark is the place of one byte of a word in the split text: an escape
// character before it belongs to it. quote is the quote it stands in, or 0.
type mark struct {
	from, to int
	quote    byte
}

// cut returns the part of a word from one byte to another.
func (w word) cut(from, to int) word { return word{w.text[from:to], w.marks[from:to]} }

const blanks = "\t\v\f\r "

// splitCommand separates name, flags and arguments of a joined line.
func splitCommand(text string, escape byte) command {
	begin := len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	end := len(strings.TrimRightFunc(text, unicode.IsSpace))
	if begin > end {
		begin = end
	}
	i := strings.IndexAny(text[begin:end], blanks)
	if i < 0 {
		return command{name: text[begin:end], from: end, to: end}
	}
	c := command{name: text[begin : begin+i], to: end}
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
		w, end := flag(text, at, escape)
		if w.text == "--" {
			return end
		}
		if w.text != "" {
			c.flags = append(c.flags, w)
		}
		at = end
	}
}

// flag reads one word with its quotes and escapes; end is the byte after it.
func flag(text string, at int, escape byte) (w word, end int) {
	var (
		b     strings.Builder
		quote byte
	)
	for ; at < len(text); at++ {
		ch, from := text[at], at
		switch {
		case quote == 0 && isSpace(ch):
			w.text = b.String()
			return w, at
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
		before := b.Len()
		b.WriteRune(rune(ch))
		for range b.Len() - before {
			w.marks = append(w.marks, mark{from, at + 1, quote})
		}
	}
	w.text = b.String()
	return w, at
}

func isSpace(b byte) bool { return unicode.IsSpace(rune(b)) }

// first bounds the first of several arguments.
func (c command) first(text string) (from, to int) {
	if i := strings.IndexAny(text[c.from:c.to], blanks); i >= 0 {
		return c.from, c.from + i
	}
	return c.from, c.to
}

// fields splits the value of --mount into its comma-separated fields. A field
// in double quotes may hold commas, and "" for a quote. BuildKit has checked
// the form; what it would refuse yields no fields.
func (w word) fields() []word {
	var list []word
	at := 0
	for {
		if at < len(w.text) && w.text[at] == '"' {
			field, end, ok := w.quotedField(at + 1)
			if !ok {
				return nil
			}
			list = append(list, field)
			at = end
		} else {
			end := strings.IndexByte(w.text[at:], ',')
			if end < 0 {
				return append(list, w.cut(at, len(w.text)))
			}
			list = append(list, w.cut(at, at+end))
			at += end
		}
		if at == len(w.text) {
			return list
		}
		if w.text[at] != ',' {
			return nil
		}
		at++
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
			at++
		}
		b.WriteByte(w.text[at])
		field.marks = append(field.marks, w.marks[at])
	}
	return word{}, at, false
}

// value returns what follows "name=" in a flag or a field.
func (w word) value(name string, fold bool) (word, bool) {
	i := strings.IndexByte(w.text, '=')
	if i < 0 {
		return word{}, false
	}
	key := w.text[:i]
	if fold {
		key = strings.ToLower(key)
	}
	return w.cut(i+1, len(w.text)), key == name
}

// values are variables for BuildKit's shell lexer. Nil has none.
type values map[string]string

func (v values) Get(name string) (string, bool) {
	value, ok := v[name]
	return value, ok
}

// Keys is part of the lexer's interface; it is used for suggestions only.
func (v values) Keys() []string { return nil }

// isPlain tells whether BuildKit's shell lexer gives the word back unchanged.
func isPlain(text string, escape byte) bool {
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '$' || ch == '\'' || ch == '"' || ch == '<' || ch == escape || ch >= utf8.RuneSelf || ch == 0:
			return false
		}
	}
	return true
}
