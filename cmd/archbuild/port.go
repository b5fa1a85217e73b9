package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

func newPort(system outside.System) *cobra.Command {
	opts := archbuild.PortOptions{Options: archbuild.Options{System: system}}
	var asJSON bool
	c := &cobra.Command{
		Use:   "port PATH",
		Short: "Make edits of what lint finds, so that a Dockerfile serves several platforms",
		Long: `Make edits of what lint finds, so that a Dockerfile serves several platforms.

PATH is a Dockerfile, or the folder of one. What differs by platform gets a name: in RUN a variable
that a case on TARGETARCH sets, elsewhere an ARG to which archbuild.yaml gives its value on the other
platforms. Bases for one architecture are replaced. The platform that the file was written for gets
what it had. Every byte outside an edit stays.

The edits are printed as a unified diff, which git apply reads; --write applies them. What nobody
can know, such as the checksum of the other platform's file, is left as a gap, and what port
does not edit as a finding. Both are listed on standard error.

Exit status 1: a gap, or a finding of severity error, is left to somebody.
Exit status 3: with --compare, the image is not what it was.`,
		Example: `  archbuild port ./service
  archbuild port ./service --write
  archbuild port ./service --platform linux/amd64,linux/arm64,linux/riscv64 --json
  archbuild port ./service --compare`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			opts.Paths = args
			done, err := archbuild.Port(c.Context(), opts)
			if differs := (*archbuild.PortDifferenceError)(nil); err != nil && !errors.As(err, &differs) {
				done.WriteWritten(system.Stderr)
				return err
			}
			return writePorted(system, done, opts.Write, asJSON, err)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	templateFlags(f, &opts.Options)
	f.Lookup("platform").Usage = "`PLATFORMS` that the image is to serve (default archbuild.yaml's, DOCKER_DEFAULT_PLATFORM, linux/amd64 and linux/arm64)"
	f.BoolVar(&opts.Write, "write", false, "apply the edits; a file that changed since it was read is left alone")
	f.BoolVar(&opts.Compare, "compare", false, "build this machine's platform from the file as it is and as it is ported, and compare the images")
	f.BoolVar(&asJSON, "json", false, "print one JSON document: findings and whether they were edited, gaps, what is left, the diff")
	resolveFlags(f, &opts.Options)
	f.Lookup("offline").Usage = "ask no registry: bases are judged by their names"
	credentialFlags(f, &opts.Options)
	f.StringVar(&opts.Progress, "progress", "auto", "how progress of --compare is shown, a `MODE`: auto, tty, plain, rawjson, quiet, none")
	engineFlags(f, &opts.Options)
	return c
}

// writePorted prints the diff to standard output, and what else there is to say to standard
// error. failed is a difference that --compare found.
func writePorted(system outside.System, done archbuild.Ported, write, asJSON bool, failed error) error {
	if asJSON {
		return errors.Join(ui.WriteJSON(system.Stdout, done), failed, done.Fail())
	}
	if !write {
		failed = errors.Join(done.WriteDiff(system.Stdout), failed)
	}
	failed = errors.Join(failed, done.WriteRest(system.Stderr), done.Fail())
	fmt.Fprintf(system.Stderr, "archbuild: %s\n", done.Summary())
	return failed
}
