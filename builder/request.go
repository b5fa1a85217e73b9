package builder

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// What a node asks a session for costs it a step each time: a folder is mounted, compared and noted in its databases,
// and each note is a write that waits for the disk. Where everything is cached, that is most of what a job takes. So
// what is short and known goes along with the request: the Dockerfile, its ignore file, and the configs of those images
// of the run that the job stands on.

// putInRequest is that, for the frontend inside BuildKit; another one may not know of it. Where provenance is wanted,
// which tells of folders that a node has read, the node reads them.
func (s *Session) putInRequest(job plan.Job, opts Options, attrs map[string]string, inputs map[string]llb.State) error {
	if job.Frontend != "" || opts.Provenance != "" {
		return nil
	}
	text, short, err := s.dockerfileState(job.Dockerfile, opts.NoCache)
	if err != nil {
		return err
	}
	if short {
		inputs[dockerfileLocal] = text
		delete(attrs, "dockerfilekey")
	}
	for name, image := range opts.Images {
		if state, ok := s.imageState(name, image); ok {
			input := "image-" + digest.FromString(name).Encoded()[:16]
			metadata, err := json.Marshal(map[string][]byte{exptypes.ExporterImageConfigKey: image.Config})
			if err != nil {
				return fmt.Errorf("handing over %s: %w", name, err)
			}
			inputs[input] = state
			attrs[contextAttr(name)], attrs["input-metadata:"+input] = "input:"+input, string(metadata)
		}
	}
	return nil
}

// noPatterns is an ignore file that names nothing. Where the Dockerfile has one of its own the node does not look for
// one in the context.
const noPatterns = "#\n"

// mostInRequest bounds each of them, in bytes: a node takes no request of more than 16 MiB.
const mostInRequest = 1 << 20

// dockerfileState is a Dockerfile with the ignore file that holds for it, unless they are too long. Afresh writes them
// again where the node has them: no step of a build without cache is shown as cached.
func (s *Session) dockerfileState(name string, afresh bool) (text llb.State, short bool, err error) {
	_, offered := s.dockerfiles.give()
	ignored, own := offered[name+ignore.File]
	if !own && s.contextIgnore != nil {
		if ignored, err = s.contextIgnore(); err != nil {
			return llb.State{}, false, fmt.Errorf("reading the context: %w", err)
		}
	}
	if len(ignored) == 0 {
		ignored = []byte(noPatterns)
	}
	if len(offered[name])+len(ignored) > mostInRequest {
		return llb.State{}, false, nil
	}
	files := llb.Mkfile(name, 0o644, offered[name]).Mkfile(name+ignore.File, 0o644, ignored)
	how := []llb.ConstraintsOpt{llb.WithCustomName("[internal] load build definition from " + name)}
	if afresh {
		how = append(how, llb.IgnoreCache)
	}
	return llb.Scratch().File(files, how...), true, nil
}

// imageState is an image of the run as a source: what the frontend would make of its address once it has read the
// config.
func (s *Session) imageState(name string, image Image) (llb.State, bool) {
	named, on, found := strings.Cut(name, "::")
	p, err := platform.Parse(on)
	if !found || err != nil || len(image.Config) == 0 || len(image.Config) > mostInRequest {
		return llb.State{}, false
	}
	ref, err := reference.ParseNormalizedNamed(named)
	if err != nil {
		return llb.State{}, false
	}
	pinned, err := reference.WithDigest(ref, image.Digest)
	if err != nil {
		return llb.State{}, false
	}
	title := strings.TrimPrefix(contextAttr(name), "context:")
	return llb.OCILayout(pinned.String(), llb.OCIStore(s.ID(), handedStore), llb.Platform(p.OCI()),
		llb.WithCustomName("[context "+title+"] OCI load from client")), true
}
