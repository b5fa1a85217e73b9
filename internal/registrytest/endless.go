package registrytest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Endless is a registry in this process whose layers cost neither disk nor memory: those that it gives are made of zeros
// while they are sent, those that it takes are hashed and thrown away. It holds one image, in every repository and under
// every tag, and keeps small documents that it is given.
type Endless struct {
	// Addr is its host:port on the loopback interface; it speaks plain http.
	Addr string

	image  *Content
	layers map[string]int64 // sizes by digest

	mu      sync.Mutex
	uploads map[string]hash.Hash
	taken   map[string]int64 // bytes by digest, or by session until that is known
	docs    map[string][]byte
}

// NewEndless starts one whose image, of linux/amd64, has so many layers of together so many bytes. Without layers there
// is no image. It ends with its test.
func NewEndless(t testing.TB, layers int, total int64) *Endless {
	t.Helper()
	e := &Endless{
		image:  &Content{Manifests: map[string][]byte{}, Blobs: map[string][]byte{}},
		layers: map[string]int64{}, uploads: map[string]hash.Hash{}, taken: map[string]int64{}, docs: map[string][]byte{},
	}
	if layers > 0 {
		e.fill(layers, total)
	}
	e.Addr = listen(t, "127.0.0.1", e.serve)
	return e
}

// fill makes the image. Each layer is the one before and some more zeros, so that all digests come of one reading.
func (e *Endless) fill(layers int, total int64) {
	const more = 1 << 20
	m := manifest{SchemaVersion: 2, MediaType: ociManifest}
	sum, at := sha256.New(), int64(0)
	var diffs []string
	for i := range layers {
		size := total/int64(layers) - int64(layers-1-2*i)*more/2
		_, _ = io.CopyN(sum, zeros{}, size-at)
		at = size
		desc := Descriptor{MediaType: ociLayer, Digest: digestOfHash(sum), Size: size}
		e.layers[desc.Digest] = size
		m.Layers = append(m.Layers, desc)
		diffs = append(diffs, desc.Digest)
	}
	config := e.image.blob(ociConfig, must(json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{}, "rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})))
	m.Config = &config
	e.image.Root = e.image.manifest(m)
}

// Lacks says which layers did not come whole at another, and is empty if all did.
func (e *Endless) Lacks(other *Endless) string {
	other.mu.Lock()
	defer other.mu.Unlock()
	for digest, size := range e.layers {
		if got := other.taken[digest]; got != size {
			return fmt.Sprintf("of the layer %s of %d bytes came %d", digest, size, got)
		}
	}
	return ""
}

func (e *Endless) serve(w http.ResponseWriter, r *http.Request) {
	q := parseRequest(r)
	switch q.class {
	case Ping:
	case ManifestHead, ManifestGet:
		e.manifest(w, r, q)
	case BlobHead, BlobGet:
		e.blob(w, r, q)
	case UploadPost, Mount:
		e.begin(w, q)
	case UploadPatch:
		e.receive(w, r, q)
	case UploadPut:
		e.commit(w, r, q)
	case ManifestPut:
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		e.docs[q.target], e.docs[digestOf(body)] = body, body
		e.mu.Unlock()
		w.Header().Set("Docker-Content-Digest", digestOf(body))
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (e *Endless) manifest(w http.ResponseWriter, r *http.Request, q request) {
	e.mu.Lock()
	body := e.docs[q.target]
	e.mu.Unlock()
	if root := e.image.Root.Digest; body == nil && (q.target == root || !strings.Contains(q.target, ":")) {
		body = e.image.Manifests[root]
	}
	if body == nil {
		fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
		return
	}
	var m manifest
	_ = json.Unmarshal(body, &m)
	w.Header().Set("Content-Type", m.MediaType)
	w.Header().Set("Docker-Content-Digest", digestOf(body))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}

func (e *Endless) blob(w http.ResponseWriter, r *http.Request, q request) {
	size, endless := e.layers[q.target]
	small := e.image.Blobs[q.target]
	if !endless {
		size = int64(len(small))
	}
	if !endless && small == nil {
		fail(w, http.StatusNotFound, "BLOB_UNKNOWN")
		return
	}
	w.Header().Set("Docker-Content-Digest", q.target)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	switch {
	case r.Method == http.MethodHead:
	case endless:
		_, _ = io.CopyN(w, zeros{}, size)
	default:
		_, _ = w.Write(small)
	}
}

func (e *Endless) begin(w http.ResponseWriter, q request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := fmt.Sprint("u", len(e.uploads))
	e.uploads[id] = sha256.New()
	w.Header().Set("Location", "/v2/"+q.repo+"/blobs/uploads/"+id)
	w.WriteHeader(http.StatusAccepted)
}

// receive hashes what comes. Parts of one upload come one after the other.
func (e *Endless) receive(w http.ResponseWriter, r *http.Request, q request) {
	e.mu.Lock()
	sum := e.uploads[q.session]
	e.mu.Unlock()
	if sum == nil {
		fail(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN")
		return
	}
	n, err := io.Copy(sum, r.Body)
	e.mu.Lock()
	e.taken[q.session] += n
	at := e.taken[q.session]
	e.mu.Unlock()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Location", r.URL.Path)
	w.Header().Set("Range", fmt.Sprintf("0-%d", at-1))
	w.WriteHeader(http.StatusAccepted)
}

func (e *Endless) commit(w http.ResponseWriter, r *http.Request, q request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := e.uploads[q.session]
	if sum == nil {
		fail(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN")
		return
	}
	n, err := io.Copy(sum, r.Body)
	if err != nil || digestOfHash(sum) != q.target {
		fail(w, http.StatusBadRequest, "DIGEST_INVALID")
		return
	}
	e.taken[q.target] = e.taken[q.session] + n
	delete(e.taken, q.session)
	w.Header().Set("Docker-Content-Digest", q.target)
	w.WriteHeader(http.StatusCreated)
}

// digestOfHash is the digest of what was written so far.
func digestOfHash(sum hash.Hash) string { return fmt.Sprintf("sha256:%x", sum.Sum(nil)) }

// zeros is as long as one likes.
type zeros struct{}

func (zeros) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}
