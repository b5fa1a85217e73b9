package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

func newLock(system outside.System) *cobra.Command {
	opts := archbuild.Options{System: system}
	var update, asJSON bool
	c := &cobra.Command{
		Use:   "lock PATH... [--update [REF...]]",
		Short: "Pin what every base is now in archbuild.lock",
		Long: `Write archbuild.lock beside the Dockerfile: for each base the digest of its index
and of the image of each platform. Builds take what it says instead of asking
registries; with --locked they take nothing else.

What the file holds already is kept. --update asks for everything anew, or for
the references named after it.`,
		Example: `  archbuild lock ./service --platform linux/amd64,linux/arm64
  archbuild lock ./service --update debian:12`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			folders, refs := args, []string(nil)
			if update {
				folders, refs = splitFolders(args)
				if len(refs) == 0 {
					refs = []string{"*"}
				}
			}
			opts.Paths = folders
			locked, err := archbuild.Lock(c.Context(), opts, refs)
			if asJSON {
				if e := ui.WriteJSON(system.Stdout, locked); err == nil {
					err = e
				}
				return err
			}
			if e := archbuild.WriteLocked(system.Stderr, locked); err == nil {
				err = e
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	templateFlags(f, &opts)
	projectFlags(f, &opts)
	f.BoolVar(&update, "update", false, "ask anew for the references named, or for all")
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	stateFlags(f, &opts.Engine)
	return c
}

// splitFolders tells folders from references among the arguments.
func splitFolders(args []string) (folders, refs []string) {
	for _, arg := range args {
		if info, err := os.Stat(arg); err == nil && (info.IsDir() || archbuild.IsProjectFile(arg)) {
			folders = append(folders, arg)
		} else {
			refs = append(refs, arg)
		}
	}
	return folders, refs
}
