package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/outside"
)

func newBuild(system outside.System) *cobra.Command {
	opts := archbuild.Options{System: system}
	var said buildWords
	c := &cobra.Command{
		Use:   "build PATH... | build FILE [SERVICE...]",
		Short: "Build, verify and assemble a multi-platform image, or those of a project",
		Long: `Build the Dockerfile in each PATH for every platform asked for, verify what came
out, and put it together as one index.

PATH is a folder, a tar archive, - for a tar archive or a Dockerfile on standard
input, or the address of a Git repository (https://HOST/REPO.git#REF:SUBFOLDER) or
of an archive.

A compose or bake file lists several images. Those named after it are built, with what they
stand on, else all; a folder, repository or archive that has such a file and no Dockerfile
stands for it. Which image is built before which is found in the Dockerfiles: bases come first.

Without -o, --push and --load the result is an OCI layout in ./archbuild-out/NAME.
Attestations are off unless --provenance, --sbom or --attest asks for them.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 verification failed.`,
		Example: `  archbuild ./service
  archbuild ./service --platform linux/amd64,linux/arm64 -t registry.example/app:1.2 --push
  archbuild compose.yaml --platform linux/amd64,linux/arm64
  archbuild -f docker-bake.hcl app --push
  archbuild https://git.example/app.git#v1.2:service --platform linux/arm64`,
		Args: cobra.ArbitraryArgs,
		RunE: timed(&said.timeout, func(ctx context.Context, c *cobra.Command, args []string) error {
			opts.Paths = args
			if len(args) == 0 && c.Flags().NFlag() == 0 && c.Parent() == nil {
				return c.Help()
			}
			switch {
			case said.quiet && !slices.Contains([]string{"auto", "quiet", "none"}, opts.Progress):
				return usageError{fmt.Errorf("--progress %s and --quiet exclude each other", opts.Progress), c.CommandPath()}
			case said.quiet:
				opts.Progress, opts.StdoutUse = "quiet", "--quiet"
			}
			if said.json && !said.quiet {
				opts.StdoutUse = "--json"
			}
			if said.print {
				return archbuild.PrintProject(ctx, opts)
			}
			if opts.IsCall() {
				return archbuild.Call(ctx, opts)
			}
			outcome, err := archbuild.Build(ctx, opts)
			err = errors.Join(err, archbuild.WriteGitHub(system, outcome, err))
			if opts.RawProgress() && !said.json && !opts.DryRun {
				return err // standard error is JSON alone
			}
			if printed := printOutcome(system, outcome, err, said.quiet, said.json); printed != nil && err == nil {
				err = printed
			}
			return err
		}),
	}
	f := c.Flags()
	f.SortFlags = false
	buildFlags(f, &opts, &said)
	return c
}

// buildWords are flags that are the command's own, and no option of a build.
type buildWords struct {
	quiet, json, print bool
	timeout            time.Duration
}

// buildFlags are all that archbuild build has.
func buildFlags(f *pflag.FlagSet, opts *archbuild.Options, said *buildWords) {
	templateFlags(f, opts)
	projectFlags(f, opts)
	f.BoolVar(&said.print, "print", false, "print the targets of a bake file as JSON, everything filled in, and do nothing")
	resolveFlags(f, opts)
	f.StringArrayVarP(&opts.Tags, "tag", "t", nil, "name and tag of the image, `NAME:TAG` (repeatable)")
	outputFlags(f, opts)
	releaseFlags(f, &opts.Release)
	f.BoolVar(&opts.PerService, "per-service", false, "move the tags of each service as soon as it is verified (default: those of all together, when all are)")
	legFlags(f, &opts.Leg)
	credentialFlags(f, opts)
	labelFlags(f, opts)
	f.BoolVar(&opts.NoCache, "no-cache", false, "run every step, whatever the cache holds")
	resumeFlags(f, opts)
	f.BoolVar(&opts.Pull, "pull", false, "ask registries again for every base")
	attestFlags(f, opts)
	f.BoolVar(&opts.Untrusted, "untrusted", false, "build a Dockerfile that nobody vouches for: rootless, in a state folder of its own, without network, privileges and ssh; a known way out of the build is an error")
	runFlags(f, &opts.BuildFlags)
	cacheFlags(f, &opts.BuildFlags)
	callFlags(f, &opts.BuildFlags)
	resultFlags(f, opts)
	depsFlag(f, opts, "write rules for make to `FILE`: what --iidfile and --metadata-file write depends on all that is read")
	f.StringVar(&opts.Progress, "progress", "auto", "how progress is shown, a `MODE`: auto, tty, plain, rawjson, quiet, none")
	f.BoolVarP(&said.quiet, "quiet", "q", false, "print the digest of each image that was asked for, and nothing else")
	verifyFlags(f, opts)
	failureFlags(f, opts)
	f.BoolVar(&opts.DryRun, "dry-run", false, "show the plan and do nothing")
	f.BoolVar(&said.json, "json", false, "print one JSON document")
	timeoutFlag(f, &said.timeout)
	engineFlags(f, opts)
	registryFlags(f, &opts.Registries)
}

// templateFlags are those that decide how a Dockerfile is read and rewritten.
func templateFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.VarP(fileFlag{opts}, "file", "f", "the Dockerfile, a `FILE`, or - for standard input (default PATH/Dockerfile); or a compose or bake file, whose services stand after it")
	f.StringArrayVar(&opts.Platforms, "platform", nil, "`PLATFORMS` to build for (default archbuild.yaml's, DOCKER_DEFAULT_PLATFORM, this machine's)")
	f.StringVar(&opts.Target, "target", "", "the `STAGE` to build")
	f.StringArrayVar(&opts.BuildArgs, "build-arg", nil, "build argument `KEY=VALUE`, or PLATFORM:KEY=VALUE for one platform")
	f.StringArrayVar(&opts.BuildContexts, "build-context", nil, "another context `NAME=FOLDER`, NAME=docker-image://…, oci-layout://…, a Git repository; NAME::PLATFORM for one platform")
	f.StringArrayVar(&opts.Bases, "base", nil, "take another base: `OLD=NEW`[@PLATFORM]")
	f.StringVar(&opts.BasesMode, "bases", "", "how bases are found, a `MODE`: auto, prefix, keep (default auto)")
	f.IntVar(&opts.MaxBytes, "max-bytes", 0, "longest Dockerfile that is read, in bytes (default 4 MB)")
	f.IntVar(&opts.MaxInstructions, "max-instructions", 0, "most instructions of a Dockerfile (default 10,000)")
	f.StringVar(&opts.BuildPlatform, "build-platform", "", "`PLATFORM` of BUILDPLATFORM stages (default the node's)")
}

// resolveFlags are those that decide where bases are looked for, and which may be used.
func resolveFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.BoolVar(&opts.Locked, "locked", false, "take bases from archbuild.lock alone; one that is not in it is an error")
	f.BoolVar(&opts.Offline, "offline", false, "ask no registry: rules and archbuild.lock decide")
	f.StringArrayVar(&opts.AllowSyntax, "allow-syntax", nil, "let this `FRONTEND` read a file whose # syntax= names it; Docker's own needs no leave (repeatable)")
	f.BoolVar(&opts.ForceRewrite, "force-rewrite", false, "rewrite the file also if its # syntax= names a frontend that is not Docker's")
	moveFlag(f, opts)
	foreignFlag(f, opts)
	crossFlag(f, opts, "archbuild.yaml's, then auto")
}

// moveFlag gives leave to rules that come with the source.
func moveFlag(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringArrayVar(&opts.AllowMove, "allow-move", nil, "let archbuild.yaml and comments of the Dockerfile take images of one registry from another, `FROM=TO`: docker.io=registry.example (repeatable)")
}

// crossFlag has a word, or none for auto.
func crossFlag(f *pflag.FlagSet, opts *archbuild.Options, unless string) {
	f.StringVar(&opts.Cross, "cross", "", "run stages on the build platform that produce for the target, a `MODE`: auto, off, require (default "+unless+")")
	f.Lookup("cross").NoOptDefVal = "auto"
}

func foreignFlag(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringArrayVar(&opts.AllowForeign, "allow-foreign-stage", nil, "the image may stand on or copy from this `STAGE` of another platform (repeatable)")
}

// engineFlags choose where the work is done.
func engineFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	nodeFlags(f, opts)
	stateFlags(f, &opts.Engine)
	f.StringVar(&opts.Runc, "runc", "", "the runc that runs RUN steps, a `FILE` (default beside archbuild, then PATH)")
	f.StringVar(&opts.Memory, "engine-memory", "", "the most memory that the engine and the steps it runs may take together, a `SIZE`: 4GB (default what the engine has, else no limit)")
	f.DurationVar(&opts.Idle, "engine-idle", 0, "how long the engine waits for the next build before it ends (default 5m)")
}

// stateFlags say where things are kept and how registries are reached.
func stateFlags(f *pflag.FlagSet, opts *outside.Engine) {
	f.StringVar(&opts.State, "state", "", "`FOLDER` for the engine, caches and results (default $ARCHBUILD_STATE, then the system's)")
	f.StringVar(&opts.Config, "engine-config", "", "a buildkitd.toml, a `FILE` (default $XDG_CONFIG_HOME/archbuild/buildkitd.toml)")
}
