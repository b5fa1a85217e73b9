package archbuild

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/port"
)

// checkMissing looks for build arguments that port left for somebody to fill in.
func (s service) checkMissing(t plan.Target) error {
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(t.Args)) {
		what, missing := strings.CutPrefix(t.Args[name], port.Missing)
		if !missing {
			continue
		}
		e := &MissingValueError{File: filepath.Join(filepath.Dir(s.file), port.ConfigName), Name: name, What: what, Platform: t.Platform}
		for _, arg := range s.config.Args {
			if arg.Key == name && (arg.Platform == t.Platform || arg.Platform == platform.Platform{}) {
				e.Line = arg.Line
			}
		}
		failed = append(failed, e)
	}
	return errors.Join(failed...)
}

// MissingValueError says that a value of archbuild.yaml is still to be filled in.
type MissingValueError struct {
	File       string
	Line       int
	Name, What string
	Platform   platform.Platform
}

func (e *MissingValueError) Error() string {
	return fmt.Sprintf("%s:%d: %s cannot be built: the %s is missing", e.File, e.Line, e.Platform, e.What)
}

// At is where to write it.
func (e *MissingValueError) At() (file string, line int) { return e.File, e.Line }

// Hint says what to write, and the way without it.
func (e *MissingValueError) Hint() string {
	return fmt.Sprintf("write it as the value of %s, or build without that platform: --platform", e.Name)
}
