package archbuild

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/containers"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// checkDocker refuses an archive of one platform for several, before they are built.
func checkDocker(outputs []manifest.Output, platforms []platform.Platform) error {
	for _, out := range outputs {
		if out.Type == manifest.TypeDocker && !out.Loads() && len(platforms) > 1 {
			return wrong.AsUsage(fmt.Errorf("-o %s: %w", out, &manifest.OnePlatformError{Platforms: len(platforms)}))
		}
	}
	return nil
}

// checkDockerTypes refuses what Docker's media types have no place for, and BuildKit
// would refuse after the build.
func (r run) checkDockerTypes() error {
	if r.export["oci-mediatypes"] != "false" {
		return nil
	}
	what := ""
	switch {
	case r.attested():
		what = "attestations"
	case len(r.annotations) > 0:
		what = "annotations"
	default:
		return nil
	}
	return &wrong.Usage{fmt.Errorf("oci-mediatypes=false: Docker's media types have no place for %s", what), "leave oci-mediatypes=false out, or the " + what}
}

// attested tells whether the image gets attestations.
func (r run) attested() bool { return r.provenance != "" || r.sbom != nil }

// outputNotes say in the plan what was asked for and will not be had.
func (r run) outputNotes(s service) []string {
	outputs := r.outputsOf(s)
	notes := r.loadNotes(s, r.tagsOf(s))
	layouts := func(out manifest.Output) bool { return out.Type == manifest.TypeOCI }
	if r.annotations.HasLevel(manifest.LevelIndexDescriptor) && !slices.ContainsFunc(outputs, layouts) {
		notes = append(notes, "annotations of the level index-descriptor are kept in OCI layouts and archives alone, and none is written: index: is the level that stays")
	}
	dated := func(t plan.Target) bool { return t.Args[sourceDateEpoch] != "" }
	if r.export["rewrite-timestamp"] == "true" && r.export["source-date-epoch"] == "" && !slices.ContainsFunc(s.targets, dated) {
		notes = append(notes, "rewrite-timestamp does nothing without a time: set SOURCE_DATE_EPOCH")
	}
	if without := r.unattested(outputs); len(without) > 0 && r.attested() {
		notes = append(notes, "an image alone has no attestations: left out of "+strings.Join(without, ", "))
	}
	return notes
}

// unattested are the outputs that hold images and nothing beside them.
func (r run) unattested(outputs []manifest.Output) []string {
	var list []string
	for _, out := range outputs {
		engine := r.engines[out.Context]
		alone := !out.Loads() || engine != nil && engine.Store != containers.Indexes
		if out.Type == manifest.TypeDocker && alone {
			list = append(list, out.String())
		}
	}
	return list
}
