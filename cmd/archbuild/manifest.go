package main

import (
	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild"
)

// newManifest is the parent of the verbs about indexes.
func newManifest(system archbuild.System) *cobra.Command {
	c := &cobra.Command{
		Use:     "manifest",
		Short:   "Look at multi-platform images in registries, layouts and archives",
		Example: `  archbuild manifest inspect registry.example/app:1.2`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newManifestInspect(system))
	return c
}
