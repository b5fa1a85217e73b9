package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

// newCI is the parent of the verbs for a matrix of jobs.
func newCI(system outside.System) *cobra.Command {
	c := &cobra.Command{
		Use:   "ci",
		Short: "Build each platform in a job of its own: plan the jobs, and make one image of their results",
		Long: `Build each platform in a job of its own, in any CI or by hand: plan the jobs, run
archbuild build --push --record in each, and make one image of their results.`,
		Example: `  archbuild ci plan ./service --platform linux/amd64,linux/arm64 -t registry.example/app:1.2
  archbuild build ./service --platform linux/arm64 -t registry.example/app:1.2 --push --record registry
  archbuild ci assemble -t registry.example/app:1.2 --require linux/amd64,linux/arm64 registry`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newCIPlan(system), newCIAssemble(system))
	return c
}

// legFlags make a build one job of a matrix.
func legFlags(f *pflag.FlagSet, opts *archbuild.Leg) {
	f.StringVar(&opts.Record, "record", "", "push by digest, move no tag, and leave a record for archbuild ci assemble, in a `PLACE`: a folder, a file that ends in .json, or registry")
	f.StringVar(&opts.Run, "run", "", "`ID` that all jobs of one run share (default what the CI says, then the commit)")
}

func newCIPlan(system outside.System) *cobra.Command {
	opts := archbuild.CIPlanOptions{Options: archbuild.Options{System: system}}
	var format string
	c := &cobra.Command{
		Use:   "plan PATH... | plan FILE [SERVICE...]",
		Short: "Print the jobs that build an image, one for each platform",
		Long: `Print the jobs that build the images of each PATH, one for each platform. Nothing is built.

Of a compose or bake file, or with --all, there is a job for each service and platform. One
whose image stands on another of the project builds that as well, and pushes its own alone.

github is the value of strategy.matrix, on one line, with platform, runner, args and name of
each job; gitlab is a child pipeline; make is a file of rules; json is all of it, and what
archbuild ci assemble takes as --plan. The flags of build that are given here are handed on in
args; with -t the jobs push and leave a record.

With --changed a platform is left out if neither the source, nor what is asked for, nor its
bases differ from its last record: in a folder, in files, or in the registry, beside
what a -t names now.`,
		Example: `  archbuild ci plan ./service --platform linux/amd64,linux/arm64 -t registry.example/app:1.2 --format github
  archbuild ci plan compose.yaml --platform linux/amd64,linux/arm64 --format gitlab
  archbuild ci plan ./service -t registry.example/app:1.2 --changed registry --format github --plan-file archbuild-out/plan.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(ci.Formats(), format) {
				return usageError{fmt.Errorf("--format %s: no such format; use one of %s", format, strings.Join(ci.Formats(), ", ")), c.CommandPath()}
			}
			if len(opts.Changed) > 0 && opts.File == "" && (format == "gitlab" || format == "make") {
				return usageError{fmt.Errorf("--format %s with --changed needs --plan-file: assembling goes by it", format), c.CommandPath()}
			}
			opts.Paths, opts.Given = args, handedOn(c.Flags())
			opts.Progress = "quiet"
			planned, err := archbuild.CIPlan(c.Context(), opts)
			if err != nil {
				return err
			}
			if format == "gitlab" || format == "make" {
				for _, s := range planned.Services {
					if len(s.Tags) == 0 {
						return usageError{fmt.Errorf("--format %s needs a tag for %s: its jobs push", format, s.Name), c.CommandPath()}
					}
				}
			}
			body, err := planned.Write(format)
			if err == nil {
				if format == "json" || format == "github" {
					body = ui.SafeJSON(body)
				}
				err = ui.WriteExact(system.Stdout, body)
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&format, "format", "json", "how the jobs are printed, a `WORD`: github, gitlab, make, json")
	f.StringArrayVarP(&opts.Tags, "tag", "t", nil, "name and tag of the image, `NAME:TAG` (repeatable)")
	legFlags(f, &opts.Leg)
	f.Lookup("record").Usage = "where the jobs leave their records, a `PLACE`: a folder, a file that ends in .json, or registry (default registry)"
	f.StringArrayVar(&opts.Changed, "changed", nil, "leave out what did not change since the records in a `PLACE`: a folder, a file, or registry (repeatable)")
	f.StringArrayVar(&opts.Runners, "runner", nil, "machines for all jobs, `LABEL`, or PLATFORM=LABEL (default archbuild.yaml's, then GitHub's)")
	f.StringVar(&opts.File, "plan-file", "", "write the plan as JSON to `FILE` as well, for archbuild ci assemble --plan")
	handFlags(f, &opts.Options)
	stateFlags(f, &opts.Engine)
	registryFlags(f, &opts.Registries)
	return c
}

// handFlags are the flags of build that decide what is built: they are handed on.
func handFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	templateFlags(f, opts)
	projectFlags(f, opts)
	resolveFlags(f, opts)
	credentialFlags(f, opts)
	labelFlags(f, opts)
	attestFlags(f, opts)
	f.StringVar(&opts.Attestations, "attestations", "", "where provenance and SBOMs go, a `PROFILE`: index, referrers, none, split (default index)")
	runFlags(f, &opts.BuildFlags)
	cacheFlags(f, &opts.BuildFlags)
}

// handedOn are the flags of handFlags that were given, as arguments of build.
func handedOn(given *pflag.FlagSet) []string {
	known := pflag.NewFlagSet("", pflag.ContinueOnError)
	handFlags(known, &archbuild.Options{})
	var args []string
	given.Visit(func(f *pflag.Flag) {
		if known.Lookup(f.Name) == nil || f.Name == "platform" {
			return
		}
		values := []string{f.Value.String()}
		if list, several := f.Value.(pflag.SliceValue); several {
			values = list.GetSlice()
		}
		for _, value := range values {
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	return args
}

func newCIAssemble(system outside.System) *cobra.Command {
	opts := archbuild.CIAssembleOptions{System: system}
	var out printing
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "assemble DIR|FILE|registry...",
		Short: "Make one image of what the jobs pushed, and move the tags to it",
		Long: `Make one image of what the jobs of a run pushed, and move the tags to it: the very index
that one archbuild build of all platforms makes.

The records of the jobs are in folders, in files, or in the registry. Nothing moves unless they
are one whole set: every platform of --require or --plan (else, for records in files, of
archbuild.yaml) once, all of one commit with the same inputs. Every image is verified again
where it lies, all tags move last, and all or none. Staging tags are removed. Doing it again changes nothing.

Of a plan with several services all are assembled, and their tags move together; with -t the one
that has these tags.

The summary is printed, added to --summary and to the file that GITHUB_STEP_SUMMARY names.

Exit status: 0 done, 1 failed or refused, 2 wrong usage, 3 verification failed.`,
		Example: `  archbuild ci assemble -t registry.example/app:1.2 --require linux/amd64,linux/arm64 archbuild-out/records
  archbuild ci assemble --plan archbuild-out/plan.json registry`,
		Args: cobra.ArbitraryArgs,
		RunE: timed(&timeout, func(ctx context.Context, _ *cobra.Command, args []string) error {
			opts.Records = args
			made, err := archbuild.CIAssembleAll(ctx, opts)
			return out.collected(system, opts.DryRun, made, err)
		}),
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&opts.Tags, "tag", "t", nil, "name and tag of the image, `NAME:TAG` (repeatable; default the plan's, of all its services)")
	f.StringArrayVar(&opts.Require, "require", nil, "the `PLATFORMS` that make the set whole, in the order of the index")
	f.StringVar(&opts.Plan, "plan", "", "`FILE` that archbuild ci plan wrote as JSON: platforms, inputs, tags, and what was left out")
	f.BoolVar(&opts.PerService, "per-service", false, "move the tags of each service of the plan by itself (default: those of all together, when all are whole)")
	f.StringVar(&opts.Run, "run", "", "`ID` that all jobs of the run share (default what the plan or the CI says, then the commit)")
	releaseFlags(f, &opts.Release)
	match := f.Lookup("if-match")
	match.NoOptDefVal = archbuild.MatchPlan
	match.Usage = "move a tag only if it is new or names `DIGEST` now; without a digest, what it named when the plan was made, else when this began"
	f.Lookup("attestations").Usage = "where provenance and SBOMs go, a `PROFILE`: index, referrers, none, split (default what the jobs were told)"
	f.StringVar(&opts.Verify, "verify", "", "what follows from an image that is not for its platform, a `MODE`: fail, warn, off (default what the jobs did)")
	f.StringArrayVar(&opts.VerifyAllow, "verify-allow", nil, "files that verification passes over, a `GLOB` (repeatable)")
	f.BoolVar(&opts.Deep, "deep", false, "read every blob and compare its digest")
	f.BoolVar(&opts.DryRun, "dry-run", false, "collect, print the index, and move nothing")
	f.StringVar(&opts.Summary, "summary", "", "add the summary as Markdown to `FILE`")
	f.StringVar(&opts.MetadataFile, "metadata-file", "", "write the index's digest and description to `FILE`")
	timeoutFlag(f, &timeout)
	out.flags(f)
	stateFlags(f, &opts.Engine)
	registryFlags(f, &opts.Registries)
	return c
}

// collected prints what was made of records.
func (p printing) collected(system outside.System, dry bool, made archbuild.CIAssembly, failed error) error {
	var err error
	switch {
	case made.Empty():
	case p.json:
		err = ui.WriteJSON(system.Stdout, made.Document())
	case p.quiet:
		for _, one := range made.Services {
			if failed == nil && one.Digest != "" {
				_, wrong := fmt.Fprintln(system.Stdout, one.Digest)
				err = errors.Join(err, wrong)
			}
		}
	default:
		err = made.WriteText(system.Stderr)
		for _, one := range made.Services {
			if dry && one.Digest != "" {
				err = errors.Join(err, ui.WriteExact(system.Stdout, append(one.Bytes, '\n')))
			}
		}
	}
	if failed != nil {
		return failed
	}
	return err
}
