package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

func newCompare(system outside.System) *cobra.Command {
	opts := archbuild.Options{System: system}
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare --cross PATH...",
		Short: "Build a platform with and without stages on the build platform, and compare",
		Long: `Build each PATH in two ways, with stages on the build platform (--cross) and with
all of them emulated, and hold the images against each other: the list of files,
modes, owners, links; machine, ABI and needed libraries of ELF files; the bytes.

Other bytes are an error in programs made by Go, which are the same from every
machine, and a warning elsewhere: logs and archives hold the time. Times of files
are left aside. Nothing is written but to the state folder.

Exit status 3: there is a difference.`,
		Example: `  archbuild compare --cross ./service --platform linux/arm64`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			opts.Paths = args
			if asJSON {
				opts.StdoutUse = "--json"
			}
			list, err := archbuild.Compare(c.Context(), opts)
			switch {
			case len(list) == 0:
				return err
			case asJSON:
				return errors.Join(ui.WriteJSON(system.Stdout, list), err)
			}
			return errors.Join(archbuild.WriteCompared(system.Stdout, list), err)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	templateFlags(f, &opts)
	resolveFlags(f, &opts)
	credentialFlags(f, &opts)
	f.BoolVar(&opts.NoCache, "no-cache", false, "run every step, whatever the cache holds")
	f.StringVar(&opts.Progress, "progress", "auto", "how progress is shown, a `MODE`: auto, tty, plain, rawjson, quiet, none")
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	engineFlags(f, &opts)
	registryFlags(f, &opts.Registries)
	return c
}
