package archbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
	"github.com/archbuild/archbuild/wrong"
)

// CIAssembleOptions is what a user can say of the job that makes one image of what
// the legs of a matrix pushed.
type CIAssembleOptions struct {
	outside.System
	outside.Engine
	outside.Registries
	manifest.Release

	// Records are folders, files, and the word registry.
	Records []string
	// Tags name the index; empty means those of the plan.
	Tags []string
	// Require are the platforms of the whole set; each may hold several.
	Require []string
	// Plan is a file that ci plan wrote as JSON; it says the same, and which inputs.
	Plan string
	// PerService moves the tags of each of several services by itself.
	PerService bool
	// Run names the legs that count. Empty is what the plan or the CI says for records in a
	// registry; records in files may be of any run then.
	Run string
	// Verify is fail, warn or off; empty means what the legs did. Deep reads every blob.
	Verify      string
	VerifyAllow []string
	Deep        bool
	// MetadataFile has buildx's keys, Summary is a file for Markdown; it is added to.
	MetadataFile, Summary string
	// DryRun collects and looks, and writes nothing to a registry.
	DryRun bool
}

// MatchPlan is the word of --if-match for: what the tags named when the plan was made,
// or without a plan when assembling began.
const MatchPlan = "plan"

// CIAssembled is what became of a set.
type CIAssembled struct {
	ci.Summary
	MediaType string `json:"mediaType,omitempty"`
	Size      int64  `json:"size,omitempty"`
	// Already says that all of it was done before.
	Already  bool             `json:"already,omitempty"`
	Pushed   *manifest.Pushed `json:"pushed,omitempty"`
	Findings []verify.Finding `json:"findings,omitempty"`
	Warnings []string         `json:"warnings,omitempty"`
	// Error says why a service of several was not assembled; Held are the services whose
	// failure kept the tags of this one from moving.
	Error string   `json:"error,omitempty"`
	Held  []string `json:"held,omitempty"`

	// Bytes of the index.
	Bytes []byte   `json:"-"`
	names []string // of the tags
}

// CIAssemble collects the records of a set, verifies every image again, makes the
// index and moves the tags to it, last of all and all or none. What is not exactly one whole set
// moves nothing. Doing it twice changes nothing.
func CIAssemble(ctx context.Context, opts CIAssembleOptions) (CIAssembled, error) {
	plan, err := opts.readPlan()
	if err != nil {
		return CIAssembled{}, err
	}
	j, err := opts.one(ctx, plan)
	if err != nil {
		return CIAssembled{}, err
	}
	records, err := j.collect(ctx)
	if err != nil {
		return CIAssembled{}, err
	}
	return j.assemble(ctx, records)
}

// joiner is CIAssembleOptions read.
type joiner struct {
	CIAssembleOptions
	client *registry.Client
	// repos are those of the tags.
	repos   []string
	want    ci.Expected
	service ci.Service // of the plan
	several bool       // services in the plan
	run     string
	profile manifest.Profile
	was     map[string]digest.Digest
	already bool
}

// one is the joiner of the only service, or of the one that -t names.
func (o CIAssembleOptions) one(ctx context.Context, plan ci.Plan) (*joiner, error) {
	service, found := plan.Service(o.Tags)
	if !found && o.Plan != "" {
		return nil, &wrong.Usage{fmt.Errorf("--plan %s: it has several services, and none with these tags", o.Plan), "leave -t out for all of them together, or give it as the legs of one got it: " + tagsIn(plan)}
	}
	j := &joiner{CIAssembleOptions: o}
	if err := j.read(ctx, plan, service); err != nil {
		return nil, err
	}
	var err error
	if j.client, _, err = o.base().registryClient(); err != nil {
		return nil, err
	}
	return j, j.look(ctx)
}

// read reads the flags, and what the plan says of the service. All wrong ones are reported at once.
func (j *joiner) read(ctx context.Context, plan ci.Plan, service ci.Service) error {
	var failed []error
	note := func(err error) { failed = append(failed, wrong.AsUsage(err)) }
	run := j.Run
	j.take(plan, service)
	if len(j.Tags) == 0 {
		note(&wrong.Usage{errors.New("there is no tag"), "name the image: -t REGISTRY/NAME:TAG, the same as for the legs"})
	} else {
		note(manifest.CheckNames(j.Tags, false))
	}
	if len(j.Records) == 0 && len(j.service.Legs) > 0 || len(j.Records) == 0 && j.Plan == "" {
		note(&wrong.Usage{errors.New("there are no records"), "name their folder, their files, or the word registry"})
	}
	note(j.checkWords())
	require, err := outside.ParsePlatforms("--require", j.Require, platform.Host())
	note(err)
	note(j.expect(require))
	j.run, err = j.RunID(j.Run, "")
	note(err)
	j.profile, err = manifest.ParseProfile(j.Attestations)
	note(meant("--attestations", j.Attestations, err))
	if j.repos, err = repositoriesOf(j.Tags); len(j.Tags) > 0 {
		note(err)
	}
	j.want.Repositories, j.want.Run = j.repos, run // What the CI says may differ where legs ran elsewhere.
	if err := joinedOnce(failed); err != nil {
		return err
	}
	if j.run == "" {
		j.run = j.Commit(ctx, ".")
	}
	if j.run == "" && slices.Contains(j.Records, ci.Registry) {
		return noRun()
	}
	return nil
}

func (o CIAssembleOptions) base() Options {
	return Options{System: o.System, Engine: o.Engine, Registries: o.Registries, DryRun: o.DryRun}
}

func (j *joiner) checkWords() error {
	var failed []error
	if j.Verify != "" && !slices.Contains(words("--verify"), j.Verify) {
		failed = append(failed, noWord("--verify", j.Verify))
	}
	release := j.Release
	if release.IfMatch == MatchPlan {
		release.IfMatch = ""
	}
	return errors.Join(append(failed, release.Check(j.Tags), verify.CheckGlobs(j.VerifyAllow))...)
}

// readPlan reads --plan; without it there is an empty one.
func (o CIAssembleOptions) readPlan() (ci.Plan, error) {
	if o.Plan == "" {
		return ci.Plan{}, nil
	}
	file, err := os.Open(o.Plan)
	if err != nil {
		return ci.Plan{}, &wrong.Usage{fmt.Errorf("--plan: %w", err), "give the file that archbuild ci plan --format json wrote"}
	}
	defer file.Close()
	return ci.ReadPlan(o.Plan, file)
}

// take takes from the plan what the command line does not say.
func (j *joiner) take(plan ci.Plan, service ci.Service) {
	if j.Plan == "" {
		return
	}
	j.service, j.several = service, len(plan.Services) > 1
	if len(j.Tags) == 0 {
		j.Tags = service.Tags
	}
	if len(j.Records) == 0 && len(service.Legs) > 0 && plan.Record != "" {
		j.Records = []string{plan.Record}
	}
	if j.Run == "" {
		j.Run = plan.RunOf(service)
	}
}

// tagsIn are the tags of each service of a plan.
func tagsIn(p ci.Plan) string {
	var each []string
	for _, s := range p.Services {
		each = append(each, strings.Join(s.Tags, ", "))
	}
	return ui.Few(each)
}

// expect is the set that the plan or --require says.
func (j *joiner) expect(require []platform.Platform) error {
	j.want.Platforms = require
	if j.Plan == "" {
		return nil
	}
	for _, p := range require {
		if !slices.Contains(j.service.Platforms, p) {
			return &wrong.Usage{fmt.Errorf("--require %s: the plan has no such platform", p), "plan it: archbuild ci plan --platform …, or leave --plan out"}
		}
	}
	j.want.Platforms, j.want.Inputs = j.service.Platforms, j.service.Inputs.Digest
	for _, r := range j.service.Kept {
		j.want.Kept = append(j.want.Kept, r.Digest)
	}
	return nil
}

// look reads for --if-match what the tags name now.
func (j *joiner) look(ctx context.Context) error {
	if j.IfMatch != MatchPlan {
		return nil
	}
	j.IfMatch, j.was = "", map[string]digest.Digest{}
	now, err := namedNow(ctx, j.client, j.Tags)
	if err != nil {
		return err
	}
	for name, d := range now {
		if planned, ok := j.service.Named[name]; ok {
			d = planned
		}
		j.was[name] = d
	}
	return nil
}

// namedNow is what tags name, by their full names; empty is a tag that is not there.
func namedNow(ctx context.Context, client *registry.Client, tags []string) (map[string]digest.Digest, error) {
	named := map[string]digest.Digest{}
	full, err := manifest.FullNames(tags)
	if err != nil {
		return nil, err
	}
	for _, name := range full {
		desc, err := client.Head(ctx, name)
		if err != nil && !isMissing(err) {
			return nil, fmt.Errorf("reading tag %s: %w", name, err)
		}
		named[name] = desc.Digest
	}
	return named, nil
}

// assemble makes the index of the records, and moves the tags to it.
func (j *joiner) assemble(ctx context.Context, records []ci.Record) (CIAssembled, error) {
	made, a, err := j.prepare(ctx, records)
	if a != nil {
		defer a.Close()
	}
	if err != nil || j.DryRun {
		return made, err
	}
	if err := j.move(ctx, a, &made); err != nil {
		return made, err
	}
	j.leave(ctx, a, &made)
	return made, j.writeFiles(made)
}

// prepare makes the index of the records, brings it into the registry and verifies it there; no tag
// names it yet. The caller closes the assembly, also with an error; nil is none.
func (j *joiner) prepare(ctx context.Context, records []ci.Record) (CIAssembled, *manifest.Assembly, error) {
	made := CIAssembled{Summary: ci.Summary{Name: records[0].Name, Run: j.run, Commit: j.commitOfAll(records), Records: records}, Already: j.already, names: j.Tags}
	index := records[0].Index
	profile := j.profile
	if j.Attestations == "" {
		profile = manifest.Profile(index.Attestations)
	}
	var entries []manifest.Entry
	for _, r := range records {
		entries = append(entries, manifest.Entry{Image: r.Image, Attestations: r.Attestations})
	}
	a, err := manifest.Collect(ctx, j.client, manifest.Collection{
		Repository: j.repos[0], Entries: entries, Annotations: index.Annotations, Attestations: profile, Unchecked: j.Verify == "warn" || j.Verify == "off",
	})
	if err != nil {
		return made, nil, err
	}
	made.Digest, made.MediaType, made.Size, made.Bytes = a.Descriptor.Digest, a.Descriptor.MediaType, a.Descriptor.Size, a.Bytes
	if j.DryRun {
		return made, a, nil
	}
	return made, a, j.verify(ctx, a, &made)
}

// move lets the tags name the index. What was done before is not done again: the tags named it
// a moment ago, and if another run moves them now, it is the newer one.
func (j *joiner) move(ctx context.Context, a *manifest.Assembly, made *CIAssembled) error {
	if !j.already {
		pushed, err := a.Push(ctx, j.client, j.Tags, j.pushOptions())
		made.Pushed = &pushed
		return err
	}
	names, err := manifest.FullNames(j.Tags)
	made.Pushed = &manifest.Pushed{References: []string{}}
	for _, name := range names {
		made.Pushed.Tags = append(made.Pushed.Tags, manifest.Tag{Name: name, State: manifest.TagUnchanged, Before: made.Digest})
	}
	return err
}

func (j *joiner) pushOptions() manifest.PushOptions {
	return manifest.PushOptions{
		IfMatch: digest.Digest(j.IfMatch), Was: j.was, ChildTags: j.ChildTags, Journal: manifest.Journal{Dir: j.base().world().Kept().Journal},
	}
}

// commitOfAll is that of the legs which ran, whatever the order of their platforms is; if none
// did, that of one which was kept.
func (j *joiner) commitOfAll(records []ci.Record) string {
	kept := ""
	for _, r := range records {
		switch {
		case r.Commit == "":
		case slices.Contains(j.want.Kept, r.Digest):
			kept = r.Commit
		default:
			return r.Commit
		}
	}
	return kept
}

// verify brings the index into the registry, where no tag names it, and looks at all of it there.
func (j *joiner) verify(ctx context.Context, a *manifest.Assembly, made *CIAssembled) error {
	if _, err := a.Push(ctx, j.client, j.repos, manifest.PushOptions{ByDigest: true, Journal: manifest.Journal{Dir: j.base().world().Kept().Journal}}); err != nil {
		return err
	}
	modes, allow, base := map[string]string{}, slices.Clone(j.VerifyAllow), map[string]int{}
	for _, r := range made.Records {
		allow = append(allow, r.Verify.Allow...)
		base[r.Image.Digest.String()] = r.Verify.BaseLayers
		modes[r.Platform.String()] = cmp.Or(j.Verify, r.Verify.Mode)
	}
	checker, err := verify.NewChecker(verify.CheckOptions{Allow: allow, Memory: j.base().verdicts(), Deep: j.Deep, BaseLayers: base})
	if err != nil {
		return err
	}
	name := j.repos[0] + "@" + made.Digest.String()
	opened, err := imagetree.Open(ctx, name, j.client)
	if err != nil {
		return err
	}
	result, err := checker.Check(ctx, name, opened)
	err = errors.Join(err, opened.Close())
	if err != nil {
		return err
	}
	// A record is believed about its own programs; that an image is whole is everybody's business.
	said := func(words ...string) func(verify.Finding) bool {
		return func(f verify.Finding) bool { return aboutProgram(f) && slices.Contains(words, modes[f.Platform]) }
	}
	made.Findings = slices.DeleteFunc(slices.Clone(result.Findings), said("off"))
	if j.Verify == "warn" || j.Verify == "off" {
		return nil
	}
	return verify.Failed(name, slices.DeleteFunc(slices.Clone(result.Findings), said("warn", "off")))
}

func aboutProgram(f verify.Finding) bool { return f.Kind == verify.KindProgram }
