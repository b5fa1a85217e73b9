package resolve

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// PlatformError says that a base has no image for a platform.
type PlatformError struct {
	Question
	// Use is the reference that was asked, if a rule or convention named another one.
	Use string
	// Rule is what named it.
	Rule string
	// Offers lists the platforms that it does have.
	Offers []platform.Platform
	// Tried lists the references tried instead, none of which serves the platform.
	Tried []string
	// Single tells that the reference is pinned to the digest of one image.
	Single bool
	// Locked tells that the offers are those of archbuild.lock.
	Locked bool
}

func (e *PlatformError) Error() string {
	var b strings.Builder
	switch {
	case e.Single:
		fmt.Fprintf(&b, "%s is the digest of a single image, for %s, not for %s", e.Use, list(e.Offers), e.Platform)
	case len(e.Offers) == 0:
		fmt.Fprintf(&b, "%s offers no image at all, so none for %s", e.Use, e.Platform)
	default:
		fmt.Fprintf(&b, "%s offers %s; %s is not among them", e.Use, list(e.Offers), e.Platform)
	}
	if e.Use != e.Image {
		fmt.Fprintf(&b, " (it stands for %s, by %s)", e.Image, e.Rule)
	}
	if len(e.Tried) > 0 {
		fmt.Fprintf(&b, " (tried too: %s)", strings.Join(e.Tried, ", "))
	}
	return b.String()
}

// Hint shows the rule that would help.
func (e *PlatformError) Hint() string {
	if e.Single {
		return fmt.Sprintf("pin the digest of the index instead, or map it: --base %s=NEW@%s", e.Image, e.Platform)
	}
	if e.Locked {
		return fmt.Sprintf("archbuild.lock says so; see what there is now: archbuild lock PATH --update %s", e.Use)
	}
	old := e.Image
	if n, err := parseName(e.Image); err == nil && !n.pinned() {
		old = strings.TrimSuffix(e.Image, ":"+n.tag)
	}
	return fmt.Sprintf("name another image: --base %s=NEW@%s, or under bases: in archbuild.yaml", old, e.Platform)
}

// list names platforms, sorted, each once.
func list(platforms []platform.Platform) string {
	var words []string
	for _, p := range platforms {
		words = append(words, p.String())
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ", ")
}

// MismatchError says that the image listed for a platform is, by its own
// config, one for another platform.
type MismatchError struct {
	Question
	// Use is the reference asked, Digest the image's.
	Use, Digest string
	// Found is the platform its config names.
	Found platform.Platform
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s lists %s as its image for %s, but that image says it is for %s", e.Use, e.Digest, e.Platform, e.Found)
}

// Hint shows the rule that would help.
func (e *MismatchError) Hint() string {
	return fmt.Sprintf("the image was published wrongly: name another one, --base %s=NEW@%s", e.Image, e.Platform)
}

// Error says for which reference and platforms there is no answer, and why.
type Error struct {
	Image     string
	Platforms []platform.Platform
	Err       error
	// Trail lists what was tried for the first platform.
	Trail []Step
}

func (e *Error) Error() string {
	return fmt.Sprintf("resolving %s for %s: %v", e.Image, list(e.Platforms), e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// IsNotFound tells whether a registry said that a reference does not exist.
func IsNotFound(err error) bool {
	var e interface{ NotFound() bool }
	return errors.As(err, &e) && e.NotFound()
}

// mirrorsLackIt tells whether all mirrors said so, and nobody else can be asked.
func mirrorsLackIt(err error) bool {
	var e interface{ MirrorsLackIt() bool }
	return errors.As(err, &e) && e.MirrorsLackIt()
}

// isUnauthorized tells whether a registry refused to say; several do for what
// does not exist.
func isUnauthorized(err error) bool {
	var e interface{ Unauthorized() bool }
	return errors.As(err, &e) && e.Unauthorized()
}
