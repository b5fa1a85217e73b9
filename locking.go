package archbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// lockName is the file beside the template that pins what bases were resolved to.
const lockName = "archbuild.lock"

// lockFile is where the lock of a service lies: beside its template.
func (s service) lockFile() string { return filepath.Join(filepath.Dir(s.file), lockName) }

// readLock reads the lock beside a template. Without one, found is false.
func (s service) readLock() (lock resolve.Lock, found bool, err error) {
	data, err := s.beside.optional(s.lockFile())
	if err != nil || data == nil {
		return resolve.Lock{}, false, err
	}
	lock, err = resolve.ParseLock(s.lockFile(), data)
	return lock, err == nil, err
}

// sources is who answers for the bases of a service: the registries, with the
// lock before them if there is one, or with --locked the lock alone.
func (r run) sources(s service) (resolve.Registry, error) {
	lock, found, err := s.readLock()
	switch {
	case err != nil:
		return nil, err
	case r.Locked && !found:
		return nil, &NoLockError{File: s.lockFile()}
	case r.Locked:
		return lock.Only(r.asks()), nil
	case found:
		return lock.Over(r.asks()), nil
	}
	return r.asks(), nil
}

// lockNote tells that a lock decided, for it may be an old one.
func lockNote(s service, p plan.Plan) []string {
	lock, _, err := s.readLock()
	if err != nil {
		return nil
	}
	for _, job := range p.Jobs {
		for _, base := range job.Bases {
			if _, held := lock.Find(base.To); held {
				return []string{"bases are what archbuild.lock says they were; archbuild lock PATH --update takes what they are now"}
			}
		}
	}
	return nil
}

// NoLockError says that --locked has nothing to go by.
type NoLockError struct{ File string }

func (e *NoLockError) Error() string { return fmt.Sprintf("--locked: there is no %s", e.File) }

// Hint names the verb that writes it.
func (e *NoLockError) Hint() string { return "write it: archbuild lock PATH" }

// OfflineError says that a build needs what only a registry knows.
type OfflineError struct{ Text string }

func (e *OfflineError) Error() string { return e.Text }

// Hint says how to do without the network.
func (e *OfflineError) Hint() string {
	return "leave --offline out, or lock the bases while there is a network: archbuild lock PATH"
}

// undecided makes errors of what a build cannot leave open, with its places.
func undecided(request plan.Request, answers plan.Answers, warnings []resolve.Warning) error {
	var failed []error
	origins, _ := plan.Origins(request, answers) // it went well before
	for _, w := range warnings {
		if !leftOpen(w) {
			continue
		}
		e := &OfflineError{w.Text}
		if i := slices.IndexFunc(origins, func(o plan.Origin) bool { return o.Question == w.Question }); i >= 0 {
			e.Text = origins[i].String() + ": " + w.Text
		}
		failed = append(failed, e)
	}
	return errors.Join(failed...)
}

// leftOpen says that a warning is about an image that nobody was asked about.
func leftOpen(w resolve.Warning) bool {
	return w.Kind == resolve.Undecided || w.Kind == resolve.UndecidedPin
}

// withoutRuled drops what is said of images that a rule in the Dockerfile names:
// it needs no more proof than one beside it.
func withoutRuled(request plan.Request, warnings []resolve.Warning) []resolve.Warning {
	return slices.DeleteFunc(warnings, func(w resolve.Warning) bool {
		return leftOpen(w) && ruledInFile(request, w.Question.Image)
	})
}

// ruledInFile says whether an image is there only because comments in the
// Dockerfile say so.
func ruledInFile(request plan.Request, image string) bool {
	if len(request.Template.Rules) == 0 {
		return false
	}
	for _, target := range request.Targets {
		uses, err := request.Template.Uses(template.Env{Target: target.Platform, Build: request.Build, Args: target.Args, TargetStage: target.Stage})
		if err != nil {
			return false
		}
		for _, use := range uses {
			if use.Image != image || !use.Needed {
				continue
			}
			if rule, ok := request.Template.RuleFor(use.Reference, use.Platform); !ok || rule.New != image {
				return false
			}
		}
	}
	return true
}

// Locked is what Lock did for one template.
type Locked struct {
	File   string `json:"file"`
	Images int    `json:"images"`
	// Changed is false when the file said the same before.
	Changed bool `json:"changed"`
}

// Lock writes archbuild.lock beside each template: what every base is now, for
// all its platforms. What the file holds already is kept, but for the references
// in update; "*" among them asks for everything anew.
func Lock(ctx context.Context, opts Options, update []string) ([]Locked, error) {
	r, host, services, err := opts.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer closeAll(services)
	at, err := opts.rewritePlace(host.Platform)
	if err != nil {
		return nil, err
	}
	var done []Locked
	var failed []error
	for _, s := range services {
		one, err := r.lock(ctx, s, at, update)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		done = append(done, one)
	}
	return done, onceForEachHost(errors.Join(failed...), false)
}

func (r run) lock(ctx context.Context, s service, at place, update []string) (Locked, error) {
	r = r.with(s)
	if !s.hasFolder() {
		from := s.context.from
		if fromStdin(s.file) {
			from = stdinWords
		}
		return Locked{}, &wrong.Usage{fmt.Errorf("%s is no folder that %s could be written to", from, lockName), "get the sources into a folder, and lock that: archbuild lock FOLDER"}
	}
	file := s.lockFile()
	before, err := r.keptLock(s, update)
	if err != nil {
		return Locked{}, err
	}
	from := before.Over(r.asks())
	answers, err := r.answers(ctx, s, at, from, before.Crossed)
	if err != nil {
		return Locked{}, err
	}
	lock, err := resolve.NewLock(ctx, from, answers)
	if err != nil {
		return Locked{}, err
	}
	lock.Crossed = before.Crossed
	content := lock.Format()
	done := Locked{File: file, Images: len(lock.Images)}
	if old, err := plainfile.Read(file, maxBeside); err == nil && bytes.Equal(old, content) {
		return done, nil
	}
	done.Changed = true
	return done, outside.WriteWhole(file, content)
}

// keptLock is what the lock of a service holds but for the references in update.
// With "*" among them it is not even read, so that a broken one can be replaced.
func (r run) keptLock(s service, update []string) (resolve.Lock, error) {
	if slices.Contains(update, "*") {
		return resolve.Lock{}, nil
	}
	lock, _, err := s.readLock()
	if err != nil {
		return lock, err
	}
	kept, err := lock.Without(update...)
	if missing := new(resolve.NotLockedError); errors.As(err, &missing) {
		held := make([]string, len(lock.Images))
		for i, image := range lock.Images {
			held[i] = image.Ref
		}
		return lock, &NotInLockError{Ref: missing.Ref, Held: held}
	}
	return kept, err
}

// NotInLockError says that there is nothing to update.
type NotInLockError struct {
	Ref string
	// Held are the references that the lock has.
	Held []string
}

func (e *NotInLockError) Error() string { return "--update " + e.Ref + ": it is not in archbuild.lock" }

// Hint lists what can be updated.
func (e *NotInLockError) Hint() string {
	if len(e.Held) == 0 {
		return "leave --update out: archbuild lock PATH writes the file"
	}
	return "name one that is, or none to update all: " + strings.Join(e.Held, ", ")
}

// ExitStatus is 2: a flag that names nothing.
func (e *NotInLockError) ExitStatus() int { return 2 }

// answers resolves the bases of every platform of a service.
func (r run) answers(ctx context.Context, s service, at place, from resolve.Registry, failed []resolve.CrossFailure) (map[resolve.Question]resolve.Answer, error) {
	all := map[resolve.Question]resolve.Answer{}
	for _, one := range r.requests(s, at.everywhere()) {
		request := one.Request
		answers, _, err := r.resolve(ctx, s, r.crossing(s, at, from, failed).of(ctx, request), from)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, answers)
		// A build may find reason to leave all stages where they are.
		answers, _, _ = r.resolve(ctx, s, request, from)
		maps.Copy(all, answers)
	}
	return all, nil
}

// WriteLocked prints what Lock did, a line a file.
func WriteLocked(w io.Writer, list []Locked) error {
	for _, l := range list {
		state := "unchanged"
		if l.Changed {
			state = "wrote"
		}
		if _, err := fmt.Fprintf(w, "%s %s (%d image%s)\n", state, l.File, l.Images, ui.Plural(l.Images)); err != nil {
			return err
		}
	}
	return nil
}
