package archbuild

import (
	"errors"
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// checkFarm looks at the flags of Farm.
func (o Options) checkFarm() error {
	var failed []error
	if o.FailFast && o.KeepGoing {
		failed = append(failed, &wrong.Usage{errors.New("--fail-fast and --keep-going exclude each other"), "give one of them, or none: what runs may then end, and nothing more begins"})
	}
	if o.Jobs < 0 {
		failed = append(failed, &wrong.Usage{fmt.Errorf("--jobs %d: a node builds at least one platform", o.Jobs), "leave it out for what suits each node's processors"})
	}
	if o.NodeTimeout < 0 {
		failed = append(failed, &wrong.Usage{fmt.Errorf("--node-timeout %s is no time to wait", o.NodeTimeout), "leave it out for a minute"})
	}
	return errors.Join(failed...)
}

// parseOptional reads --optional.
func (o Options) parseOptional() ([]platform.Platform, error) {
	return outside.ParsePlatforms("--optional", o.Optional, platform.Host())
}

// checkOptional looks whether the platforms of --optional are built at all.
func (r run) checkOptional(services []service) error {
	var failed []error
	for _, p := range r.optional {
		wanted := slices.ContainsFunc(services, func(s service) bool {
			for _, target := range s.targets {
				if target.Platform == p {
					return true
				}
			}
			return false
		})
		if !wanted {
			failed = append(failed, &wrong.Usage{fmt.Errorf("--optional %s: it is none of the platforms", p), "add it to --platform"})
		}
	}
	return errors.Join(failed...)
}
