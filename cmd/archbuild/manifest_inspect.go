package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/inspecting"
)

func newManifestInspect(system outside.System) *cobra.Command {
	opts := inspecting.Options{World: outside.World{System: system}}
	var asJSON, raw bool
	c := &cobra.Command{
		Use:   "inspect REF|LAYOUT|ARCHIVE",
		Short: "Show what an image holds: platforms, sizes, bases, attestations",
		Example: `  archbuild manifest inspect debian:12
  archbuild manifest inspect registry.example/app:1.2 --platform linux/arm64 --raw`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opts.Paths = args
			if raw {
				if asJSON {
					return usageError{errors.New("--raw and --json exclude each other"), c.CommandPath()}
				}
				body, err := inspecting.Raw(c.Context(), opts)
				if err == nil {
					err = ui.WriteExact(system.Stdout, body)
				}
				return err
			}
			document, err := inspecting.Document(c.Context(), opts)
			switch {
			case document.Digest == "":
				return err
			case asJSON:
				return errors.Join(err, ui.WriteJSON(system.Stdout, document))
			}
			return errors.Join(err, inspecting.WriteText(system.Stdout, document))
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVar(&opts.Platforms, "platform", nil, "show the images for these `PLATFORMS` only")
	f.BoolVar(&raw, "raw", false, "print the exact bytes of the index or manifest, with --platform those of that image")
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	stateFlags(f, &opts.Engine)
	registryFlags(f, &opts.Registries)
	return c
}
