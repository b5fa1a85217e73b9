package lint

import (
	"cmp"
	"slices"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// Severity says how bad a finding is.
type Severity string

const (
	// Error is an image that is wrong, or cannot be built, on one of the platforms.
	Error Severity = "error"
	// Warning may be wrong: what decides it cannot be seen from outside, or harms only some.
	Warning Severity = "warning"
	// Info is worth knowing; nothing is wrong.
	Info Severity = "info"
)

// Finding is one place that does not serve all platforms.
type Finding struct {
	// ID of the rule, as in Rules.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// File is a path as the user would write it, with slashes.
	File string `json:"file"`
	// Line is counted from 1: the one where the word stands, in an instruction of many lines too.
	Line int `json:"line"`
	// Message says what is wrong and for which platforms, in one sentence without full stop.
	Message string `json:"message"`
	// Fix is the one thing to do.
	Fix string `json:"fix"`

	// Spans are the bytes of the Dockerfile that it is about, in order: what a port would
	// change. Empty where no single place would.
	Spans []template.Span `json:"-"`
	// Platforms are those that it harms; empty stands for all but one that cannot be told.
	Platforms []platform.Platform `json:"-"`
}

// Sort brings findings into their order: by file, line and rule. Of several of one
// rule in one line the first and worst stays.
func Sort(list []Finding) []Finding {
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Severity.rank(), b.Severity.rank()))
	})
	return slices.CompactFunc(list, func(a, b Finding) bool {
		return a.File == b.File && a.Line == b.Line && a.ID == b.ID
	})
}

// AtLeast tells whether s is as bad as other or worse.
func (s Severity) AtLeast(other Severity) bool { return s.rank() <= other.rank() }

func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Info}, s) }
