package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Harmless breaks all in a text that a CI system would obey. They read the logs of their
// jobs for commands, and cannot tell who wrote a line:
//
//	::set-output …      GitHub, Gitea, Forgejo: at the beginning of a line    becomes : :set-output
//	##[group] …         GitHub, Azure: anywhere                               becomes ## [group]
//	##vso[…]            Azure: anywhere                                       becomes ##vso [
//	##teamcity[…]       TeamCity                                              becomes ##teamcity [
//
// GitLab's section_start, Travis' folds and Jenkins' notes need ESC and carriage returns, which
// Clean takes out. Characters that have no width count as not being there. Other text stays as it is.
func Harmless(text string) string {
	var m marks
	text = strings.ToValidUTF8(text, "\ufffd") // Who passes over bytes may see others in what is left.
	return string(m.append(make([]byte, 0, len(text)), []byte(text)))
}

// marks breaks commands in a text that comes in parts. The zero of it is at the beginning of a line.
type marks struct {
	// headings are broken as well: see StreamOptions.
	headings bool
	// inLine says that something stands on this line.
	inLine bool
	// before and last are the last characters of the line that can be seen, seen how many there
	// are, spaces at its beginning left out.
	before, last rune
	seen         int
	// hash says that what was last is ## or ##word.
	hash bool
}

func (m *marks) restart() { *m = marks{headings: m.headings} }

func (m *marks) append(out, text []byte) []byte {
	for i := 0; i < len(text); {
		if m.seen > 2 && m.last != '#' && !m.hash { // Nothing begins here.
			from := i
			for i < len(text) && text[i] != '\n' && text[i] != '#' && text[i] != '\r' {
				i++
			}
			out = append(out, text[from:i]...)
			if i > from {
				m.last = ' '
			}
			if i == len(text) {
				break
			}
		}
		c, n := utf8.DecodeRune(text[i:])
		if m.breaks(c) {
			out = append(out, ' ')
		}
		out = append(out, text[i:i+n]...)
		i += n
	}
	return out
}

// breaks says whether this character would complete a command, and remembers it.
func (m *marks) breaks(c rune) bool {
	if c == '\n' || c == '\r' {
		m.restart()
		return false
	}
	m.inLine = true
	if hidden(c) || m.seen == 0 && unicode.IsSpace(c) {
		return false
	}
	broken := m.seen == 1 && m.last == ':' && c == ':' || m.hash && c == '[' ||
		m.headings && m.seen == 2 && m.before == c && m.last == c && (c == '-' || c == '+' || c == '~' || c == '^')
	m.hash = c == '#' && m.last == '#' || m.hash && (c == '#' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z')
	m.before, m.last = m.last, c
	m.seen++
	return broken
}

// hidden are characters that a comparison may pass over.
func hidden(c rune) bool {
	if c >= ' ' && c < 0x7f {
		return false
	}
	return unicode.IsControl(c) && !unicode.IsSpace(c) || unicode.In(c, unicode.Cf, unicode.Mn, unicode.Me, unicode.Variation_Selector)
}
