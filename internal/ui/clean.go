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
// Cleaning twice changes nothing more. A stream is cleaned in whole lines: a
// sequence cut in two by a buffer's end would leave its second half as text.
func Clean(s string) string {
	if harmless(s) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			out.WriteRune(utf8.RuneError)
			i++
		case r == esc:
			i += n + sequence(s[i+n:])
		case r == csi:
			i += n + parameters(s[i+n:])
		case isString(r - 0x40):
			i += n + stringEnd(s[i+n:])
		case obeyed(r):
			i += n
		default:
			out.WriteRune(r)
			i += n
		}
	}
	return out.String()
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

// harmless is the fast path: printable ASCII, tabs and line feeds.
func harmless(s string) bool {
	for i := range len(s) {
		if b := s[i]; b != '\n' && b != '\t' && (b < 0x20 || b > 0x7e) {
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

// sequence is the length of what follows an ESC and belongs to it (ECMA-48).
func sequence(s string) int {
	if s == "" {
		return 0
	}
	switch b := s[0]; {
	case b == '[':
		return 1 + parameters(s[1:])
	case isString(rune(b)):
		return 1 + stringEnd(s[1:])
	}
	n := 0
	for n < len(s) && s[n] >= 0x20 && s[n] <= 0x2f { // intermediates: ESC ( B
		n++
	}
	if n < len(s) && s[n] >= 0x30 && s[n] <= 0x7e { // the final character
		n++
	}
	return n
}

// parameters is the length of a control sequence after its introducer.
func parameters(s string) int {
	n := 0
	for n < len(s) && s[n] >= 0x20 && s[n] <= 0x3f {
		n++
	}
	if n < len(s) && s[n] >= 0x40 && s[n] <= 0x7e {
		n++
	}
	return n
}

// stringEnd is the length of a string sequence's body with its terminator.
func stringEnd(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\n':
			return i
		case r == bel || r == st:
			return i + n
		case r == esc && strings.HasPrefix(s[i+n:], `\`):
			return i + n + 1
		case r == esc: // another sequence begins: the string is cut off
			return i
		}
		i += n
	}
	return len(s)
}
