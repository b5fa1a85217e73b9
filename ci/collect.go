package ci

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/platform"
)

// Expected is the set that an image has to be made of.
type Expected struct {
	// Platforms in the order of the index. Empty means what the records themselves say
	// (Record.Set); if they say nothing either, Collect refuses.
	Platforms []platform.Platform
	// Repositories that the image goes to, by full names: each record must be of all of them.
	Repositories []string
	// Inputs that every record must have; empty means that all have the same.
	Inputs digest.Digest
	// Run that every record must be of which names one; empty means any.
	Run string
	// Kept are digests of records of an earlier commit that count as they are: their
	// platforms were left out of the matrix, for nothing of them changed.
	Kept []digest.Digest
}

// Sourced is a record and where it came from.
type Sourced struct {
	Record
	From string
}

// Collect gives the records of the whole set, in the order of its platforms. What
// is missing, double, or does not belong together is refused, and all of it is
// told: *IncompleteError, *DuplicateError, *MixedError, *UnexpectedError,
// *RepositoryError, *UnknownSetError.
func Collect(records []Sourced, want Expected) ([]Record, error) {
	platforms, err := want.platforms(records)
	if err != nil {
		return nil, err
	}
	var failed []error
	byPlatform := map[platform.Platform]Sourced{}
	refused := map[platform.Platform]bool{}
	for _, r := range records {
		if !slices.Contains(platforms, r.Platform) {
			failed = append(failed, &UnexpectedError{From: r.From, Platform: r.Platform, Want: platforms})
			continue
		}
		if err := want.repositories(r); err != nil {
			failed, refused[r.Platform] = append(failed, err), true
			continue
		}
		first, double := byPlatform[r.Platform]
		if double && !sameImage(first.Record, r.Record) {
			failed = append(failed, &DuplicateError{Platform: r.Platform, First: first, Second: r})
			continue
		}
		if !double || want.Run != "" && r.Run == want.Run {
			byPlatform[r.Platform] = r
		}
	}
	var set []Sourced
	var missing []platform.Platform
	for _, p := range platforms {
		if r, ok := byPlatform[p]; ok {
			set = append(set, r)
		} else if !refused[p] {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		failed = append(failed, &IncompleteError{Missing: missing, Have: platformsOf(set)})
	}
	failed = append(failed, want.together(set))
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	var list []Record
	for _, r := range set {
		list = append(list, r.Record)
	}
	return list, nil
}

// sameImage: a leg that ran twice may have written its record anew, with other seconds.
func sameImage(a, b Record) bool {
	return a.Digest == b.Digest || a.Name == b.Name && a.Commit == b.Commit && same(a.Inputs, b.Inputs) && a.Recipe == b.Recipe &&
		same(a.Image, b.Image) && same(a.Attestations, b.Attestations) && same(a.Index, b.Index)
}

func platformsOf(set []Sourced) []platform.Platform {
	var list []platform.Platform
	for _, r := range set {
		list = append(list, r.Platform)
	}
	return list
}

// platforms is the set that is expected.
func (e Expected) platforms(records []Sourced) ([]platform.Platform, error) {
	if len(e.Platforms) > 0 {
		return e.Platforms, nil
	}
	var set []platform.Platform
	for _, r := range records {
		if len(r.Set) > 0 && set == nil {
			set = r.Set
		}
		if len(r.Set) > 0 && !slices.Equal(set, r.Set) {
			return nil, &MixedError{First: records[0], Second: r, What: "the platforms that archbuild.yaml names"}
		}
	}
	if set == nil {
		have := platformsOf(records)
		slices.SortFunc(have, platform.Platform.Compare)
		return nil, &UnknownSetError{Have: slices.Compact(have)}
	}
	return set, nil
}

func (e Expected) repositories(r Sourced) error {
	for _, repo := range e.Repositories {
		if !slices.Contains(r.Repositories, repo) {
			return &RepositoryError{From: r.From, Platform: r.Platform, Want: repo, Have: r.Repositories}
		}
	}
	return nil
}

// together looks whether the records are of one state of one source.
func (e Expected) together(set []Sourced) error {
	var failed []error
	for _, r := range set {
		first := set[0]
		switch {
		case r.Name != first.Name:
			failed = append(failed, &MixedError{first, r, fmt.Sprintf("another service (%s, not %s)", r.Name, first.Name)})
		case e.Inputs != "" && r.Inputs.Digest != e.Inputs:
			failed = append(failed, &MixedError{Second: r, What: "other inputs than the plan"})
		case e.Run != "" && r.Run != "" && r.Run != e.Run && !slices.Contains(e.Kept, r.Digest):
			failed = append(failed, &MixedError{Second: r, What: fmt.Sprintf("another run (%s, not %s)", r.Run, e.Run)})
		case r.Inputs.Digest != first.Inputs.Digest:
			failed = append(failed, &MixedError{first, r, differing(first.Inputs, r.Inputs)})
		case !same(r.Index, first.Index):
			failed = append(failed, &MixedError{first, r, "other annotations or another place for attestations"})
		}
	}
	return errors.Join(errors.Join(failed...), e.oneCommit(set))
}

// oneCommit compares the commits that are known, of the legs that did run.
func (e Expected) oneCommit(set []Sourced) error {
	var first *Sourced
	for i, r := range set {
		switch {
		case r.Commit == "" || slices.Contains(e.Kept, r.Digest):
		case first == nil:
			first = &set[i]
		case r.Commit != first.Commit:
			return &MixedError{*first, r, fmt.Sprintf("another commit (%.12s, not %.12s)", r.Commit, first.Commit)}
		}
	}
	return nil
}

// differing names the parts in which inputs differ.
func differing(a, b Inputs) string {
	parts := DifferingParts(a, b)
	if len(parts) == 0 {
		return "other inputs"
	}
	return "other inputs (" + strings.Join(parts, ", ") + ")"
}
