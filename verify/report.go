package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Severity says what a finding means for the image.
type Severity string

const (
	// SeverityError stops the image: it will not work.
	SeverityError Severity = "error"
	// SeverityWarning is worth a look.
	SeverityWarning Severity = "warning"
	// SeverityNote is how things are, and works.
	SeverityNote Severity = "note"
)

// Kind says what a finding is about.
type Kind string

// The kinds of findings.
const (
	// KindProgram is a program that the platform cannot run.
	KindProgram Kind = "program"
	// KindPlatform is a label that the image's config does not bear out.
	KindPlatform Kind = "platform"
	// KindForeign is a layer that lies outside the image.
	KindForeign Kind = "foreign-layer"
	// KindMissing, KindSize, KindDigest, KindMediaType and KindInvalid are about a
	// manifest or blob that is not what its descriptor says.
	KindMissing   Kind = "missing"
	KindSize      Kind = "size"
	KindDigest    Kind = "digest"
	KindMediaType Kind = "media-type"
	KindInvalid   Kind = "invalid"
	// KindDuplicate is a platform that an index has twice, KindShadowed one that
	// some clients do not find because of another one, KindAttestation an attestation
	// that speaks of nothing in the index.
	KindDuplicate   Kind = "duplicate-platform"
	KindShadowed    Kind = "shadowed-platform"
	KindAttestation Kind = "dangling-attestation"
)

// Report is what was found in one image. Findings are sorted: errors first,
// then by path.
type Report struct {
	Platform platform.Platform `json:"platform"`
	// Files is the number of regular files looked at, Programs how many of them
	// are programs or libraries.
	Files    int `json:"files"`
	Programs int `json:"programs"`
	// Allowed is the number of findings that Options.Allow took away.
	Allowed  int       `json:"allowed,omitempty"`
	Findings []Finding `json:"findings"`
}

// Finding is one thing that is not as it should be.
type Finding struct {
	Severity Severity `json:"severity"`
	Kind     Kind     `json:"kind"`
	// Path in the image; empty when the finding is not about a file.
	Path string `json:"path,omitempty"`
	// Platform of the image, and Digest of the manifest or blob, that it is about.
	Platform string `json:"platform,omitempty"`
	Digest   string `json:"digest,omitempty"`
	// Found and Wanted: "linux/amd64 (ELF x86-64)", "linux/arm64".
	Found  string `json:"found,omitempty"`
	Wanted string `json:"wanted,omitempty"`
	// Why says what makes it serious, or uncertain: "the entrypoint", "in PATH".
	Why string `json:"why,omitempty"`
	// Origin is the instruction that put the file there, when that is known.
	Origin string `json:"origin,omitempty"`
	// Message is the finding as one sentence.
	Message string `json:"message"`
	// Hint is the one thing to do about it.
	Hint string `json:"hint,omitempty"`
}

func (r *Report) finish(allow []glob, origin func(string) (string, bool)) {
	kept := make([]Finding, 0, len(r.Findings))
	for _, f := range r.Findings {
		if f.Path != "" && matchAny(allow, f.Path) {
			r.Allowed++
			continue
		}
		f.explain(origin)
		f.Platform = r.Platform.String()
		f.Hint = f.todo()
		kept = append(kept, f)
	}
	slices.SortFunc(kept, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Found, b.Found))
	})
	r.Findings = kept
}

// explain writes the sentence.
func (f *Finding) explain(origin func(string) (string, bool)) {
	subject := printable(f.Path) // a line feed in it would begin a line of its own
	if subject == "" {
		subject = "the image"
	}
	f.Message = fmt.Sprintf("%s: found %s, wanted %s", subject, f.Found, f.Wanted)
	if f.Why != "" {
		f.Message += " (" + f.Why + ")"
	}
	if origin == nil || f.Path == "" {
		return
	}
	from, sure := origin(f.Path)
	switch {
	case from == "":
	case sure:
		f.Origin = from
		f.Message += ", from " + from
	default:
		f.Origin = from
		f.Message += ", perhaps from " + from
	}
}

// todo is the one thing to do about a finding in an image.
func (f *Finding) todo() string {
	switch {
	case f.Path != "":
		return "build it in a stage for $TARGETPLATFORM, or allow it with --verify-allow " + quoted(printable(f.Path))
	case f.Kind == KindInvalid:
		return "build that image again: its manifest and its config do not belong together"
	case f.Kind == KindForeign:
		return "push the image with that layer in it, from where it can be had"
	case f.Severity == SeverityWarning:
		return fmt.Sprintf("build that image again with --platform %s, so that its config names the variant", f.Platform)
	}
	return fmt.Sprintf("build that image again for %s, or correct its label", f.Platform)
}

// Err is nil when the report holds no finding of severity error, else an *Error.
func (r Report) Err() error {
	var fatal []Finding
	for _, f := range r.Findings {
		if f.Severity == SeverityError {
			fatal = append(fatal, f)
		}
	}
	if len(fatal) == 0 {
		return nil
	}
	return &Error{Platform: r.Platform, Findings: fatal}
}

// Warnings are the findings that do not stop the image.
func (r Report) Warnings() []Finding {
	var list []Finding
	for _, f := range r.Findings {
		if f.Severity != SeverityError {
			list = append(list, f)
		}
	}
	return list
}

// Error says that an image is not what its label says. Findings are the serious
// ones only; there is at least one.
type Error struct {
	Platform platform.Platform
	Findings []Finding
}

// shown is how many findings an error spells out.
const shown = 10

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the image for %s does not fit its platform", e.Platform)
	for i, f := range e.Findings {
		if i == shown {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Findings)-shown)
			break
		}
		fmt.Fprintf(&b, "\n  %s", printable(f.Message))
	}
	return b.String()
}

// Hint is the one thing to do next.
func (e *Error) Hint() string { return e.Findings[0].Hint }

// ExitStatus is 3, as whenever an image is not what its label says.
func (e *Error) ExitStatus() int { return 3 }

// quoted is the glob that names a path, for a shell.
func quoted(path string) string {
	if !strings.ContainsAny(path, "*?[\\ '\"$&;()<>|`") {
		return path
	}
	glob := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
	return "'" + strings.ReplaceAll(glob, "'", `'\''`) + "'"
}

// printable keeps a file name of the image from speaking to the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return '?'
		}
		return r
	}, s)
}
