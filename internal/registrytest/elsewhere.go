package registrytest

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
)

// elsewherePath begins the path of a signed URL; the path at the registry follows.
const elsewherePath = "/signed"

var signingKey = []byte("known to the proxy alone")

func signature(path string) string {
	mac := hmac.New(sha256.New, signingKey)
	_, _ = mac.Write([]byte(path))
	return fmt.Sprintf("%x", mac.Sum(nil))
}

// redirect sends the client to another host if the registry has the blob.
func (x *exchange) redirect() bool {
	response, err := x.ask(http.MethodHead)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false
	}
	x.fault = Redirect
	x.happened()
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(x.r.URL.Path))
	host := x.Elsewhere[int(hash.Sum32())%len(x.Elsewhere)]
	path := elsewherePath + x.r.URL.Path
	http.Redirect(x.w, x.r, "http://"+host+path+"?signature="+signature(path), http.StatusTemporaryRedirect)
	return true
}

// serveElsewhere is the other host: it gives blobs to whoever has a signed URL, and writes down who shows it credentials of the registry.
func (p *Proxy) serveElsewhere(w http.ResponseWriter, r *http.Request) {
	q := parsePath(r.Method, p.upstreamURL(r.URL))
	if inner, ok := strings.CutPrefix(r.URL.Path, elsewherePath); ok {
		at := *r.URL
		at.Path = inner
		q = parsePath(r.Method, &at)
	}
	q.elsewhere, q.line = true, r.Method+" "+r.URL.Path
	c, up := p.arrive(q)
	defer p.leave()
	for _, header := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
		if r.Header.Get(header) != "" {
			p.leaked(r.Method + " " + r.Host + r.URL.Path + " with " + header)
		}
	}
	switch {
	case !up:
		reset(w)
	case q.class != BlobGet && q.class != BlobHead, !hmac.Equal([]byte(r.URL.Query().Get("signature")), []byte(signature(r.URL.Path))):
		fail(w, http.StatusForbidden, "DENIED")
	default:
		x := &exchange{Proxy: p, w: w, r: r, q: q, c: c, fault: p.decide(q, c)}
		x.run()
	}
}
