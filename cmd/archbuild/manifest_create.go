package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/assembling"
)

func newManifestCreate(system outside.System) *cobra.Command {
	opts := assembling.Options{World: outside.World{System: system}}
	var out printing
	c := &cobra.Command{
		Use:   "create -t TAG... SOURCE...",
		Short: "Put images that exist together as one index, and move tags to it",
		Long: `Put images together as one index. A SOURCE is a reference in any registry, the
folder of an OCI layout, or an archive; of an index its images are taken.

Blobs are mounted or copied as needed, and what is there is not sent again. Tags
move last, all of them or none; one that names the index already is left alone.
An interrupted run goes on where it stopped when it is repeated.

A single index, of which nothing is to be changed, keeps its digest.`,
		Example: `  archbuild manifest create -t registry.example/app:1.2 registry.example/app:1.2-amd64 registry.example/app:1.2-arm64
  archbuild manifest create -t registry.example/app:1.2 --require linux/amd64,linux/arm64 ./out-amd64 ./out-arm64`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			opts.Sources = args
			made, err := assembling.Index(c.Context(), opts)
			return out.assembled(system, opts.DryRun, err, made)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&opts.Tags, "tag", "t", nil, "name and tag of the index, `NAME:TAG` (repeatable)")
	f.BoolVar(&opts.Append, "append", false, "add to what the first tag names now; an image of the same platform is replaced")
	f.StringArrayVar(&opts.Platforms, "platform", nil, "take these `PLATFORMS` only")
	f.StringArrayVar(&opts.Require, "require", nil, "move nothing unless these `PLATFORMS` are all there")
	f.StringArrayVar(&opts.SetPlatforms, "set-platform", nil, "what a source is for: `SOURCE=OS/ARCH[/VARIANT]` (repeatable)")
	f.StringArrayVar(&opts.Annotations, "annotation", nil, "annotation: `KEY=VALUE`, with index:, manifest: or manifest-descriptor[PLATFORM]: before it")
	f.StringVar(&opts.Type, "type", "", "media type of the index, a `TYPE`: oci, docker (default oci)")
	assembleFlags(f, &opts)
	f.StringVar(&opts.MetadataFile, "metadata-file", "", "write the index's digest and description to `FILE`")
	out.flags(f)
	stateFlags(f, &opts.Engine)
	registryFlags(f, &opts.Registries)
	return c
}

// assembleFlags are those of every verb that makes an index of images.
func assembleFlags(f *pflag.FlagSet, opts *assembling.Options) {
	releaseFlags(f, &opts.Release)
	f.StringVar(&opts.Verify, "verify", "", "what follows from an image whose config names another platform, a `MODE`: fail, warn, off (default fail)")
	f.BoolVar(&opts.DryRun, "dry-run", false, "print the index and move nothing")
}

// releaseFlags are about what is pushed beside the images, and about tags.
func releaseFlags(f *pflag.FlagSet, opts *manifest.Release) {
	f.StringVar(&opts.Attestations, "attestations", "", "where provenance and SBOMs go, a `PROFILE`: index, referrers, none, split (default index)")
	f.StringVar(&opts.ChildTags, "child-tags", "", "tag the image of each platform too, by a `PATTERN` such as {tag}-{arch}{variant}")
	f.StringVar(&opts.IfMatch, "if-match", "", "move a tag only if it is new or names `DIGEST` now")
}

// registryFlags say how registries are asked.
func registryFlags(f *pflag.FlagSet, opts *outside.Registries) {
	f.IntVar(&opts.Concurrency, "registry-concurrency", 0, "how many requests a registry gets at once, a `NUMBER`")
	f.Float64Var(&opts.Rate, "registry-rate", 0, "how many requests a registry gets in a second, a `NUMBER` (default no limit)")
}

// printing is how a result is printed.
type printing struct{ json, quiet bool }

func (p *printing) flags(f *pflag.FlagSet) {
	f.BoolVarP(&p.quiet, "quiet", "q", false, "print the digest and nothing else")
	f.BoolVar(&p.json, "json", false, "print one JSON document")
}

// assembled prints indexes that were made: the summary on stderr, the digest on
// stdout with --quiet; a dry run prints the index itself.
func (p printing) assembled(system outside.System, dry bool, failed error, list ...assembling.Assembled) error {
	for _, made := range list {
		if made.Digest == "" {
			continue
		}
		var err error
		switch {
		case p.json:
			err = ui.WriteJSON(system.Stdout, made)
		case p.quiet && failed == nil:
			_, err = fmt.Fprintln(system.Stdout, made.Digest)
		case !p.quiet:
			err = made.WriteText(system.Stderr)
			if dry {
				err = errors.Join(err, ui.WriteExact(system.Stdout, append(made.Bytes, '\n')))
			}
		}
		if failed == nil {
			failed = err
		}
	}
	return failed
}

// loginFlags are manifest-tool's ways of saying how a registry is reached.
func loginFlags(f *pflag.FlagSet, opts *outside.Registries) {
	f.BoolVar(&opts.Insecure, "insecure", false, "take any certificate of a registry")
	f.BoolVar(&opts.PlainHTTP, "plain-http", false, "talk plain http to registries")
	f.StringVar(&opts.Username, "username", "", "`NAME` to log in with where the index goes (better: docker login)")
	f.StringVar(&opts.Password, "password", "", "`PASSWORD` to log in with; other users of this machine can see it")
	f.StringVar(&opts.DockerConfig, "docker-cfg", "", "`FOLDER` of the Docker config.json (default $DOCKER_CONFIG, then ~/.docker)")
}
