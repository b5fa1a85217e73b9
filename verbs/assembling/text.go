package assembling

import (
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
)

// WriteText prints what the index is made of, and what became of its tags.
func (a Assembled) WriteText(w io.Writer) error {
	var rows [][]string
	for _, m := range a.Images {
		attested := "-"
		if m.Attestations > 0 {
			attested = fmt.Sprint(m.Attestations)
		}
		rows = append(rows, []string{platform.FromOCI(m.Platform).String(), ui.Digest(m.Digest.String()), ui.Size(m.Size), attested, m.Source})
	}
	if err := ui.Table(w, []string{"PLATFORM", "DIGEST", "SIZE", "ATTESTATIONS", "FROM"}, rows); err != nil {
		return err
	}
	for _, warning := range a.Warnings {
		fmt.Fprintf(w, "archbuild: warning: %s\n", ui.Line(warning))
	}
	fmt.Fprintf(w, "%s %s\n", a.word(), a.Digest)
	if a.WithAttestations != "" {
		fmt.Fprintf(w, "  with attestations %s\n", a.WithAttestations)
	}
	if a.Pushed == nil {
		return nil
	}
	for _, ref := range a.Pushed.References {
		fmt.Fprintf(w, "  in %s\n", ui.Line(ref))
	}
	fmt.Fprintf(w, "  %s\n", moved(*a.Pushed))
	a.Pushed.WriteTags(w)
	return nil
}

// word is what the tags name: without attestations, one image is no index.
func (a Assembled) word() string {
	if types.MediaType(a.MediaType).IsIndex() {
		return "index"
	}
	return "image"
}

// moved tells what went to registries.
func moved(p manifest.Pushed) string {
	if p.Sent == 0 && p.Blobs == 0 && p.Mounted == 0 && p.Manifests == 0 {
		return "no blobs sent"
	}
	return fmt.Sprintf("%s sent in %d blob%s, %d mounted, %d manifest%s written",
		ui.Size(p.Sent), p.Blobs, ui.Plural(p.Blobs), p.Mounted, p.Manifests, ui.Plural(p.Manifests))
}
