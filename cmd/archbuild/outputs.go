package main

import (
	"github.com/archbuild/archbuild"
	"github.com/spf13/pflag"
)

// outputFlags say where the result goes.
func outputFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringArrayVarP(&opts.Outputs, "output", "o", nil, "where the result goes, an `OUTPUT`: type=oci|local|tar|docker|image,dest=… (repeatable)")
	f.BoolVar(&opts.Push, "push", false, "push to the registry of each tag; tags move last")
	f.BoolVar(&opts.Load, "load", false, "load into this machine's Docker, or podman where there is no Docker")
}
