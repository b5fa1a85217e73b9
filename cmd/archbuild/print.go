package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/archbuild/archbuild"
)

// printOutcome prints the result: the digest with --quiet, one document with
// --json, else the summary on stderr. A dry run prints its plans to stdout.
func printOutcome(system archbuild.System, outcome archbuild.Outcome, failed error, quiet, asJSON bool) error {
	switch {
	case asJSON:
		if failed != nil && len(outcome.Images) == 0 {
			return nil
		}
		return printJSON(system.Stdout, outcome)
	case len(outcome.Plans) > 0 && failed == nil:
		return archbuild.WritePlans(system.Stdout, outcome.Plans)
	case quiet:
		for _, image := range outcome.Images {
			if image.Digest != "" && failed == nil {
				if _, err := fmt.Fprintln(system.Stdout, image.ID()); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return outcome.WriteText(system.Stderr)
}

func printPlans(system archbuild.System, outcome archbuild.Outcome, asJSON bool) error {
	return printOutcome(system, outcome, nil, false, asJSON)
}

// printJSON prints one document, indented, with the characters of URLs and
// references left as they are.
func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
