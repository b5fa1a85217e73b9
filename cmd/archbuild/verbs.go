package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/detecting"
)

func newPlan(system outside.System) *cobra.Command {
	opts := archbuild.Options{System: system}
	var asJSON bool
	var explain, graph string
	c := &cobra.Command{
		Use:   "plan PATH... | plan FILE [SERVICE...]",
		Short: "Show what a build would do, and why",
		Example: `  archbuild plan ./service --platform linux/amd64,linux/arm64
  archbuild plan ./service --platform linux/arm64 --explain debian:12`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			opts.Paths, opts.DryRun = args, true
			if c.Flags().Changed("explain") && len(args) == 0 { // it took the PATH for an image
				opts.Paths, explain = []string{explain}, ""
			}
			opts.ExplainNodes = c.Flags().Changed("explain") && explain == ""
			if explain != "" {
				list, err := archbuild.Explain(c.Context(), opts, explain)
				switch {
				case len(list) == 0:
				case asJSON:
					err = errors.Join(ui.WriteJSON(system.Stdout, list), err)
				default:
					err = errors.Join(archbuild.WriteExplanations(system.Stdout, list), err)
				}
				return err
			}
			if c.Flags().Changed("graph") {
				if err := archbuild.CheckGraphFormat(graph); err != nil {
					return err
				}
				opts.GraphOnly = true
			}
			outcome, err := archbuild.Build(c.Context(), opts)
			switch {
			case err != nil:
				return err
			case graph != "":
				return archbuild.WriteGraphAs(system.Stdout, *outcome.Graph, graph)
			}
			return printPlans(system, outcome, asJSON)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	templateFlags(f, &opts)
	projectFlags(f, &opts)
	resolveFlags(f, &opts)
	credentialFlags(f, &opts)
	f.StringVar(&explain, "explain", "", "tell why the image `REF` became what it became; without one, why each platform goes to its node")
	f.StringVar(&graph, "graph", "", "print how the services stand on each other, and nothing else; `FORMAT` is dot (Graphviz) or mermaid (Markdown)")
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	engineFlags(f, &opts)
	return c
}

func newDetect(system outside.System) *cobra.Command {
	world := outside.World{System: system}
	var asJSON bool
	c := &cobra.Command{
		Use:     "detect",
		Short:   "Show this machine: platform, emulators, engine, runc, and what is missing",
		Example: `  archbuild detect --json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			facts, err := detecting.Machine(c.Context(), world)
			if err != nil {
				return err
			}
			if asJSON {
				return ui.WriteJSON(system.Stdout, facts)
			}
			return facts.WriteText(system.Stdout)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	stateFlags(c.Flags(), &world.Engine)
	c.Flags().StringVar(&world.Runc, "runc", "", "the runc to look at, a `FILE`")
	return c
}

func newVersion(system outside.System) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the versions of archbuild and of the BuildKit inside it", Args: cobra.NoArgs,
		Example: `  archbuild version`,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(system.Stdout, "archbuild %s (BuildKit %s)\n", versionString(), buildkitVersion())
			return err
		},
	}
}
