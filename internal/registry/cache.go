package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
)

// cache keeps manifests and configs by repository and digest. By repository
// too, because a digest found in one proves nothing about another. An empty
// dir keeps nothing. What cannot be written is not kept: a cache is no reason
// to fail.
type cache struct{ dir string }

// path of an entry. The digest must be valid: it becomes part of a path.
func (c cache) path(repo string, dgst digest.Digest) string {
	sum := sha256.Sum256([]byte(repo))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:8]), fmt.Sprintf("%s-%s", dgst.Algorithm(), dgst.Encoded()))
}

// get reads an entry; one that does not match its digest is removed.
func (c cache) get(repo string, dgst digest.Digest) ([]byte, bool) {
	if c.dir == "" || dgst.Validate() != nil {
		return nil, false
	}
	path := c.path(repo, dgst)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	if dgst.Algorithm().FromBytes(data) != dgst {
		_ = os.Remove(path)
		return nil, false
	}
	_ = os.Chtimes(path, time.Time{}, time.Now()) // what is not used for long is pruned
	return data, true
}

// pointer is the file that tells what a tag named last. The tag must be valid.
func (c cache) pointer(repo, tag string) string {
	sum := sha256.Sum256([]byte(repo))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:8]), "tag-"+tag)
}

// pointed is the digest that a tag named when it was last fetched. Tags move:
// it is of use only to ask whether it is still that.
func (c cache) pointed(repo, tag string) digest.Digest {
	if c.dir == "" {
		return ""
	}
	data, err := os.ReadFile(c.pointer(repo, tag))
	if err != nil {
		return ""
	}
	return digest.Digest(data)
}

// point writes it down.
func (c cache) point(repo, tag string, dgst digest.Digest) {
	if c.dir != "" {
		writeWhole(c.pointer(repo, tag), []byte(dgst))
	}
}

// put writes an entry.
func (c cache) put(repo string, dgst digest.Digest, data []byte) {
	if c.dir != "" && dgst.Validate() == nil {
		writeWhole(c.path(repo, dgst), data)
	}
}

// writeWhole writes a file under a temporary name first, so that nobody reads half of it.
func writeWhole(path string, data []byte) {
	if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return
	}
	_, err = file.Write(data)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
}
