package archbuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
)

// A registry keeps records without any help: a leg's lies in an index that lists the
// leg's image and its attestations, so that no cleaning takes them away, under a staging tag. What
// was assembled is remembered by an index that speaks of the assembled one (OCI referrers), so
// that a second run knows that all is done, and the next pipeline what there was.
const (
	recordAnnotation = "io.github.archbuild.record"
	runAnnotation    = "io.github.archbuild.run"
	stagedType       = "application/vnd.archbuild.record.v1+json"
	assembledType    = "application/vnd.archbuild.assembled.v1+json"
	// maxRemembered is how many referrers are looked at for what was assembled.
	maxRemembered = 100
)

// stage writes the record of a leg into each of its repositories and gives the first
// reference. What another service has staged under the same tag is not written over.
func stage(ctx context.Context, reg *registry.Client, r ci.Record) (string, error) {
	index, err := stagedIndex(r)
	if err != nil {
		return "", err
	}
	for _, repo := range r.Repositories {
		ref := stagingRef(repo, r.Run, r.Platform)
		before, err := staged(ctx, reg, ref)
		if err == nil && before != nil && before.Name != r.Name {
			return "", &StagedError{Ref: ref, Service: before.Name}
		}
		if _, err := reg.PutManifest(ctx, ref, index, ocispec.MediaTypeImageIndex); err != nil {
			return "", fmt.Errorf("keeping the record of %s: %w", r.Platform, err)
		}
	}
	return stagingRef(r.Repositories[0], r.Run, r.Platform), nil
}

// StageRecord keeps a record in the registry, as a leg with --record registry does that has
// pushed its image, and gives the reference of its staging tag.
func StageRecord(ctx context.Context, opts CIAssembleOptions, r ci.Record) (string, error) {
	client, _, err := opts.base().registryClient()
	if err != nil {
		return "", err
	}
	return stage(ctx, client, r)
}

// stagedIndex lists what the leg pushed and carries its record.
func stagedIndex(r ci.Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("writing a record: %w", err)
	}
	index := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, ArtifactType: stagedType,
		Manifests:   append([]ocispec.Descriptor{r.Image}, r.Attestations...),
		Annotations: map[string]string{recordAnnotation: string(body), runAnnotation: r.Run},
	}
	if body, err = json.Marshal(index); err != nil {
		return nil, fmt.Errorf("writing a record: %w", err)
	}
	return body, nil
}

func stagingRef(repo, run string, p platform.Platform) string {
	return repo + ":" + ci.StagingTag(run, p)
}

// StagedError says that two services would have one staging tag.
type StagedError struct{ Ref, Service string }

func (e *StagedError) Error() string {
	return fmt.Sprintf("%s holds the record of another service, %s", e.Ref, e.Service)
}

// Hint tells how they are kept apart.
func (e *StagedError) Hint() string {
	return "give each service a repository, or a run, of its own: --run ID"
}

// staged reads the record under a staging tag; nil where there is none.
func staged(ctx context.Context, reg *registry.Client, ref string) (*ci.Record, error) {
	_, body, err := reg.Fetch(ctx, ref)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", ref, err)
	}
	var index ocispec.Index
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, &ci.RecordError{From: ref, Problem: "it is no index", Help: "remove the tag, and run the leg again"}
	}
	r, err := ci.ReadRecord(ref, strings.NewReader(index.Annotations[recordAnnotation]))
	if err != nil {
		return nil, err
	}
	return &r, nil
}

func isMissing(err error) bool {
	var e interface{ NotFound() bool }
	return errors.As(err, &e) && e.NotFound()
}

// stagedRecords reads what the legs of a run have staged. A record under another leg's tag is
// refused.
func stagedRecords(ctx context.Context, reg *registry.Client, repo, run string, platforms []platform.Platform) ([]ci.Sourced, error) {
	var list []ci.Sourced
	var failed []error
	for _, p := range platforms {
		ref := stagingRef(repo, run, p)
		r, err := staged(ctx, reg, ref)
		switch {
		case err != nil:
			failed = append(failed, err)
		case r == nil:
		case r.Platform != p || r.Run != run:
			failed = append(failed, &ci.RecordError{From: ref, Problem: fmt.Sprintf("it is of %s in run %s", r.Platform, r.Run), Help: "remove the tag, and run the leg again"})
		default:
			list = append(list, ci.Sourced{Record: *r, From: ref})
		}
	}
	return list, errors.Join(failed...)
}

// unstage takes the staging tags of a run away: the tags, or where a registry cannot, the
// records that they name, which nothing else does. It tells which tags stay.
func unstage(ctx context.Context, reg *registry.Client, repo, run string, platforms []platform.Platform) (stay []string, why error) {
	for _, p := range platforms {
		ref := stagingRef(repo, run, p)
		err := reg.DeleteTag(ctx, ref)
		if err != nil {
			err = deleteStaged(ctx, reg, repo, ref)
		}
		if err != nil {
			stay, why = append(stay, ci.StagingTag(run, p)), err
		}
	}
	return stay, why
}

func deleteStaged(ctx context.Context, reg *registry.Client, repo, ref string) error {
	desc, err := reg.Head(ctx, ref)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return reg.DeleteManifest(ctx, repo+"@"+desc.Digest.String())
}

// remember writes down, beside an index, of which records it was made.
func remember(ctx context.Context, reg *registry.Client, repo string, index ocispec.Descriptor, s ci.Summary) error {
	about := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, ArtifactType: assembledType,
		Subject: &index, Annotations: map[string]string{runAnnotation: s.Run},
	}
	for _, r := range s.Records {
		body, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("writing a record: %w", err)
		}
		entry := r.Image
		entry.Annotations = map[string]string{recordAnnotation: string(body)}
		about.Manifests = append(about.Manifests, entry)
	}
	body, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("writing what was assembled: %w", err)
	}
	_, err = reg.PutManifest(ctx, repo+"@"+digest.FromBytes(body).String(), body, about.MediaType)
	if err != nil {
		return fmt.Errorf("keeping what was assembled: %w", err)
	}
	return nil
}

// remembered reads the records that an index was made of, by the run that made it;
// without a run, by any. None is nil.
func remembered(ctx context.Context, reg *registry.Client, repo string, index digest.Digest, run string) ([]ci.Record, error) {
	list, err := reg.Referrers(ctx, repo, index)
	if err != nil {
		return nil, fmt.Errorf("reading what speaks of %s@%s: %w", repo, index, err)
	}
	_, body, err := reg.Get(ctx, repo+"@"+index.String())
	if err != nil {
		return nil, fmt.Errorf("reading %s@%s: %w", repo, index, err)
	}
	listed := map[digest.Digest]bool{index: true}
	var of ocispec.Index
	if err := json.Unmarshal(body, &of); err != nil {
		return nil, fmt.Errorf("reading %s@%s: %w", repo, index, err)
	}
	for _, entry := range of.Manifests {
		listed[entry.Digest] = true
	}
	// Who may push to the repository may say anything of the index, but not have it
	// list another image.
	other := func(r ci.Record) bool { return !listed[r.Image.Digest] }
	for i, d := range list {
		if i >= maxRemembered || d.MediaType != ocispec.MediaTypeImageIndex {
			continue
		}
		_, body, err := reg.Get(ctx, repo+"@"+d.Digest.String())
		if err != nil {
			continue // Something else may have been cleared away.
		}
		var about ocispec.Index
		err = json.Unmarshal(body, &about)
		if err != nil || about.ArtifactType != assembledType || about.Subject == nil || about.Subject.Digest != index || run != "" && about.Annotations[runAnnotation] != run {
			continue
		}
		if records, err := recordsIn(about, repo); err == nil && !slices.ContainsFunc(records, other) {
			return records, nil
		}
	}
	return nil, nil
}

func recordsIn(about ocispec.Index, repo string) ([]ci.Record, error) {
	var records []ci.Record
	for _, entry := range about.Manifests {
		r, err := ci.ReadRecord(repo+"@"+entry.Digest.String(), strings.NewReader(entry.Annotations[recordAnnotation]))
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// leave tidies the registry up when the tags have moved.
func (j *joiner) leave(ctx context.Context, a *manifest.Assembly, made *CIAssembled) {
	if slices.Contains(j.Records, ci.Registry) {
		made.Warnings = append(made.Warnings, j.leaveStaging(ctx, a, made.Summary)...)
	}
}

// leaveStaging remembers what was assembled and takes the staging tags away. That the registry
// does not let it is no failure: the image is whole.
func (j *joiner) leaveStaging(ctx context.Context, a *manifest.Assembly, s ci.Summary) []string {
	var warnings []string
	for _, repo := range j.repos {
		if !j.already {
			if err := remember(ctx, j.client, repo, a.Descriptor, s); err != nil {
				warnings = append(warnings, fmt.Sprintf("%v; a second run will not know that all is done", err))
				continue // Its staging tags are all that is known of the run.
			}
		}
		var platforms []platform.Platform
		for _, r := range s.Records {
			platforms = append(platforms, r.Platform)
		}
		if stay, why := unstage(ctx, j.client, repo, j.run, platforms); len(stay) > 0 {
			warnings = append(warnings, fmt.Sprintf("the registry does not let the staging tags go that %s has: %s; the next run does not need them gone (%v)", repo, strings.Join(stay, ", "), why))
		}
	}
	return warnings
}
