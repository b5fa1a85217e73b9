package ci

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/internal/github"
)

// Summary is what became of a set: for people, and for the next run.
type Summary struct {
	Name string `json:"name"`
	// Digest of the index.
	Digest digest.Digest `json:"digest"`
	Run    string        `json:"run,omitempty"`
	Commit string        `json:"commit,omitempty"`
	// Records in the order of the index.
	Records []Record `json:"records"`
}

// Markdown is the summary as a table, for a job's page.
func (s Summary) Markdown(tags []string) []byte {
	var out strings.Builder
	fmt.Fprintf(&out, "### %s\n\n", github.Cell(s.Name))
	for _, tag := range tags {
		fmt.Fprintf(&out, "- %s\n", github.Code(tag))
	}
	fmt.Fprintf(&out, "- %s\n", github.Code(s.Digest.String()))
	if s.Commit != "" {
		fmt.Fprintf(&out, "- commit %s\n", github.Code(s.Commit))
	}
	var rows [][]string
	for _, r := range s.Records {
		how := r.How
		if how == "" {
			how = "none"
		}
		rows = append(rows, []string{
			github.Cell(r.Platform.String()), github.Code(r.Image.Digest.String()), fmt.Sprint(len(r.Attestations)),
			github.Cell(r.Node.Platform.String()), github.Cell(how), fmt.Sprintf("%.1f", r.Seconds),
		})
	}
	fmt.Fprintf(&out, "\n%s", github.Table([]string{"platform", "image", "attestations", "built on", "how", "seconds"}, rows))
	return []byte(out.String())
}
