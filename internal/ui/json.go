package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// WriteJSON writes one document, indented, with the characters of URLs and references
// left as they are. What is no ordinary character of a text is escaped, also where JSON
// would not ask for it: see SafeJSON.
func WriteJSON(w io.Writer, value any) error {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := w.Write(SafeJSON(document.Bytes()))
	return err
}

// SafeJSON is the same document for those who read it as JSON, and harmless for a terminal
// and a log of a CI system that show it: what Clean would take out and what Harmless would break is
// escaped. A document has such characters in its strings alone.
func SafeJSON(document []byte) []byte {
	out := make([]byte, 0, len(document))
	var before rune
	for i := 0; i < len(document); {
		r, n := utf8.DecodeRune(document[i:])
		switch {
		case r == '\r' || r == '\n' || r == '\t': // between its parts
			out = append(out, byte(r))
		case r == utf8.RuneError && n == 1:
			out = utf8.AppendRune(out, r)
		case r == '#' && before == '#' || obeyed(r):
			out = escaped(out, r)
		default:
			out = append(out, document[i:i+n]...)
		}
		if !hidden(r) {
			before = r
		}
		i += n
	}
	return out
}

func escaped(out []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
