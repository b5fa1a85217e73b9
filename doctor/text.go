package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/platform"
)

const (
	// width of the text, in characters.
	width = 80
	// column is where the text of a check begins.
	column = 11
	// indent is before the further lines of a check.
	indent = "           "
	// few is how many checks without an answer are worth a line each.
	few = 3
)

// WriteText prints the report: a line for each group in which what is ok is
// folded together, every problem in full, and a last line that sums up. With
// verbose each check has a line, and a table of platforms follows.
func (r Report) WriteText(w io.Writer, verbose bool) error {
	var text strings.Builder
	for _, g := range groups {
		var list []Check
		for _, c := range r.Checks {
			if c.Group == g {
				list = append(list, c)
			}
		}
		if len(list) > 0 {
			writeGroup(&text, g, list, verbose)
		}
	}
	if verbose {
		text.WriteByte('\n')
		if err := r.writePlatforms(&text); err != nil {
			return err
		}
		text.WriteByte('\n')
	}
	wrap(&text, "", "", r.Summary.Text)
	_, err := io.WriteString(w, text.String())
	return err
}

func writeGroup(text *strings.Builder, g Group, list []Check, verbose bool) {
	unknown := with(list, Unknown)
	told := verbose || len(unknown) <= few
	line := folded(list, verbose)
	switch n := len(unknown); {
	case !told:
		line = join(line, fmt.Sprintf("%d unknown (-v tells why)", n))
	case n > 0:
		line = join(line, fmt.Sprintf("%d unknown", n))
	}
	wrap(text, fmt.Sprintf("%-*s", column, g), indent, line)
	var aside []string
	for _, c := range list {
		switch {
		case c.NoBuild && !verbose && c.Status != Unknown:
			aside = append(aside, ui.Line(c.Subject))
		case c.Status == Degraded || c.Status == Missing || verbose || c.Status == Unknown && told:
			writeCheck(text, c)
		}
	}
	if len(aside) > 0 {
		wrap(text, "  besides: ", indent, "no build is concerned, only who runs images here (-v tells more): "+strings.Join(aside, ", "))
	}
}

// folded is the line of a group: what its checks that are ok come to.
func folded(list []Check, verbose bool) string {
	ok := with(list, OK)
	line := ""
	if len(ok) > 0 {
		line = fmt.Sprintf("%d ok", len(ok))
	}
	var briefs []string
	for _, c := range ok {
		if c.Brief != "" {
			briefs = append(briefs, ui.Line(c.Brief))
		}
	}
	if said := "ok: " + strings.Join(briefs, ", "); len(briefs) > 0 && !verbose && column+utf8.RuneCountInString(joinCounts(said, list, verbose)) <= width {
		line = said
	}
	return joinCounts(line, list, verbose)
}

// joinCounts says how many problems stand below, and with verbose how many that are none of
// a build's.
func joinCounts(line string, list []Check, verbose bool) string {
	all := len(list)
	list = slices.DeleteFunc(slices.Clone(list), func(c Check) bool { return c.NoBuild && c.Status != Unknown })
	aside := all - len(list)
	for _, s := range []Status{Degraded, Missing} {
		if n := len(with(list, s)); n > 0 {
			line = join(line, fmt.Sprintf("%d %s", n, s))
		}
	}
	if verbose && aside > 0 {
		line = join(line, fmt.Sprintf("%d that concern no build", aside))
	}
	return line
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func with(list []Check, s Status) []Check {
	return slices.DeleteFunc(slices.Clone(list), func(c Check) bool { return c.Status != s })
}

// writeCheck prints one check, and what mends it. A command is not broken into
// lines: it is there to be copied.
func writeCheck(text *strings.Builder, c Check) {
	detail := c.Detail
	if c.Subject != "" && !strings.HasPrefix(detail, c.Subject) {
		detail = c.Subject + ": " + detail
	}
	wrap(text, fmt.Sprintf("  %-*s", column-2, c.Status), indent, fmt.Sprintf("%s [%s]", ui.Line(detail), c.ID))
	if c.Affects != "" {
		wrap(text, fmt.Sprintf("%*s", column, "affects: "), indent, ui.Line(c.Affects))
	}
	label := fmt.Sprintf("%*s", column, "fix: ")
	for line := range strings.Lines(c.Fix) {
		line = ui.Line(strings.TrimRight(line, "\n"))
		if c.Command {
			fmt.Fprintln(text, label+line)
		} else {
			wrap(text, label, indent, line)
		}
		label = indent
	}
}

// wrap prints words within the width: the first line after first, the others
// after rest. A word that is longer has a line of its own. Nothing in the words is
// obeyed by a terminal.
func wrap(text *strings.Builder, first, rest, words string) {
	line, at := first, utf8.RuneCountInString(first)
	empty := true
	for _, word := range strings.Fields(ui.Line(words)) {
		n := utf8.RuneCountInString(word)
		if !empty && at+1+n > width {
			fmt.Fprintln(text, line)
			line, at, empty = rest, utf8.RuneCountInString(rest), true
		}
		if !empty {
			line, at = line+" ", at+1
		}
		line, at, empty = line+word, at+n, false
	}
	fmt.Fprintln(text, strings.TrimRight(line, " "))
}

func (r Report) writePlatforms(text *strings.Builder) error {
	var rows [][]string
	for _, p := range r.Platforms {
		rows = append(rows, []string{p.Platform.String(), string(p.How), p.Node, p.Reason})
	}
	return ui.Table(text, []string{"PLATFORM", "BUILDS", "NODE", "WHY"}, rows)
}

// sentence is the last line: how many problems builds have, and what can be built.
func (r Report) sentence() string {
	s := r.Summary
	var counts []string
	if s.Degraded > 0 {
		counts = append(counts, fmt.Sprintf("%d degraded", s.Degraded))
	}
	if s.Missing > 0 {
		counts = append(counts, fmt.Sprintf("%d missing", s.Missing))
	} else {
		counts = append(counts, "nothing missing")
	}
	return strings.Join(counts, ", ") + ": " + r.verdict()
}

// verdict says what can be built.
func (r Report) verdict() string {
	if len(r.Summary.Paths) > 0 {
		var words []string
		for _, p := range r.Summary.Paths {
			words = append(words, p.sentence())
		}
		return strings.Join(words, "; ")
	}
	var works []platform.Platform
	copying := false
	for _, p := range r.Platforms {
		switch p.How {
		case Native, Emulated:
			works = append(works, p.Platform)
		case Copying:
			copying = true
		}
	}
	lacking := ""
	if len(r.Summary.Lacking) > 0 {
		lacking = "; " + Names(r.Summary.Lacking) + " cannot be built here"
	}
	switch {
	case len(works) > 0:
		return "builds for " + Names(works) + " work here" + lacking
	case copying:
		return "only Dockerfiles without RUN can be built here" + lacking
	}
	return "nothing can be built here"
}

func (p Path) sentence() string {
	switch {
	case p.Unknown:
		return p.Path + " was not looked at"
	case !p.CanBuild:
		return p.Path + " cannot be built here"
	}
	var list []platform.Platform
	for _, on := range p.Platforms {
		list = append(list, on.Platform)
	}
	return p.Path + " can be built for " + Names(list)
}

// Names lists platforms for people: of the variants of one architecture the one
// that is usual.
func Names(list []platform.Platform) string {
	var words []string
	for _, p := range list {
		same := slices.DeleteFunc(slices.Clone(list), func(o platform.Platform) bool { return o.OS != p.OS || o.Arch != p.Arch })
		if usual(same) == p {
			words = append(words, p.String())
		}
	}
	return strings.Join(words, ", ")
}

// usual is of arm the newest, of others the one without a level.
func usual(variants []platform.Platform) platform.Platform {
	variants = slices.Clone(variants)
	slices.SortFunc(variants, platform.Platform.Compare)
	if variants[0].Variant == "" {
		return variants[0]
	}
	return variants[len(variants)-1]
}
