package archbuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
)

// The tags of several services move together: when all of them are built, verified and in their registries, under
// their digests. Who reads the tags meanwhile finds the services as they were, and for the moment in which they
// are written some old and some new, each of which is whole: an image holds the layers of its base, so no order
// among tags would be better than another. When one cannot be moved, those that were are moved back.

// deliver writes every output, pushes, and then writes the files that name the result. Tags that move together
// with those of others are left to pushAll.
func (m *making) deliver(ctx context.Context) error {
	tags := m.tagsOf(m.service)
	for _, out := range m.outputsOf(m.service) {
		switch {
		case out.Type == manifest.TypeImage:
			m.pushes = append(m.pushes, out)
		case out.Loads():
			loaded, err := m.load(ctx, out, m.whole, tags)
			if err != nil {
				return err
			}
			m.image.Loaded = append(m.image.Loaded, loaded)
		default:
			written, err := m.whole.Write(ctx, out, tags, ui.Exact(m.Stdout))
			if err != nil {
				return m.explainOutput(out.Dest, err)
			}
			m.image.Outputs = append(m.image.Outputs, written)
			for _, name := range written.Skipped {
				fmt.Fprintf(m.Stderr, "archbuild: warning: %s: device node left out: only root can make it\n", ui.Line(name))
			}
		}
	}
	wait := func(out manifest.Output) bool { return m.together && !out.ByDigest }
	for _, out := range m.pushes {
		if wait(out) {
			continue
		}
		pushed, err := m.whole.Push(ctx, m.registry, out.Named(tags), m.pushOptions(out))
		m.image.Pushed = join(m.image.Pushed, pushed)
		if err != nil {
			return err
		}
	}
	if m.pushes = slices.DeleteFunc(m.pushes, func(out manifest.Output) bool { return !wait(out) }); len(m.pushes) > 0 {
		return nil
	}
	return m.describe()
}

func (r run) pushOptions(out manifest.Output) manifest.PushOptions {
	return manifest.PushOptions{
		ByDigest: out.ByDigest, IfMatch: digest.Digest(r.IfMatch), ChildTags: r.ChildTags, Journal: manifest.Journal{Dir: r.world().Kept().Journal},
	}
}

// describe writes the files that name the result.
func (m *making) describe() error {
	metadata, err := m.metadata(m.service, m.whole, m.results, m.built, m.image)
	m.image.metadata = metadata
	err = errors.Join(err, m.writeFile(m.IIDFile, m.service.name, []byte(m.image.ID())))
	if m.joint {
		return err
	}
	return errors.Join(err, m.writeFile(m.MetadataFile, m.service.name, metadata))
}

// pushAll moves the tags of all services, if none has failed.
func (r run) pushAll(ctx context.Context, list []*making, failed []error) error {
	var names []string
	for i, m := range list {
		if failed[i] != nil {
			names = append(names, m.service.name)
		}
	}
	var deliveries []manifest.Delivery
	var of []*making
	options := manifest.PushOptions{}
	for _, m := range list {
		for _, out := range m.pushes {
			if len(names) > 0 {
				m.image.Held = names
				continue
			}
			options = m.pushOptions(out)
			deliveries, of = append(deliveries, manifest.Delivery{Index: &m.whole, Names: out.Named(m.tagsOf(m.service))}), append(of, m)
		}
	}
	if len(deliveries) == 0 {
		return nil
	}
	pushed, err := manifest.PushAll(ctx, r.registry, deliveries, options)
	for i, m := range of {
		m.image.Pushed = join(m.image.Pushed, pushed[i])
	}
	if err != nil {
		return err
	}
	var wrong []error
	for i, m := range of {
		if i == 0 || of[i-1] != m {
			wrong = append(wrong, m.describe())
		}
	}
	return errors.Join(wrong...)
}

// isJoint says whether --metadata-file is one file for several services: it then has a key for each, as bake's has.
func (r run) isJoint(list []*making) bool {
	return len(list) > 1 && r.MetadataFile != "" && manifest.Expand(r.MetadataFile, "") == r.MetadataFile
}

// writeMetadata writes what became of several services into one file.
func (r run) writeMetadata(list []*making) error {
	all := map[string]json.RawMessage{}
	for _, m := range list {
		all[m.service.name] = m.image.metadata
		if len(m.image.metadata) > 0 {
			continue
		}
		failure := map[string]any{metadataPlatforms: m.image.timed()}
		if len(m.image.Held) > 0 {
			failure[metadataHeld] = m.image.Held
		}
		body, err := json.Marshal(failure)
		if err != nil {
			return fmt.Errorf("writing metadata: %w", err)
		}
		all[m.service.name] = body
	}
	body, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("writing metadata: %w", err)
	}
	return r.writeFile(r.MetadataFile, "", append(body, '\n'))
}

// metadataHeld is a key of archbuild's own: the services whose failure kept the tags of this one from moving.
const metadataHeld = "archbuild.held"

// blocked says whether nothing is wrong with a service but what is wrong with others that it stands on.
func (m *making) blocked() bool {
	waits := false
	for _, b := range m.image.Platforms {
		switch b.State {
		case stateBuilt, stateResumed, stateNotStarted:
		case stateNotBuilt:
			waits = true
		default:
			return false
		}
	}
	return waits
}

// first are the failures that others do not come from; where there is none, all.
func first(list []*making, failed []error) error {
	var own []error
	for i, m := range list {
		if failed[i] != nil && !m.blocked() {
			own = append(own, failed[i])
		}
	}
	if len(own) == 0 {
		own = failed
	}
	return errors.Join(own...)
}
