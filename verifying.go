package archbuild

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
	"github.com/archbuild/archbuild/wrong"
)

const (
	// checkedAtOnce is how many names are looked at at the same time.
	checkedAtOnce = 4
	// maxNames and maxName bound a list on standard input.
	maxNames = 10_000
	maxName  = 4096
)

// Verified is what Verify found, as data.
type Verified struct {
	// Images in the order of the arguments.
	Images []VerifiedImage `json:"images"`
	// Findings of all of them, in the same order, what is serious first in each.
	Findings []VerifyFinding `json:"findings"`
}

// VerifiedImage is one argument: a reference, a layout, an archive.
type VerifiedImage struct {
	Name string `json:"name"`
	// Error says why it, or a part of it, could not be looked at.
	Error string `json:"error,omitempty"`
	verify.Result
	// Findings hides those of Result, which are in Verified.Findings. It is nil.
	Findings *struct{} `json:"findings,omitempty"`
}

// VerifyFinding is a finding and the argument it is about.
type VerifyFinding struct {
	Image string `json:"image"`
	verify.Finding
}

// Verify looks at images that exist: layouts, archives, references, and for "-"
// those that standard input lists. Findings of severity error make the error one
// with exit status 3; one that says what could not be looked at has status 1.
func Verify(ctx context.Context, opts Options, deep bool) (Verified, error) {
	client, _, err := opts.registryClient()
	if err != nil {
		return Verified{}, err
	}
	only, err := outside.ParsePlatforms("--platform", opts.Platforms, platform.Host())
	if err != nil {
		return Verified{}, err
	}
	names, err := opts.names()
	if err != nil {
		return Verified{}, err
	}
	checker, err := verify.NewChecker(verify.CheckOptions{Platforms: only, Allow: opts.VerifyAllow, Memory: opts.verdicts(), Deep: deep})
	if err != nil {
		return Verified{}, err
	}
	v := Verified{Images: make([]VerifiedImage, len(names)), Findings: []VerifyFinding{}}
	findings, failed := make([][]verify.Finding, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(checkedAtOnce)
	for i, name := range names {
		group.Go(func() error {
			result, err := check(ctx, checker, client, name)
			v.Images[i], findings[i], failed[i] = VerifiedImage{Name: name, Result: result}, result.Findings, err
			if slices.Contains(opts.Paths, name) {
				failed[i] = outside.Mistyped(err)
			}
			if err != nil {
				v.Images[i].Error = err.Error()
			}
			return nil
		})
	}
	_ = group.Wait() // it never fails: every name is looked at
	for i, name := range names {
		for _, f := range findings[i] {
			v.Findings = append(v.Findings, VerifyFinding{name, f})
		}
		failed[i] = errors.Join(failed[i], findingsError(name, findings[i]))
	}
	return v, errors.Join(failed...)
}

func check(ctx context.Context, checker *verify.Checker, client *registry.Client, name string) (verify.Result, error) {
	none := verify.Result{Images: []verify.Looked{}}
	opened, err := imagetree.Open(ctx, name, client)
	if err != nil {
		return none, err
	}
	result, err := checker.Check(ctx, name, opened)
	return result, errors.Join(err, opened.Close())
}

// names are the arguments, with the list on standard input in the place of "-".
// The same name twice counts once.
func (o Options) names() ([]string, error) {
	var names []string
	for _, arg := range o.Paths {
		list := []string{arg}
		if arg == "-" {
			var err error
			if list, err = readNames(o.Stdin); err != nil {
				return nil, err
			}
		}
		for _, name := range list {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil, &wrong.Usage{errors.New("the list on standard input names no image"), "write one name a line; a # begins a comment"}
	}
	return names, nil
}

// readNames reads one name a line; empty lines and comments are passed over.
func readNames(r io.Reader) ([]string, error) {
	var names []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxName)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		// No reference holds " #", and none begins with "#".
		if at := strings.Index(line, " #"); at >= 0 {
			line = strings.TrimSpace(line[:at])
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(names) == maxNames {
			return nil, &wrong.Usage{fmt.Errorf("the list on standard input has more than %d names", maxNames), "verify it in parts"}
		}
		names = append(names, line)
	}
	if err := lines.Err(); err != nil {
		return nil, &wrong.Usage{fmt.Errorf("reading the list on standard input: %w", err), "write one name a line; a # begins a comment"}
	}
	return names, nil
}

// FindingsError says that an image is not what it should be. First is the first
// of its serious findings, Errors is how many there are.
type FindingsError struct {
	Image  string
	First  verify.Finding
	Errors int
}

// findingsError is nil when nothing serious is among the findings.
func findingsError(image string, findings []verify.Finding) error {
	e := &FindingsError{Image: image}
	for _, f := range findings {
		if f.Severity != verify.SeverityError {
			continue
		}
		if e.Errors == 0 {
			e.First = f
		}
		e.Errors++
	}
	if e.Errors == 0 {
		return nil
	}
	return e
}

func (e *FindingsError) Error() string {
	about := e.Image
	if e.First.Platform != "" && e.First.Kind == verify.KindProgram || e.First.Kind == verify.KindPlatform && e.First.Found != "" {
		about = fmt.Sprintf("%s: the image for %s does not fit its platform", e.Image, e.First.Platform)
	}
	text := fmt.Sprintf("%s: %s", about, e.First.Message)
	if e.Errors > 1 {
		text += fmt.Sprintf(" (and %d more)", e.Errors-1)
	}
	return text
}

// Hint is what to do about the first.
func (e *FindingsError) Hint() string { return e.First.Hint }

// ExitStatus is 3, as whenever an image is not what its label says.
func (e *FindingsError) ExitStatus() int { return 3 }

// WriteText prints what was found: a line an image, then the findings.
func (v Verified) WriteText(w io.Writer) error {
	var rows [][]string
	for _, image := range v.Images {
		for _, one := range image.Images {
			rows = append(rows, []string{image.Name, one.Platform, fmt.Sprint(one.Layers), ui.Size(one.Size),
				count(one.Files, one.Audited), count(one.Programs, one.Audited), v.verdict(image.Name, one)})
		}
	}
	if len(rows) > 0 {
		if err := ui.Table(w, []string{"IMAGE", "PLATFORM", "LAYERS", "SIZE", "FILES", "PROGRAMS", "VERDICT"}, rows); err != nil {
			return err
		}
	}
	for _, image := range v.Images {
		if err := v.writeFindings(w, image); err != nil {
			return err
		}
	}
	return nil
}

func count(n int, known bool) string {
	if !known {
		return "-"
	}
	return fmt.Sprint(n)
}

// verdict counts what is said of one image; notes do not count.
func (v Verified) verdict(name string, one verify.Looked) string {
	n := 0
	for _, f := range v.Findings {
		if f.Image == name && f.Platform == one.Platform && f.Severity != verify.SeverityNote {
			n++
		}
	}
	switch {
	case n > 0:
		return fmt.Sprintf("%d finding%s", n, ui.Plural(n))
	case !one.Audited:
		return "not looked at"
	}
	return "ok"
}

// writeFindings prints what is said of one argument, each with what to do. Of
// many findings of one kind in one image the first are shown.
func (v Verified) writeFindings(w io.Writer, image VerifiedImage) error {
	var lines []string
	shown, hidden := map[string]int{}, 0
	for _, f := range v.Findings {
		if f.Image != image.Name {
			continue
		}
		key := f.Platform + string(f.Kind) + string(f.Severity)
		if shown[key]++; shown[key] > shownWarnings {
			hidden++
			continue
		}
		about := image.Name
		if f.Platform != "" {
			about += " " + f.Platform
		}
		lines = append(lines, fmt.Sprintf("%s: %s: %s; %s", f.Severity, ui.Line(about), ui.Line(f.Message), todo(f)))
	}
	if hidden > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more; --json shows all", ui.Line(image.Name), hidden))
	}
	for _, p := range image.PassedOver {
		if p.Kind == string(imagetree.Artifact) {
			lines = append(lines, fmt.Sprintf("passed over: %s %s: %s is no image", ui.Line(image.Name), ui.Digest(p.Digest), ui.Line(p.Type)))
		}
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func todo(f VerifyFinding) string { return "to do: " + ui.Line(f.Hint) }
