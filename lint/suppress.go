package lint

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/template"
)

// suppress leaves out what comments of the file name. A comment holds for the
// instruction that follows it, or that it stands in:
//
//	# archbuild ignore=arch-literal,checksum-one-arch the server offers it to its clients
//
// and for the whole file with the word global before ignore. What follows the names is for readers.
func suppress(t *template.Template, found []Finding) []Finding {
	everywhere, lines := comments(t)
	return slices.DeleteFunc(found, func(f Finding) bool {
		return f.File == t.File && (slices.Contains(everywhere, f.ID) || slices.Contains(lines[f.Line], f.ID))
	})
}

// comments reads the suppressing comments: rules left out everywhere, and by line.
func comments(t *template.Template) (everywhere []string, lines map[int][]string) {
	lines = map[int][]string{}
	for number, line := range strings.Split(string(t.Source), "\n") {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !ok {
			continue
		}
		text, ok = strings.CutPrefix(strings.TrimSpace(text), "archbuild ")
		if !ok {
			continue
		}
		text = strings.TrimSpace(text)
		rest, global := strings.CutPrefix(text, "global ")
		names, ok := strings.CutPrefix(strings.TrimSpace(rest), "ignore=")
		if !ok {
			continue
		}
		names, _, _ = strings.Cut(names, " ")
		ids := strings.Split(strings.TrimSpace(names), ",")
		if global {
			everywhere = append(everywhere, ids...)
			continue
		}
		first, last := t.Around(number + 1)
		for at := first; at <= last; at++ {
			lines[at] = append(lines[at], ids...)
		}
	}
	return everywhere, lines
}
