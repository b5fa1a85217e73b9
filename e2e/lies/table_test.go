package lies_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/go-containerregistry/pkg/v1/types"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/archbuild/archbuild/platform"
)

// lie is one row.
type lie struct {
	says string
	// on is the platform that is asked for; empty is linux/amd64. The node says that it has it.
	on    string
	solve func(*world, *order) error
	// node changes what else it does; stalls says that it does nothing any more.
	node   func(*node)
	stalls bool
	want   string
	exit   int
}

// gives is a node that hands over an image.
func gives(make func(*world) image) func(*world, *order) error {
	return func(w *world, o *order) error { return o.give(make(w)) }
}

var lies = []lie{
	{
		says: "an answer without a descriptor", want: "names no image", exit: 3,
		solve: func(w *world, o *order) error { return o.send(w.honest().all()...) },
	},
	{
		says: "a digest that is a path", want: "names an image in no readable form", exit: 3,
		solve: func(_ *world, o *order) error {
			return o.name(ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: "sha256:../../../../etc/passwd", Size: 7})
		},
	},
	{
		says: "the digest of bytes that never came", want: "is not there", exit: 3,
		solve: func(w *world, o *order) error {
			i := w.honest()
			i.manifest.desc.Digest = digest.FromString("other")
			return errors.Join(o.send(w.honest().all()...), o.name(i.manifest.desc))
		},
	},
	{
		says: "bytes that do not have their digest", want: "is not there", exit: 3,
		solve: func(w *world, o *order) error {
			i := w.honest()
			forged := blob{i.manifest.desc, append([]byte{' '}, i.manifest.bytes[:len(i.manifest.bytes)-1]...)}
			if o.send(forged) == nil {
				w.t.Error("the store has taken bytes under another digest")
			}
			return errors.Join(o.send(i.layers[0].blob, i.layers[1].blob, i.config), o.name(i.manifest.desc))
		},
	},
	{
		says: "the answer to other inputs, which lies in the content store", want: "did not come from there", exit: 3,
		solve: func(w *world, o *order) error { return o.name(other(w).manifest.desc) },
	},
	{
		says: "an index of two images", want: "more than one image", exit: 3,
		solve: gives(func(w *world) image {
			a, b := w.honest(), other(w)
			return a.index(a.manifest.desc, b.manifest.desc).with(b.all()...)
		}),
	},
	{
		says: "an index in the place of the image of an index", want: "no image manifest", exit: 3,
		solve: gives(func(w *world) image {
			i := w.honest()
			inner := i.index(i.manifest.desc)
			return inner.index(inner.manifest.desc)
		}),
	},
	{
		says: "an image that is an index as well", want: "an image and an index at once", exit: 3,
		solve: gives(func(w *world) image {
			i := w.honest()
			text := bytes.Replace(i.manifest.bytes, []byte("{"), []byte(`{"manifests":[],`), 1)
			return i.under(blobOf(ocispec.MediaTypeImageManifest, text))
		}),
	},
	{
		says: "another media type than it is", want: "its descriptor says", exit: 3,
		solve: func(w *world, o *order) error {
			i := w.honest()
			i.manifest.desc.MediaType = string(types.DockerManifestSchema2)
			return errors.Join(o.send(w.honest().all()...), o.name(i.manifest.desc))
		},
	},
	{
		says: "a descriptor that is too long", want: "its descriptor says", exit: 3,
		solve: func(w *world, o *order) error {
			i := w.honest()
			i.manifest.desc.Size++
			return errors.Join(o.send(w.honest().all()...), o.name(i.manifest.desc))
		},
	},
	{
		says: "a descriptor that is too short", want: "its descriptor says", exit: 3,
		solve: func(w *world, o *order) error {
			i := w.honest()
			i.manifest.desc.Size--
			return errors.Join(o.send(w.honest().all()...), o.name(i.manifest.desc))
		},
	},
	{
		says: "a layer of another size", want: "its descriptor says", exit: 3,
		solve: gives(func(w *world) image {
			return making{label: w.label, manifest: func(m *ocispec.Manifest) { m.Layers[1].Size = 1 << 40 }}.of(w.base, w.app)
		}),
	},
	{
		says: "a config of no size", want: "its descriptor says 0", exit: 3,
		solve: gives(func(w *world) image {
			return making{label: w.label, manifest: func(m *ocispec.Manifest) { m.Config.Size = 0 }}.of(w.base, w.app)
		}),
	},
	{
		says: "a config that is none of an image", want: "is no image", exit: 3,
		solve: gives(func(w *world) image {
			return making{label: w.label, manifest: func(m *ocispec.Manifest) { m.Config.MediaType = "application/x" }}.of(w.base, w.app)
		}),
	},
	{
		says: "a layer that does not come", want: "did not come from there", exit: 3,
		solve: func(w *world, o *order) error {
			i := w.honest()
			return errors.Join(o.send(i.layers[0].blob, i.config, i.manifest), o.name(i.manifest.desc))
		},
	},
	{
		says: "one layer more than its config knows", want: "no runtime unpacks that", exit: 3,
		solve: gives(func(w *world) image {
			return making{label: w.label, config: func(c *ocispec.Image) { c.RootFS.DiffIDs = c.RootFS.DiffIDs[:1] }}.of(w.base, w.app)
		}),
	},
	{
		says: "the label of another platform", want: "its config says linux/arm64", exit: 3,
		solve: gives(func(w *world) image { return making{label: platform.MustParse("linux/arm64")}.of(w.base, w.app) }),
	},
	{
		says: "the right label, and a program for another machine", want: "/app: found linux/arm64", exit: 3,
		solve: gives(func(w *world) image {
			return making{label: w.label}.of(w.base, layerOf(w.t, "app", 0o755, program(arm64, "")))
		}),
	},
	{
		says: "a platform that it does not have", on: "linux/arm64", want: "/app: found linux/amd64", exit: 3,
		solve: gives(func(w *world) image {
			return making{label: w.label}.of(w.base, layerOf(w.t, "app", 0o755, program(amd64, "")))
		}),
	},
	{
		says: "a program that begins rightly, in a layer that unpacks to other bytes than its config says", want: "unpacks to", exit: 3,
		solve: gives(func(w *world) image {
			l := layerOf(w.t, "app", 0o755, program(amd64, "a back door"))
			l.diffID = w.app.diffID
			return making{label: w.label}.of(w.base, l)
		}),
	},
	{
		says: "a layer that unpacks without end", want: "bytes unpacked", exit: 1,
		solve: gives(func(w *world) image { return making{label: w.label}.of(w.base, w.app, bomb(w.t)) }),
	},
	{
		says: "another base than the one that was proven", want: "does not stand on", exit: 3,
		solve: gives(func(w *world) image {
			return making{label: w.label}.of(layerOf(w.t, "etc/base", 0o644, []byte("evil")), w.app)
		}),
	},
	{
		says: "no base at all", want: "does not stand on", exit: 3,
		solve: gives(func(w *world) image { return making{label: w.label}.of(w.app) }),
	},
	{
		says: "the base's layer, and the config of another one's", want: "does not stand on", exit: 3,
		solve: gives(func(w *world) image {
			return making{label: w.label, config: func(c *ocispec.Image) { c.RootFS.DiffIDs[0] = digest.FromString("other") }}.of(w.base, w.app)
		}),
	},
	{
		says: "an attestation beside another image", want: "speaks of", exit: 3,
		solve: gives(func(w *world) image { i := w.honest(); return i.attested(w.base.desc.Digest, i.manifest.desc.Digest) }),
	},
	{
		says: "an attestation for another subject", want: "speaks of another subject", exit: 3,
		solve: gives(func(w *world) image { i := w.honest(); return i.attested(i.manifest.desc.Digest, w.base.desc.Digest) }),
	},
	{
		stalls: true,
		says:   "a stall in the middle of a layer", want: "nothing of the image has come for", exit: 1,
		solve: func(w *world, o *order) error {
			i := w.honest()
			to, err := o.store.Writer(o.ctx, content.WithRef("layer"), content.WithDescriptor(i.layers[1].desc))
			if err == nil {
				_, err = to.Write(i.layers[1].bytes[:20])
			}
			<-o.ctx.Done()
			return err
		},
		node: func(n *node) {
			n.tells = func(ctx context.Context, to controlapi.Control_StatusServer) error {
				now := time.Now() // a step seems to run, as exporting does
				err := to.Send(status("exporting to oci image format", &now, nil))
				<-ctx.Done()
				return err
			}
		},
	},
	{
		stalls: true,
		says:   "a stall when all is done", want: "no step runs there", exit: 1,
		solve: func(_ *world, o *order) error { <-o.ctx.Done(); return nil },
	},
	{
		stalls: true,
		says:   "a stall, and no sign of life", want: "no answer for", exit: 1,
		solve: func(_ *world, o *order) error { <-o.ctx.Done(); return nil },
		node: func(n *node) {
			n.silent = make(chan struct{})
			close(n.silent)
			n.tells = func(ctx context.Context, to controlapi.Control_StatusServer) error {
				now := time.Now()
				err := to.Send(status("a step", &now, nil))
				<-ctx.Done()
				return err
			}
		},
	},
	{
		says: "steps without end", want: "more steps than any build has", exit: 3,
		solve: func(_ *world, o *order) error { <-o.ctx.Done(); return nil },
		node:  func(n *node) { n.tells = endless },
	},
}

// other is what the node could have built for somebody else.
func other(w *world) image {
	return making{label: w.label}.of(w.base, layerOf(w.t, "app", 0o755, program(amd64, "of somebody else")))
}

// status tells of one step.
func status(name string, started, completed *time.Time) *controlapi.StatusResponse {
	v := &controlapi.Vertex{Digest: digest.FromString(name).String(), Name: name}
	if started != nil {
		v.Started = timestamppb.New(*started)
	}
	if completed != nil {
		v.Completed = timestamppb.New(*completed)
	}
	return &controlapi.StatusResponse{Vertexes: []*controlapi.Vertex{v}}
}

// endless tells of ever more steps.
func endless(ctx context.Context, to controlapi.Control_StatusServer) error {
	for n := 0; ctx.Err() == nil; {
		all := &controlapi.StatusResponse{}
		for range 5000 {
			n++
			now := time.Now()
			all.Vertexes = append(all.Vertexes, status(fmt.Sprint("step ", n), &now, nil).Vertexes...)
		}
		if err := to.Send(all); err != nil {
			return err
		}
	}
	return nil
}
