package port

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/template"
)

// quoting is where in a script, or in an instruction, a text stands.
type quoting byte

const (
	bare   quoting = 0
	double quoting = '"'
	single quoting = '\''
	// document is the body of a heredoc in which variables are expanded.
	document quoting = '<'
)

// piece is a run of letters of a word that stand for themselves.
type piece struct {
	at, end int
	quote   quoting
}

// word is a word of a script: its text as it is written, and the pieces of it.
type word struct {
	at, end int
	raw     string
	pieces  []piece
	// name is that of the variable it is given to.
	name string
}

// words lists the words of a script in order, those inside of others after them.
func words(text string, file *syntax.File) []word {
	var list []word
	values := map[*syntax.Word]string{}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Assign:
			if n.Name != nil && n.Value != nil {
				values[n.Value] = n.Name.Value
			}
		case *syntax.Redirect:
			if n.Hdoc == nil {
				return true
			}
			list = append(list, wordOf(text, n.Word, ""))
			if n.Word.Lit() != "" { // else nothing is expanded in it
				doc := word{at: int(n.Hdoc.Pos().Offset()), end: int(n.Hdoc.End().Offset())}
				doc.raw = text[doc.at:doc.end]
				doc.add(n.Hdoc.Parts, document)
				list = append(list, doc)
			}
			return false
		case *syntax.Word:
			list = append(list, wordOf(text, n, values[n]))
		}
		return true
	})
	return list
}

func wordOf(text string, n *syntax.Word, name string) word {
	w := word{at: int(n.Pos().Offset()), end: int(n.End().Offset()), name: name}
	w.raw = text[w.at:w.end]
	w.add(n.Parts, bare)
	return w
}

// add takes up the pieces among the parts of a word.
func (w *word) add(parts []syntax.WordPart, quote quoting) {
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			w.pieces = append(w.pieces, piece{int(p.Pos().Offset()), int(p.End().Offset()), quote})
		case *syntax.SglQuoted:
			if !p.Dollar {
				w.pieces = append(w.pieces, piece{int(p.Left.Offset()) + 1, int(p.Right.Offset()), single})
			}
		case *syntax.DblQuoted:
			if !p.Dollar {
				w.add(p.Parts, double)
			}
		}
	}
}

// piece finds the piece that some bytes of the script are in.
func (w word) piece(at, end int) (piece, bool) {
	for _, p := range w.pieces {
		if at >= p.at && end <= p.end {
			return p, true
		}
	}
	return piece{}, false
}

// stemOf is what a file is called up to the end of the architecture's word: all of its name
// where that has hardly anything before the word. It is empty where nothing stands there.
func stemOf(raw string, found arch.Word) string {
	const ends = "/ \t'\"=:;,("
	begin := strings.LastIndexAny(raw[:found.At], ends) + 1
	if found.At-begin < 2 || !strings.ContainsFunc(raw[begin:found.At], func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) {
		return ""
	}
	if found.At-begin > 2 {
		return raw[begin:found.End]
	}
	end := len(raw)
	if i := strings.IndexAny(raw[found.End:], ends+")"); i >= 0 {
		end = found.End + i
	}
	return raw[begin:end]
}

// variable writes a variable in place of a text, by where it stands.
func variable(name string, quote quoting, whole bool) string {
	switch {
	case quote == single:
		return `'"${` + name + `}"'`
	case whole:
		return "$" + name
	}
	return "${" + name + "}"
}

// source turns some bytes of a script into those of the file, if they stand there in a row.
func source(script template.Script, at, end int) (template.Span, bool) {
	first, _, ok := script.Place(at)
	if !ok || end <= at {
		return template.Span{}, false
	}
	last, _, ok := script.Place(end - 1)
	return template.Span{Start: first, End: last + 1}, ok && last-first == end-1-at
}
