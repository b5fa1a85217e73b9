package main

import (
	"io"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newDocsMake is the verb that writes archbuild.mk, for a Makefile to include.
func newDocsMake() *cobra.Command {
	return &cobra.Command{
		Use: "make", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(ui.Exact(c.OutOrStdout()), archbuild.MakeInclude())
			return err
		},
	}
}

// depsFlag has make know when a verb has to run again.
func depsFlag(f *pflag.FlagSet, opts *archbuild.Options, usage string) {
	f.StringVar(&opts.Deps, "deps", "", usage)
}
