package archbuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/verify"
)

// A node says what it has built. All of that is looked at here, in the bytes that came:
//
//	what it names      came from this node, in this session          handedOver
//	digests, sizes     are those of the bytes                        the content store, manifest
//	the layers         unpack to what the config says                verify
//	the base           is the one that was proven, layer by layer    standsOn
//	the programs       are for the platform                          verify
//	attestations       speak of this image                           manifest
//
// That a node built what it was told, and nothing besides, no look at its result can prove:
// that is what --witness is for.

// handedOver says whether all that a node names as its result came from it. Else it could
// name whatever lies in the content store, such as what was built for somebody else.
func (b *batch) handedOver(from *builder.Session, result builder.Result, node string) error {
	blobs, err := b.store.Blobs(result.Descriptor)
	if err == nil {
		i := slices.IndexFunc(blobs, func(blob keep.Blob) bool { return !blob.Outside && !from.Brought(blob.Digest) })
		if i < 0 {
			return nil
		}
		err = fmt.Errorf("%s is a part of it, and did not come from there", blobs[i].Digest)
	}
	return &builder.LieError{Node: node, Platform: result.Platform, Err: err}
}

// StandsError says that an image does not stand on its base.
type StandsError struct {
	// Base by name and digest, and what it is that the image has in the place of one of its layers.
	Base, Want, Got string
}

func (e *StandsError) Error() string {
	got := e.Got
	if got == "" {
		got = "no more layers"
	}
	return fmt.Sprintf("the image does not stand on %s, the base that was proven: in the place of its layer %s it has %s", e.Base, e.Want, got)
}

// onItsBase is standsOn for a result. Where estargz is forced on all layers, those of the base unpack to more than
// they did, a list of their files; and where times are rewritten, those of a younger base are too: nothing tells the
// base any more, and all of them are audited.
func (r run) onItsBase(result manifest.Result, job plan.Job) error {
	if r.export["compression"] == "estargz" && r.export["force-compression"] == "true" || r.rewritesTimes(job) {
		return nil
	}
	img, err := r.image(result)
	if err != nil {
		return err
	}
	return standsOn(img, job)
}

// rewritesTimes says whether the exporter gives files another time: asked for, or by SOURCE_DATE_EPOCH.
func (r run) rewritesTimes(job plan.Job) bool {
	if said, ok := r.export["rewrite-timestamp"]; ok {
		return said == "true"
	}
	return job.Args[sourceDateEpoch] != ""
}

// standsOn says whether an image begins with all layers of the base that was resolved for
// it. What layers unpack to is compared: compressed anew they have other digests.
func standsOn(img v1.Image, job plan.Job) error {
	if job.Final == nil || len(job.Final.DiffIDs) == 0 {
		return nil
	}
	config, err := img.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading image config: %w", err)
	}
	for i, want := range job.Final.DiffIDs {
		got := ""
		if i < len(config.RootFS.DiffIDs) {
			got = config.RootFS.DiffIDs[i].String()
		}
		if got != want {
			return &StandsError{Base: job.Final.Pinned(), Want: want, Got: got}
		}
	}
	return nil
}

// refused is an error of a result that is not whole, as the node's. Verdicts stay what they are,
// and so do failures for which the disk is to blame: see heal.
func (r run) refused(ctx context.Context, built builder.Result, job plan.Job, err error) error {
	switch {
	case err == nil, ctx.Err() != nil, errors.As(err, new(interface{ ExitStatus() int })), errors.As(err, new(*verify.LimitError)):
		return err
	case isMachines(err):
		return err
	case len(r.store.Damaged(built.Descriptor)) > 0:
		return err
	}
	lie := &builder.LieError{Node: job.Node, Platform: job.Platform, Err: err}
	if built.Resumed {
		lie.Node = ""
	}
	return lie
}

// isMachines says that this machine could not read or write: a quota, too many open files, a disk that fails. That a file is
// not there is the node's doing.
func isMachines(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && errno != syscall.ENOENT
}

// Honest layers unpack to a few times what they have; files of zeros to more.
const (
	bombFloor = 4 << 30
	bombRatio = 100
)

// unpacked bounds what the layers of a result unpack to: those of the own engine hold what this
// machine has unpacked already, so that 0, the usual limit, will do.
func (r run) unpacked(job plan.Job, result manifest.Result) int64 {
	if job.Node == engineName {
		return 0
	}
	return bombFloor + bombRatio*result.Size
}
