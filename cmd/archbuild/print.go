package main

import (
	"fmt"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

// printOutcome prints the result: the digest with --quiet, one document with
// --json, else the summary on stderr. A dry run prints its plans to stdout.
func printOutcome(system outside.System, outcome archbuild.Outcome, failed error, quiet, asJSON bool) error {
	switch {
	case asJSON:
		if failed != nil && len(outcome.Images) == 0 {
			return nil
		}
		return ui.WriteJSON(system.Stdout, outcome)
	case len(outcome.Plans) > 0 && failed == nil:
		if outcome.Graph != nil {
			if err := archbuild.WriteGraph(system.Stdout, *outcome.Graph); err != nil {
				return err
			}
			fmt.Fprintln(system.Stdout)
		}
		return archbuild.WritePlans(system.Stdout, outcome.Plans)
	case quiet:
		if failed != nil {
			return nil
		}
		for _, id := range outcome.IDs() {
			if _, err := fmt.Fprintln(system.Stdout, id); err != nil {
				return err
			}
		}
		return nil
	}
	return outcome.WriteText(system.Stderr)
}

func printPlans(system outside.System, outcome archbuild.Outcome, asJSON bool) error {
	return printOutcome(system, outcome, nil, false, asJSON)
}
