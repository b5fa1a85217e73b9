package archbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/builder/schedule"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/verify"
)

// A node can build something else than it was told, and no look at the result shows that. So
// with --witness another node builds each platform as well, every step of it and with no
// cache, and the image counts only if both have built the same.

// Witness is the second node of a platform, and what it built.
type Witness struct {
	Node string `json:"node"`
	// Digest of its image; empty if it built none.
	Digest string `json:"digest,omitempty"`
	// Same says that it is the image of the first node.
	Same bool `json:"same"`
}

// NoWitnessError says that no other node can build a platform as well.
type NoWitnessError struct {
	Platform platform.Platform
	Node     string
	// Emulated says that others could, under an emulator, where the first needs none.
	Emulated bool
}

func (e *NoWitnessError) Error() string {
	if e.Emulated {
		return fmt.Sprintf("--witness: %s is built by node %s, and every other node would have to emulate it", e.Platform, e.Node)
	}
	return fmt.Sprintf("--witness: no other node than %s can build %s", e.Node, e.Platform)
}

// Hint says what a witness is.
func (e *NoWitnessError) Hint() string {
	return fmt.Sprintf("name a second machine for %s, one that somebody else runs if you can: --node ADDRESS beside the first", e.Platform.OS+"/"+e.Platform.Arch)
}

// WitnessError says that two nodes have built two images of one platform.
type WitnessError struct {
	Platform                     platform.Platform
	Node, Witness                string
	Digest, WitnessDigest        string
	Layer, Layers, WitnessLayers int
	// First is the first file that differs, if any does.
	First *verify.Difference
}

func (e *WitnessError) Error() string {
	where := "files are the same, and times or how they are packed differ"
	switch {
	case e.First != nil && e.Layer > 0:
		where = fmt.Sprintf("the first difference is in layer %d of %d: %s", e.Layer, e.Layers, e.First)
	case e.First != nil:
		where = "the first difference: " + e.First.String()
	case e.Layer > 0:
		where = fmt.Sprintf("layer %d of %d is the first that differs: %s", e.Layer, e.Layers, where)
	}
	return fmt.Sprintf("%s: node %s has built %s and its witness, node %s, %s; %s", e.Platform, e.Node, e.Digest, e.Witness, e.WitnessDigest, where)
}

// Hint says that it need not be a lie.
func (e *WitnessError) Hint() string {
	return "one of them may not have built what it was told; but what depends on the time, on chance or on downloads differs honestly: " +
		"have such steps use SOURCE_DATE_EPOCH and pinned versions, or leave --witness out"
}

// ExitStatus is 3, as whenever an image is not what it is said to be.
func (e *WitnessError) ExitStatus() int { return 3 }

// epochOfWitness is the time of an image whose user has said none: any will do that both know.
const epochOfWitness = "0"

// witnessing has every image that is to have a witness get its times from SOURCE_DATE_EPOCH: with
// the time of the build in it, no two are the same. Results of former runs are no use either.
func (r run) witnessing(services []service) run {
	if !r.Witness {
		return r
	}
	r.resuming = nil
	for i := range services {
		s := &services[i]
		s.targets = slices.Clone(s.targets)
		for k := range s.targets {
			target := &s.targets[k]
			said := target.Args[sourceDateEpoch]
			if said == "" {
				said, _ = s.of(target.Platform).template.Global(template.Env{Target: target.Platform, Args: target.Args}, sourceDateEpoch)
			}
			if said == "" {
				target.Args = maps.Clone(target.Args)
				if target.Args == nil {
					target.Args = map[string]string{}
				}
				target.Args[sourceDateEpoch] = epochOfWitness
			}
		}
	}
	return r
}

// witness finds another node for a job than the one that builds it: the best there is, and one
// that needs no emulator unless the first does.
func (c *roster) witness(ctx context.Context, key jobKey, job plan.Job) (schedule.Option, error) {
	var ways []schedule.Option
	none := &NoWitnessError{Platform: key.platform, Node: job.Node}
	for i, at := range c.list {
		if at.name == job.Node || slices.ContainsFunc(c.list, func(p place) bool { return p.name == job.Node && p.address == at.address }) {
			continue
		}
		if c.lost != nil && c.lost()[i] != nil {
			continue
		}
		tried := c.try(ctx, key, i)
		switch {
		case tried.none || tried.err != nil:
		case tried.job.How == plan.Emulated && job.How != plan.Emulated:
			none.Emulated = true
		default:
			ways = c.option(ways, key, i, wayOf(tried.job))
		}
	}
	if len(ways) == 0 {
		return schedule.Option{}, none
	}
	return slices.MinFunc(ways, func(a, b schedule.Option) int { return cmp.Or(cmp.Compare(a.Way, b.Way), cmp.Compare(a.Node, b.Node)) }), nil
}

// addWitnesses has a plan show which nodes are to be witnesses.
func (c *roster) addWitnesses(ctx context.Context, service int, p *plan.Plan) error {
	var failed []error
	for i := range p.Jobs {
		job := &p.Jobs[i]
		way, err := c.witness(ctx, jobKey{service, job.Platform}, *job)
		failed = append(failed, err)
		if err == nil {
			job.Witness = c.list[way.Node].name
		}
		if job.Args[sourceDateEpoch] == epochOfWitness {
			p.Notes = appendOnce(p.Notes, "times in the image are those of SOURCE_DATE_EPOCH=0, unless you set it: --witness needs a time that both nodes know")
		}
	}
	return errors.Join(failed...)
}

func appendOnce(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// witnessed has other nodes build again what was built and verified. Images that differ
// are an error, also of platforms that may fail.
func (m *making) witnessed(ctx context.Context, results []manifest.Result, failed []error) error {
	if !m.Witness || ctx.Err() != nil {
		return nil
	}
	c, b, indexes, err := m.witnesses(ctx, failed)
	if err != nil {
		return err
	}
	fmt.Fprintf(m.engineLog(), "archbuild: %s: building %s again, on another node as a witness\n", ui.Line(m.service.name), platformList(b.plan))
	if err := c.build(ctx, []*batch{b}); err != nil {
		return fmt.Errorf("building with a witness: %w", err)
	}
	m.image.Sent, m.image.Refused = append(m.image.Sent, b.sent...), append(m.image.Refused, b.refused...)
	var wrong []error
	for k, i := range indexes {
		err := m.compared(ctx, i, b, k, results[i])
		if err != nil {
			at := &m.image.Platforms[i]
			at.State = stateFailed
			if errors.As(err, new(*WitnessError)) {
				at.State = stateRefused
			}
			at.failed(err)
		}
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// witnesses are a batch of all jobs that were done, and a crew that does each on its witness.
func (m *making) witnesses(ctx context.Context, failed []error) (*crew, *batch, []int, error) {
	r := m.run
	r.resuming, r.NoCache, r.cacheFrom = nil, true, nil
	r.cacheTo = slices.DeleteFunc(slices.Clone(r.cacheTo), func(c builder.Cache) bool { return c.Type != builder.CacheInline }) // that one is a part of the image
	r.emulated = maps.Clone(r.emulated)
	if r.emulated == nil {
		r.emulated = map[platform.Platform]string{}
	}
	for i, why := range m.again {
		if why != "" {
			r.emulated[m.plan.Jobs[i].Platform] = why
		}
	}
	from := m.crew.roster
	to := &roster{
		run: r, places: from.places, services: from.services, ways: map[jobKey][]schedule.Option{}, chosen: map[jobKey]int{}, expected: from.expected,
		history: from.history, left: from.left, lost: m.crew.dispatcher.Lost, tried: map[trialKey]trial{}, pinned: true,
	}
	b := &batch{run: r, service: m.service, index: m.index, number: m.index, plan: m.plan}
	b.plan.Jobs = nil
	var indexes []int
	for i, job := range m.plan.Jobs {
		if failed[i] != nil {
			continue
		}
		key := jobKey{m.index, job.Platform}
		way, err := to.witness(ctx, key, job)
		if err != nil {
			return nil, nil, nil, err
		}
		to.ways[key] = []schedule.Option{way}
		to.chosen[key] = slices.IndexFunc(to.list, func(p place) bool { return p.name == job.Node })
		b.plan.Jobs = append(b.plan.Jobs, job)
		indexes = append(indexes, i)
	}
	return &crew{roster: to, connections: m.crew.connections, dispatcher: m.crew.dispatcher, teller: m.crew.teller, bases: m.crew.bases}, b, indexes, nil
}

// compared holds the image of a witness against the first one.
func (m *making) compared(ctx context.Context, i int, b *batch, k int, first manifest.Result) error {
	job, seen := m.plan.Jobs[i], &Witness{Node: b.plan.Jobs[k].Node}
	m.image.Platforms[i].Witness = seen
	if err := b.built[k].Err; err != nil {
		var none *dispatch.NoNodeError
		if errors.As(err, &none) {
			err = none.Err
		}
		return fmt.Errorf("node %s, the witness: %w", seen.Node, err)
	}
	second, err := manifest.FromExport(manifest.Store{Dir: m.store.Dir}, job.Platform, b.built[k].Descriptor)
	if err != nil && !errors.As(err, new(*manifest.PlatformError)) {
		return m.refused(ctx, b.built[k], b.plan.Jobs[k], err)
	}
	seen.Digest, seen.Same = second.Descriptor.Digest.String(), second.Descriptor.Digest == first.Descriptor.Digest
	if seen.Same {
		return nil
	}
	e := &WitnessError{Platform: job.Platform, Node: job.Node, Witness: seen.Node, Digest: first.Descriptor.Digest.String(), WitnessDigest: seen.Digest}
	if err := m.tellApart(ctx, e, first, second); err != nil {
		return errors.Join(e, err)
	}
	return e
}

// tellApart finds the first layer that differs, and the first file.
func (m *making) tellApart(ctx context.Context, e *WitnessError, first, second manifest.Result) error {
	a, err := m.run.image(first)
	if err != nil {
		return err
	}
	b, err := m.run.image(second)
	if err != nil {
		return err
	}
	one, err := a.Manifest()
	if err != nil {
		return err
	}
	other, err := b.Manifest()
	if err != nil {
		return err
	}
	e.Layers, e.WitnessLayers = len(one.Layers), len(other.Layers)
	for i, layer := range one.Layers {
		if i >= len(other.Layers) || other.Layers[i].Digest != layer.Digest {
			e.Layer = i + 1
			break
		}
	}
	c, err := verify.Compare(ctx, a, b)
	if err == nil && len(c.Differences) > 0 {
		e.First = &c.Differences[0]
	}
	return err
}
