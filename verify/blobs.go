package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/platform"
)

// there asks for a node's manifest and blobs. whole means that the image's files
// can be read.
func (k *check) there(ctx context.Context, n *imagetree.Node) (whole bool, err error) {
	for _, p := range n.Problems {
		k.add(k.finding(n, p))
	}
	if n.Raw == nil {
		return false, nil
	}
	blobs := blobsOf(n)
	problems, failed := make([]*imagetree.Problem, len(blobs)+1), make([]error, len(blobs)+1)
	var group errgroup.Group
	for i, desc := range append([]ocispec.Descriptor{n.Descriptor}, blobs...) {
		group.Go(func() error {
			problems[i], failed[i] = k.size(ctx, desc)
			return nil
		})
	}
	_ = group.Wait() // it never fails: every blob is asked for
	whole = n.RawConfig != nil && n.Image != nil
	for _, p := range problems {
		// Another size is told already of what was read, and stops nobody from reading.
		if p == nil || told(n, *p) {
			continue
		}
		k.add(k.finding(n, *p))
		whole = whole && p.Kind == imagetree.Size
	}
	return whole, errors.Join(failed...)
}

// told tells whether a problem was found on reading.
func told(n *imagetree.Node, p imagetree.Problem) bool {
	for _, known := range n.Problems {
		if known.Kind == p.Kind && known.Digest == p.Digest {
			return true
		}
	}
	return false
}

// blobsOf lists what belongs to a manifest, without what lies on somebody's server.
func blobsOf(n *imagetree.Node) []ocispec.Descriptor {
	var list []ocispec.Descriptor
	if n.Config != nil {
		list = append(list, *n.Config)
	}
	for _, layer := range n.Layers {
		kind := types.MediaType(layer.MediaType)
		if len(layer.URLs) > 0 || kind.IsLayer() && !kind.IsDistributable() {
			continue
		}
		list = append(list, layer)
	}
	return list
}

func (c *Checker) key(from *imagetree.Opened, desc ocispec.Descriptor) string {
	return from.Place + " " + desc.Digest.String()
}

// size asks whether a blob is there, with the size that its descriptor says.
func (k *check) size(ctx context.Context, desc ocispec.Descriptor) (*imagetree.Problem, error) {
	key := k.key(k.from, desc)
	size, err := k.sizes.do(ctx, key, func() (int64, error) {
		select {
		case k.asks <- struct{}{}:
			defer func() { <-k.asks }()
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		return k.from.Size(ctx, desc)
	})
	var p *imagetree.Problem
	switch {
	case errors.As(err, &p):
		return p, nil
	case err != nil:
		return nil, fmt.Errorf("looking for %s: %w", desc.Digest, err)
	case size >= 0 && desc.Size > 0 && size != desc.Size, size > 0 && desc.Size <= 0:
		return &imagetree.Problem{Kind: imagetree.Size, Digest: desc.Digest,
			Message: fmt.Sprintf("%s has %d bytes, its descriptor says %d", desc.Digest, size, desc.Size)}, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.blobs[key] {
		k.blobs[key] = true
		k.result.Blobs++
		k.result.Bytes += max(size, 0)
	}
	return nil, nil
}

// finding is a problem of a node's document or blob.
func (k *check) finding(n *imagetree.Node, p imagetree.Problem) Finding {
	f := Finding{Severity: SeverityError, Kind: Kind(p.Kind), Platform: n.Platform.String(), Digest: p.Digest.String(), Message: printable(p.Message)}
	what := "the image"
	if n.Platform != (platform.Platform{}) {
		what = "the image for " + n.Platform.String()
	} else if n.Kind != imagetree.Image {
		what = "the " + string(n.Kind)
	}
	if p.Digest == n.Descriptor.Digest {
		f.Message = "the manifest of " + what + ": " + f.Message
	} else {
		f.Message = what + ": " + f.Message
	}
	switch p.Kind {
	case imagetree.Missing:
		f.Hint = fmt.Sprintf("push %s again, with all that it refers to; if a retention job removes untagged manifests, let it spare the children of indexes", what)
	case imagetree.Size:
		f.Hint = fmt.Sprintf("what lies there is damaged, or the descriptor lies: build and push %s again", what)
		if p.Digest == n.Descriptor.Digest { // Its digest is right, so it is the index that is wrong.
			f.Hint = "assemble the index again with archbuild manifest create, which writes what is true"
		}
	case imagetree.MediaType:
		f.Hint = "assemble the index again with archbuild manifest create, which writes what is true"
	default:
		f.Hint = fmt.Sprintf("what lies there is damaged: build and push %s again", what)
	}
	return f
}

// audited is what looking at the files of an image gave.
type audited struct {
	report Report
	// broken says that the layers hold no files that a runtime could unpack.
	broken  error
	problem *imagetree.Problem
}

// audit looks at an image's files.
func (k *check) audit(ctx context.Context, n *imagetree.Node, looked *Looked) error {
	if n.Platform == (platform.Platform{}) {
		k.add(Finding{
			Severity: SeverityError, Kind: KindPlatform, Digest: n.Descriptor.Digest.String(),
			Message: fmt.Sprintf("image %s has no platform, neither in the index nor in its config", n.Descriptor.Digest),
			Hint:    "build it again with --platform, or assemble it with archbuild manifest create --set-platform",
		})
		return nil
	}
	if k.from.Root.Digest != n.Descriptor.Digest && n.Descriptor.Platform == nil && !k.from.Several {
		k.add(Finding{
			Severity: SeverityWarning, Kind: KindPlatform, Platform: n.Platform.String(), Digest: n.Descriptor.Digest.String(),
			Message: fmt.Sprintf("the index gives no platform for %s, only its config does (%s): clients that choose by the index (crane, podman) do not find it", n.Descriptor.Digest, n.Platform),
			Hint:    "assemble the index again with archbuild manifest create, which fills it in",
		})
	}
	if len(n.Image.RootFS.DiffIDs) != len(n.Layers) {
		k.add(Finding{
			Severity: SeverityError, Kind: KindInvalid, Platform: n.Platform.String(), Digest: n.Config.Digest.String(),
			Message: fmt.Sprintf("the config of the image for %s names %d layers, its manifest has %d: no runtime unpacks that", n.Platform, len(n.Image.RootFS.DiffIDs), len(n.Layers)),
			Hint:    "build that image again",
		})
	}
	a, err := k.audits.do(ctx, k.key(k.from, n.Descriptor)+" "+n.Platform.String(), func() (audited, error) {
		select {
		case k.looks <- struct{}{}:
			defer func() { <-k.looks }()
		case <-ctx.Done():
			return audited{}, context.Cause(ctx)
		}
		return k.look(ctx, n)
	})
	switch {
	case err != nil:
		return err
	case a.problem != nil:
		k.add(k.finding(n, *a.problem))
		return nil
	case a.broken != nil:
		k.add(Finding{
			Severity: SeverityError, Kind: KindInvalid, Platform: n.Platform.String(), Digest: n.Descriptor.Digest.String(),
			Message: fmt.Sprintf("the image for %s cannot be unpacked: %s", n.Platform, printable(a.broken.Error())),
			Hint:    "what lies there is damaged: build and push that image again",
		})
		return nil
	}
	looked.Audited, looked.Files, looked.Programs, looked.Allowed = true, a.report.Files, a.report.Programs, a.report.Allowed
	for _, f := range a.report.Findings {
		if f.Digest == "" {
			f.Digest = n.Descriptor.Digest.String()
		}
		k.add(f)
	}
	return nil
}

// Honest layers unpack to a few times what they have; files of zeros to more.
const (
	bombFloor = 4 << 30
	bombRatio = 100
)

// look verifies the image and tells its own faults from those of the way to it.
func (k *check) look(ctx context.Context, n *imagetree.Node) (audited, error) {
	var mu sync.Mutex
	var source error
	img, err := n.V1(ctx, func(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
		body, err := k.from.Blob(ctx, desc, 0)
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			source = err
			return nil, err
		}
		return &watched{ReadCloser: body, end: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				source = err
			} else {
				k.done(k.key(k.from, desc))
			}
		}}, nil
	})
	if err != nil {
		return audited{broken: err}, nil
	}
	report, err := Image(ctx, img, Options{
		Platform: n.Platform, Allow: k.o.Allow, Memory: k.o.Memory, MaxBytes: k.limit(n), shared: k.layersOf(k.from),
		BaseLayers: k.o.BaseLayers[n.Descriptor.Digest.String()],
	})
	if err == nil {
		return audited{report: report}, nil
	}
	mu.Lock()
	defer mu.Unlock()
	var p *imagetree.Problem
	switch {
	case ctx.Err() != nil, errors.As(err, new(*LimitError)):
		return audited{}, err
	case errors.As(source, &p):
		return audited{problem: p}, nil
	case source != nil:
		return audited{}, err
	}
	return audited{broken: err}, nil
}

// limit is what an image's layers may unpack to.
func (k *check) limit(n *imagetree.Node) int64 {
	switch size := n.Size(); {
	case k.o.MaxBytes > 0:
		return k.o.MaxBytes
	case size < (maxUnpacked-bombFloor)/bombRatio:
		return bombFloor + bombRatio*size
	}
	return maxUnpacked
}

// layersOf keeps layers of one place apart from those of others.
func (c *Checker) layersOf(from *imagetree.Opened) *sharedLayers {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shared[from.Place] == nil {
		c.shared[from.Place] = &sharedLayers{}
	}
	return c.shared[from.Place]
}

func (c *Checker) done(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read[key] = true
}

func (c *Checker) wasRead(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read[key]
}

// watched tells how the reading of a blob ended.
type watched struct {
	io.ReadCloser
	end  func(error)
	told bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err == nil || w.told {
		return n, err
	}
	w.told = true
	if err == io.EOF {
		w.end(nil)
	} else {
		w.end(err)
	}
	return n, err
}

// drained bounds what is read of a layer whose beginning could not be unpacked.
const drained = 64 << 20

// Close reads on to the end, if that is near: layers that cannot be unpacked
// are mostly ones that do not have their digest, which is seen only there.
func (w *watched) Close() error {
	if !w.told {
		_, _ = io.CopyN(io.Discard, w, drained)
	}
	return w.ReadCloser.Close()
}

// deep reads every blob that was not read yet, and compares its digest.
func (k *check) deep(ctx context.Context) error {
	type one struct {
		node *imagetree.Node
		desc ocispec.Descriptor
	}
	var list []one
	for _, n := range k.all {
		for _, desc := range blobsOf(n) {
			list = append(list, one{n, desc})
		}
	}
	failed := make([]error, len(list))
	var group errgroup.Group
	group.SetLimit(4)
	for i, o := range list {
		group.Go(func() error {
			failed[i] = k.deepen(ctx, o.node, o.desc)
			return nil
		})
	}
	_ = group.Wait() // it never fails: every blob is read
	return errors.Join(failed...)
}

func (k *check) deepen(ctx context.Context, n *imagetree.Node, desc ocispec.Descriptor) error {
	key := k.key(k.from, desc)
	k.mu.Lock()
	there := k.blobs[key]
	k.mu.Unlock()
	if !there || k.wasRead(key) || n.RawConfig != nil && desc.Digest == n.Config.Digest {
		return nil // what is not there was told
	}
	_, err := k.deeps.do(ctx, key, func() (struct{}, error) { return struct{}{}, k.hash(ctx, desc) })
	var p *imagetree.Problem
	if errors.As(err, &p) {
		k.add(k.finding(n, *p))
		return nil
	}
	return err
}

// hash reads a blob, and not a byte more than its descriptor says.
func (k *check) hash(ctx context.Context, desc ocispec.Descriptor) error {
	body, err := k.from.Blob(ctx, desc, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	verifier := desc.Digest.Verifier()
	n, err := io.Copy(verifier, io.LimitReader(&interruptible{ctx, body}, desc.Size+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading blob %s: %w", desc.Digest, err)
	case n != desc.Size:
		return &imagetree.Problem{Kind: imagetree.Size, Digest: desc.Digest, Message: fmt.Sprintf("%s has other than the %d bytes that its descriptor says", desc.Digest, desc.Size)}
	case !verifier.Verified():
		return &imagetree.Problem{Kind: imagetree.Digest, Digest: desc.Digest, Message: fmt.Sprintf("%s holds other bytes", desc.Digest)}
	}
	return nil
}
