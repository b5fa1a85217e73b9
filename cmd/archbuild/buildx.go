package main

import "fmt"

// buildxFlags are flags of docker buildx build that archbuild does not have
// yet, with what to do instead.
var buildxFlags = map[string]string{
	"policy": "leave it out: the plan shows every image, and each is pinned by digest",
	"debug":  "leave it out: --progress plain shows what every step says, and engine.log in the state folder what the engine does",
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
