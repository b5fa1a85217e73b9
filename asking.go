package archbuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/wrong"
)

// silence is how long a registry may say nothing before the user is told.
const silence = 3 * time.Second

// asked is a Registry that tells, once for each host, that it is being waited for.
type asked struct {
	resolve.Registry
	tell func(line string)
	// note is told each image that is asked for; it may be nil.
	note func(ref string)
	mu   sync.Mutex
	told map[string]bool
}

// asks is the registries as all verbs here ask them.
func (r run) asks() resolve.Registry { return r.waits() }

func (r run) waits() *asked {
	out := r.engineLog()
	return &asked{Registry: r.registry, note: r.Asked, told: map[string]bool{}, tell: func(line string) { fmt.Fprintln(out, line) }}
}

func (a *asked) Image(ctx context.Context, ref string) (resolve.Image, error) {
	defer a.watch(ref)()
	return a.Registry.Image(ctx, ref)
}

func (a *asked) Config(ctx context.Context, ref, digest string) (resolve.Config, error) {
	defer a.watch(ref)()
	return a.Registry.Config(ctx, ref, digest)
}

// watch begins to wait for an answer; the caller ends it.
func (a *asked) watch(ref string) (end func()) {
	if a.note != nil {
		a.note(ref)
	}
	timer := time.AfterFunc(silence, func() {
		host := hostOf(ref)
		a.mu.Lock()
		defer a.mu.Unlock()
		if !a.told[host] {
			a.told[host] = true
			a.tell(fmt.Sprintf("archbuild: waiting for %s, asked for %s", ui.Line(host), ui.Line(ref)))
		}
	})
	return func() { timer.Stop() }
}

// hostOf is the registry that a reference names.
func hostOf(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.Domain(named)
}

// unreached is the registry that could not be asked, if that is what went wrong.
// The next run may well have another answer.
func unreached(err error) (host string, ok bool) {
	var failed *registry.Error
	if !errors.As(err, &failed) || failed.Kind != registry.Unreachable && failed.Kind != registry.Limited {
		return "", false
	}
	return failed.Host, true
}

// withoutNetwork is the other thing to do where a registry cannot be asked.
const withoutNetwork = "; or --offline: rules and archbuild.lock decide"

// UnreachedError is the first failure to reach a registry with the others that
// have the same cause.
type UnreachedError struct {
	Err error
	// Others are the further places that ask the registry: "debian:12 at Dockerfile:3".
	Others []string
	// offline says that the verb can do without.
	offline bool
}

func (e *UnreachedError) Error() string {
	const most = 5
	if len(e.Others) == 0 {
		return e.Err.Error()
	}
	others, more := e.Others, ""
	if n := len(others) - most; n > 0 {
		others, more = others[:most], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%v (nor for %s%s)", e.Err, strings.Join(others, ", "), more)
}

// Unwrap gives the first failure.
func (e *UnreachedError) Unwrap() error { return e.Err }

// Hint is the registry's, and names --offline where there is one.
func (e *UnreachedError) Hint() string {
	if e.offline {
		return wrong.Hint(e.Err) + withoutNetwork
	}
	return wrong.Hint(e.Err)
}

// askedFor names an image and the line that wants it, whatever the platform.
func askedFor(err error) string {
	if base := new(BaseError); errors.As(err, &base) {
		return base.Image + " at " + base.Origin.String()
	}
	return err.Error()
}

// onceForEachHost says of each registry that cannot be reached once why.
func onceForEachHost(err error, offline bool) error {
	var list []error
	first := map[string]*UnreachedError{}
	for _, e := range leaves(err) {
		host, ok := unreached(e)
		switch {
		case !ok:
			list = append(list, e)
		case first[host] == nil:
			first[host] = &UnreachedError{Err: e, offline: offline}
			list = append(list, first[host])
		default:
			place := askedFor(e)
			if others := first[host].Others; place != askedFor(first[host].Err) && !slices.Contains(others, place) {
				first[host].Others = append(others, place)
			}
		}
	}
	return errors.Join(list...)
}
