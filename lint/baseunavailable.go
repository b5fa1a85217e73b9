package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// baseUnavailable tells of references that no image serves on a wanted platform, after
// all that archbuild does to find one.
func baseUnavailable(s *subject) {
	var done []string
	for i := range s.Bases {
		b := &s.Bases[i]
		_, named := oneArchitecture(b.Image)
		if b.Why == "" || b.Single || named && b.BroughtBy == "" || slices.Contains(done, b.Image) {
			continue // what base-one-arch tells of is not told twice
		}
		done = append(done, b.Image)
		var lacks, offers []platform.Platform
		for j := range s.Bases {
			if o := &s.Bases[j]; o.Image == b.Image && o.Why != "" {
				lacks = append(lacks, o.Platform)
				offers = append(offers, o.Offers...)
			}
		}
		f := Finding{ID: "base-unavailable", Severity: Error, Line: b.Line, Platforms: lacks}
		what := b.Image
		if b.BroughtBy != "" {
			what = fmt.Sprintf("%s, which ONBUILD of %s names,", b.Image, b.BroughtBy)
		}
		for _, ref := range s.Template.References {
			if ref.Line == b.Line && ref.Where == b.Where {
				f.Spans = []template.Span{ref.Span}
			}
		}
		if len(offers) > 0 {
			f.Message = fmt.Sprintf("%s has no image for %s: there is one for %s", what, join(lacks), join(offers))
			f.Fix = rulesFor(b.Image, lacks)
		} else {
			f.Message = fmt.Sprintf("no image serves %s on %s: %s", what, join(lacks), b.Why)
			f.Fix = "look whether the name is right; if the image is built elsewhere under another name, say so with --base " + b.Image + "=NAME"
		}
		s.add(f)
	}
}

// rulesFor are the lines for archbuild.yaml that name an image for each platform.
func rulesFor(image string, on []platform.Platform) string {
	var lines []string
	for _, p := range on {
		line := fmt.Sprintf("    %s: IMAGE", p)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return "take a tag or an image that is there for all of them, or name one in archbuild.yaml:\nbases:\n  " + image + ":\n" + strings.Join(lines, "\n")
}
