package archbuild

import (
	"fmt"

	"github.com/archbuild/archbuild/platform"
)

// Skipped is a platform that a comment in the template leaves out.
type Skipped struct {
	Platform platform.Platform
	// Rule is where it says so: "Dockerfile:3 comment".
	Rule string
}

// withoutSkipped parts what was rewritten from what is left out. Nothing left is
// an error.
func withoutSkipped(done []Rewritten) (kept []Rewritten, skipped []Skipped, err error) {
	for _, one := range done {
		if one.skipped == "" {
			kept = append(kept, one)
			continue
		}
		skipped = append(skipped, Skipped{Platform: one.Platform, Rule: one.skipped})
	}
	if len(kept) == 0 {
		return nil, nil, &SkippedError{Skipped: skipped}
	}
	return kept, skipped, nil
}

// SkippedError says that the template leaves out every platform asked for.
type SkippedError struct{ Skipped []Skipped }

func (e *SkippedError) Error() string {
	return fmt.Sprintf("%s leaves out %s, so nothing is left to do", e.Skipped[0].Rule, e.Skipped[0].Platform)
}

// Hint names the two ways out.
func (e *SkippedError) Hint() string {
	return "name other platforms with --platform, or take the skip out of the comment"
}
