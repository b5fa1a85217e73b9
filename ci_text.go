package archbuild

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/verify"
)

// WriteText prints each service; of several with its name above, and in the end why no tag
// was moved.
func (a CIAssembly) WriteText(w io.Writer) error {
	if !a.several {
		return a.Services[0].WriteText(w)
	}
	var held []string
	for _, one := range a.Services {
		fmt.Fprintf(w, "\n%s\n", ui.Line(one.Name))
		if err := one.WriteText(w); err != nil {
			return err
		}
		if one.Digest == "" {
			fmt.Fprintln(w, "no index was made")
		}
		held = append(held, one.Held...)
	}
	if len(held) == 0 {
		return nil
	}
	slices.Sort(held)
	_, err := fmt.Fprintf(w, "\nno tag was moved, since %s failed: those of all services move together, or each by itself with --per-service\n", ui.Line(strings.Join(slices.Compact(held), ", ")))
	return err
}

// WriteText prints the set, the index, and what became of its tags.
func (a CIAssembled) WriteText(w io.Writer) error {
	var rows [][]string
	for _, r := range a.Records {
		rows = append(rows, []string{
			r.Platform.String(), ui.Digest(r.Image.Digest.String()), fmt.Sprint(len(r.Attestations)), r.Node.Platform.String(), howWord(r.How), fmt.Sprintf("%.1f s", r.Seconds),
		})
	}
	if len(rows) > 0 {
		if err := ui.Table(w, []string{"PLATFORM", "DIGEST", "ATTESTATIONS", "BUILT ON", "RUNS", "TIME"}, rows); err != nil {
			return err
		}
	}
	for _, f := range a.Findings {
		if f.Severity != verify.SeverityNote {
			fmt.Fprintf(w, "archbuild: warning: %s: %s\n", ui.Line(f.Platform), ui.Line(f.Message))
		}
	}
	for _, warning := range a.Warnings {
		fmt.Fprintf(w, "archbuild: warning: %s\n", ui.Line(warning))
	}
	if a.Digest == "" {
		return nil
	}
	fmt.Fprintf(w, "index %s\n", a.Digest)
	if a.Already {
		fmt.Fprintf(w, "  run %s was assembled before: nothing to do\n", ui.Line(a.Run))
	}
	if a.Pushed == nil {
		return nil
	}
	a.Pushed.WriteTags(w)
	return nil
}

func howWord(how string) string {
	if how == "" || how == "none" {
		return "-"
	}
	return ui.Line(how)
}
