package registrytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// accept is every kind of manifest: Debian's registry answers 404 for one that is not named.
var accept = []string{ociIndex, ociManifest, dockerIndex, dockerManifest}

// Node is a manifest as a registry holds it, with all it refers to.
type Node struct {
	// Descriptor is what its parent says, or for the top what the registry says.
	Descriptor
	// Raw are its bytes.
	Raw []byte
	// Annotations of the manifest itself; the descriptor has its own.
	Own map[string]string
	// Children are those of an index, in its order.
	Children []Node
	// Config, ConfigPlatform and Layers are those of an image.
	Config         Descriptor
	ConfigPlatform Platform
	Layers         []Descriptor
}

// Platforms lists the children's platforms as os/arch/variant, in the order of the index.
func (n Node) Platforms() []string {
	var list []string
	for _, child := range n.Children {
		if child.Platform == nil {
			list = append(list, "")
			continue
		}
		list = append(list, child.Platform.String())
	}
	return list
}

// Read walks what a reference (a tag or a digest) names in a repository: every manifest, config and layer is fetched and its size and sha256
// are compared with its descriptor, and configs with their platforms. The list says what is wrong, and is empty for a whole image.
func Read(addr, repo, ref string) (Node, []string) {
	return read(&reader{base: "http://" + addr + "/v2/" + repo, client: http.DefaultClient, seen: map[string]bool{}}, ref)
}

func read(r *reader, ref string) (Node, []string) {
	body, header, err := r.get("manifests/" + ref)
	if err != nil {
		return Node{}, []string{err.Error()}
	}
	desc := Descriptor{MediaType: header.Get("Content-Type"), Digest: digestOf(body), Size: int64(len(body))}
	if strings.Contains(ref, ":") {
		desc.Digest = ref
	}
	if named := header.Get("Docker-Content-Digest"); named != "" && named != desc.Digest {
		r.wrong("%s: the header says %s, the bytes are %s", ref, named, desc.Digest)
	}
	return r.node(desc, body), r.problems
}

// Tags lists a repository's tags, sorted; a repository that is not there has none.
func Tags(addr, repo string) ([]string, error) {
	r := &reader{base: "http://" + addr + "/v2/" + repo, client: http.DefaultClient}
	body, _, err := r.get("tags/list?n=10000")
	if isMissing(err) {
		return nil, nil
	}
	var parsed struct {
		Tags []string `json:"tags"`
	}
	if err == nil {
		err = json.Unmarshal(body, &parsed)
	}
	slices.Sort(parsed.Tags)
	return parsed.Tags, err
}

// Digest is what a tag names now: the sha256 of the manifest's bytes, empty if there is none.
func Digest(addr, repo, tag string) (string, error) {
	r := &reader{base: "http://" + addr + "/v2/" + repo, client: http.DefaultClient}
	body, _, err := r.get("manifests/" + url.PathEscape(tag))
	switch {
	case isMissing(err):
		return "", nil
	case err != nil:
		return "", err
	}
	return digestOf(body), nil
}

type reader struct {
	base     string
	client   *http.Client
	seen     map[string]bool // blobs that were read
	problems []string
}

func (r *reader) wrong(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

type statusError struct {
	at   string
	code int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s: %d", e.at, e.code) }

func isMissing(err error) bool {
	status, ok := err.(*statusError) //nolint:errorlint // get never wraps it
	return ok && status.code == http.StatusNotFound
}

func (r *reader) get(what string) ([]byte, http.Header, error) {
	request, err := http.NewRequest(http.MethodGet, r.base+"/"+what, nil)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(what, "manifests/") {
		request.Header.Set("Accept", strings.Join(accept, ", "))
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = &statusError{what, response.StatusCode}
	}
	return body, response.Header, err
}

// held fetches what a descriptor names and compares the two.
func (r *reader) held(folder string, desc Descriptor) []byte {
	body, header, err := r.get(folder + "/" + desc.Digest)
	if err != nil {
		r.wrong("%v", err)
		return nil
	}
	if folder == "manifests" && header.Get("Content-Type") != desc.MediaType {
		r.wrong("%s is served as %s, its descriptor says %s", desc.Digest, header.Get("Content-Type"), desc.MediaType)
	}
	return body
}

func (r *reader) compare(desc Descriptor, body []byte) {
	if got := digestOf(body); got != desc.Digest {
		r.wrong("%s has other bytes: %s", desc.Digest, got)
	}
	if int64(len(body)) != desc.Size {
		r.wrong("%s has %d bytes, its descriptor says %d", desc.Digest, len(body), desc.Size)
	}
}

func (r *reader) node(desc Descriptor, body []byte) Node {
	r.compare(desc, body)
	n := Node{Descriptor: desc, Raw: body}
	var m manifest
	if err := json.Unmarshal(body, &m); err != nil {
		r.wrong("%s: %v", desc.Digest, err)
		return n
	}
	if m.MediaType != "" && m.MediaType != desc.MediaType {
		r.wrong("%s calls itself %s, its descriptor says %s", desc.Digest, m.MediaType, desc.MediaType)
	}
	n.Own = m.Annotations
	if desc.MediaType == ociIndex || desc.MediaType == dockerIndex {
		for _, child := range m.Manifests {
			if body := r.held("manifests", child); body != nil {
				n.Children = append(n.Children, r.node(child, body))
			}
		}
		return n
	}
	if m.Config == nil {
		r.wrong("%s has no config", desc.Digest)
		return n
	}
	n.Config, n.Layers = *m.Config, m.Layers
	r.image(&n)
	return n
}

func (r *reader) image(n *Node) {
	for _, layer := range n.Layers {
		if r.seen[layer.Digest] {
			continue
		}
		r.seen[layer.Digest] = true
		if body := r.held("blobs", layer); body != nil {
			r.compare(layer, body)
		}
	}
	body := r.held("blobs", n.Config)
	if body == nil {
		return
	}
	r.compare(n.Config, body)
	if err := json.Unmarshal(body, &n.ConfigPlatform); err != nil {
		r.wrong("config %s: %v", n.Config.Digest, err)
	}
	p, c := n.Platform, n.ConfigPlatform
	if p == nil {
		return
	}
	if p.OS != c.OS || p.Architecture != c.Architecture || p.Variant != "" && c.Variant != "" && p.Variant != c.Variant {
		r.wrong("%s is listed as %s, its config says %s", n.Digest, p, c)
	}
}
