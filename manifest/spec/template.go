package spec

import (
	"fmt"
	"regexp"
	"strings"
)

// placeholders of a template. None is a part of another.
var placeholders = []string{"ARCH", "OS", "VARIANT"}

var (
	capitals     = regexp.MustCompile(`[A-Z]+`)
	placeholder  = regexp.MustCompile(`ARCH|OS|VARIANT`)
	placeholding = regexp.MustCompile(`^(?:ARCH|OS|VARIANT)+$`)
)

// template is the name of an image, with what to put where.
type template struct {
	text string
	// spots are where placeholders are replaced, in order.
	spots []spot
	// all counts every occurrence of each placeholder, and taken those replaced.
	all, taken map[string]int
	// within is a word that holds a placeholder and other capitals.
	within map[string]string
}

type spot struct {
	name       string
	start, end int
	// whole tells that the word around it is made of placeholders only.
	whole bool
}

func readTemplate(text string) template {
	t := template{text: text, all: map[string]int{}, taken: map[string]int{}, within: map[string]string{}}
	var found []spot
	free := map[string]bool{}
	for _, word := range capitals.FindAllStringIndex(text, -1) {
		letters := text[word[0]:word[1]]
		whole := placeholding.MatchString(letters)
		for _, at := range placeholder.FindAllStringIndex(letters, -1) {
			s := spot{name: letters[at[0]:at[1]], start: word[0] + at[0], end: word[0] + at[1], whole: whole}
			found = append(found, s)
			t.all[s.name]++
			free[s.name] = free[s.name] || whole
			if !whole {
				t.within[s.name] = letters
			}
		}
	}
	for _, s := range found {
		if s.whole || !free[s.name] {
			t.spots = append(t.spots, s)
			t.taken[s.name]++
		}
	}
	return t
}

// fill gives the name of the image of a platform.
func (t template) fill(p Platform) string {
	values := map[string]string{"ARCH": p.Architecture, "OS": p.OS, "VARIANT": p.Variant}
	var out strings.Builder
	last := 0
	for _, s := range t.spots {
		out.WriteString(t.text[last:s.start])
		out.WriteString(values[s.name])
		last = s.end
	}
	out.WriteString(t.text[last:])
	return out.String()
}

// warnings tell where the names differ from manifest-tool's, or from what the
// author seems to have meant.
func (t template) warnings() []Warning {
	var list []Warning
	for _, name := range placeholders {
		all, taken, word := t.all[name], t.taken[name], t.within[name]
		switch {
		case taken < all:
			list = append(list, Warning{
				Text: fmt.Sprintf("--template: %s is replaced where it is a word, not in %s", name, word),
				Help: "manifest-tool replaces the first one; list the images in a spec file if that is meant",
			})
		case taken > 1:
			list = append(list, Warning{
				Text: fmt.Sprintf("--template: %s is replaced %d times", name, taken),
				Help: "manifest-tool replaces the first one; list the images in a spec file if that is meant",
			})
		case word != "":
			list = append(list, Warning{
				Text: fmt.Sprintf("--template: %s is replaced within %s, as manifest-tool does", name, word),
				Help: "list the images in a spec file if it is not meant",
			})
		}
	}
	return list
}
