package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/internal/whole"
)

const (
	// layoutMark in index.json says that archbuild wrote the layout, so that the
	// next build may replace it and remove what is no longer referenced.
	layoutMark = "io.github.archbuild.layout"
	// imageName is containerd's annotation for the full name of an image.
	imageName = "io.containerd.image.name"
	// maxOldIndex bounds what is read of an index.json that is to be replaced, in bytes.
	maxOldIndex = 4 << 20
)

// layoutIndex is the index.json of a layout: an entry for each name, one
// without a name if there are none. An entry is found by its tag (skopeo, crane)
// or by its full name (containerd).
func (x Index) layoutIndex(names []string) ([]byte, error) {
	index := ocispec.Index{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   ocispec.MediaTypeImageIndex,
		Manifests:   []ocispec.Descriptor{},
		Annotations: map[string]string{layoutMark: "1"},
	}
	full, err := fullNames(names)
	if err != nil {
		return nil, err
	}
	if x.Descriptor.Digest == "" {
		return json.Marshal(index)
	}
	if len(full) == 0 {
		index.Manifests = append(index.Manifests, x.Descriptor)
	}
	for _, name := range full {
		entry := x.Descriptor
		entry.Annotations = map[string]string{imageName: name.String(), ocispec.AnnotationRefName: name.Tag()}
		for k, v := range x.Descriptor.Annotations {
			entry.Annotations[k] = v
		}
		index.Manifests = append(index.Manifests, entry)
	}
	return json.Marshal(index)
}

// fullNames completes names as Docker does: app becomes
// docker.io/library/app:latest. The same name twice counts once.
func fullNames(names []string) ([]reference.NamedTagged, error) {
	var full []reference.NamedTagged
	for _, name := range names {
		named, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return nil, &NameError{name, err.Error()}
		}
		tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
		if _, pinned := named.(reference.Digested); pinned || !ok {
			return nil, &NameError{name, "has a digest"}
		}
		if !slices.ContainsFunc(full, func(f reference.NamedTagged) bool { return f.String() == tagged.String() }) {
			full = append(full, tagged)
		}
	}
	return full, nil
}

// WriteLayout writes an OCI layout into the folder dir, made if it is missing.
// A reader never sees half an image: index.json changes last, by a rename.
// Then the blobs of an earlier build that nothing refers to any more are
// removed. Blobs are hard links into the store where the file system allows it.
//
// A folder that holds something else is a *NotLayoutError. After any other
// error the folder holds what it held before.
func (x Index) WriteLayout(ctx context.Context, dir string, names []string) error {
	body, err := x.layoutIndex(names)
	if err != nil {
		return err
	}
	blobs, err := x.blobs()
	if err != nil {
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	l := layoutDir{dir: dir}
	if err := l.open(ctx); err != nil {
		return err
	}
	defer l.close()
	if err := l.fill(ctx, x, blobs, body); err != nil {
		l.undo()
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	return l.sweep(x, blobs)
}

// layoutDir is a layout being written, locked against other writers.
type layoutDir struct {
	dir  string
	lock *os.File
	// created names the outermost folder that open made, added the blobs that fill added.
	created string
	added   []string
}

func (l *layoutDir) path(elem ...string) string {
	return filepath.Join(append([]string{l.dir}, elem...)...)
}

// open makes the folder, locks it and makes sure that it is ours to write.
func (l *layoutDir) open(ctx context.Context) error {
	created, err := makeDir(l.dir)
	if err != nil {
		return fmt.Errorf("making layout folder: %w", err)
	}
	l.created = created
	if l.lock, err = lockDir(ctx, l.dir); err != nil {
		return fmt.Errorf("locking %s: %w", l.dir, err)
	}
	if err = l.claim(); err != nil {
		l.close()
	}
	return err
}

func (l *layoutDir) close() { l.lock.Close() }

// CheckLayout finds out before a build what [Index.WriteLayout] would refuse after
// it: a folder that holds something else is a *NotLayoutError.
func CheckLayout(dir string) error {
	_, err := isLayout(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// isLayout tells a layout that archbuild has written from an empty folder.
func isLayout(dir string) (marked bool, err error) {
	body, err := plainfile.Read(filepath.Join(dir, "index.json"), maxOldIndex)
	if err == nil {
		var index ocispec.Index
		if json.Unmarshal(body, &index) != nil || index.Annotations[layoutMark] == "" {
			return false, &NotLayoutError{dir, "its index.json is not archbuild's"}
		}
		return true, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", dir, err)
	}
	for _, entry := range entries {
		if !whole.IsTemporary(entry.Name()) { // Another run is about to mark it, or was.
			return false, &NotLayoutError{dir, "it holds " + entry.Name()}
		}
	}
	return false, nil
}

// claim marks an empty folder, and refuses one that holds something unmarked.
func (l *layoutDir) claim() error {
	marked, err := isLayout(l.dir)
	if err != nil || marked {
		return err
	}
	mark, err := Index{}.layoutIndex(nil)
	if err != nil {
		return err
	}
	return whole.Write(l.path("index.json"), mark)
}

// fill adds what is missing and switches index.json over.
func (l *layoutDir) fill(ctx context.Context, x Index, blobs []ocispec.Descriptor, index []byte) error {
	if err := os.MkdirAll(l.path("blobs", "sha256"), 0o755); err != nil {
		return err
	}
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.addBlob(x.store, b); err != nil {
			return err
		}
	}
	indexBlob := l.path("blobs", "sha256", x.Descriptor.Digest.Encoded())
	if _, err := os.Lstat(indexBlob); err != nil {
		l.added = append(l.added, indexBlob)
	}
	for _, file := range []struct {
		path string
		body []byte
	}{
		{indexBlob, x.Bytes},
		{l.path("oci-layout"), []byte(layoutVersion)},
		{l.path("index.json"), index},
	} {
		if err := whole.Write(file.path, file.body); err != nil {
			return err
		}
	}
	return nil
}

const layoutVersion = `{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`

// addBlob links or copies one blob that is not there yet in full.
func (l *layoutDir) addBlob(s Store, b ocispec.Descriptor) error {
	from, err := s.Path(b.Digest)
	if err != nil {
		return err
	}
	to := l.path("blobs", "sha256", b.Digest.Encoded())
	if fi, err := os.Lstat(to); err == nil && fi.Mode().IsRegular() && fi.Size() == b.Size {
		return nil
	}
	if fi, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return &ocistore.MissingError{Digest: b.Digest.String()}
	} else if err == nil && fi.Size() != b.Size {
		return fmt.Errorf("blob %s has %d bytes, its descriptor says %d", b.Digest, fi.Size(), b.Size)
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.added = append(l.added, to)
	if os.Link(from, to) == nil {
		return nil
	}
	return whole.Stream(to, func(w io.Writer) error { return s.copy(w, b) })
}

// undo removes what fill added.
func (l *layoutDir) undo() {
	for _, path := range l.added {
		os.Remove(path)
	}
	if l.created != "" {
		os.RemoveAll(l.created)
	}
}

// sweep removes blobs that the layout no longer refers to. Other files are not
// touched.
func (l *layoutDir) sweep(x Index, blobs []ocispec.Descriptor) error {
	keep := map[string]bool{x.Descriptor.Digest.Encoded(): true}
	for _, b := range blobs {
		keep[b.Digest.Encoded()] = true
	}
	entries, err := os.ReadDir(l.path("blobs", "sha256"))
	if err != nil {
		return fmt.Errorf("sweeping layout %s: %w", l.dir, err)
	}
	for _, e := range entries {
		stale := e.Type().IsRegular() && !keep[e.Name()] && digest.NewDigestFromEncoded(digest.SHA256, e.Name()).Validate() == nil
		if !stale {
			continue
		}
		if err := os.Remove(l.path("blobs", "sha256", e.Name())); err != nil {
			return fmt.Errorf("sweeping layout %s: %w", l.dir, err)
		}
	}
	return nil
}

// lockDir takes the lock of a folder, without leaving a lock file in it.
// Closing the file releases it.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
