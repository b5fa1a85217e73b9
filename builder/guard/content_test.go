package guard_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// What is built for others lies in the same store: a node sees of it what it was handed, and that it only reads.
func TestANodeReadsWhatItWasHanded(t *testing.T) {
	store, err := contentlocal.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var blobs []ocispecs.Descriptor
	for _, text := range []string{"a base", "of somebody else"} {
		d := ocispecs.Descriptor{Digest: digest.FromString(text), Size: int64(len(text))}
		if err := content.WriteBlob(t.Context(), store, text, bytes.NewReader([]byte(text)), d); err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, d)
	}
	book := &guard.Book{}
	h := guard.NewHanded(store, book)
	h.Hand([]digest.Digest{blobs[0].Digest})
	if got, err := content.ReadBlob(t.Context(), h, blobs[0]); err != nil || string(got) != "a base" || h.Read() != int64(len(got)) {
		t.Errorf("%q, %v, and %d bytes are counted", got, err, h.Read())
	}
	if got, err := content.ReadBlob(t.Context(), h, blobs[1]); err == nil {
		t.Errorf("it reads %q", got)
	}
	if _, err := h.Info(t.Context(), blobs[1].Digest); err == nil {
		t.Error("it is told of a blob that it was not handed")
	}
	if err := h.Walk(t.Context(), func(i content.Info) error {
		if i.Digest != blobs[0].Digest {
			t.Errorf("it is told of %s", i.Digest)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if h.Delete(t.Context(), blobs[0].Digest) == nil || content.WriteBlob(context.Background(), h, "x", bytes.NewReader([]byte("x")), ocispecs.Descriptor{Digest: digest.FromString("x"), Size: 1}) == nil {
		t.Error("it writes there")
	}
	if len(book.Refusals()) == 0 {
		t.Error("nobody is told")
	}
}

// Two nodes may bring the same blob at the same time. The content protocol asks for it with each piece: that is part
// of writing it, and nothing that anybody has to be told of. Who writes nothing and asks is told of.
func TestAskingForWhatOneWritesIsNoRefusal(t *testing.T) {
	store, err := contentlocal.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("the same step twice")
	d := ocispecs.Descriptor{Digest: digest.FromBytes(text), Size: int64(len(text))}
	book := &guard.Book{}
	late := guard.NewResults(store, book)
	w, err := late.Writer(t.Context(), content.WithRef("late"), content.WithDescriptor(d))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := content.WriteBlob(t.Context(), guard.NewResults(store, &guard.Book{}), "quick", bytes.NewReader(text), d); err != nil {
		t.Fatal(err)
	}
	if _, err := late.Info(t.Context(), d.Digest); err == nil {
		t.Error("it is told of a blob that another one has written")
	}
	if got := book.Refusals(); len(got) > 0 {
		t.Errorf("somebody is told of %v", got)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), d.Size, d.Digest); err != nil && !errdefs.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	if !late.Brought(d.Digest) {
		t.Error("nobody knows that it came with the blob")
	}
	idle := guard.NewResults(store, book)
	if _, err := idle.Info(t.Context(), d.Digest); err == nil || len(book.Refusals()) != 1 {
		t.Errorf("%v, and somebody is told of %v", err, book.Refusals())
	}
}
