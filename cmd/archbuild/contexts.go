package main

import (
	"github.com/archbuild/archbuild"
	"github.com/spf13/pflag"
)

// credentialFlags say what a build, and the fetching of a remote context, may use.
func credentialFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringArrayVar(&opts.Secrets, "secret", nil, "`SECRET` for RUN --mount=type=secret: id=NAME[,src=FILE|,env=VARIABLE]; GIT_AUTH_TOKEN is for Git")
	f.StringArrayVar(&opts.SSH, "ssh", nil, "agent or keys for RUN --mount=type=ssh and for Git: `ID`[=SOCKET|KEY,…], where default is the agent of this shell")
}
