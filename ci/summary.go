package ci

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
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
	fmt.Fprintf(&out, "### %s\n\n", cell(s.Name))
	for _, tag := range tags {
		fmt.Fprintf(&out, "- `%s`\n", code(tag))
	}
	fmt.Fprintf(&out, "- `%s`\n", code(s.Digest.String()))
	if s.Commit != "" {
		fmt.Fprintf(&out, "- commit `%s`\n", code(s.Commit))
	}
	out.WriteString("\n| platform | image | attestations | built on | how | seconds |\n|---|---|---|---|---|---|\n")
	for _, r := range s.Records {
		how := r.How
		if how == "" {
			how = "none"
		}
		fmt.Fprintf(&out, "| %s | `%s` | %d | %s | %s | %.1f |\n", cell(r.Platform.String()), code(r.Image.Digest.String()), len(r.Attestations),
			cell(r.Node.Platform.String()), cell(how), r.Seconds)
	}
	return []byte(out.String())
}

// cell is text in a cell of a table: nothing in it is taken for Markdown or HTML.
func cell(text string) string {
	var out strings.Builder
	for _, c := range text {
		switch {
		case c < ' ' || c == 0x7f:
			out.WriteByte(' ')
		case strings.ContainsRune("\\`*_{}[]()<>#+!|~&", c):
			fmt.Fprintf(&out, "&#%d;", c)
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}

// code is text between backticks.
func code(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == '`' || c == '|' || c == 0x7f {
			return '?'
		}
		return c
	}, text)
}
