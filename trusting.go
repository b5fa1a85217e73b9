package archbuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/wrong"
)

// hole is a known way out of a build at one of the places: what a Dockerfile that one
// does not trust could use.
type hole struct {
	// at is the place's name.
	at string
	detect.Warning
}

// holes asks every place what is known to be open there, while plans are made.
func (p places) holes(ctx context.Context) func() []hole {
	found := make([][]detect.Warning, len(p.list))
	var wg sync.WaitGroup
	for i, at := range p.list {
		if at.holes != nil {
			wg.Go(func() { found[i] = at.holes(ctx) })
		}
	}
	return func() []hole {
		wg.Wait()
		var list []hole
		for i, warnings := range found {
			for _, w := range warnings {
				list = append(list, hole{p.list[i].name, w})
			}
		}
		return list
	}
}

// warnOfHoles tells of them, once for a run: those of places where a step of its own runs.
func (r run) warnOfHoles(holes []hole, plans []plan.Plan) {
	for _, h := range holes {
		if h.matters(plans) {
			fmt.Fprintf(r.engineLog(), "archbuild: warning: %s; %s\n", ui.Line(h.Text), ui.Line(h.Hint))
		}
	}
}

// matters says whether a program of a Dockerfile runs at the place.
func (h hole) matters(plans []plan.Plan) bool {
	for _, p := range plans {
		for _, job := range p.Jobs {
			runs := job.Frontend != "" || slices.ContainsFunc(job.Stages, func(s plan.Stage) bool { return s.How != "" })
			if job.Node == h.at && runs {
				return true
			}
		}
	}
	return false
}

// ofRunc is what is open in the runc of the private engine. One that does not say its
// version is said to be wrong when a step runs.
func ofRunc(ctx context.Context, path string) []detect.Warning {
	if path == "" {
		return nil
	}
	facts, err := detect.Runc(ctx, path)
	if notRunc := new(detect.NotRuncError); errors.As(err, &notRunc) {
		return []detect.Warning{{Text: notRunc.Error(), Hint: notRunc.Hint()}}
	}
	return facts.Warnings
}

// ofBuildKit is what is open in a node's BuildKit.
func ofBuildKit(version string) []detect.Warning {
	open, known := detect.OfBuildKit(version)
	switch {
	case !known:
		return []detect.Warning{{Text: fmt.Sprintf("its BuildKit says that its version is %q, so nobody knows what is open in it", version), Hint: "run BuildKit " + detect.BuildKitFloor + " or later on it"}}
	case open != nil:
		return []detect.Warning{*open}
	}
	return nil
}

// untrustedFolder is where builds of --untrusted have their engine, caches and results,
// below the state folder: what they leave there no other build finds.
const untrustedFolder = "untrusted"

// distrusting are the options of a build whose Dockerfile nobody vouches for. What would
// give it more than such a build has is wrong usage: the user has to say which it is.
func (o Options) distrusting() (Options, error) {
	if !o.Untrusted {
		return o, nil
	}
	var failed []error
	exclude := func(given bool, flag, why string) {
		if given {
			failed = append(failed, &wrong.Usage{fmt.Errorf("--untrusted and %s exclude each other: %s", flag, why), "leave out " + flag + ", or --untrusted if you vouch for the Dockerfile and all that it runs"})
		}
	}
	exclude(len(o.Allow) > 0, "--allow", "a step could have this machine")
	exclude(o.Network == "host", "--network host", "a step could reach what listens on this machine alone")
	exclude(len(o.SSH) > 0, "--ssh", "a step could log in with your keys")
	exclude(len(o.AllowSyntax) > 0, "--allow-syntax", "another program would read the file")
	exclude(len(o.CacheTo) > 0, "--cache-to", "other builds would believe what it writes")
	exclude(len(o.Cache) > 0, "--cache", "other builds would believe what it writes; --cache-from only reads")
	exclude(o.CgroupParent != "", "--cgroup-parent", "steps would share the limits of others")
	if o.Network == "" {
		o.Network = "none"
	}
	o.State = filepath.Join(o.stateDir(), untrustedFolder)
	return o, errors.Join(failed...)
}

// RootError says that root's engine is not one for Dockerfiles that nobody vouches for.
type RootError struct {
	// User is who called sudo, if that is known.
	User string
}

func (e *RootError) Error() string {
	return "--untrusted builds with a rootless engine, and this is root: who gets out of a build would be root here"
}

// Hint is to become a plain user.
func (e *RootError) Hint() string {
	if e.User != "" {
		return "run it without sudo, as " + e.User + "; docs/rootless.md says what that takes"
	}
	return "run it as a plain user: runuser -u NAME -- archbuild …; docs/rootless.md says what that takes"
}

// checkRootless refuses an engine that is root of the machine.
func (o Options) checkRootless() error {
	if !o.Untrusted || engine.IsRootless() {
		return nil
	}
	return &RootError{User: o.Getenv("SUDO_USER")}
}

// OpenError says that there is a known way out of a build, and that the Dockerfile is one
// that nobody vouches for.
type OpenError struct{ detect.Warning }

func (e *OpenError) Error() string { return "--untrusted: " + e.Text }

// Hint closes it.
func (e *OpenError) Hint() string { return e.Warning.Hint }

// refuseHoles makes errors of warnings under --untrusted.
func (r run) refuseHoles(holes []hole, plans []plan.Plan) error {
	if !r.Untrusted {
		r.warnOfHoles(holes, plans)
		return nil
	}
	var failed []error
	for _, h := range holes {
		if h.matters(plans) {
			failed = append(failed, &OpenError{h.Warning})
		}
	}
	return errors.Join(failed...)
}

// untrustedNotes say in the plan what the build has not, and what it has all the same.
func (r run) untrustedNotes() []string {
	if !r.Untrusted {
		return nil
	}
	network := "no network for RUN (--network default gives it the node's)"
	if r.Network != "none" {
		network = "the node's network for RUN, as --network says"
	}
	notes := []string{"untrusted: " + network + ", no privileges, no ssh, no other frontend, no cache that other builds read; the private engine is rootless, with a state folder of its own; named nodes are as they are; what ADD names is fetched over the node's network all the same"}
	var ids []string
	for _, secret := range r.secrets {
		ids = append(ids, secret.ID)
	}
	if len(ids) > 0 {
		notes = append(notes, "untrusted: steps that ask for them read the secrets "+strings.Join(ids, ", ")+", as --secret says")
	}
	return notes
}
