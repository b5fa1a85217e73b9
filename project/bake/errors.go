package bake

import (
	"maps"
	"slices"
	"strings"

	"github.com/docker/buildx/bake/hclparser"
	"github.com/hashicorp/hcl/v2"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/project"
)

// Error is what is wrong with a bake file, or with what the command line adds to it.
type Error struct {
	// Place is where it stands; nowhere for the command line.
	Place project.Place
	// Text is what is wrong, Help the one thing to do.
	Text, Help string
	// Cause is the error of a file that could not be read.
	Cause error
	// Unknown is the name, as the command line has it, of which there is no target and no group; else empty.
	Unknown string
}

func (e *Error) Error() string {
	if e.Place.File == "" {
		return e.Text
	}
	return e.Place.String() + ": " + e.Text
}

// At is the place, for those who show errors beside the code.
func (e *Error) At() (file string, line int) { return e.Place.File, e.Place.Line }

// Hint is the one thing to do.
func (e *Error) Hint() string { return e.Help }

func (e *Error) Unwrap() error { return e.Cause }

// at is where a range of a file begins.
func at(r hcl.Range) project.Place { return project.Place{File: r.Filename, Line: r.Start.Line} }

// diagnosed are the errors among HCL's diagnostics, one for each cause. Variables are those of the files.
func diagnosed(diags hcl.Diagnostics, variables []string) []error {
	var errs []error
	said := map[project.Place]bool{}
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		e := &Error{Text: sentence(d), Help: hint(d, variables)}
		if d.Subject != nil {
			e.Place = at(*d.Subject)
		}
		// What follows from a first error is of no use: "value must be known".
		if e.Place.Line > 0 && said[e.Place] {
			continue
		}
		said[e.Place] = true
		errs = append(errs, e)
	}
	return errs
}

// hint is the one thing to do about a diagnostic.
func hint(d *hcl.Diagnostic, variables []string) string {
	name, known := "", variables
	switch d.Summary {
	case "Validation failed":
		return "give the variable another value, in the environment or with --var"
	case "Unknown variable":
		name = quoted(d.Detail)
	case "Call to unknown function":
		name, known = quoted(d.Detail), slices.Sorted(maps.Keys(hclparser.Stdlib()))
	case "Invalid value":
		return "give the variable a value of its type"
	}
	if near := nearest.Word(name, known); near != "" {
		return "write " + near
	}
	if d.Summary == "Unknown variable" {
		return "add: variable \"" + name + "\" { default = \"\" }"
	}
	return "correct that line; docs.docker.com/build/bake/reference has what a bake file may say"
}

// quoted is the first word of a text that stands between quotes.
func quoted(text string) string {
	_, rest, _ := strings.Cut(text, "\"")
	word, _, _ := strings.Cut(rest, "\"")
	return word
}

// sentence is a diagnostic in one line. Where the summary says nothing, the detail is it.
func sentence(d *hcl.Diagnostic) string {
	text := d.Summary
	if d.Detail != "" {
		text += ": " + lower(d.Detail)
	}
	for _, empty := range []string{"Unsuitable value type: unsuitable value: ", "Unknown variable: ", "Call to unknown function: ", "Invalid expression: ", "Invalid value: ", "Invalid name: "} {
		text = strings.TrimPrefix(text, empty)
	}
	return lower(strings.TrimSuffix(strings.Join(strings.Fields(text), " "), "."))
}

// lower writes the first letter small, as errors have it.
func lower(s string) string {
	if s == "" {
		return s
	}
	if len(s) > 1 && s[:2] == strings.ToUpper(s[:2]) {
		return s // HCL, JSON
	}
	return strings.ToLower(s[:1]) + s[1:]
}
