package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/distribution/reference"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// Recorded tells where the record of a platform is.
type Recorded struct {
	ci.Record
	// Place is a file, or the reference of a staging tag.
	Place string `json:"place"`
}

// leg is a service that is built as a part of a matrix.
type leg struct {
	run
	service
	record ci.Record
	// recipes of the jobs, as they were planned.
	recipes []ci.Record
}

// checkRecord looks at what --record does not go with.
func (r run) checkRecord() error {
	refuse := func(text, hint string) error { return &wrong.Usage{errors.New(text), hint} }
	pushes := func(out manifest.Output) bool { return out.Type == manifest.TypeImage && out.Push }
	others := slices.ContainsFunc(r.outputs, func(out manifest.Output) bool { return !pushes(out) })
	switch {
	case r.Record == "" && r.Run != "":
		return refuse("--run names the run of a record, and there is none", "add --record FILE, or leave --run out")
	case r.Record == "" || r.forOthers():
		return nil
	case r.found != nil && r.of == nil: // each target has tags and outputs of its own
	case len(r.Tags) == 0 || !r.Push && !slices.ContainsFunc(r.outputs, pushes):
		return refuse("--record is about an image that was pushed", "add -t REGISTRY/NAME:TAG --push: the image goes there by digest, and no tag moves")
	case others:
		return refuse("--record pushes images by digest, and -o and --load ask for something else", "leave them out, or build once more for them")
	case r.MetadataFile != "" || r.IIDFile != "" || r.ChildTags != "" || r.IfMatch != "":
		return refuse("--metadata-file, --iidfile, --child-tags and --if-match are about an index, and a leg makes none", "give them to archbuild ci assemble")
	}
	_, err := r.RunID(r.Run, "")
	return err
}

// ofPlatforms are the annotations of a build: a leg is told those of other legs as well.
func (r run) ofPlatforms(built []platform.Platform) manifest.Annotations {
	if r.Record == "" {
		return r.annotations
	}
	return slices.DeleteFunc(slices.Clone(r.annotations), func(a manifest.Annotation) bool {
		return a.Platform != (platform.Platform{}) && !slices.Contains(built, a.Platform)
	})
}

// recordNotes say in the plan what a leg does.
func (r run) recordNotes() []string {
	if r.Record == "" || r.forOthers() {
		return nil
	}
	where := "goes to " + r.Record
	if r.Record == ci.Registry {
		where = "is kept in the registry under a staging tag"
	}
	return []string{"pushed by digest: no tag moves before archbuild ci assemble; the record of each platform " + where}
}

// recordNames are the records of a service, as files of its context: they do not
// travel, for the next leg on this machine would be another one with them.
func (r run) recordNames(s service) []string {
	name, below := s.below(r.Record)
	if r.Record == "" || r.Record == ci.Registry || !below {
		return nil
	}
	names := []string{name}
	entries, _ := os.ReadDir(r.Record) // What cannot be listed is one file, or none yet.
	for _, entry := range entries {
		names = append(names, name+"/"+entry.Name())
	}
	return names
}

// forOthers says that the options are those of a target which is built for others alone.
func (o Options) forOthers() bool { return o.found != nil && o.of != nil && !o.found.wants(o.of.Name) }

// leg adds up what goes into the records of one of several services before it is built. Without
// --record it is nil, and for a service that is built for others alone.
func (r run) leg(ctx context.Context, services []service, i int, plans []plan.Plan) (*leg, error) {
	s, p, all := services[i], plans[i], r
	r = r.with(s)
	if r.Record == "" || r.forOthers() {
		return nil, nil
	}
	l := &leg{run: r, service: s}
	var err error
	l.record = ci.Record{
		Archbuild: r.Version, Name: s.name, Commit: r.commitOf(ctx, s), Set: s.config.Platforms,
		Index: ci.Index{Annotations: r.annotations.OfIndex(), Attestations: string(r.profile)},
	}
	if l.record.Inputs, err = all.inputsOf(ctx, services, i); err != nil {
		return nil, err
	}
	if l.record.Run, err = r.RunID(r.Run, l.record.Commit); err != nil {
		return nil, err
	}
	if r.Record == ci.Registry && l.record.Run == "" {
		return nil, noRun()
	}
	if l.record.Repositories, err = repositoriesOf(r.tagsOf(s)); err != nil {
		return nil, err
	}
	if err := l.checkPlace(len(p.Jobs)); err != nil {
		return nil, err
	}
	for _, job := range p.Jobs {
		record := l.record
		record.Platform = job.Platform
		if !slices.Contains(record.Set, job.Platform) {
			record.Set = nil // The command line asks for more than the file does.
		}
		if record.Recipe, err = all.recipeOf(services, i, job, jobIn(services, plans)); err != nil {
			return nil, err
		}
		l.recipes = append(l.recipes, record)
	}
	return l, nil
}

// jobIn finds jobs in the plans of services.
func jobIn(services []service, plans []plan.Plan) func(int, platform.Platform) (plan.Job, error) {
	return func(base int, p platform.Platform) (plan.Job, error) {
		at := slices.IndexFunc(plans[base].Jobs, func(job plan.Job) bool { return job.Platform == p })
		if at < 0 {
			return plan.Job{}, fmt.Errorf("%s is not planned for %s", services[base].name, p)
		}
		return plans[base].Jobs[at], nil
	}
}

func noRun() error {
	return &wrong.Usage{errors.New("records in a registry need the name of a run, and neither the CI nor git tells one"), "name it, the same for all legs and for ci assemble: --run ID"}
}

// repositoriesOf are the repositories of names, each once, in full.
func repositoriesOf(names []string) ([]string, error) {
	var repos []string
	for _, name := range names {
		named, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return nil, &wrong.Usage{fmt.Errorf("-t %s: %w", name, err), "write [REGISTRY/]REPOSITORY[:TAG], in lower case"}
		}
		if !slices.Contains(repos, named.Name()) {
			repos = append(repos, named.Name())
		}
	}
	return repos, nil
}

// checkPlace looks, before anything is built, whether the records can be written.
func (l *leg) checkPlace(platforms int) error {
	if l.Record == ci.Registry {
		return nil
	}
	if l.isFile() && (platforms > 1 || l.imageCount() > 1) {
		return &wrong.Usage{fmt.Errorf("--record %s is a file, and there is a record for each platform", l.Record), "give a folder: --record archbuild-out/records"}
	}
	return nil
}

// isFile tells whether the record goes to a file: there is one, or the name ends as one.
func (l *leg) isFile() bool {
	info, err := os.Stat(l.Record)
	return err == nil && !info.IsDir() || err != nil && filepath.Ext(l.Record) == ".json"
}

// file is where the record of a platform goes.
func (l *leg) file(r ci.Record) string {
	if l.isFile() {
		return l.Record
	}
	return filepath.Join(l.Record, ci.FileName(r.Name, r.Platform))
}

// deliver pushes every platform by digest, and then writes its record: who has the record
// finds the image. p is the plan as it was run in the end.
func (l *leg) deliver(ctx context.Context, p plan.Plan, results []manifest.Result, image *Image) error {
	store := manifest.Store{Dir: l.store.Dir}
	for _, result := range results {
		i := slices.IndexFunc(p.Jobs, func(job plan.Job) bool { return job.Platform == result.Platform })
		listed, err := manifest.Assemble(ctx, store, []manifest.Result{result}, l.annotations, manifest.InIndex)
		if err != nil {
			return err
		}
		record := l.recipes[i]
		entry := listed.Entries()[0]
		record.Image, record.Attestations = entry.Image, entry.Attestations
		record.How, record.Node = string(p.Jobs[i].How), ci.Node{Name: p.Jobs[i].Node, Platform: p.Jobs[i].BuildPlatform}
		if record.Verify, err = l.verified(p.Jobs[i], result); err != nil {
			return err
		}
		for _, stage := range p.Jobs[i].Stages {
			record.Stages = append(record.Stages, ci.Stage{Name: stage.Label(), How: string(stage.How)})
		}
		record.Seconds = math.Round(image.Platforms[i].Seconds*1000) / 1000
		if record, err = record.Sealed(); err != nil {
			return err
		}
		place, err := l.keep(ctx, record, result, image)
		if err != nil {
			return err
		}
		image.Records = append(image.Records, Recorded{record, place})
		if len(results) == 1 {
			image.Digest = entry.Image.Digest.String()
		}
	}
	return nil
}

// verified is how a platform was looked at.
func (l *leg) verified(job plan.Job, result manifest.Result) (ci.Verify, error) {
	img, err := l.image(result)
	if err != nil {
		return ci.Verify{}, err
	}
	base, err := baseLayers(img, job)
	return ci.Verify{Mode: l.verifyMode(l.service), Allow: l.allowed(l.service), BaseLayers: base}, err
}

// keep pushes one platform and writes its record.
func (l *leg) keep(ctx context.Context, record ci.Record, result manifest.Result, image *Image) (string, error) {
	store := manifest.Store{Dir: l.store.Dir}
	options := manifest.PushOptions{ByDigest: true, Journal: manifest.Journal{Dir: l.world().Kept().Journal}}
	profile := manifest.NoAttestations
	if len(result.Attestations) > 0 {
		profile = manifest.InIndex
	}
	pushedAs, err := manifest.Assemble(ctx, store, []manifest.Result{result}, nil, profile)
	if err != nil {
		return "", err
	}
	pushed, err := pushedAs.Push(ctx, l.registry, record.Repositories, options)
	image.Pushed = join(image.Pushed, pushed)
	if err != nil {
		return "", err
	}
	if l.Record == ci.Registry {
		return stage(ctx, l.registry, record)
	}
	body, err := record.JSON()
	if err != nil {
		return "", err
	}
	path := l.file(record)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", &wrong.Write{Path: path, Err: err}
	}
	return path, outside.WriteWhole(path, body)
}

// writeRecords prints what a leg leaves.
func (i Image) writeRecords(w io.Writer) error {
	for _, r := range i.Records {
		for _, repo := range r.Repositories {
			if _, err := fmt.Fprintf(w, "  pushed %s@%s\n", ui.Line(repo), r.Image.Digest); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(w, "  recorded %s in %s\n", r.Platform, ui.Line(r.Place)); err != nil {
			return err
		}
	}
	return nil
}

// commitOf is the commit of a service: that of a repository which the node fetched, else
// that of the checkout.
func (r run) commitOf(ctx context.Context, s service) string {
	r = r.with(s)
	if fetched := s.context.Fetched; fetched != nil {
		if ci.IsCommit(fetched.Pin) {
			return fetched.Pin
		}
		return ""
	}
	return r.Commit(ctx, s.context.Folder)
}
