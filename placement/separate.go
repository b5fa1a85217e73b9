package placement

import (
	"slices"
	"strings"
)

// want is one thing that is asked of a node: that a word of it equals a value, or does not.
type want struct {
	key, value string
	not        bool
}

// word is something that a scheduler can compare.
type word struct {
	name string
	// of tells it of a node.
	of func(Node) string
	// also are other spellings, to be excluded together with it; nil means none.
	also func(Node) []string
}

// separate finds the fewest wants, all of which hold for each node of in, and not all for any of out. What of out no
// word tells from in is left.
func separate(words []word, in, out []Node) (wants []want, left []Node) {
	left = out
	for _, order := range orders(words) {
		w, l := inOrder(order, in, out)
		if len(l) < len(left) || len(l) == len(left) && len(w) < len(wants) {
			wants, left = w, l
		}
	}
	return wants, left
}

// orders are all ways to ask for words one after the other; there are two words at most.
func orders(words []word) [][]word {
	var list [][]word
	for _, w := range words {
		list = append(list, []word{w})
	}
	if len(words) == 2 {
		list = append(list, []word{words[0], words[1]}, []word{words[1], words[0]})
	}
	return list
}

func inOrder(words []word, in, out []Node) (wants []want, left []Node) {
	left = out
	for _, w := range words {
		kept := values(w, in)
		var others, stay []Node
		for _, n := range left {
			if slices.Contains(kept, strings.ToLower(w.of(n))) {
				stay = append(stay, n)
			} else {
				others = append(others, n)
			}
		}
		if len(others) > 0 {
			wants = append(wants, w.wants(kept, others)...)
		}
		left = stay
	}
	return wants, left
}

// wants names the one value that is kept, or else excludes those of the others.
func (w word) wants(kept []string, others []Node) []want {
	if len(kept) == 1 {
		return []want{{key: w.name, value: kept[0]}}
	}
	excluded := values(w, others)
	if w.also != nil {
		for _, n := range others {
			for _, other := range w.also(n) {
				if !slices.Contains(kept, other) {
					excluded = append(excluded, other)
				}
			}
		}
	}
	var list []want
	for _, value := range sorted(excluded) {
		list = append(list, want{key: w.name, value: value, not: true})
	}
	return list
}

// values are what a word is on some nodes, in small letters: schedulers that compare words of platforms do not tell
// small from capital, or the words have no capitals.
func values(w word, nodes []Node) []string {
	var list []string
	for _, n := range nodes {
		list = append(list, strings.ToLower(w.of(n)))
	}
	return sorted(list)
}
