package template

import "sort"

// Around gives the lines of the instruction that a line belongs to: of the one that
// it stands in, else of the next one. Behind the last instruction it is the line alone.
func (t *Template) Around(line int) (first, last int) {
	i := sort.Search(len(t.instructions), func(i int) bool { return t.instructions[i].last >= line })
	if i == len(t.instructions) {
		return line, line
	}
	return t.instructions[i].first, t.instructions[i].last
}
