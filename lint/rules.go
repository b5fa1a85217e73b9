package lint

import "slices"

// Rule is one reason for which porting fails.
type Rule struct {
	// ID is what a comment that suppresses it names.
	ID string
	// Severity is the worst that it reports.
	Severity Severity
	// Title says what it finds, in a few words.
	Title string
	// check adds its findings.
	check func(*subject)
}

// Invalid is the rule of a file that cannot be read; nothing else is then found in it.
const Invalid = "dockerfile-invalid"

// Rules are all there are, in the order of their documentation.
var Rules = []Rule{
	{ID: "base-unavailable", Severity: Error, Title: "no image for a platform serves a base", check: baseUnavailable},
	{ID: "base-one-arch", Severity: Error, Title: "a base is pinned to one architecture", check: baseOneArch},
	{ID: "arch-literal", Severity: Error, Title: "an architecture is written out in a URL, a path or a setting", check: (*subject).archLiteral},
	{ID: "arch-asked", Severity: Error, Title: "a command asks for the machine's architecture", check: (*subject).archAsked},
	{ID: "checksum-one-arch", Severity: Error, Title: "one checksum for a file that differs by architecture", check: (*subject).checksums},
	{ID: "download-unnamed-arch", Severity: Error, Title: "a download is for one architecture and does not say so", check: (*subject).unnamedDownloads},
	{ID: "prebuilt-binary", Severity: Error, Title: "a program in the context is for another machine", check: prebuiltBinary},
	{ID: "arch-link", Severity: Warning, Title: "a symbolic link leads into the folder of one architecture", check: archLink},
	{ID: "scratch-would-do", Severity: Info, Title: "a static program lies on a whole distribution", check: scratchWouldDo},
	{ID: "emulated-compile", Severity: Warning, Title: "a stage compiles under emulation", check: emulatedCompile},
	{ID: "cache-shared", Severity: Warning, Title: "architectures share a cache mount", check: cacheShared},
	{ID: "buildplatform-leak", Severity: Error, Title: "what is made for the build platform gets into the image", check: buildplatformLeak},
	{ID: "platform-unbuildable", Severity: Error, Title: "nothing can build a platform of archbuild.yaml", check: platformUnbuildable},
	{ID: Invalid, Severity: Error, Title: "the Dockerfile cannot be read"},
}

// ByID finds a rule.
func ByID(id string) (Rule, bool) {
	i := slices.IndexFunc(Rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return Rules[i], true
}
