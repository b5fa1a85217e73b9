package registrytest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Layout writes the content as an OCI layout into a folder, under a name (org.opencontainers.image.ref.name) or, if that is empty, without one.
func (c *Content) Layout(t testing.TB, dir, name string) {
	t.Helper()
	root := c.Root
	if name != "" {
		root.Annotations = map[string]string{"org.opencontainers.image.ref.name": name}
	}
	put(t, filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
	put(t, filepath.Join(dir, "index.json"), must(json.Marshal(manifest{SchemaVersion: 2, MediaType: ociIndex, Manifests: []Descriptor{root}})))
	for _, set := range []map[string][]byte{c.Manifests, c.Blobs} {
		for digest, data := range set {
			put(t, filepath.Join(dir, "blobs", strings.Replace(digest, ":", "/", 1)), data)
		}
	}
}

// Archive writes the layout as a tar file.
func (c *Content) Archive(t testing.TB, file, name string) {
	t.Helper()
	dir, packed := t.TempDir(), &bytes.Buffer{}
	c.Layout(t, dir, name)
	archive := tar.NewWriter(packed)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(filepath.ToSlash(path[len(dir):]), "/")
		must(0, archive.WriteHeader(&tar.Header{Name: rel, Mode: 0o644, Size: int64(len(data))}))
		must(archive.Write(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	must(0, archive.Close())
	put(t, file, packed.Bytes())
}

func put(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Push uploads the content to a repository of the registry at addr, by plain HTTP, blobs first, and gives the root the tags.
// Without a tag it is there by its digest.
func (c *Content) Push(t testing.TB, addr, repo string, tags ...string) {
	t.Helper()
	digests := make([]string, 0, len(c.Blobs))
	for digest := range c.Blobs {
		digests = append(digests, digest)
	}
	slices.Sort(digests)
	for _, digest := range digests {
		if err := pushBlob(addr, repo, digest, c.Blobs[digest]); err != nil {
			t.Fatalf("filling %s: %v", addr, err)
		}
	}
	for _, desc := range c.order {
		names := []string{desc.Digest}
		if desc.Digest == c.Root.Digest {
			names = append(names, tags...)
		}
		for _, name := range names {
			at := fmt.Sprintf("http://%s/v2/%s/manifests/%s", addr, repo, name)
			if _, err := send(http.MethodPut, at, desc.MediaType, c.Manifests[desc.Digest], http.StatusCreated); err != nil {
				t.Fatalf("filling %s: %v", addr, err)
			}
		}
	}
}

func pushBlob(addr, repo, digest string, data []byte) error {
	at := fmt.Sprintf("http://%s/v2/%s/blobs/uploads/", addr, repo)
	to, err := send(http.MethodPost, at, "", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	query := to.Query()
	query.Set("digest", digest)
	to.RawQuery = query.Encode()
	_, err = send(http.MethodPut, to.String(), "application/octet-stream", data, http.StatusCreated)
	return err
}

// Delete removes a manifest by digest, or a blob, from a repository.
func Delete(t testing.TB, addr, repo, kind, digest string) {
	t.Helper()
	at := fmt.Sprintf("http://%s/v2/%s/%s/%s", addr, repo, kind, url.PathEscape(digest))
	if _, err := send(http.MethodDelete, at, "", nil, http.StatusAccepted); err != nil {
		t.Fatal(err)
	}
}

// send gives the URL that the answer's Location names, which without one is the request's own.
func send(method, at, contentType string, data []byte, want int) (*url.URL, error) {
	request, err := http.NewRequest(method, at, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != want {
		return nil, fmt.Errorf("%s %s: %s: %s", method, at, response.Status, body)
	}
	return request.URL.Parse(response.Header.Get("Location"))
}
