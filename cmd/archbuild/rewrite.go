package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

func newRewrite(system outside.System) *cobra.Command {
	opts := archbuild.RewriteOptions{Options: archbuild.Options{System: system}}
	c := &cobra.Command{
		Use:   "rewrite PATH",
		Short: "Write Dockerfile.ARCH beside the template for each platform",
		Long: `Write Dockerfile.ARCH for each platform. PATH is a Dockerfile, the folder of one,
or - for standard input.

Image references are edited, those of all stages, and nothing else but what
--cache-ids asks for: every other byte stays. A reference that cannot be decided
stays as well, and a line on standard error says why; with --strict it is an
error, and nothing is written.
A file that is there already is kept, with an error, when a registry cannot be
reached to decide what it should say; --offline writes what rules decide.
Offline, --strict lets names without a digest stay: only a registry could tell.
A file that says the same already is not touched, any other is written over.`,
		Example: `  archbuild rewrite ./service --platform linux/arm64
  archbuild rewrite ./service --platform linux/arm64 --diff
  archbuild rewrite ./service --check
  archbuild rewrite - --offline --bases prefix --platform linux/arm64 <Dockerfile`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opts.Paths = args
			if opts.Out == "" && c.Flags().Changed("output") {
				return usageError{errors.New("-o is empty: name a folder, or - for standard output"), c.CommandPath()}
			}
			result, err := archbuild.Rewrite(c.Context(), opts)
			return errors.Join(printRewriting(system, opts, result, err == nil), err)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	templateFlags(f, &opts.Options)
	f.StringVarP(&opts.Out, "output", "o", "", "`FOLDER` to write to, or - for standard output (default beside the template)")
	f.BoolVar(&opts.Offline, "offline", false, "ask no registry: rules count without proof")
	f.BoolVar(&opts.ForceRewrite, "force-rewrite", false, "rewrite the file also if its # syntax= names a frontend that is not Docker's")
	f.BoolVar(&opts.Locked, "locked", false, "take bases from archbuild.lock alone; one that is not in it is an error")
	moveFlag(f, &opts.Options)
	foreignFlag(f, &opts.Options)
	crossFlag(f, &opts.Options, "off")
	credentialFlags(f, &opts.Options)
	f.BoolVar(&opts.Pin, "pin", false, "write the digest of every image")
	f.BoolVar(&opts.CacheIDs, "cache-ids", false, "give RUN --mount=type=cache without an id one for each platform")
	f.BoolVar(&opts.Strict, "strict", false, "fail when a reference cannot be decided")
	f.BoolVar(&opts.Diff, "diff", false, "print unified diffs, write nothing")
	f.BoolVar(&opts.JSON, "json", false, "print the edits as one JSON document, write only with -o")
	f.BoolVar(&opts.Check, "check", false, "fail when a written file is missing or stale, write nothing")
	depsFlag(f, &opts.Options, "write rules for make to `FILE`: what Dockerfile.ARCH depends on")
	stateFlags(f, &opts.Options.Engine)
	return c
}

// printRewriting prints what was done and, if it went well, the document or the
// diffs that were asked for.
func printRewriting(system outside.System, opts archbuild.RewriteOptions, result archbuild.Rewriting, well bool) error {
	archbuild.AnnotateWarnings(system, result)
	if err := errors.Join(result.WriteWarnings(system.Stderr), result.WriteFiles(system.Stderr)); err != nil {
		return err
	}
	switch {
	case well && opts.Diff:
		return result.WriteDiffs(system.Stdout)
	case well && opts.JSON:
		return ui.WriteJSON(system.Stdout, result.Platforms)
	}
	return nil
}
