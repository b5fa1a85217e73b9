package registrytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Model is a registry in memory that is as strict as the protocol lets it be: repositories share nothing, blobs are mounted, an
// upload tells how far it is, a manifest is taken only after what it names. It can be copied in no time, so that a test can
// start from the same state some thousand times. It is an [http.RoundTripper].
type Model struct {
	mu      sync.Mutex
	repos   map[string]*shelf
	uploads int
	// twice are the blobs and manifests, as "blob REPO@DIGEST", that were sent though the repository had them.
	twice []string
}

// shelf is a repository.
type shelf struct {
	blobs     map[string][]byte
	manifests map[string]document
	tags      map[string]string
	sessions  map[string][]byte
}

type document struct {
	mediaType string
	data      []byte
}

// NewModel is an empty registry.
func NewModel() *Model { return &Model{repos: map[string]*shelf{}} }

// Copy is a registry of the same content, and of no uploads.
func (m *Model) Copy() *Model {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewModel()
	for name, s := range m.repos {
		c.repos[name] = &shelf{maps.Clone(s.blobs), maps.Clone(s.manifests), maps.Clone(s.tags), map[string][]byte{}}
	}
	return c
}

// Put places content in a repository, and gives its root the tags.
func (m *Model) Put(repo string, c *Content, tags ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shelf(repo)
	maps.Copy(s.blobs, c.Blobs)
	for _, desc := range c.order {
		s.manifests[desc.Digest] = document{desc.MediaType, c.Manifests[desc.Digest]}
	}
	for _, tag := range tags {
		s.tags[tag] = c.Root.Digest
	}
}

// Tags gives what each tag of a repository names.
func (m *Model) Tags(repo string) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.shelf(repo).tags)
}

// Twice lists what was sent though it was there, as "blob REPO@DIGEST".
func (m *Model) Twice() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.twice)
}

// ForgetTwice begins that list anew.
func (m *Model) ForgetTwice() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.twice = nil
}

// Read is [Read] for a repository of the model.
func (m *Model) Read(repo, ref string) (Node, []string) {
	return read(&reader{base: "http://model/v2/" + repo, client: &http.Client{Transport: m}, seen: map[string]bool{}}, ref)
}

func (m *Model) shelf(repo string) *shelf {
	s := m.repos[repo]
	if s == nil {
		s = &shelf{map[string][]byte{}, map[string]document{}, map[string]string{}, map[string][]byte{}}
		m.repos[repo] = s
	}
	return s
}

// RoundTrip answers a request.
func (m *Model) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	var broken error
	if r.Body != nil {
		body, broken = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	w := httptest.NewRecorder()
	m.answer(w, r, parsePath(r.Method, r.URL), body, broken != nil)
	if broken != nil {
		return nil, broken
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// answer does what is asked. Of a broken body an upload keeps what came; anything else is as if it had not been asked.
func (m *Model) answer(w http.ResponseWriter, r *http.Request, q request, body []byte, broken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shelf(q.repo)
	if broken && q.class != UploadPatch {
		return
	}
	switch q.class {
	case Ping:
		w.WriteHeader(http.StatusOK)
	case BlobHead, BlobGet:
		data, ok := s.blobs[q.target]
		if !ok {
			fail(w, http.StatusNotFound, "BLOB_UNKNOWN")
			return
		}
		w.Header().Set("Docker-Content-Digest", q.target)
		w.Header().Set("Content-Type", "application/octet-stream")
		serveBytes(w, r, data)
	case Mount, UploadPost:
		m.begin(w, q, s)
	case UploadPatch, UploadGet, UploadPut, UploadDelete:
		m.upload(w, r, q, s, body)
	case ManifestHead, ManifestGet:
		if tagged, ok := s.tags[q.target]; ok {
			q.target = tagged
		}
		d, ok := s.manifests[q.target]
		if !ok {
			fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
			return
		}
		w.Header().Set("Docker-Content-Digest", q.target)
		w.Header().Set("Content-Type", d.mediaType)
		serveBytes(w, r, d.data)
	case ManifestPut:
		m.manifest(w, r, q, s, body)
	case ManifestDelete:
		if _, tagged := s.tags[q.target]; !tagged && s.manifests[q.target].data == nil {
			fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
			return
		}
		delete(s.tags, q.target)
		delete(s.manifests, q.target)
		w.WriteHeader(http.StatusAccepted)
	case TagList:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"name": q.repo, "tags": slices.Sorted(maps.Keys(s.tags))})
	default:
		fail(w, http.StatusNotFound, "UNSUPPORTED")
	}
}

func serveBytes(w http.ResponseWriter, r *http.Request, data []byte) {
	from, size := 0, len(data)
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil && from < size {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, size-1, size))
		w.Header().Set("Content-Length", strconv.Itoa(size-from))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		from = 0
		w.Header().Set("Content-Length", strconv.Itoa(size))
	}
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, bytes.NewReader(data[from:]))
	}
}

func (m *Model) begin(w http.ResponseWriter, q request, s *shelf) {
	if data, ok := m.shelf(q.from).blobs[q.target]; q.class == Mount && ok {
		s.blobs[q.target] = data
		w.Header().Set("Docker-Content-Digest", q.target)
		w.Header().Set("Location", "/v2/"+q.repo+"/blobs/"+q.target)
		w.WriteHeader(http.StatusCreated)
		return
	}
	m.uploads++
	id := fmt.Sprint("upload", m.uploads)
	s.sessions[id] = []byte{}
	m.progress(w, q.repo, id, 0, http.StatusAccepted)
}

func (m *Model) progress(w http.ResponseWriter, repo, id string, size, status int) {
	w.Header().Set("Location", "/v2/"+repo+"/blobs/uploads/"+id)
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(0, size-1)))
	w.WriteHeader(status)
}

func (m *Model) upload(w http.ResponseWriter, r *http.Request, q request, s *shelf, body []byte) {
	data, ok := s.sessions[q.session]
	if !ok {
		fail(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN")
		return
	}
	var from, to int
	if _, err := fmt.Sscanf(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "%d-%d", &from, &to); err == nil && from != len(data) {
		m.progress(w, q.repo, q.session, len(data), http.StatusRequestedRangeNotSatisfiable)
		return
	}
	data = append(slices.Clone(data), body...)
	switch q.class {
	case UploadDelete:
		delete(s.sessions, q.session)
		w.WriteHeader(http.StatusNoContent)
	case UploadGet:
		m.progress(w, q.repo, q.session, len(data), http.StatusNoContent)
	case UploadPatch:
		s.sessions[q.session] = data
		m.progress(w, q.repo, q.session, len(data), http.StatusAccepted)
	default:
		delete(s.sessions, q.session)
		if digestOf(data) != q.target {
			fail(w, http.StatusBadRequest, "DIGEST_INVALID")
			return
		}
		m.taken("blob "+q.repo, q.target, s.blobs[q.target] != nil)
		s.blobs[q.target] = data
		w.Header().Set("Docker-Content-Digest", q.target)
		w.Header().Set("Location", "/v2/"+q.repo+"/blobs/"+q.target)
		w.WriteHeader(http.StatusCreated)
	}
}

func (m *Model) taken(repo, digest string, known bool) {
	if known {
		m.twice = append(m.twice, repo+"@"+digest)
	}
}

func (m *Model) manifest(w http.ResponseWriter, r *http.Request, q request, s *shelf, body []byte) {
	named := digestOf(body)
	if err := s.lacks(body); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if strings.Contains(q.target, ":") {
		if q.target != named {
			fail(w, http.StatusBadRequest, "DIGEST_INVALID")
			return
		}
		m.taken("manifest "+q.repo, named, s.manifests[named].data != nil)
	} else {
		s.tags[q.target] = named
	}
	s.manifests[named] = document{r.Header.Get("Content-Type"), body}
	w.Header().Set("Docker-Content-Digest", named)
	w.Header().Set("Location", "/v2/"+q.repo+"/manifests/"+named)
	w.WriteHeader(http.StatusCreated)
}

// lacks is the code of what a manifest names and the repository does not have.
func (s *shelf) lacks(body []byte) error {
	var parsed manifest
	if json.Unmarshal(body, &parsed) != nil {
		return errors.New("MANIFEST_INVALID")
	}
	for _, child := range parsed.Manifests {
		if s.manifests[child.Digest].data == nil {
			return errors.New("MANIFEST_BLOB_UNKNOWN")
		}
	}
	blobs := parsed.Layers
	if parsed.Config != nil {
		blobs = append(blobs, *parsed.Config)
	}
	for _, blob := range blobs {
		if s.blobs[blob.Digest] == nil {
			return errors.New("MANIFEST_BLOB_UNKNOWN")
		}
	}
	return nil
}
