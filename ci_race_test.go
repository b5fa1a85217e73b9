package archbuild_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
)

var racePlatforms = []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}

// TestRacingPipelines lets two pipelines push to one tag, in as many seeded interleavings as ARCHBUILD_RACES says (10), with legs that
// fail, come again with another image, and come late. Whoever looks at the tag at any moment finds the complete set of one pipeline.
func TestRacingPipelines(t *testing.T) {
	races := 10
	if text := os.Getenv("ARCHBUILD_RACES"); text != "" {
		var err error
		if races, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	total := &raceTally{}
	for seed := range races {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newRace(t, uint64(seed), total).run() })
	}
	t.Logf("%d races: %d assemblies done, %d refused as incomplete, %d overtaken; %d states of the tag seen; %d legs failed, %d came again, %d late",
		races, total.done, total.incomplete, total.overtaken, total.seen, total.failed, total.again, total.late)
	if races >= 10 && (total.incomplete == 0 || total.failed == 0 || total.again == 0 || total.late == 0 || total.seen < races) {
		t.Error("that shows nothing: some kinds of trouble never happened")
	}
}

// raceTally counts over all races.
type raceTally struct {
	mu                                                     sync.Mutex
	done, incomplete, overtaken, seen, failed, again, late int
}

func (a *raceTally) count(n *int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*n++
}

// race is one registry, its tag, and two pipelines.
type race struct {
	t     *testing.T
	seed  uint64
	total *raceTally
	reg   *registrytest.Registry
	repo  string

	mu sync.Mutex
	// of is the pipeline that an image is of.
	of map[string]string
}

func newRace(t *testing.T, seed uint64, total *raceTally) *race {
	return &race{t: t, seed: seed, total: total, reg: registrytest.Start(t, registrytest.Memory), repo: "app", of: map[string]string{}}
}

func (r *race) run() {
	stop, watched := make(chan struct{}), make(chan struct{})
	go func() { r.watch(stop); close(watched) }()
	var pipelines sync.WaitGroup
	var last [2]archbuild.CIAssembled
	for i, name := range []string{"one", "two"} {
		pipelines.Go(func() { last[i] = newPipeline(r, name, uint64(i)).run() })
	}
	pipelines.Wait()
	close(stop)
	<-watched
	now, err := registrytest.Digest(r.reg.Addr, r.repo, "1")
	if err != nil || now != last[0].Digest.String() && now != last[1].Digest.String() {
		r.t.Errorf("in the end the tag names %q, %v; the pipelines made %s and %s", now, err, last[0].Digest, last[1].Digest)
	}
}

// watch looks at the tag all the time, and once more when it is to stop: what it names is whole, and of one pipeline.
func (r *race) watch(stop chan struct{}) {
	known := map[string]bool{"": true}
	for ended := false; !ended; {
		select {
		case <-stop:
			ended = true
		case <-time.After(time.Millisecond):
		}
		now, err := registrytest.Digest(r.reg.Addr, r.repo, "1")
		if err != nil {
			r.t.Error(err)
		}
		if !known[now] {
			known[now] = true
			r.total.count(&r.total.seen)
			r.whole(now)
		}
	}
}

func (r *race) whole(index string) {
	node, wrong := registrytest.Read(r.reg.Addr, r.repo, index)
	for _, text := range wrong {
		r.t.Errorf("the tag names %s: %s", index, text)
	}
	if got := strings.Join(node.Platforms(), " "); got != strings.Join(racePlatforms, " ") {
		r.t.Errorf("the tag names a set of %s", got)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, child := range node.Children {
		if r.of[child.Digest] == "" || r.of[child.Digest] != r.of[node.Children[0].Digest] {
			r.t.Errorf("the tag names images of %q and %q", r.of[node.Children[0].Digest], r.of[child.Digest])
		}
	}
}

// pipeline is one of the two, with its own way to the registry, which dawdles by its seed.
type pipeline struct {
	*race
	name     string
	random   *rand.Rand
	addr     string
	state    string
	folder   string // of records; empty keeps them in the registry
	match    bool
	versions int
}

func newPipeline(r *race, name string, n uint64) *pipeline {
	p := &pipeline{race: r, name: name, random: rand.New(rand.NewPCG(r.seed, n)), state: r.t.TempDir()}
	dawdle := rand.New(rand.NewPCG(r.seed, n+10))
	proxy := registrytest.NewProxy(r.t, r.reg, registrytest.Config{Script: func(registrytest.Ask) registrytest.Fault {
		time.Sleep(time.Duration(dawdle.IntN(2000)) * time.Microsecond) // One request at a time is asked for.
		return ""
	}})
	p.addr, p.match = proxy.Addr, p.random.IntN(3) == 0
	if p.random.IntN(2) == 0 {
		p.folder = r.t.TempDir()
	}
	return p
}

// run is what a CI does: legs in any order, some of which fail, and the job that assembles, again and again until it is done.
func (p *pipeline) run() archbuild.CIAssembled {
	missing := p.shuffled()
	var late sync.WaitGroup
	defer late.Wait()
	for try := 0; try < 20; try++ {
		var failed []string
		for _, platform := range missing {
			switch p.random.IntN(6) {
			case 0:
				p.total.count(&p.total.failed)
				failed = append(failed, platform)
				continue
			case 1: // It ran twice, and the second image is another one.
				p.total.count(&p.total.again)
				p.leg(platform)
			case 2:
				p.total.count(&p.total.late)
				record := p.built(platform)
				late.Go(func() {
					time.Sleep(20 * time.Millisecond)
					p.keep(record)
				})
				continue
			}
			p.leg(platform)
		}
		missing = failed
		if try > 10 { // However busy the machine is, what is late comes before the tries are over.
			late.Wait()
		}
		made, err := p.assemble()
		if err == nil {
			late.Wait()
			p.twice(made)
			return made
		}
		p.sort(err)
	}
	p.t.Errorf("%s was never done", p.name)
	return archbuild.CIAssembled{}
}

// sort tells errors that belong to a race from others.
func (p *pipeline) sort(err error) {
	switch {
	case errors.As(err, new(*ci.IncompleteError)):
		p.total.count(&p.total.incomplete)
		time.Sleep(10 * time.Millisecond)
	case errors.As(err, new(*manifest.TagError)), errors.As(err, new(*manifest.AppendError)):
		p.total.count(&p.total.overtaken)
	default:
		p.t.Errorf("%s: %v", p.name, err)
	}
}

// twice: doing it again moves nothing away from the other pipeline, and changes nothing at all if the tag is still its own.
func (p *pipeline) twice(made archbuild.CIAssembled) {
	p.total.count(&p.total.done)
	if p.folder != "" {
		return // Whoever has all the records may say anew that they are the image.
	}
	again, err := p.assemble()
	switch {
	case err == nil && (again.Digest != made.Digest || again.Pushed.Tags[0].State != manifest.TagUnchanged):
		p.t.Errorf("%s, done twice, made %s and then %s: %+v", p.name, made.Digest, again.Digest, again.Pushed.Tags)
	case err != nil && !errors.As(err, new(*ci.IncompleteError)):
		p.t.Errorf("%s, done twice: %v", p.name, err)
	}
}

func (p *pipeline) shuffled() []string {
	list := append([]string{}, racePlatforms...)
	p.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (p *pipeline) leg(text string) { p.keep(p.built(text)) }

// built pushes an image by digest and gives its record.
func (p *pipeline) built(text string) ci.Record {
	p.versions++
	on := platform.MustParse(text)
	seed := p.seed*1000 + uint64(len(p.name)+p.versions)*10
	if p.name == "two" {
		seed += 500
	}
	image := registrytest.Image(registrytest.Options{Platforms: []string{text}, Layers: []int{300}, Seed: seed})
	image.Push(p.t, p.reg.Addr, p.repo)
	p.mu.Lock()
	p.of[image.Root.Digest] = p.name
	p.mu.Unlock()
	spec := on.OCI()
	r, err := ci.Record{
		Name: "app", Platform: on, Run: p.name, Recipe: digest.FromString(text), Repositories: []string{p.addr + "/" + p.repo},
		Inputs: ci.NewInputs(map[string]digest.Digest{ci.PartContext: digest.FromString(p.name)}),
		Image:  ocispec.Descriptor{MediaType: image.Root.MediaType, Digest: digest.Digest(image.Root.Digest), Size: image.Root.Size, Platform: &spec},
		Node:   ci.Node{Name: "engine", Platform: on},
	}.Sealed()
	if err != nil {
		p.t.Error(err)
	}
	return r
}

// keep writes the record where the legs of archbuild build do.
func (p *pipeline) keep(r ci.Record) {
	if p.folder == "" {
		if _, err := archbuild.StageRecord(p.t.Context(), p.options(), r); err != nil {
			p.t.Error(err)
		}
		return
	}
	body, err := json.Marshal(r)
	if err != nil {
		p.t.Error(err)
	}
	path := filepath.Join(p.folder, ci.FileName(r.Name, r.Platform))
	p.mu.Lock() // A file appears whole.
	defer p.mu.Unlock()
	if err := os.WriteFile(path+".new", body, 0o600); err != nil {
		p.t.Error(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		p.t.Error(err)
	}
}

func (p *pipeline) options() archbuild.CIAssembleOptions {
	place := p.folder
	if place == "" {
		place = ci.Registry
	}
	opts := archbuild.CIAssembleOptions{
		System: outside.System{Environ: []string{"HOME=" + p.state}}, Engine: outside.Engine{State: p.state},
		Tags: []string{p.addr + "/" + p.repo + ":1"}, Require: racePlatforms, Run: p.name, Records: []string{place},
	}
	if p.match {
		opts.IfMatch = archbuild.MatchPlan
	}
	return opts
}

func (p *pipeline) assemble() (archbuild.CIAssembled, error) {
	return archbuild.CIAssemble(p.t.Context(), p.options())
}
