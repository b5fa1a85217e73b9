// Package verifying is the verb verify: whether images that exist are whole, and what their labels say.
package verifying

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
	// mostShown is how many findings of one kind in one image are spelled out; --json has all.
	mostShown = 10
)

// Options are what a user can say.
type Options struct {
	outside.World
	// Paths are references, layouts and archives, and "-" for a list of them on Stdin.
	Paths []string
	// Platforms are those to be looked at, all of them if there is none.
	Platforms []string
	// Allow are globs of files to pass over.
	Allow []string
	// Deep reads every blob and compares its digest.
	Deep bool
}

// Verified is what was found, as data.
type Verified struct {
	// Images in the order of the arguments.
	Images []Image `json:"images"`
	// Findings of all of them, in the same order, what is serious first in each.
	Findings []Finding `json:"findings"`
}

// Image is one argument: a reference, a layout, an archive.
type Image struct {
	Name string `json:"name"`
	// Error says why it, or a part of it, could not be looked at.
	Error string `json:"error,omitempty"`
	verify.Result
	// Findings hides those of Result, which are in Verified.Findings. It is nil.
	Findings *struct{} `json:"findings,omitempty"`
}

// Finding is a finding and the argument it is about.
type Finding struct {
	Image string `json:"image"`
	verify.Finding
}

// Images looks at images that exist: layouts, archives, references, and for "-"
// those that standard input lists. Findings of severity error make the error one
// with exit status 3; one that says what could not be looked at has status 1.
func Images(ctx context.Context, opts Options) (Verified, error) {
	client, _, err := opts.Client(false)
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
	checker, err := verify.NewChecker(verify.CheckOptions{Platforms: only, Allow: opts.Allow, Memory: verify.Folder{Dir: string(opts.Kept().Verdicts)}, Deep: opts.Deep})
	if err != nil {
		return Verified{}, err
	}
	v := Verified{Images: make([]Image, len(names)), Findings: []Finding{}}
	findings, failed := make([][]verify.Finding, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(checkedAtOnce)
	for i, name := range names {
		group.Go(func() error {
			result, err := check(ctx, checker, client, name)
			v.Images[i], findings[i], failed[i] = Image{Name: name, Result: result}, result.Findings, err
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
			v.Findings = append(v.Findings, Finding{name, f})
		}
		failed[i] = errors.Join(failed[i], verify.Failed(name, findings[i]))
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
func (v Verified) writeFindings(w io.Writer, image Image) error {
	var lines []string
	shown, hidden := map[string]int{}, 0
	for _, f := range v.Findings {
		if f.Image != image.Name {
			continue
		}
		key := f.Platform + string(f.Kind) + string(f.Severity)
		if shown[key]++; shown[key] > mostShown {
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

func todo(f Finding) string { return "to do: " + ui.Line(f.Hint) }
