package main

import (
	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild/outside"
)

// newManifest is the parent of the verbs about indexes.
func newManifest(system outside.System) *cobra.Command {
	c := &cobra.Command{
		Use:   "manifest",
		Short: "Put images together as one, and look at what they are made of",
		Example: `  archbuild manifest create -t registry.example/app:1.2 registry.example/app:1.2-amd64 registry.example/app:1.2-arm64
  archbuild manifest push from-spec spec.yaml
  archbuild manifest inspect registry.example/app:1.2`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newManifestCreate(system), newManifestPush(system), newManifestInspect(system))
	return c
}
