package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	esc = 0x1b
	bel = 0x07
	// st and csi are the one-character (C1) forms of ESC \ and ESC [.
	st  = 0x9c
	csi = 0x9b
)

// Clean takes out of a text everything a terminal would obey: escape
// sequences with their parameters (CSI, OSC, DCS, SOS, PM, APC), carriage
// returns that are not part of a line end, C0 and C1 controls, and the
// characters that reorder or hide text (bidirectional and zero-width
// controls, tags). Bytes that are no UTF-8 become U+FFFD. Line feeds and tabs
// stay; CR LF becomes LF. A string sequence that nothing ends is taken out up
// to its line's end, so that it cannot swallow the rest of a log.
//
// Cleaning twice changes nothing more. What comes in parts is cleaned by a Stream or a
// Cleaner: a sequence cut in two by a buffer's end would leave its second half as text.
func Clean(s string) string {
	if harmless(s) {
		return s
	}
	out, _ := clean(make([]byte, 0, len(s)), []byte(s), true)
	return string(out)
}

// Line is Clean for text that must stay on one line: line feeds and tabs
// become spaces.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, Clean(s))
}

// Cleaner is Clean and Harmless for a text that comes in parts. The zero of it is ready.
type Cleaner struct {
	held, clean []byte
	marks       marks
}

// longest is how much of a sequence is waited for, in bytes. What is cut there leaves
// its rest as text, which is ugly and harmless.
const longest = 4 << 10

// Append adds to out what this part of a text says. The beginning of a sequence at the
// part's end waits for its rest.
func (c *Cleaner) Append(out, part []byte) []byte {
	if len(c.held) > 0 {
		c.held = append(c.held, part...)
		part = c.held
	}
	var n int
	if c.clean, n = clean(c.clean[:0], part, false); len(part)-n > longest {
		c.clean, n = clean(c.clean[:0], part, true)
	}
	c.held = append(c.held[:0], part[n:]...)
	return c.marks.append(out, c.clean)
}

// End adds what still waits: the text has ended.
func (c *Cleaner) End(out []byte) []byte {
	c.clean, _ = clean(c.clean[:0], c.held, true)
	c.held = c.held[:0]
	return c.marks.append(out, c.clean)
}

// clean appends what is harmless of s. Unless this is the end of the text, it stops before
// what could go on behind s; n bytes were read.
func clean(out, s []byte, end bool) (_ []byte, n int) {
	for i := 0; i < len(s); {
		from := i
		for i < len(s) && plain(s[i]) {
			i++
		}
		out = append(out, s[from:i]...)
		if i == len(s) {
			break
		}
		if !end && !utf8.FullRune(s[i:]) {
			return out, i
		}
		r, size := utf8.DecodeRune(s[i:])
		taken, whole := 0, true
		switch {
		case r == utf8.RuneError && size == 1:
			out = utf8.AppendRune(out, utf8.RuneError)
		case r == esc:
			taken, whole = sequence(s[i+size:])
		case r == csi:
			taken, whole = parameters(s[i+size:])
		case isString(r - 0x40):
			taken, whole = stringEnd(s[i+size:])
		case obeyed(r):
		default:
			out = append(out, s[i:i+size]...)
		}
		if !whole && !end {
			return out, i
		}
		i += size + taken
	}
	return out, len(s)
}

// plain are the bytes that stand for themselves wherever they are outside a sequence.
func plain(b byte) bool { return b >= 0x20 && b <= 0x7e || b == '\n' || b == '\t' }

// harmless is the fast path: printable ASCII, tabs and line feeds.
func harmless(s string) bool {
	for i := range len(s) {
		if !plain(s[i]) {
			return false
		}
	}
	return true
}

// obeyed are the single characters that a terminal acts on or that change how
// their neighbours are shown.
func obeyed(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.IsControl(r): // C0, DEL, C1
		return true
	case r == 0x2028 || r == 0x2029: // line and paragraph separator
		return true
	case r == 0x200c || r == 0x200d: // joiners: emoji and Indic scripts need them
		return false
	}
	return unicode.Is(unicode.Cf, r) // bidi controls, zero-width, tags
}

// isString says whether ESC and this character begin a string that lasts to
// ST or BEL: DCS, SOS, OSC, PM, APC.
func isString(r rune) bool {
	return r == 'P' || r == 'X' || r == ']' || r == '^' || r == '_'
}

// sequence is the length of what follows an ESC and belongs to it (ECMA-48), and
// whether it has ended.
func sequence(s []byte) (n int, whole bool) {
	if len(s) == 0 {
		return 0, false
	}
	switch b := s[0]; {
	case b == '[':
		n, whole = parameters(s[1:])
		return n + 1, whole
	case isString(rune(b)):
		n, whole = stringEnd(s[1:])
		return n + 1, whole
	}
	return tail(s, 0x20, 0x2f, 0x30) // intermediates and the final character: ESC ( B
}

// parameters is the length of a control sequence after its introducer.
func parameters(s []byte) (n int, whole bool) { return tail(s, 0x20, 0x3f, 0x40) }

// tail is bytes from low to high and one of at least final.
func tail(s []byte, low, high, final byte) (n int, whole bool) {
	for n < len(s) && s[n] >= low && s[n] <= high {
		n++
	}
	if n == len(s) {
		return n, false
	}
	if s[n] >= final && s[n] <= 0x7e {
		n++
	}
	return n, true
}

// stringEnd is the length of a string sequence's body with its terminator.
func stringEnd(s []byte) (n int, whole bool) {
	for n < len(s) {
		r, size := utf8.DecodeRune(s[n:])
		switch {
		case r == utf8.RuneError && !utf8.FullRune(s[n:]):
			return len(s), false
		case r == '\n':
			return n, true
		case r == bel || r == st:
			return n + size, true
		case r == esc && n+size == len(s):
			return n, false
		case r == esc && s[n+size] == '\\':
			return n + size + 1, true
		case r == esc: // another sequence begins: the string is cut off
			return n, true
		}
		n += size
	}
	return n, false
}
