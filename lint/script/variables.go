package script

import (
	"maps"
	"regexp"
	"slices"
)

// Variables are what is known of variables at some point of a stage or of a script.
type Variables struct {
	values map[string]value
}

// value is that of one variable.
type value struct {
	text text
	// known tells that text is its value; otherwise nobody knows.
	known bool
	// varying tells that it comes from the architecture.
	varying bool
	// exported tells that commands see it, arg that it is an ARG and no ENV.
	exported, arg bool
	// open tells that it is an ARG that has a value only if somebody gives one.
	open bool
}

// unlessGiven tells that ${NAME:-word} is word, unless somebody sets an ARG.
func (v Variables) unlessGiven(name string) bool {
	one, ok := v.values[name]
	return !Automatic(name) && (!ok || one.open || one.known && one.text.s == "" || !one.known && !one.varying)
}

// Value is what is known of a variable: its text, and whether that is known at all.
func (v Variables) Value(name string) (text string, known bool) {
	one, ok := v.values[name]
	return one.text.s, ok && one.known
}

// Word is the value of a variable as a word that leads to where it is written.
func (v Variables) Word(name string) (Word, bool) {
	one, ok := v.values[name]
	if !ok || !one.known {
		return Word{}, false
	}
	w := Word{Raw: one.text.s, Varying: one.varying}
	w.fill(one.text)
	return w, true
}

// Varying tells that a variable comes from the architecture.
func (v Variables) Varying(name string) bool {
	one, ok := v.values[name]
	return ok && one.varying || !ok && namesMachine(name)
}

// Names lists the variables that are set, sorted.
func (v Variables) Names() []string { return slices.Sorted(maps.Keys(v.values)) }

func (v Variables) clone() Variables { return Variables{maps.Clone(v.values)} }

func (v *Variables) set(name string, one value) {
	if v.values == nil {
		v.values = map[string]value{}
	}
	if len(v.values) < mostVariables {
		v.values[name] = one
	}
}

const mostVariables = 2000

// machineNames matches variables that hold the machine when nothing in the file says
// what they hold: BuildKit's, the shell's and dpkg's own, and ARCH by custom.
var machineNames = regexp.MustCompile(`(?i)^(?:(?:.*[^e])?arch(?:itecture|_?name|_?suffix)?|.*platform|.*(?:triplet?|multiarch|variant|gnu_type)|(?:.*_)?(?:machine|cpu)|machtype|hosttype|goarm)$`)

// namesMachine tells whether a variable that is set nowhere names the machine.
func namesMachine(name string) bool { return machineNames.MatchString(name) }

// Automatic tells whether BuildKit sets an ARG from the platforms.
func Automatic(name string) bool {
	switch name {
	case "TARGETPLATFORM", "TARGETARCH", "TARGETVARIANT", "BUILDPLATFORM", "BUILDARCH", "BUILDVARIANT":
		return true
	}
	return false
}

// fixed are those that BuildKit sets to the same on all platforms that are wanted.
func fixed(name string) bool {
	return name == "TARGETOS" || name == "BUILDOS" || name == "TARGETSTAGE" || name == "TARGETOSVERSION" || name == "BUILDOSVERSION"
}
