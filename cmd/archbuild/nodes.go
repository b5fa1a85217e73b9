package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild"
	"github.com/spf13/pflag"
)

// nodeFlags name the nodes, and say how jobs go to them.
func nodeFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringArrayVar(&opts.Nodes, "node", nil, "a BuildKit to build on in place of the private engine, `ADDRESS`[,platform=P+P][,weight=N][,name=NAME][,jobs=N]; engine is the private one (repeatable; default $BUILDKIT_HOST, then the user's config.yaml)")
	f.StringVar(&opts.Builder, "builder", "", "the nodes of one of buildx's builders instead, by `NAME` (default $BUILDX_BUILDER)")
	f.BoolVar(&opts.NodeInsecure, "node-insecure", false, "use nodes of other machines over tcp without TLS, too")
	f.IntVar(&opts.Jobs, "jobs", 0, "`NUMBER` of platforms that a node builds at once (default by its processors)")
	f.StringVar(&opts.Emulation, "emulation", "", "whether platforms are emulated, a `MODE`: allow, fallback, never (default allow: not in the place of a native node that is lost, which is fallback)")
}

// failureFlags say what a failure stops.
func failureFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.BoolVar(&opts.FailFast, "fail-fast", false, "the first failing platform ends those that run, too")
	f.BoolVar(&opts.KeepGoing, "keep-going", false, "build all other platforms when one fails (default: let end what runs)")
	f.StringArrayVar(&opts.Optional, "optional", nil, "`PLATFORMS` that may fail: the image is then made without them")
	f.BoolVar(&opts.Witness, "witness", false, "have another node build each platform as well, with no cache; exit status 3 unless both built the same")
	f.Var((*retries)(&opts.Retries), "retries", "`NUMBER` of times that a platform is begun again when its node was lost, or its emulator crashed (default 2)")
	f.DurationVar(&opts.NodeTimeout, "node-timeout", 0, "a node that builds and does not answer for this long is lost (default 1m)")
}

// retries is a number of which 0 is not the default: archbuild.Options has -1 for it.
type retries int

func (r *retries) String() string {
	if *r <= 0 {
		return ""
	}
	return strconv.Itoa(int(*r))
}

// Type is the word that usage shows.
func (r *retries) Type() string { return "int" }

// Set reads the flag's text.
func (r *retries) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return errors.New("give a number from 0 to 255")
	}
	*r = retries(n)
	if n == 0 {
		*r = -1
	}
	return nil
}

// explainWithout lets --explain stand without an image: last, or before another flag.
func explainWithout(args []string) []string {
	var out []string
	for i, arg := range args {
		if arg == "--explain" && (i == len(args)-1 || strings.HasPrefix(args[i+1], "-")) {
			arg = "--explain="
		}
		out = append(out, arg)
	}
	return out
}
