package main

import (
	"strconv"

	"github.com/archbuild/archbuild"
	"github.com/spf13/pflag"
)

// runFlags are those of docker buildx build about RUN instructions.
func runFlags(f *pflag.FlagSet, opts *archbuild.BuildFlags) {
	f.StringVar(&opts.Network, "network", "", "network of RUN, a `MODE`: default, host, none (default default; none with --untrusted)")
	f.StringSliceVar(&opts.AddHosts, "add-host", nil, "an entry in /etc/hosts of RUN, `HOST:IP` (repeatable)")
	f.StringVar(&opts.ShmSize, "shm-size", "", "size of /dev/shm of RUN, `BYTES` or 64m, 1g")
	f.StringArrayVar(&opts.Ulimits, "ulimit", nil, "limit of RUN, `NAME=SOFT[:HARD]` (repeatable)")
	f.StringVar(&opts.CgroupParent, "cgroup-parent", "", "the `CGROUP` below which RUN's are")
	f.StringArrayVar(&opts.Resources, "resource", nil, "limit of RUN, `KEY=VALUE`: memory=2g, cpu-quota=50000 (repeatable)")
	f.StringArrayVar(&opts.Allow, "allow", nil, "a `PRIVILEGE` that RUN may ask for: network.host, security.insecure, device (repeatable)")
	f.StringArrayVar(&opts.NoCacheFilter, "no-cache-filter", nil, "run every step of a `STAGE`, whatever the cache holds (repeatable)")
}

// attestFlags say what an image tells of itself.
func attestFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringArrayVar(&opts.Attests, "attest", nil, "add an `ATTESTATION`: type=provenance,mode=max or type=sbom,generator=IMAGE (repeatable)")
	f.StringVar(&opts.Provenance, "provenance", "", "add provenance attestations, in `MODE` true, mode=min or mode=max")
	f.StringVar(&opts.SBOM, "sbom", "", "list what is in the image: true, or generator=`IMAGE` for another scanner than BuildKit's")
}

// cacheFlags say where results of steps come from and go to, beside the node's own cache.
func cacheFlags(f *pflag.FlagSet, opts *archbuild.BuildFlags) {
	f.StringArrayVar(&opts.Cache, "cache", nil, "look for results of steps in a `CACHE` and keep those of all stages there: REF, ./FOLDER, type=registry,ref=REF (repeatable)")
	f.StringArrayVar(&opts.CacheFrom, "cache-from", nil, "look for results of steps in a `CACHE` too: REF, type=registry,ref=REF, type=local,src=FOLDER (repeatable)")
	f.StringArrayVar(&opts.CacheTo, "cache-to", nil, "keep results of steps in a `CACHE`: type=inline, type=registry,ref=REF, type=local,dest=FOLDER, with mode=max for all stages (repeatable)")
}

// callFlags ask about the Dockerfile instead of building it.
func callFlags(f *pflag.FlagSet, opts *archbuild.BuildFlags) {
	f.StringVar(&opts.Call, "call", "build", "ask about the Dockerfile instead, a `METHOD`: check, outline, targets; with ,format=json for JSON")
	f.BoolFunc("check", "short for --call=check: look for mistakes in the Dockerfile", func(text string) error {
		wanted, err := strconv.ParseBool(text)
		if wanted {
			opts.Call = "check"
		}
		return err
	})
}

// labelFlags are what an image is called inside.
func labelFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringArrayVar(&opts.Labels, "label", nil, "label in the image's config: `KEY=VALUE`")
	f.StringArrayVar(&opts.Annotations, "annotation", nil, "annotation: `KEY=VALUE`, with index:, manifest: or manifest-descriptor[PLATFORM]: before it")
}

// resultFlags are files that name the result.
func resultFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringVar(&opts.MetadataFile, "metadata-file", "", "write the result's digest and description to `FILE`")
	f.StringVar(&opts.IIDFile, "iidfile", "", "write the index's digest to `FILE`")
}

// verifyFlags say what follows from verification.
func verifyFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.StringVar(&opts.Verify, "verify", "", "what follows from a program of the wrong platform, a `MODE`: fail, warn, off (default fail)")
	f.StringArrayVar(&opts.VerifyAllow, "verify-allow", nil, "files that verification passes over, a `GLOB` (repeatable)")
}
