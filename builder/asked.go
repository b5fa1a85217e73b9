package builder

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/archbuild/archbuild/plan"
	"github.com/opencontainers/go-digest"
)

// Asked is the digest of all that a node is told of a job: what the frontend, the
// source policy and the exporter get, with every build argument, label, annotation
// and pinned image. Two jobs of the same digest that see the same files build the same.
//
// It does not hold what a session offers: the Dockerfile, the files of the context
// and of folders among the named contexts, the caches outside of the node. Secrets are
// no part of it either, as they are none of BuildKit's cache keys.
func (from Sources) Asked(ctx context.Context, job plan.Job, opts Options) (digest.Digest, error) {
	ignored, hidden, err := from.ignored()
	if err != nil {
		return "", err
	}
	s := &Session{named: map[string]string{}, dockerfiles: newDockerfiles(from.Dockerfiles), fetched: from.Context.Fetched, ignored: ignored, hidden: hidden}
	for name, layout := range from.Layouts {
		s.named[name] = layout.address(name)
	}
	attrs, inputs, err := s.frontendAttrs(job, opts)
	if err != nil {
		return "", err
	}
	states := map[string][][]byte{}
	for name, state := range inputs {
		def, err := state.Marshal(ctx)
		if err != nil {
			return "", fmt.Errorf("adding up what %s is built from: %w", name, err)
		}
		states[name] = def.Def
	}
	body, err := json.Marshal(struct {
		Attrs, Export map[string]string
		Inputs        map[string][][]byte
		Policy        any
		Allow         []string
	}{attrs, exportAttrs(job, opts), states, pins(job), opts.Allow})
	if err != nil {
		return "", fmt.Errorf("adding up what is asked for %s: %w", job.Platform, err)
	}
	return digest.FromBytes(body), nil
}

// Pinned says whether the address names one content for ever: a commit of a
// repository. Whatever a server has at an address of its own may change.
func (r Remote) Pinned() bool {
	g, err := r.git()
	if g == nil || err != nil {
		return false
	}
	return isCommit(g.Checksum) || isCommit(g.Ref)
}

// isCommit says whether a text is a whole commit, by SHA-1 or SHA-256.
func isCommit(text string) bool {
	const short, long = 40, 64
	if len(text) != short && len(text) != long {
		return false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
