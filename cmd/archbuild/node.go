package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/listing"
)

func newNode(system outside.System) *cobra.Command {
	c := &cobra.Command{
		Use:     "node",
		Short:   "Look at the BuildKit servers that builds can use",
		Example: `  archbuild node ls`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newNodeList(system))
	return c
}

func newNodeList(system outside.System) *cobra.Command {
	opts := listing.Options{World: outside.World{System: system}}
	var asJSON bool
	c := &cobra.Command{
		Use: "ls", Short: "Ask all nodes what they are: platforms, cores, running builds, disk",
		Long: `Ask all nodes what they are, at once, and wait for each at most ten seconds.

The nodes are those that a build uses: --node or --builder, else $BUILDKIT_HOST,
else $BUILDX_BUILDER, else those of the user's own file,
$XDG_CONFIG_HOME/archbuild/config.yaml (else below ~/.config). Without any it is
archbuild's own engine, which is not started for it.

A node runs a program of a kilobyte, in an empty container, that counts its cores.

Exit status: 0 all of them answer, 1 one or more do not, 2 wrong usage.`,
		Example: `  archbuild node ls
  archbuild node ls --node ssh://me@arm.example,platform=linux/arm64 --json
  archbuild node ls --builder farm`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			facts, err := listing.Nodes(c.Context(), opts)
			switch {
			case facts == nil:
			case asJSON:
				err = errors.Join(ui.WriteJSON(system.Stdout, facts), err)
			default:
				err = errors.Join(listing.WriteText(system.Stdout, facts), err)
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVar(&opts.Named, "node", nil, "a node, `ADDRESS`[,platform=P+P][,weight=N][,name=NAME][,jobs=N][,cacert=FILE,cert=FILE,key=FILE] (repeatable; default $BUILDKIT_HOST)")
	f.StringVar(&opts.Builder, "builder", "", "the nodes of one of buildx's builders, by `NAME` (default $BUILDX_BUILDER)")
	f.BoolVar(&asJSON, "json", false, "print one JSON document, sizes in bytes")
	stateFlags(f, &opts.Engine)
	return c
}
