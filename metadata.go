package archbuild

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
)

// Keys of buildx's metadata file beside those of the image.
const (
	metadataProvenance = "buildx.build.provenance"
	metadataWarnings   = "buildx.build.warnings"
)

// metadataPlatforms is a key of archbuild's own: what became of each platform.
const metadataPlatforms = "archbuild.platforms"

// timed is a platform with the times at which its build began and ended, which --json leaves out.
type timed struct {
	Built
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
}

func (i Image) timed() []timed {
	all := make([]timed, len(i.Platforms))
	for n, built := range i.Platforms {
		all[n] = timed{built, built.began.UTC(), built.ended.UTC()}
	}
	return all
}

// writeFailure writes the file of --metadata-file where there is no image: what became
// of each platform.
func (m *making) writeFailure() error {
	if m.MetadataFile == "" || m.joint {
		return nil
	}
	body, err := json.MarshalIndent(map[string]any{metadataPlatforms: m.image.timed()}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing metadata: %w", err)
	}
	return m.writeFile(m.MetadataFile, m.service.name, append(body, '\n'))
}

// metadata is the content of --metadata-file: buildx's keys, sorted.
func (r run) metadata(s service, index manifest.Index, results []manifest.Result, built []builder.Result, image *Image) ([]byte, error) {
	body, err := index.Metadata(r.tagsOf(s))
	if err != nil || r.MetadataFile == "" {
		return body, err
	}
	all := map[string]any{metadataPlatforms: image.timed()}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, fmt.Errorf("writing metadata: %w", err)
	}
	for key, value := range whole {
		all[key] = value
	}
	if err := r.addProvenance(all, results); err != nil {
		return nil, err
	}
	if wanted, _ := strconv.ParseBool(r.Getenv("BUILDX_METADATA_WARNINGS")); wanted {
		if warnings := builder.Warnings(built, s.template.Name, s.template.Source); len(warnings) > 0 {
			all[metadataWarnings] = warnings
		}
	}
	body, err = json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing metadata: %w", err)
	}
	return append(body, '\n'), nil
}

// tellWarnings says what BuildKit's rules for Dockerfiles have found, as buildx does
// after a build.
func (r run) tellWarnings(s service, built []builder.Result) {
	warnings := builder.Warnings(built, s.template.Name, s.template.Source)
	if mode := r.progressMode(); len(warnings) == 0 || mode == "quiet" || mode == "rawjson" {
		return
	}
	plural := "s"
	if len(warnings) == 1 {
		plural = ""
	}
	fmt.Fprintf(r.Stderr, "\n%d warning%s found (--check shows the lines):\n", len(warnings), plural)
	for i, w := range warnings {
		if i == shownWarnings {
			fmt.Fprintf(r.Stderr, " - and %d more\n", len(warnings)-i)
			break
		}
		fmt.Fprintf(r.Stderr, " - %s\n", ui.Line(string(w.Short)))
		r.Annotate("warning", s.template.File, builder.Line(w), string(w.Short))
	}
}

// addProvenance adds what each platform's provenance says, as far as there is one:
// BUILDX_METADATA_PROVENANCE is min, max or disabled.
func (r run) addProvenance(all map[string]any, results []manifest.Result) error {
	mode := r.Getenv("BUILDX_METADATA_PROVENANCE")
	if wanted, err := strconv.ParseBool(mode); mode == "disabled" || err == nil && !wanted {
		return nil
	}
	store := manifest.Store{Dir: r.store.Dir}
	for _, result := range results {
		for _, attestation := range result.Attestations {
			statement, err := provenanceIn(store, attestation)
			if err != nil {
				return fmt.Errorf("reading the provenance of %s: %w", result.Platform, err)
			}
			if statement == nil {
				continue
			}
			key := metadataProvenance
			if len(results) > 1 {
				key += "/" + result.Platform.String()
			}
			if all[key], err = builder.Provenance(statement, mode == "max"); err != nil {
				return fmt.Errorf("%s: %w", result.Platform, err)
			}
		}
	}
	return nil
}

// provenanceIn finds the provenance statement in an attestation manifest; nil if it
// has none.
func provenanceIn(store manifest.Store, desc ocispec.Descriptor) ([]byte, error) {
	body, err := store.Read(desc)
	if err != nil {
		return nil, err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	for _, layer := range m.Layers {
		if builder.IsProvenance(layer.Annotations[imagetree.PredicateType]) {
			return store.Read(layer)
		}
	}
	return nil, nil
}
