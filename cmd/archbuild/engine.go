package main

import (
	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/tending"
)

func newEngine(system outside.System) *cobra.Command {
	c := &cobra.Command{
		Use:     "engine",
		Short:   "Look at, prune or stop the private BuildKit server",
		Example: `  archbuild engine status`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newEngineStatus(system), newEngineStop(system), newEngineLogs(system), newEngineUsage(system), newEnginePrune(system))
	return c
}

func newEngineStatus(system outside.System) *cobra.Command {
	world := outside.World{System: system}
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Say whether the engine runs, and where it keeps things", Args: cobra.NoArgs,
		Example: `  archbuild engine status`,
		RunE: func(c *cobra.Command, _ []string) error {
			state, err := tending.Status(c.Context(), world)
			if err != nil {
				return err
			}
			if asJSON {
				return ui.WriteJSON(system.Stdout, state)
			}
			return tending.WriteStatus(system.Stdout, state)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	stateFlags(c.Flags(), &world.Engine)
	return c
}

func newEngineStop(system outside.System) *cobra.Command {
	world := outside.World{System: system}
	c := &cobra.Command{
		Use: "stop", Short: "End the engine; what it cached stays", Args: cobra.NoArgs,
		Example: `  archbuild engine stop`,
		RunE: func(c *cobra.Command, _ []string) error {
			return tending.Stop(c.Context(), world)
		},
	}
	stateFlags(c.Flags(), &world.Engine)
	return c
}

func newEngineLogs(system outside.System) *cobra.Command {
	world := outside.World{System: system}
	var follow bool
	var tail int
	c := &cobra.Command{
		Use: "logs", Short: "Print what the engine has written to its log", Args: cobra.NoArgs,
		Example: `  archbuild engine logs --tail 20
  archbuild engine logs --follow`,
		RunE: func(c *cobra.Command, _ []string) error {
			return tending.Logs(c.Context(), world, tail, follow)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVarP(&follow, "follow", "f", false, "go on with what the engine writes, until ^C")
	f.IntVarP(&tail, "tail", "n", -1, "print the last `NUMBER` of lines only")
	f.Lookup("tail").DefValue = "all"
	stateFlags(f, &world.Engine)
	return c
}

func newEngineUsage(system outside.System) *cobra.Command {
	world := outside.World{System: system}
	var verbose, asJSON bool
	c := &cobra.Command{
		Use: "df", Short: "Show what is kept on disk: the engine's cache, results, registries' answers", Args: cobra.NoArgs,
		Example: `  archbuild engine df
  archbuild engine df --verbose`,
		RunE: func(c *cobra.Command, _ []string) error {
			disk, err := tending.Usage(c.Context(), world, verbose)
			if err != nil {
				return err
			}
			if asJSON {
				return ui.WriteJSON(system.Stdout, disk)
			}
			return disk.WriteText(system.Stdout, verbose)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVarP(&verbose, "verbose", "v", false, "list every entry of the cache, and the rules by which the engine prunes itself")
	f.BoolVar(&asJSON, "json", false, "print one JSON document, sizes in bytes")
	stateFlags(f, &world.Engine)
	f.StringVar(&world.Runc, "runc", "", "the runc that the engine starts with, a `FILE`")
	return c
}

func newEnginePrune(system outside.System) *cobra.Command {
	world := outside.World{System: system}
	var want tending.Pruning
	var asJSON, force bool
	c := &cobra.Command{
		Use: "prune", Short: "Remove from the caches what no build needs now",
		Long: `Remove from the engine's cache what no build needs now, and from archbuild's own
results and answers of registries. All of it can be made or fetched again.

The flags are those of docker buildx prune. What they bound holds for the engine's
cache and for each of archbuild's own folders; --filter is for the engine's cache alone.`,
		Example: `  archbuild engine prune
  archbuild engine prune --keep-duration 72h --max-used-space 20GB
  archbuild engine prune --filter type=exec.cachemount`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			pruned, err := tending.Prune(c.Context(), world, want)
			if err != nil {
				return err
			}
			if asJSON {
				return ui.WriteJSON(system.Stdout, pruned)
			}
			return pruned.WriteText(system.Stdout)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVarP(&want.All, "all", "a", false, "BuildKit's own entries too, and those that others share")
	f.StringArrayVar(&want.Filters, "filter", nil, "entries of the engine's cache that fit `KEY=VALUE` only: type=regular, id=…, until=24h, private (repeatable)")
	f.DurationVar(&want.KeepDuration, "keep-duration", 0, "keep what was used within this `TIME`: 72h")
	f.StringVar(&want.MaxUsedSpace, "max-used-space", "", "keep up to this `SIZE`")
	f.StringVar(&want.ReservedSpace, "reserved-space", "", "always keep this `SIZE`")
	f.StringVar(&want.MinFreeSpace, "min-free-space", "", "stop when the disk has this `SIZE` free")
	f.BoolVar(&asJSON, "json", false, "print one JSON document, sizes in bytes")
	f.BoolVarP(&force, "force", "f", false, "for scripts written for buildx: there is no question to answer here")
	f.Lookup("force").Hidden = true
	f.StringVar(&want.ReservedSpace, "keep-storage", "", "the older name of --reserved-space")
	f.Lookup("keep-storage").Hidden = true
	stateFlags(f, &world.Engine)
	f.StringVar(&world.Runc, "runc", "", "the runc that the engine starts with, a `FILE`")
	return c
}
