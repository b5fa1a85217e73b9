package placing

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/placement"
	"github.com/archbuild/archbuild/platform"
)

// WriteText prints the table, why services cannot run where they cannot, and what their scheduler has to be told.
func (p Placed) WriteText(w io.Writer) error {
	header := []string{"SERVICE"}
	for _, on := range p.Platforms {
		header = append(header, strings.ToUpper(on.String()))
	}
	var rows [][]string
	for _, row := range p.Rows {
		cells := []string{row.Service}
		for i := range p.Platforms {
			cells = append(cells, cellText(row, i))
		}
		rows = append(rows, append(cells, p.where(row)))
	}
	if err := ui.Table(w, append(header, "RUNS"), rows); err != nil {
		return err
	}
	lines := append(p.reasons(), p.demands()...)
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, ui.Line(line)); err != nil {
			return err
		}
	}
	return nil
}

func cellText(row placement.Row, i int) string {
	switch {
	case row.Unknown || i >= len(row.Cells):
		return "?"
	case row.Cells[i].Runs:
		return "yes"
	}
	return "no"
}

func (p Placed) where(row placement.Row) string {
	if row.Unknown {
		return "not known"
	}
	var list []string
	for _, cell := range row.Cells {
		if cell.Runs {
			list = append(list, cell.Platform.String())
		}
	}
	switch len(list) {
	case 0:
		return "nowhere"
	case len(row.Cells):
		return "everywhere"
	}
	return "on " + strings.Join(list, ", ")
}

// reasons say of each no why.
func (p Placed) reasons() []string {
	var lines []string
	for _, row := range p.Rows {
		for _, cell := range row.Cells {
			if !cell.Runs {
				lines = append(lines, fmt.Sprintf("%s not on %s: %s", row.Service, cell.Platform, cell.Why))
			}
		}
	}
	return spaced(lines)
}

// demands are what the scheduler has to be told.
func (p Placed) demands() []string {
	var lines []string
	for _, row := range p.Rows {
		if list := row.Demand.Lines(); len(list) > 0 {
			lines = append(lines, fmt.Sprintf("%s needs %s", row.Service, strings.Join(list, " and ")))
		}
	}
	return spaced(lines)
}

// spaced puts an empty line before a block.
func spaced(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	return append([]string{""}, lines...)
}

// Warnings are what a user should know; with checked, what Check tells is left out.
func (p Placed) Warnings(checked bool) []string {
	list := slices.Clone(p.Notes)
	for _, row := range p.Rows {
		for _, note := range row.Notes {
			list = append(list, row.Service+": "+note)
		}
	}
	if checked {
		return list
	}
	for _, problem := range p.problems() {
		list = append(list, problem.Error())
	}
	return list
}

// Commands are what sets the labels that the overlay counts on; where nodes are not known by name they are sentences.
func (p Placed) Commands() []string {
	var list []string
	for _, row := range p.Rows {
		for _, l := range row.Demand.Labels {
			text := l.Key + "=" + l.Value
			switch {
			case l.Node != "" && p.Scheduler == placement.Kubernetes:
				text = "kubectl label node " + l.Node + " " + text
			case l.Node != "" && p.Scheduler == placement.Swarm:
				text = "docker node update --label-add " + text + " " + l.Node
			case l.Platform != platform.Platform{}:
				text = fmt.Sprintf("give each node of %s the label %s", l.Platform, text)
			default:
				text = "give each node that has as much memory the label " + text
			}
			if !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
	}
	return list
}

// PlaceError says that a service can run nowhere, or that what is written by hand contradicts its images.
type PlaceError struct {
	Service, At, Text, help string
}

func (e *PlaceError) Error() string {
	if e.At != "" {
		return fmt.Sprintf("%s: %s %s", e.At, e.Service, e.Text)
	}
	return e.Service + " " + e.Text
}

// Hint is the one thing to do.
func (e *PlaceError) Hint() string { return e.help }

// Check is an error for each service that can run nowhere and for each contradiction: exit status 1.
func (p Placed) Check() error {
	var failed []error
	for _, problem := range p.problems() {
		failed = append(failed, problem)
	}
	return errors.Join(failed...)
}

func (p Placed) problems() []*PlaceError {
	var list []*PlaceError
	for _, row := range p.Rows {
		for _, c := range row.Contradictions {
			list = append(list, &PlaceError{row.Service, c.At, fmt.Sprintf("contradicts its image: %s %s", c.Text, c.Why),
				"take that constraint away, or use an image that holds what it asks for"})
		}
		if row.Unknown || !row.Nowhere || len(row.Contradictions) > 0 || len(row.Cells) == 0 {
			continue
		}
		var reasons []string
		for _, cell := range row.Cells {
			if !slices.Contains(reasons, cell.Why) {
				reasons = append(reasons, cell.Why)
			}
		}
		list = append(list, &PlaceError{row.Service, row.At, "can run nowhere: " + strings.Join(reasons, "; "), p.remedy(row)})
	}
	return list
}

// remedy says what would let a service run somewhere.
func (p Placed) remedy(row placement.Row) string {
	var lacking []string
	for _, fact := range row.Images {
		if !slices.ContainsFunc(p.Platforms, func(on platform.Platform) bool {
			return slices.ContainsFunc(fact.Platforms, func(has platform.Platform) bool { return has.Serves(on) })
		}) {
			lacking = append(lacking, fact.Image)
		}
	}
	if len(lacking) == 0 {
		return "add a node that meets all of it"
	}
	var there []string
	for _, on := range p.Platforms {
		there = append(there, on.String())
	}
	return fmt.Sprintf("build %s for one of %s: archbuild PATH --platform %s -t %s --push; or add a node that it can run on", strings.Join(lacking, ", "), strings.Join(there, ", "), there[0], lacking[0])
}

// Use says how the overlay is used.
func (p Placed) Use() string {
	over := []string{"FILE"}
	if len(p.files) == 1 && p.files[0].Name != "standard input" {
		over = append([]string{p.files[0].Name}, p.files[0].Over...)
	}
	switch p.Scheduler {
	case placement.Swarm:
		return fmt.Sprintf("docker stack deploy -c %s -c %s NAME", strings.Join(over, " -c "), p.Overlay)
	case placement.Cattle:
		return fmt.Sprintf("rancher-compose -f %s -f %s up", strings.Join(over, " -f "), p.Overlay)
	}
	return "name it under patchesStrategicMerge of a kustomization.yaml"
}
