// Package detecting is the verb detect: what this machine has for builds, and what it lacks.
package detecting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

// Facts is what `archbuild detect` shows.
type Facts struct {
	detect.Facts
	Engine engine.State `json:"engine"`
}

// Machine looks at this machine and at the engine.
func Machine(ctx context.Context, world outside.World) (Facts, error) {
	options, err := world.EngineOptions()
	if err != nil {
		return Facts{}, err
	}
	facts, err := detect.All(ctx, detect.Options{Runc: options.Runc, Rootless: engine.IsRootless()})
	if err != nil {
		return Facts{}, err
	}
	state, err := engine.Status(ctx, options)
	if hung := new(engine.HungError); errors.As(err, &hung) {
		facts.Missing = append(facts.Missing, detect.Missing{What: "an answer: " + hung.Error(), Affects: "the private engine", Hint: hung.Hint()})
		err = nil
	}
	return Facts{facts, state}, err
}

// WriteText prints the facts: the machine, what it can run, what is missing.
func (f Facts) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "host      %s, kernel %s\n", f.Host, ui.Line(f.Host.Release))
	fmt.Fprintf(w, "kernel    overlayfs %s, cgroups %s, user namespaces %s\n", yesNo(f.Kernel.Overlayfs), f.Kernel.Cgroups, yesNo(f.Kernel.UserNamespaces))
	if f.Runc == nil {
		fmt.Fprintln(w, "runc      none")
	} else {
		fmt.Fprintf(w, "runc      %s (%s)\n", ui.Line(f.Runc.Version), ui.Line(f.Runc.Path))
		for _, warning := range f.Runc.Warnings {
			fmt.Fprintf(w, "          warning: %s; %s\n", ui.Line(warning.Text), ui.Line(warning.Hint))
		}
	}
	if f.Rootless != nil {
		fmt.Fprintf(w, "rootless  %s\n", rootlessLine(*f.Rootless))
	}
	fmt.Fprintf(w, "engine    %s\n\n", engineLine(f.Engine))
	var rows [][]string
	for _, p := range f.Platforms {
		rows = append(rows, []string{p.Platform.String(), string(p.How), p.Reason})
	}
	if err := ui.Table(w, []string{"PLATFORM", "RUNS", "WHY"}, rows); err != nil {
		return err
	}
	if len(f.Binfmt.Entries) > 0 {
		fmt.Fprintln(w)
		if err := ui.Table(w, []string{"EMULATOR", "FLAGS", "INTERPRETER", "VERSION", "IN CONTAINERS"}, emulatorRows(f.Binfmt)); err != nil {
			return err
		}
	}
	for _, note := range f.Binfmt.Notes {
		fmt.Fprintf(w, "note: %s\n", ui.Line(note))
	}
	return f.writeMissing(w)
}

func (f Facts) writeMissing(w io.Writer) error {
	if len(f.Missing) == 0 {
		_, err := fmt.Fprintln(w, "\nnothing is missing")
		return err
	}
	fmt.Fprintln(w, "\nmissing:")
	for _, m := range f.Missing {
		fmt.Fprintf(w, "- %s: %s\n", ui.Line(m.What), ui.Line(m.Affects))
		for _, line := range strings.Split(strings.TrimSpace(m.Command+"\n"+m.Hint), "\n") {
			fmt.Fprintf(w, "    %s\n", ui.Line(line))
		}
	}
	return nil
}

func emulatorRows(b detect.Binfmt) [][]string {
	var rows [][]string
	for _, e := range b.Entries {
		works := "yes"
		if !e.Containers {
			works = "no: " + e.Reason
		}
		rows = append(rows, []string{e.Name, e.Flags, e.Interpreter, e.Version, works})
	}
	return rows
}

// rootlessLine says what a plain user's engine is made of.
func rootlessLine(r detect.RootlessFacts) string {
	name := ui.Line(r.User)
	if len(r.Lacks) > 0 {
		return fmt.Sprintf("user %s cannot run the engine yet: see below", name)
	}
	return fmt.Sprintf("user %s is root of %d users in the engine's own namespace", name, r.IDs())
}

func engineLine(s engine.State) string {
	switch {
	case s.BuildKit == "":
		return "does not answer; see below"
	case !s.Running:
		return fmt.Sprintf("BuildKit %s, not running; the next build starts it", s.BuildKit)
	}
	return fmt.Sprintf("BuildKit %s, running as pid %d on %s", s.BuildKit, s.PID, ui.Line(s.Socket))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
