package template

import (
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// beginsIn is the directory that a stage on some base begins in, as far as the
// file alone decides it: the one that the stage it starts from ended in.
func (t *Template) beginsIn(base Reference) string {
	switch base.Kind {
	case StageKind:
		return t.Stages[base.Target].workdir
	case Scratch:
		return "/"
	}
	return ""
}

// enter is the directory after WORKDIR; empty when it is not known.
func (t *Template) enter(dir, text string) string {
	to, ok := t.literal(text)
	switch {
	case !ok || strings.Contains(to, `\`) || strings.Contains(to, ":"):
		return ""
	case path.IsAbs(to):
		return path.Clean(to)
	case dir == "":
		return ""
	}
	return path.Join(dir, to)
}

// Origin finds the COPY or ADD of a stage, or of the stages it starts from,
// whose destination holds a path of the image. Destinations that depend on a
// variable or on the base image's directory are passed over. One that names
// the path exactly goes before one that is a folder above it; of equals the
// later one is taken, for it had the last word.
func (t *Template) Origin(stage int, file string) (Copy, bool) {
	file = path.Clean("/" + file)
	var above Copy
	found := false
	for stage >= 0 && stage < len(t.Stages) {
		copies := t.Stages[stage].Copies
		for i := len(copies) - 1; i >= 0; i-- {
			switch exact, inside := t.holds(copies[i], file); {
			case exact:
				return copies[i], true
			case inside && !found:
				above, found = copies[i], true
			}
		}
		base := t.References[t.Stages[stage].Base]
		if base.Kind != StageKind {
			break
		}
		stage = base.Target
	}
	return above, found
}

// holds compares a path with the destination of one instruction.
func (t *Template) holds(c Copy, file string) (exact, inside bool) {
	text, ok := t.literal(c.Dest)
	if !ok {
		return false, false
	}
	dest := t.enter(c.Workdir, c.Dest)
	if dest == "" {
		return false, false
	}
	folder := len(c.Sources) > 1 || strings.HasSuffix(text, "/") || text == "." || strings.HasSuffix(text, "/.")
	if file == dest {
		return !folder, false
	}
	onlyFiles := true
	for _, source := range c.Sources {
		name, known, isFile := t.fileName(source)
		if known && file == path.Join(dest, name) && (folder || !isFile) {
			return true, false
		}
		onlyFiles = onlyFiles && isFile
	}
	return false, !onlyFiles && (dest == "/" || strings.HasPrefix(file, dest+"/"))
}

// fileName is the last element of a source. isFile is true for one that is
// certainly no folder: a heredoc.
func (t *Template) fileName(source string) (name string, known, isFile bool) {
	if doc := parser.MustParseHeredoc(source); doc != nil {
		return doc.Name, true, true
	}
	text, ok := t.literal(source)
	if !ok || strings.ContainsAny(text, `*?[\`) {
		return "", false, false
	}
	text = path.Base(text)
	return text, text != "." && text != "/" && text != "..", false
}
