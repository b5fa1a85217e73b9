package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/placing"
)

func newPlace(system outside.System) *cobra.Command {
	opts := placing.Options{World: outside.World{System: system}}
	var asJSON, check bool
	c := &cobra.Command{
		Use:   "place FILE|REF|-... [SERVICE...]",
		Short: "Say where the images of services can run, and tell their scheduler",
		Long: `Say where the images of services can run, and tell their scheduler.

FILE is a compose or stack file, or objects of Kubernetes; REF is an image. A SERVICE of the file, or the
name of an object, means only that. Each image is looked at in its registry. The table says for each service and each platform of the cluster whether all its images
hold the platform; services that can run nowhere come first. With --for, or -o, what the scheduler has
to be told goes into a file of its own, to be laid over FILE: never more than is needed, and FILE is not
written to. Without --nodes the platforms are all that some image holds.`,
		Example: `  archbuild place compose.yaml --nodes linux/amd64,linux/arm64
  docker node inspect $(docker node ls -q) | archbuild place stack.yaml --nodes - --for swarm
  kubectl get nodes -o json > nodes.json && helm template ./chart | archbuild place - --nodes nodes.json -o place.yaml
  archbuild place redis:6 mysql:5.7 --verify`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opts.Paths = args
			if asJSON && opts.Overlay == "-" {
				return usageError{errors.New("--json and -o - both write to standard output"), c.CommandPath()}
			}
			placed, err := placing.Services(c.Context(), opts)
			if placed.Rows == nil {
				return err
			}
			if e := printPlaced(system, placed, asJSON, check); e != nil {
				return e
			}
			if check {
				return errors.Join(err, placed.Check())
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&opts.Nodes, "nodes", "", "the `PLATFORMS` of the cluster, or a file, or -: what docker node inspect or kubectl get nodes -o json say")
	f.StringVar(&opts.For, "for", "", "write what this `SCHEDULER` has to be told: swarm, cattle or kubernetes")
	f.StringVarP(&opts.Overlay, "output", "o", "", "the `FILE` for that, - for standard output (default compose.place.yaml or kubernetes.place.yaml)")
	f.BoolVar(&opts.Force, "force", false, "write it also over a file that is none of archbuild's")
	f.BoolVar(&opts.Pin, "pin", false, "write the digests of the images there, too")
	f.BoolVar(&opts.Audit, "verify", false, "look into every image whether its programs are for its platform")
	f.StringArrayVar(&opts.VerifyAllow, "verify-allow", nil, "files to pass over, a `GLOB` (repeatable)")
	f.StringArrayVar(&opts.MinMemory, "min-memory", nil, "`SERVICE=SIZE`: run it where a node has as much memory (repeatable)")
	f.StringArrayVar(&opts.EnvFiles, "env-file", nil, "variables of a compose file, from a `FILE` instead of .env (repeatable)")
	f.BoolVar(&check, "check", false, "fail when a service can run nowhere, or what is written by hand contradicts its image")
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	stateFlags(f, &opts.Engine)
	registryFlags(f, &opts.Registries)
	return c
}

// printPlaced prints the table on standard output, where no overlay goes there, and what else is to be known on standard error.
func printPlaced(system outside.System, placed placing.Placed, asJSON, check bool) error {
	table := system.Stdout
	if placed.Text != nil {
		table = system.Stderr
		if err := ui.WriteExact(system.Stdout, placed.Text); err != nil {
			return err
		}
	}
	var err error
	if asJSON {
		err = ui.WriteJSON(table, placed)
	} else {
		err = placed.WriteText(table)
	}
	if err != nil {
		return err
	}
	return printAfter(system.Stderr, placed, check)
}

func printAfter(w io.Writer, placed placing.Placed, check bool) error {
	for _, warning := range placed.Warnings(check) {
		if _, err := fmt.Fprintf(w, "archbuild: warning: %s\n", ui.Line(warning)); err != nil {
			return err
		}
	}
	for i, command := range placed.Commands() {
		if i == 0 {
			fmt.Fprintln(w, "archbuild: this counts on labels of nodes:")
		}
		fmt.Fprintf(w, "  %s\n", ui.Line(command))
	}
	if placed.Overlay == "" {
		return nil
	}
	state := "is unchanged"
	if placed.Changed {
		state = "is written"
	}
	_, err := fmt.Fprintf(w, "archbuild: %s %s: %d of %d services constrained; %s\n", ui.Line(placed.Overlay), state, placed.Constrained, len(placed.Rows), ui.Line(placed.Use()))
	return err
}
