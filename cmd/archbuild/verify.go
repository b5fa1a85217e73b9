package main

import (
	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/verifying"
)

func newVerify(system outside.System) *cobra.Command {
	opts := verifying.Options{World: outside.World{System: system}}
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify REF|LAYOUT|ARCHIVE|-...",
		Short: "Look whether an image is whole, and what its labels say",
		Long: `Look whether an image is whole, and what its labels say.

Every manifest that an index lists, and every blob, must be there with the size that its
descriptor says; every config must name the platform that the index names; the programs in
each image must be for that platform; no platform may be there twice, or be hidden from some
clients by another one; every attestation must speak of an image in the index. A - stands for
a list of names on standard input, one a line. Findings of severity error end with status 3.`,
		Example: `  archbuild verify archbuild-out/service
  archbuild verify registry.example/app:1.2 registry.example/web:3 --deep
  archbuild verify - --json < images.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opts.Paths = args
			verified, err := verifying.Images(c.Context(), opts)
			switch {
			case len(verified.Images) == 0:
				return err
			case asJSON:
				if e := ui.WriteJSON(system.Stdout, verified); e != nil {
					return e
				}
			default:
				if e := verified.WriteText(system.Stdout); e != nil {
					return e
				}
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVar(&opts.Platforms, "platform", nil, "look at these `PLATFORMS` only")
	f.StringArrayVar(&opts.Allow, "verify-allow", nil, "files to pass over, a `GLOB` (repeatable)")
	f.BoolVar(&opts.Deep, "deep", false, "read every blob and compare its digest")
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	stateFlags(f, &opts.Engine)
	registryFlags(f, &opts.Registries)
	return c
}
