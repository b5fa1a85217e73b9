package template

import "regexp"

// Declared is an ARG before the first FROM.
type Declared struct {
	Name string
	// Default as written, variables not expanded; HasDefault tells that there is one.
	Default    string
	HasDefault bool
	// Line that the name stands in, counted from 1.
	Line int
	// Span of the default's bytes; empty where they do not stand in one piece, or in
	// quotes that are not around the whole.
	Span Span
}

// Declared lists the ARGs before the first FROM, in the order of the file. A name may
// be there more than once: the last one counts, but for a FROM between them there is none.
func (t *Template) Declared() []Declared {
	var list []Declared
	for _, cmd := range t.globals.commands {
		from, to := 0, 0
		if where := cmd.Location(); len(where) > 0 {
			from, to = where[0].Start.Line, where[len(where)-1].End.Line
		}
		for _, arg := range cmd.Args {
			d := Declared{Name: arg.Key, HasDefault: arg.Value != nil, Line: from}
			if arg.Value != nil {
				d.Default = *arg.Value
			}
			t.place(&d, from, to)
			list = append(list, d)
		}
	}
	return list
}

// place finds where the name of an ARG stands in the lines of its instruction, and its
// default behind it.
func (t *Template) place(d *Declared, from, to int) {
	name := regexp.MustCompile(`(?:^|\s)` + regexp.QuoteMeta(d.Name) + `(?:=["']?|\s|$)`)
	for line := from; line > 0 && line <= to; line++ {
		text := t.LineText(line)
		at := name.FindStringIndex(text)
		if at == nil {
			continue
		}
		d.Line = line
		if value := len(d.Default); value > 0 && at[1]+value <= len(text) && text[at[1]:at[1]+value] == d.Default {
			start := t.lineStart(line) + at[1]
			d.Span = Span{start, start + value}
		}
		return
	}
}

// lineStart is the offset of a line's first byte.
func (t *Template) lineStart(line int) int {
	at := 0
	for n := 1; n < line; n++ {
		for at < len(t.Source) && t.Source[at] != '\n' {
			at++
		}
		at++
	}
	return at
}
