package registry_test

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/archbuild/archbuild/internal/registry"
	world "github.com/archbuild/archbuild/internal/registrytest"
)

// shelf serves an index of two platforms, of which one document may be another than it should be.
type shelf struct {
	content *world.Content
	addr    string
	// spoilt is the digest of the document that is served as flipped; gone serves nothing.
	spoilt  string
	flipped []byte
	gone    atomic.Bool
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{content: world.Index(world.Options{Platforms: []string{"linux/amd64", "linux/arm/v7"}})}
	web := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(web.Close)
	s.addr = web.Listener.Addr().String()
	return s
}

func (s *shelf) serve(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if name == "" {
		return
	}
	if name == "1" {
		name = s.content.Root.Digest
	}
	data, known := s.content.Manifests[name]
	kind := "application/vnd.oci.image.manifest.v1+json"
	if name == s.content.Root.Digest {
		kind = "application/vnd.oci.image.index.v1+json"
	}
	if !known {
		data, known = s.content.Blobs[name]
	}
	if !known || s.gone.Load() {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if name == s.spoilt {
		data = s.flipped
	}
	w.Header().Set("Docker-Content-Digest", name)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
}

func (s *shelf) client(cache string) *registry.Client {
	return registry.New(registry.Options{Backoff: 1, Keychain: authn.NewMultiKeychain(), CacheDir: cache})
}

// flips gives a document with one bit turned, two of each byte: the lowest, and another one by a seed.
func flips(whole []byte, try func(at int, flipped []byte)) (n int) {
	random := rand.New(rand.NewPCG(1, 1))
	for i := range whole {
		for _, bit := range []byte{1, 2 << random.IntN(7)} {
			data := bytes.Clone(whole)
			data[i] ^= bit
			try(i, data)
		}
	}
	return 2 * len(whole)
}

// TestEveryFlipOnTheWay: a registry that serves an index, a manifest or a config with one bit turned, under the right digest, is not
// believed in any way of reading.
func TestEveryFlipOnTheWay(t *testing.T) {
	s := newShelf(t)
	repo, image := s.addr+"/app", s.content.Children()[1]
	config := s.content.Manifests[image.Digest]
	var configDigest string
	for digest, data := range s.content.Blobs {
		if data[0] == '{' && bytes.Contains(config, []byte(digest)) {
			configDigest = digest
		}
	}
	ctx := t.Context()
	for _, row := range []struct {
		what, digest string
		whole        []byte
		read         func(c *registry.Client) error
	}{
		{"an index by its tag", s.content.Root.Digest, s.content.Manifests[s.content.Root.Digest], func(c *registry.Client) error {
			_, _, err := c.Fetch(ctx, repo+":1")
			return err
		}},
		{"an index by the digest of its tag", s.content.Root.Digest, s.content.Manifests[s.content.Root.Digest], func(c *registry.Client) error {
			_, err := c.Image(ctx, repo+":1")
			return err
		}},
		{"a manifest by its digest", image.Digest, config, func(c *registry.Client) error {
			_, _, err := c.Get(ctx, repo+"@"+image.Digest)
			return err
		}},
		{"a config", configDigest, s.content.Blobs[configDigest], func(c *registry.Client) error {
			_, err := c.Config(ctx, repo+":1", image.Digest)
			return err
		}},
	} {
		s.spoilt = ""
		if err := row.read(s.client("")); err != nil {
			t.Fatal(row.what, err)
		}
		accepted := 0
		s.spoilt = row.digest
		n := flips(row.whole, func(at int, data []byte) {
			s.flipped = data
			if err := row.read(s.client("")); err == nil {
				accepted++
				t.Errorf("%s: byte %d is accepted", row.what, at)
			}
		})
		t.Logf("%s: %d bytes, %d flips, %d accepted", row.what, len(row.whole), n, accepted)
	}
}

// TestEveryFlipOnTheDisk: what the cache of answers holds is what its name says, or is asked for anew.
func TestEveryFlipOnTheDisk(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	repo, ctx := s.addr+"/app", t.Context()
	read := func() ([]byte, error) {
		c := s.client(dir)
		_, data, err := c.Fetch(ctx, repo+":1")
		for _, child := range s.content.Children() {
			if err == nil {
				_, err = c.Config(ctx, repo+":1", child.Digest)
			}
		}
		return data, err
	}
	if _, err := read(); err != nil {
		t.Fatal(err)
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		accepted := 0
		n := flips(whole, func(at int, data []byte) {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := read()
			if err != nil || !bytes.Equal(got, s.content.Manifests[s.content.Root.Digest]) {
				t.Fatalf("%s: byte %d: %v", filepath.Base(file), at, err)
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, whole) {
				accepted++
				t.Errorf("%s: byte %d: the file is left as it is", filepath.Base(file), at)
			}
		})
		t.Logf("%.12s of the cache: %d bytes, %d flips, %d accepted", filepath.Base(file), len(whole), n, accepted)
	}
}
