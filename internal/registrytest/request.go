package registrytest

import (
	"net/http"
	"net/url"
	"strings"
)

// Class is what a request asks for.
type Class string

// The classes that a [Proxy] counts.
const (
	Ping           Class = "ping"
	Token          Class = "token"
	BlobHead       Class = "HEAD blob"
	BlobGet        Class = "GET blob"
	BlobDelete     Class = "DELETE blob"
	UploadPost     Class = "POST upload"
	UploadPatch    Class = "PATCH upload"
	UploadPut      Class = "PUT upload"
	UploadGet      Class = "GET upload"
	UploadDelete   Class = "DELETE upload"
	Mount          Class = "POST mount"
	ManifestHead   Class = "HEAD manifest"
	ManifestGet    Class = "GET manifest"
	ManifestPut    Class = "PUT manifest"
	ManifestDelete Class = "DELETE manifest"
	TagList        Class = "GET tags"
	Referrers      Class = "GET referrers"
	// Elsewhere is a blob asked for at the host that signed URLs lead to.
	Elsewhere Class = "GET elsewhere"
	Other     Class = "other"
)

// request is what the proxy needs to know of a request.
type request struct {
	class Class
	repo  string
	// target is the digest or the tag; of an upload, the digest that it is said to get.
	target string
	// from is the repository that a mount names.
	from string
	// session is the id of an upload: the last part of its path.
	session string
	// line is the method and the path; what differs between two runs, such as ids of uploads, is left out.
	line string
	// hasBody: the request has a body that is not known to be empty.
	hasBody bool
	// elsewhere: it came to the host of the signed URLs.
	elsewhere bool
}

func parseRequest(r *http.Request) request {
	q := parsePath(r.Method, r.URL)
	q.hasBody = r.ContentLength != 0
	q.line = r.Method + " " + r.URL.Path
	switch q.class {
	case UploadPatch, UploadGet, UploadDelete:
		q.line = r.Method + " uploads of " + q.repo
	case UploadPut:
		q.line = r.Method + " upload of " + q.repo + "@" + q.target
	case Mount:
		q.line = r.Method + " mount " + q.repo + "@" + q.target
	case Token:
		q.line = r.Method + " token " + strings.Join(r.URL.Query()["scope"], " ")
	}
	return q
}

func parsePath(method string, at *url.URL) request {
	path, found := strings.CutPrefix(at.Path, "/v2/")
	switch {
	case at.Path == tokenPath:
		return request{class: Token}
	case at.Path == "/v2" || found && path == "":
		return request{class: Ping}
	case !found:
		return request{class: Other}
	}
	if repo, rest, ok := cut(path, "/blobs/uploads"); ok {
		return parseUpload(method, repo, strings.TrimPrefix(rest, "/"), at.Query())
	}
	for _, kind := range []struct {
		folder string
		class  map[string]Class
	}{
		{"/blobs/", map[string]Class{http.MethodHead: BlobHead, http.MethodGet: BlobGet, http.MethodDelete: BlobDelete}},
		{"/manifests/", map[string]Class{
			http.MethodHead: ManifestHead, http.MethodGet: ManifestGet, http.MethodPut: ManifestPut, http.MethodDelete: ManifestDelete,
		}},
		{"/tags/", map[string]Class{http.MethodGet: TagList}},
		{"/referrers/", map[string]Class{http.MethodGet: Referrers}},
	} {
		if repo, target, ok := cut(path, kind.folder); ok && kind.class[method] != "" {
			return request{class: kind.class[method], repo: repo, target: target}
		}
	}
	return request{class: Other}
}

func parseUpload(method, repo, session string, query url.Values) request {
	q := request{repo: repo, session: session, target: query.Get("digest")}
	switch {
	case method == http.MethodPost && query.Get("mount") != "":
		q.class, q.target, q.from = Mount, query.Get("mount"), query.Get("from")
	case method == http.MethodPost:
		q.class = UploadPost
	case method == http.MethodPatch:
		q.class = UploadPatch
	case method == http.MethodPut:
		q.class = UploadPut
	case method == http.MethodDelete:
		q.class = UploadDelete
	default:
		q.class = UploadGet
	}
	return q
}

// cut splits at the last occurrence: a repository may have a part called blobs.
func cut(path, at string) (before, after string, found bool) {
	i := strings.LastIndex(path, at)
	if i <= 0 {
		return "", "", false
	}
	return path[:i], path[i+len(at):], true
}

// access is what a token must allow for the request, in the words of token scopes.
func (q request) access() string {
	switch q.class {
	case Ping, Token, Other:
		return ""
	case BlobHead, BlobGet, ManifestHead, ManifestGet, TagList, Referrers:
		return "pull"
	case BlobDelete, ManifestDelete:
		return "delete"
	default:
		return "push"
	}
}
