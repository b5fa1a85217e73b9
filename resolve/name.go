package resolve

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// name is a reference taken apart. Its full form compares, its written form is
// what a mapped reference keeps.
type name struct {
	written string
	// repo is the full name: docker.io/library/debian.
	repo string
	// tag and digest as written, without ":" and "@"; both may be empty.
	tag, digest string
}

// maxName bounds references: a name has 255 bytes at most, a tag 128, a digest 135.
const maxName = 1000

// parseName reads a reference as Docker does: debian is docker.io/library/debian.
func parseName(text string) (name, error) {
	if len(text) > maxName {
		return name{}, &ReferenceError{Reference: text, Err: fmt.Errorf("longer than %d bytes", maxName)}
	}
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return name{}, &ReferenceError{Reference: text, Err: err}
	}
	n := name{written: text, repo: named.Name()}
	if tagged, ok := named.(reference.Tagged); ok {
		n.tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		n.digest = digested.Digest().String()
	}
	return n, nil
}

// bare tells that the reference has neither tag nor digest.
func (n name) bare() bool { return n.tag == "" && n.digest == "" }

// pinned tells that the reference has a digest.
func (n name) pinned() bool { return n.digest != "" }

// effective is the tag that counts: latest when nothing is written.
func (n name) effective() string {
	if n.bare() {
		return "latest"
	}
	return n.tag
}

// hub gives the namespace of an image on Docker Hub; ok is false for any other registry.
func (n name) hub() (namespace string, ok bool) {
	path, ok := strings.CutPrefix(n.repo, "docker.io/")
	if !ok {
		return "", false
	}
	namespace, image, ok := strings.Cut(path, "/")
	return namespace, ok && !strings.Contains(image, "/")
}

// in is the same image in another namespace of Docker Hub, written as the
// author wrote it: docker.io/library/x:1 becomes docker.io/arm64v8/x:1.
func (n name) in(namespace string) string {
	path, suffix := n.written, ""
	if i := strings.LastIndexByte(path, '/') + 1; i <= len(path) {
		if j := strings.IndexAny(path[i:], ":@"); j >= 0 {
			path, suffix = path[:i+j], path[i+j:]
		}
	}
	image := path[strings.LastIndexByte(path, '/')+1:]
	host := ""
	if first, _, ok := strings.Cut(path, "/"); ok && strings.Contains(first, ".") {
		host = first + "/"
	}
	return host + namespace + "/" + image + suffix
}

// isHost tells whether the first part of a reference with several is a registry;
// the rule is Docker's.
func isHost(first string) bool {
	return first == "localhost" || strings.ContainsAny(first, ".:") || strings.ToLower(first) != first
}

// ReferenceError says that a text is no image reference.
type ReferenceError struct {
	Reference string
	Err       error
}

func (e *ReferenceError) Error() string {
	return fmt.Sprintf("%.300q is no image reference: %v", e.Reference, e.Err)
}

// Unwrap gives the cause.
func (e *ReferenceError) Unwrap() error { return e.Err }

// Hint shows what a reference looks like.
func (e *ReferenceError) Hint() string {
	return "write [host/]name[:tag][@sha256:digest], in lower case, for example debian:12"
}
