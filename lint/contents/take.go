package contents

import (
	"io/fs"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
)

// taken is a file or a link that a Copy takes in.
type taken struct {
	copy        int
	path, image string
}

// taking is a Copy at work.
type taking struct {
	*tree
	Copy
	number  int
	exclude *patternmatcher.PatternMatcher
	file    func(taken)
	link    func(taken)
}

// take says which files and links a copy takes in; one may come several times.
func (t *tree) take(number int, c Copy, file, link func(taken)) {
	w := taking{tree: t, Copy: c, number: number, file: file, link: link}
	if len(c.Exclude) > 0 {
		var err error
		if w.exclude, err = patternmatcher.New(c.Exclude); err != nil {
			return // BuildKit refuses it
		}
	}
	for _, source := range c.Sources {
		if c.Parents {
			w.withParents(source)
			continue
		}
		names := t.match(source)
		for _, name := range names {
			w.source(name, len(names)+len(c.Sources) > 2)
		}
	}
}

// source takes in one path: a folder is what is in it.
func (w *taking) source(name string, many bool) {
	at, kind, ok := w.follow(name)
	if !ok {
		return
	}
	to := w.Dest
	if to != "" && !kind.IsDir() && (many || strings.HasSuffix(to, "/")) {
		to = path.Join(to, path.Base(path.Clean("/"+name)))
	}
	w.walk(at, kind, "", to, nil, patternmatcher.MatchInfo{}, patternmatcher.MatchInfo{})
}

// withParents takes in a source of --parents: the folders behind "/./" are kept.
func (w *taking) withParents(source string) {
	root, pattern, ok := strings.Cut(source, "/./")
	if !ok {
		root, pattern = "/", source
	}
	pattern = strings.TrimPrefix(path.Clean("/"+pattern), "/")
	include, err := patternmatcher.New([]string{pattern})
	if err != nil {
		return
	}
	for _, name := range w.match(root) {
		at, kind, ok := w.follow(name)
		if !ok {
			continue
		}
		below, to := "", w.Dest
		for _, word := range parts(pattern) {
			if !ok || !kind.IsDir() || hasWildcard(word) || strings.Contains(word, `\`) {
				break // only the folders that lead to it have to be listed
			}
			at, below = path.Join(at, word), path.Join(below, word)
			if to != "" {
				to = path.Join(to, word)
			}
			kind, ok = w.kind(at)
		}
		if ok {
			w.walk(at, kind, below, to, include, patternmatcher.MatchInfo{}, patternmatcher.MatchInfo{})
		}
	}
}

// walk takes in a path and what is below it. below is the path as patterns see it,
// and in and out are what they said of its folder.
func (w *taking) walk(at string, kind fs.FileMode, below, to string, include *patternmatcher.PatternMatcher, in, out patternmatcher.MatchInfo) {
	included := true
	if below != "" && include != nil {
		var err error
		if included, in, err = include.MatchesUsingParentResults(below, in); err != nil {
			return
		}
	}
	if below != "" && w.exclude != nil {
		excluded, info, err := w.exclude.MatchesUsingParentResults(below, out)
		if err != nil || excluded && !(kind.IsDir() && w.exclude.Exclusions()) {
			return
		}
		included, out = included && !excluded, info
	}
	switch {
	case kind.IsDir():
		for _, entry := range w.list(at) {
			next := to
			if to != "" {
				next = path.Join(to, entry.Name())
			}
			w.walk(path.Join(at, entry.Name()), entry.Type(), path.Join(below, entry.Name()), next, include, in, out)
		}
	case included && kind.IsRegular():
		w.file(taken{w.number, at, to})
	case included && kind&fs.ModeSymlink != 0:
		w.link(taken{w.number, at, to})
	}
}

// match gives the paths that a source stands for: itself, or those that its wildcards fit.
func (t *tree) match(source string) []string {
	words := parts(source)
	n := 0
	for n < len(words) && !hasWildcard(words[n]) {
		n++
	}
	if n == len(words) {
		return []string{path.Join(words...)}
	}
	at, kind, ok := t.follow(path.Join(words[:n]...))
	if !ok || !kind.IsDir() {
		return nil
	}
	return t.fit(at, words[n:])
}

// fit gives the paths below a folder that fit words with wildcards, one for each part.
func (t *tree) fit(dir string, words []string) []string {
	var names []string
	for _, entry := range t.list(dir) {
		if ok, err := path.Match(words[0], entry.Name()); err != nil || !ok {
			continue
		}
		name := path.Join(dir, entry.Name())
		switch {
		case len(words) == 1:
			names = append(names, name)
		case entry.IsDir():
			names = append(names, t.fit(name, words[1:])...)
		}
	}
	return names
}

// hasWildcard tells whether BuildKit takes a word for a pattern.
func hasWildcard(word string) bool {
	for i := 0; i < len(word); i++ {
		switch word[i] {
		case '\\':
			i++
		case '*', '?', '[':
			return true
		}
	}
	return false
}
