package archbuild

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/platform"
)

// resultNote says what a job was built to. It is a file of the state folder: only a
// pointer, for what it names is looked at again each time.
type resultNote struct {
	Key      digest.Digest      `json:"key"`
	Platform platform.Platform  `json:"platform"`
	Image    ocispec.Descriptor `json:"image"`
	// Blobs are all that the image is made of, its attestations included.
	Blobs    []keep.Blob            `json:"blobs"`
	Warnings []client.VertexWarning `json:"warnings,omitempty"`
	Steps    int                    `json:"steps"`
	Seconds  float64                `json:"seconds"`
	Node     string                 `json:"node"`
	At       time.Time              `json:"at"`
	// Sum is the digest of the note without it.
	Sum digest.Digest `json:"sum"`
}

// resultNotes are those of one recipe: a folder, with a file for each digest of contents.
type resultNotes struct {
	folder string
	recipe digest.Digest
}

func (r run) resultNotes(recipe digest.Digest) resultNotes {
	const enough = 16 // the whole key is in the note
	return resultNotes{filepath.Join(string(r.store.Results), recipe.Encoded()[:enough]), recipe}
}

func (n resultNotes) file(contents digest.Digest) string {
	return filepath.Join(n.folder, "sha256-"+contents.Encoded())
}

func (n resultNotes) key(contents digest.Digest) digest.Digest {
	return digest.FromString(string(n.recipe) + "\n" + string(contents))
}

// forget drops all that is recorded of the recipe.
func (n resultNotes) forget() { _ = os.RemoveAll(n.folder) }

// read finds the note for certain contents. One that was damaged, or is another
// recipe's, counts for nothing.
func (n resultNotes) read(contents digest.Digest) (resultNote, bool) {
	var note resultNote
	file := n.file(contents)
	raw, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(raw, &note) != nil {
		return note, false
	}
	if note.Key != n.key(contents) {
		return note, false
	}
	if whole, err := note.sealed(); err != nil || !bytes.Equal(raw, whole) {
		return note, false
	}
	now := time.Now()
	_ = os.Chtimes(file, now, now) // it is in use
	return note, true
}

// sealed is the file of a note. There is one way only to write it.
func (note resultNote) sealed() ([]byte, error) {
	note.Sum = ""
	sum, err := jsonDigest(note)
	if err != nil {
		return nil, err
	}
	note.Sum = sum
	return json.Marshal(note)
}

// write keeps a note. It is a help and no more: where it cannot be written, the job is
// built again next time.
func (n resultNotes) write(contents digest.Digest, note resultNote) {
	note.Key = n.key(contents)
	body, err := note.sealed()
	if err != nil || os.MkdirAll(n.folder, 0o700) != nil {
		return
	}
	file, err := os.CreateTemp(n.folder, ".new-")
	if err != nil {
		return
	}
	defer os.Remove(file.Name())
	_, err = file.Write(body)
	if errors.Join(err, file.Close()) == nil {
		_ = os.Rename(file.Name(), n.file(contents))
	}
}
