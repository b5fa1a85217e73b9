package archbuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// Services of a project stand on each other. A job is a service on a platform; as soon as one that others stand
// on has been built and has stood its verification, they can begin: they get its image as a named context,
// NAME::PLATFORM, that lies in the content store. A node that has its layers, because it built them, finds them
// by their digests, and another one reads those that it lacks: no registry comes into it.

// bases are the images of a run that others stand on, as they come. Nil has none.
type bases struct {
	// wanted are the jobs that somebody stands on.
	wanted map[jobKey]bool
	mu     sync.Mutex
	made   map[jobKey]madeBase
	// refused are those of made that a later look has found to be wrong: a witness built another image, for one.
	refused map[jobKey]bool
}

// madeBase is an image that others may stand on.
type madeBase struct {
	image builder.Image
	// final is the image as the base of another one: its name is the user's to give.
	final plan.Base
}

func newBases(services []service) *bases {
	b := &bases{wanted: map[jobKey]bool{}, made: map[jobKey]madeBase{}, refused: map[jobKey]bool{}}
	for _, s := range services {
		for _, stand := range s.stands {
			b.wanted[stand.needs()] = true
		}
	}
	return b
}

// needs is the job that a stand waits for.
func (st stand) needs() jobKey { return jobKey{st.base, st.at} }

// standsFor are what the build of a service for a platform stands on.
func (s service) standsFor(on platform.Platform) []stand {
	return slices.DeleteFunc(slices.Clone(s.stands), func(st stand) bool { return st.on != on })
}

// standKeys are the named contexts of a service that are images of others.
func (s service) standKeys() []string {
	var keys []string
	for _, st := range s.stands {
		if st.name != "" {
			keys = append(keys, st.key())
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (b *bases) wants(key jobKey) bool { return b != nil && b.wanted[key] }

// put has a base be there. The first one counts: a witness builds it again.
func (b *bases) put(key jobKey, made madeBase) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.made[key]; !ok {
		b.made[key] = made
	}
}

func (b *bases) get(key jobKey) (madeBase, bool) {
	if b == nil {
		return madeBase{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	made, ok := b.made[key]
	return made, ok
}

// refuse notes that an image is wrong on which others may stand already.
func (b *bases) refuse(key jobKey) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused[key] = true
}

// sound is an error where the build of a service for a platform stands on an image that was refused since.
func (b *bases) sound(s service, on platform.Platform) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, st := range s.standsFor(on) {
		if b.refused[st.needs()] {
			return &NotBuiltError{Because: st.edge.Base, On: st.at}
		}
	}
	return nil
}

// ready says whether all is there that the build of a service for a platform stands on.
func (b *bases) ready(s service, on platform.Platform) bool {
	return !slices.ContainsFunc(s.standsFor(on), func(st stand) bool { _, ok := b.get(st.needs()); return !ok })
}

// standing gives a job, and the run of its service, what it stands on. All of that is ready.
func (c *crew) standing(b *batch, job plan.Job) (run, plan.Job, error) {
	r := b.run
	stands := b.service.standsFor(job.Platform)
	if len(stands) == 0 {
		return r, job, nil
	}
	r.images = map[string]builder.Image{}
	for _, st := range stands {
		made, ok := c.bases.get(st.needs())
		if !ok || st.name == "" {
			continue
		}
		r.images[st.key()] = made.image
		if st.key() == job.StandsOn || st.name == job.StandsOn {
			final := made.final
			final.From, final.To = st.name, st.name
			job.Final = &final
		}
		if err := r.checkTriggers(b.service, job, st, made.final.Triggers); err != nil {
			return r, job, err
		}
	}
	return r, job, nil
}

// handOver looks whether a result is good to stand on, and what those need that do: it has stood its verification,
// and all that it is made of is here.
func (r run) handOver(ctx context.Context, s service, job plan.Job, built builder.Result) (madeBase, error) {
	if err := r.sound(ctx, s, job, built); err != nil {
		return madeBase{}, err
	}
	result, err := r.exported(s, job, built)
	if err != nil {
		return madeBase{}, err
	}
	img, err := r.image(result)
	if err != nil {
		return madeBase{}, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return madeBase{}, fmt.Errorf("reading image config: %w", err)
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		return madeBase{}, fmt.Errorf("reading image config: %w", err)
	}
	layers, err := img.Manifest()
	if err != nil {
		return madeBase{}, err
	}
	blobs, err := r.store.Blobs(result.Descriptor)
	if err != nil {
		return madeBase{}, err
	}
	made := madeBase{
		image: builder.Image{Digest: result.Descriptor.Digest, Config: raw},
		final: plan.Base{Reference: -1, Where: "FROM", Platform: job.Platform, Digest: result.Descriptor.Digest.String(), Triggers: config.Config.OnBuild, Rule: "built here: service " + s.name},
	}
	for _, blob := range blobs {
		made.image.Blobs = append(made.image.Blobs, blob.Digest)
	}
	for _, layer := range layers.Layers {
		made.final.Layers = append(made.final.Layers, layer.Digest.String())
	}
	for _, id := range config.RootFS.DiffIDs {
		made.final.DiffIDs = append(made.final.DiffIDs, id.String())
	}
	return made, nil
}

// unsoundError says that an image was built, and that nothing is to stand on it.
type unsoundError struct{ error }

func (e *unsoundError) Unwrap() error { return e.error }

// OnbuildError says that an image of the project has an ONBUILD instruction that names an image: nobody has looked
// which one that is, since it was not known before the image was built.
type OnbuildError struct {
	// Where is "ONBUILD COPY --from", Image what it names.
	Where, Image string
	// Base is the service that has the instruction, for those that stand on it as Name.
	Base, Name string
	// File and Line say who stands on it.
	File string
	Line int
}

func (e *OnbuildError) Error() string {
	return fmt.Sprintf("%s:%d: %s, which service %s makes, has an %s=%s: that image is not known before the base is built, so it was not resolved", e.File, e.Line, e.Name, e.Base, e.Where, e.Image)
}

// At is the line of who stands on the base.
func (e *OnbuildError) At() (file string, line int) { return e.File, e.Line }

// Hint is to say beforehand which image that is.
func (e *OnbuildError) Hint() string {
	return fmt.Sprintf("name it before: --build-context %s=docker-image://%s, or make it a stage of that name in %s", e.Image, e.Image, e.File)
}

// checkTriggers refuses ONBUILD instructions of a base that name images which nobody has resolved.
func (r run) checkTriggers(s service, job plan.Job, st stand, triggers []string) error {
	if len(triggers) == 0 || !strings.HasPrefix(st.edge.Where, "FROM") {
		return nil
	}
	keys := append(r.contextKeys(), s.standKeys()...)
	from := s.of(job.Platform)
	for _, t := range from.template.Triggers(triggers) {
		_, known := plan.ContextOn(keys, t.Text, job.Platform)
		known = known || slices.ContainsFunc(job.Onbuild, func(b plan.Base) bool { return b.From == t.Text })
		if known || t.Kind != template.External {
			continue
		}
		return &OnbuildError{Where: t.Where, Image: t.Text, Base: st.edge.Base, Name: st.name, File: from.file, Line: st.edge.At.Line}
	}
	return nil
}

// batchJob is a job of a batch.
type batchJob struct {
	*batch
	job int
}

func (t batchJob) key() jobKey { return jobKey{t.number, t.planned.Jobs[t.job].Platform} }

// basesFirst are the jobs of batches, each after those that it stands on, else as they are.
func basesFirst(list []*batch, jobs func(*batch) []int) []batchJob {
	all, order := map[jobKey]batchJob{}, []batchJob{}
	for _, b := range list {
		for _, i := range jobs(b) {
			all[batchJob{b, i}.key()] = batchJob{b, i}
		}
	}
	seen := map[jobKey]bool{}
	var visit func(batchJob)
	visit = func(t batchJob) {
		if seen[t.key()] {
			return
		}
		seen[t.key()] = true
		for _, st := range t.service.standsFor(t.key().platform) {
			if base, ok := all[st.needs()]; ok {
				visit(base)
			}
		}
		order = append(order, t)
	}
	for _, b := range list {
		for _, i := range jobs(b) {
			visit(batchJob{b, i})
		}
	}
	return order
}

// allJobs are the jobs of a batch, by index.
func allJobs(b *batch) []int {
	return slices.Sorted(maps.Keys(maps.Collect(slices.All(b.plan.Jobs))))
}

// because is the service for whose sake something was not built; empty is none.
func because(err error) string {
	var not *NotBuiltError
	if !errors.As(err, &not) {
		return ""
	}
	return not.Because
}

// NotBuiltError says that a service was not built for a platform because another one was not, on which it stands,
// directly or through others.
type NotBuiltError struct {
	// Because is that service, On the platform of which there is no image.
	Because string
	On      platform.Platform
}

func (e *NotBuiltError) Error() string {
	return fmt.Sprintf("not built because of %s (%s)", e.Because, e.On)
}

// Hint leads to what went wrong.
func (e *NotBuiltError) Hint() string {
	return "mend " + e.Because + " first: its own error says what is wrong"
}
