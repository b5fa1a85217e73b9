package archbuild

import (
	"fmt"
	"io"
	"strings"

	pages "github.com/archbuild/archbuild/docs/lint"
	"github.com/archbuild/archbuild/internal/github"
	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// WriteText prints the findings as compilers do: a line each, with what to write below it.
func (l Linted) WriteText(w io.Writer) error {
	var err error
	for _, f := range l.Findings {
		_, err = fmt.Fprintf(w, "%s:%d: %s: %s [%s]\n", ui.Line(f.File), f.Line, f.Severity, ui.Line(f.Message), f.ID)
		if f.Fix != "" {
			for _, line := range strings.Split(f.Fix, "\n") {
				_, err = fmt.Fprintf(w, "    %s\n", ui.Line(line))
			}
		}
	}
	return err
}

// Summary says in a line what was looked at.
func (l Linted) Summary() string {
	found := "nothing found"
	if n := len(l.Findings); n > 0 {
		found = fmt.Sprintf("%d finding%s", n, ui.Plural(n))
	}
	where := fmt.Sprintf("%d Dockerfile%s", l.Files, ui.Plural(l.Files))
	if len(l.Platforms) == 0 {
		return fmt.Sprintf("%s in %s", found, where)
	}
	return fmt.Sprintf("%s in %s, for %s", found, where, platformNames(l.Platforms))
}

func platformNames(list []platform.Platform) string {
	names := make([]string, 0, len(list))
	for _, p := range list {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

// WriteGitHub prints the findings as commands that GitHub's runner shows beside the code.
func (l Linted) WriteGitHub(w io.Writer) error {
	log := github.New(ui.NewStream(ui.Below(w), ui.StreamOptions{}), nil)
	for _, f := range l.Findings {
		log.Annotate(annotation(f, f.File))
	}
	return log.Flush()
}

// AnnotateFindings shows findings beside the code when this is a step of a GitHub
// workflow. Elsewhere it does nothing.
func AnnotateFindings(s outside.System, l Linted) {
	log := s.GitHub()
	if log == nil {
		return
	}
	for _, f := range l.Findings {
		log.Annotate(annotation(f, s.InWorkspace(f.File)))
	}
}

func annotation(f lint.Finding, file string) github.Annotation {
	level := string(f.Severity)
	if f.Severity == lint.Info {
		level = "notice"
	}
	return github.Annotation{Level: level, File: file, Line: f.Line, Title: "archbuild " + f.ID, Message: f.Message + "\n" + f.Fix}
}

// ExplainRule is the page of a rule, as Markdown.
func ExplainRule(id string) (string, error) {
	if _, known := lint.ByID(id); !known {
		var ids []string
		for _, r := range lint.Rules {
			ids = append(ids, r.ID)
		}
		return "", &wrong.Usage{fmt.Errorf("there is no rule %s%s", id, nearest.DidYouMean(id, ids)), "`archbuild lint --rules` lists them"}
	}
	page, err := pages.Files.ReadFile(id + ".md")
	if err != nil {
		return "", fmt.Errorf("reading the page of %s: %w", id, err)
	}
	return string(page), nil
}

// WriteRules lists the rules of lint.
func WriteRules(w io.Writer) error {
	var rows [][]string
	for _, r := range lint.Rules {
		rows = append(rows, []string{r.ID, string(r.Severity), r.Title})
	}
	return ui.Table(w, []string{"RULE", "UP TO", "FINDS"}, rows)
}
