package main

import (
	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/assembling"
)

func newManifestPush(system outside.System) *cobra.Command {
	c := &cobra.Command{
		Use:     "push",
		Short:   "Put an index together from a spec of manifest-tool, and push it",
		Example: `  archbuild manifest push from-spec spec.yaml`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newPushFromSpec(system), newPushFromArgs(system))
	return c
}

func newPushFromSpec(system outside.System) *cobra.Command {
	opts := assembling.SpecOptions{Options: assembling.Options{World: outside.World{System: system}}}
	var out printing
	c := &cobra.Command{
		Use:   "from-spec FILE|-",
		Short: "Take a YAML file as manifest-tool reads it",
		Long: `Put together the index that a spec of manifest-tool describes, and push it. A
file can hold several specs, with --- between them: nothing is pushed unless all
of them can be made. ${NAME} is taken from the environment.`,
		Example: `  archbuild manifest push from-spec spec.yaml
  archbuild manifest push --type oci from-spec - < spec.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opts.File = args[0]
			return pushSpecs(c, system, opts, out)
		},
	}
	specFlags(c, &opts, &out)
	c.Flags().BoolVar(&opts.Strict, "strict", false, "what the spec says without effect is an error")
	return c
}

func newPushFromArgs(system outside.System) *cobra.Command {
	opts := assembling.SpecOptions{Options: assembling.Options{World: outside.World{System: system}}}
	var out printing
	c := &cobra.Command{
		Use:   "from-args --platforms LIST --template NAME --target NAME",
		Short: "Take platforms and a pattern for the names of their images",
		Long: `Put together the index of images whose names differ by their platform, and push
it. In the template, ARCH, OS and VARIANT stand for the parts of the platform.`,
		Example: `  archbuild manifest push from-args --platforms linux/amd64,linux/arm/v7 \
    --template registry.example/app:1.2-ARCHVARIANT --target registry.example/app:1.2`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return pushSpecs(c, system, opts, out) },
	}
	f := c.Flags()
	f.StringArrayVar(&opts.Args.Platforms, "platforms", nil, "the `PLATFORMS`, with commas between them")
	f.StringVar(&opts.Args.Template, "template", "", "the `NAME` of the image of a platform, with ARCH, OS and VARIANT in it")
	f.StringVar(&opts.Args.Target, "target", "", "the `NAME` of the index")
	f.StringArrayVar(&opts.Args.Tags, "tags", nil, "more `TAGS` in the same repository, with commas between them")
	f.StringArrayVar(&opts.Args.Annotations, "annotations", nil, "annotations of the index, `KEY=VALUE` with commas between them (--type oci)")
	specFlags(c, &opts, &out)
	return c
}

// specFlags are those of both forms.
func specFlags(c *cobra.Command, opts *assembling.SpecOptions, out *printing) {
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&opts.IgnoreMissing, "ignore-missing", false, "leave out images that do not exist")
	f.StringArrayVar(&opts.Require, "require", nil, "push nothing unless these `PLATFORMS` are all there")
	f.StringVar(&opts.Type, "type", "", "media type of the index, a `TYPE`: docker, oci (default docker)")
	assembleFlags(f, &opts.Options)
	out.flags(f)
	stateFlags(f, &opts.Engine)
	registryFlags(f, &opts.Registries)
	loginFlags(f, &opts.Registries)
}

func pushSpecs(c *cobra.Command, system outside.System, opts assembling.SpecOptions, out printing) error {
	made, err := assembling.Specs(c.Context(), opts)
	err = out.assembled(system, opts.DryRun, err, made...)
	if err == nil && !out.json && !out.quiet && !opts.DryRun {
		err = assembling.WriteDigests(system.Stdout, made)
	}
	return err
}
