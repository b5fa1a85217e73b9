package archbuild

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/internal/github"
	"github.com/archbuild/archbuild/internal/ui"
)

// markdown is the image as a table for the page of a job, a row for each platform.
func (i Image) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "### %s\n\n", github.Cell(i.Name))
	if i.Pushed != nil {
		for _, tag := range i.Pushed.Tags {
			fmt.Fprintf(&out, "- %s %s\n", tag.State, github.Code(tag.Name))
		}
	}
	switch {
	case len(i.Records) > 0:
		out.WriteString("- by digest: no tag moves before archbuild ci assemble\n")
	case i.Digest == "":
		out.WriteString("- no index was made\n")
	default:
		fmt.Fprintf(&out, "- index %s\n", github.Code(i.Digest))
	}
	if i.Cache != nil {
		fmt.Fprintf(&out, "- %s\n", i.Cache)
	}
	var rows [][]string
	for _, b := range i.Platforms {
		row := []string{github.Cell(b.Platform.String()), b.State, "-", howText(b.How), stepsCell(b), fmt.Sprintf("%.1f", b.Seconds), "-", "-"}
		if b.Base != "" {
			row[2] = github.Code(b.Base)
		}
		if b.Size > 0 {
			row[6] = ui.Size(b.Size)
		}
		if b.Digest != "" {
			row[7] = github.Code(b.Digest)
		}
		rows = append(rows, row)
	}
	header := []string{"platform", "state", "base", "runs", "steps (cached)", "seconds", "size", "image"}
	fmt.Fprintf(&out, "\n%s\n", github.Table(header, rows))
	return out.String()
}

// stepsCell is how many steps a platform had, and how many a cache answered; a resumed one had none.
func stepsCell(b Built) string {
	if b.State == stateResumed {
		return "-"
	}
	return fmt.Sprintf("%d (%d)", b.Steps, b.Cached)
}
