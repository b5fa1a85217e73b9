package main

import "fmt"

// buildxFlags are flags of docker buildx build that archbuild does not have
// yet, with what to do instead.
var buildxFlags = map[string]string{
	"cache-from":      "leave it out: the engine keeps its cache from run to run",
	"cache-to":        "leave it out: the engine keeps its cache from run to run",
	"sbom":            "leave it out; --provenance is there",
	"attest":          "leave it out; --provenance is there",
	"builder":         "name a BuildKit server with --node ADDRESS",
	"network":         "leave it out: RUN has the host's network",
	"add-host":        "set it in the Dockerfile's RUN, or in the machine's /etc/hosts",
	"allow":           "leave it out: no entitlement can be given",
	"call":            "leave it out: archbuild plan shows what a build would do",
	"check":           "leave it out: archbuild plan shows what a build would do",
	"cgroup-parent":   "leave it out",
	"no-cache-filter": "use --no-cache, which is for all stages",
	"shm-size":        "leave it out",
	"ulimit":          "leave it out",
}

// notYet says that a flag of buildx is not here.
type notYet struct{ flag, instead string }

func (e notYet) Error() string {
	return fmt.Sprintf("--%s is a flag of buildx that archbuild does not have yet", e.flag)
}

// Hint says what to do instead.
func (e notYet) Hint() string { return e.instead }

// ExitStatus is 2, as for every wrong usage.
func (e notYet) ExitStatus() int { return exitUsage }
