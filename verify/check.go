package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/platform"
)

// CheckOptions say what a Checker looks at.
type CheckOptions struct {
	// Platforms limits looking to the images for these; empty means all.
	Platforms []platform.Platform
	// Allow is Options.Allow.
	Allow []string
	// Memory remembers verdicts; nil remembers nothing.
	Memory Memory
	// Deep reads every blob and compares its digest.
	Deep bool
	// BaseLayers is Options.BaseLayers of images, by the digest of their manifest.
	BaseLayers map[string]int
	// MaxBytes bounds what the layers of an image unpack to. 0 means 4 GiB and a
	// hundred times what they have.
	MaxBytes int64
}

// Result is what was found under one name.
type Result struct {
	Digest    string `json:"digest"`
	MediaType string `json:"mediaType"`
	// Images in the order of the index.
	Images []Looked `json:"images"`
	// PassedOver is what is no image; its blobs are looked for all the same.
	PassedOver []Passed `json:"passedOver,omitempty"`
	// Blobs that are there, and their bytes; each counts once.
	Blobs int   `json:"blobs"`
	Bytes int64 `json:"bytes"`
	// Findings are sorted: what is serious first.
	Findings []Finding `json:"findings"`
}

// Looked is one image.
type Looked struct {
	Platform string `json:"platform"`
	Digest   string `json:"digest"`
	// Size as it travels, and the number of layers.
	Size   int64 `json:"size"`
	Layers int   `json:"layers"`
	// Files and Programs are those of Report; Audited is false when the image's
	// files could not be looked at, for reasons that are among the findings.
	Files    int  `json:"files"`
	Programs int  `json:"programs"`
	Allowed  int  `json:"allowed,omitempty"`
	Audited  bool `json:"audited"`
}

// Passed is something in an index that is no image.
type Passed struct {
	Digest string `json:"digest"`
	Kind   string `json:"kind"`
	Type   string `json:"type,omitempty"`
}

// Checker looks at everything under any number of names, each manifest, blob and
// image once. It may be used by many goroutines, and lives for one run.
type Checker struct {
	o      CheckOptions
	asks   chan struct{} // questions to a registry at once
	looks  chan struct{} // images whose files are read at once
	shared map[string]*sharedLayers

	sizes  once[int64]
	deeps  once[struct{}]
	audits once[audited]

	mu   sync.Mutex
	read map[string]bool // blobs that were read to the end
}

// NewChecker makes one. It says so at once when a glob of Allow is none.
func NewChecker(o CheckOptions) (*Checker, error) {
	if _, err := parseGlobs(o.Allow); err != nil {
		return nil, err
	}
	return &Checker{
		o: o, asks: make(chan struct{}, 8), looks: make(chan struct{}, min(4, runtime.GOMAXPROCS(0))),
		shared: map[string]*sharedLayers{}, read: map[string]bool{},
	}, nil
}

// Check looks at what a name stands for. What is wrong is in the result's
// findings; the error says that something could not be looked at, and the result
// then holds what was found until there.
func (c *Checker) Check(ctx context.Context, name string, from *imagetree.Opened) (Result, error) {
	result := Result{Digest: from.Root.Digest.String(), MediaType: from.Root.MediaType, Images: []Looked{}, Findings: []Finding{}}
	root, err := imagetree.Read(ctx, from, from.Root, imagetree.Options{Platforms: c.o.Platforms})
	if err != nil {
		return result, fmt.Errorf("reading %s: %w", name, err)
	}
	result.MediaType = root.MediaType
	k := &check{Checker: c, from: from, result: &result, blobs: map[string]bool{}}
	k.list(root)
	if len(k.images) == 0 {
		return result, k.none(name, root)
	}
	k.add(structure(root, from.Several)...)
	failed := k.nodes(ctx)
	if c.o.Deep {
		failed = append(failed, k.deep(ctx))
	}
	failed = about(name, failed)
	k.sort()
	for _, p := range c.o.Platforms {
		if !slices.ContainsFunc(k.images, func(n *imagetree.Node) bool { return n.Platform == p }) {
			failed = append(failed, &imagetree.NoPlatformError{Name: name, Platform: p, There: root.Platforms()})
		}
	}
	return result, errors.Join(failed...)
}

// about puts a name before each of the errors, which stay independent.
func about(name string, errs []error) []error {
	var list []error
	for _, err := range errs {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			list = append(list, about(name, joined.Unwrap())...)
		} else if err != nil {
			list = append(list, fmt.Errorf("%s: %w", name, err))
		}
	}
	return list
}

// check is one name being looked at.
type check struct {
	*Checker
	from   *imagetree.Opened
	result *Result
	// all are the nodes that were read, images those of them that are images.
	all, images []*imagetree.Node

	mu    sync.Mutex
	blobs map[string]bool
}

// list sorts out what there is.
func (k *check) list(root *imagetree.Node) {
	seen := map[string]bool{}
	root.Each(func(n *imagetree.Node) {
		key := n.Descriptor.Digest.String() + " " + n.Platform.String()
		if n.Skipped || seen[key] {
			return
		}
		seen[key] = true
		k.all = append(k.all, n)
		switch n.Kind {
		case imagetree.Image:
			if len(k.o.Platforms) == 0 || slices.Contains(k.o.Platforms, n.Platform) {
				k.images = append(k.images, n)
			}
		case imagetree.Attestation, imagetree.Artifact:
			k.result.PassedOver = append(k.result.PassedOver, passed(n))
		}
	})
}

func passed(n *imagetree.Node) Passed {
	kind := cmp.Or(n.ArtifactType, n.Descriptor.ArtifactType)
	if kind == "" && n.Config != nil && n.Kind == imagetree.Artifact {
		kind = n.Config.MediaType
	}
	return Passed{Digest: n.Descriptor.Digest.String(), Kind: string(n.Kind), Type: cmp.Or(kind, n.MediaType)}
}

// none says why there is no image.
func (k *check) none(name string, root *imagetree.Node) error {
	if there := root.Platforms(); len(k.o.Platforms) > 0 && len(there) > 0 {
		var failed []error
		for _, p := range k.o.Platforms {
			failed = append(failed, &imagetree.NoPlatformError{Name: name, Platform: p, There: there})
		}
		return errors.Join(failed...)
	}
	return &EmptyError{name}
}

func (k *check) add(list ...Finding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.result.Findings = append(k.result.Findings, list...)
}

// nodes looks at each manifest with its blobs, and at the files of images.
func (k *check) nodes(ctx context.Context) []error {
	k.result.Images = make([]Looked, len(k.images))
	failed := make([]error, len(k.all))
	var group errgroup.Group
	group.SetLimit(16)
	for i, n := range k.all {
		group.Go(func() error {
			failed[i] = k.node(ctx, n)
			return nil
		})
	}
	_ = group.Wait() // it never fails: every image is looked at
	return failed
}

func (k *check) node(ctx context.Context, n *imagetree.Node) error {
	whole, err := k.there(ctx, n)
	at := slices.Index(k.images, n)
	if at < 0 {
		return err
	}
	looked := Looked{Platform: n.Platform.String(), Digest: n.Descriptor.Digest.String(), Size: n.Size(), Layers: len(n.Layers)}
	if whole && err == nil {
		err = k.audit(ctx, n, &looked)
	}
	k.result.Images[at] = looked
	return err
}

func (k *check) sort() {
	weight := map[Severity]int{SeverityError: 0, SeverityWarning: 1, SeverityNote: 2}
	slices.SortFunc(k.result.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(weight[a.Severity], weight[b.Severity]), cmp.Compare(a.Platform, b.Platform),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Message, b.Message))
	})
	k.result.Findings = slices.Compact(k.result.Findings)
}

// EmptyError says that there is no image for a platform in what was named.
type EmptyError struct{ Name string }

func (e *EmptyError) Error() string { return fmt.Sprintf("%s holds no image for a platform", e.Name) }

// Hint says what could be there instead.
func (e *EmptyError) Hint() string {
	return "attestations, signatures and other artifacts cannot be verified; name an image"
}
