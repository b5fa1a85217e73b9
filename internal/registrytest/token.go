package registrytest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Auth says who may do what. Tokens are had at the realm that the proxy's 401 names.
type Auth struct {
	// User and Password are what the token server wants; with none it gives tokens to everybody.
	User, Password string
	// Life is how long a token is good for; zero is a minute. Clients are told a minute at least, as the protocol has it.
	Life time.Duration
}

const (
	tokenPath = "/token"
	service   = "registrytest"
)

// grant is what a token allows: "repository:NAME:ACTION", until its end.
type grant struct {
	access []string
	end    time.Time
}

// allowed checks the token of a request. A mount from a repository that the token is not for becomes an upload, as
// registries do it.
func (p *Proxy) allowed(w http.ResponseWriter, r *http.Request, q *request) bool {
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	has, known := p.tokens[text]
	if known && time.Now().After(has.end) {
		delete(p.tokens, text)
		known = false
	}
	p.mu.Unlock()
	needs := q.access()
	if !known || needs != "" && !has.holds(q.repo, needs) {
		p.unauthorized(w, r, *q, known)
		return false
	}
	if q.class == Mount && !has.holds(q.from, "pull") {
		r.URL.RawQuery, q.from = "", ""
	}
	return true
}

func (g grant) holds(repo, action string) bool {
	return slices.Contains(g.access, "repository:"+repo+":"+action)
}

// unauthorized answers 401 and says where a token is to be had, and for what.
func (p *Proxy) unauthorized(w http.ResponseWriter, r *http.Request, q request, known bool) {
	p.mu.Lock()
	p.challenges++
	p.mu.Unlock()
	challenge := fmt.Sprintf(`Bearer realm="http://%s%s",service=%q`, r.Host, tokenPath, service)
	switch access := q.access(); access {
	case "":
	case "push":
		challenge += fmt.Sprintf(`,scope="repository:%s:pull,push"`, q.repo)
	default:
		challenge += fmt.Sprintf(`,scope="repository:%s:%s"`, q.repo, access)
	}
	if known {
		challenge += `,error="insufficient_scope"`
	} else if r.Header.Get("Authorization") != "" {
		challenge += `,error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
}

// expire forgets the token that the request came with.
func (x *exchange) expire() {
	text, _ := strings.CutPrefix(x.r.Header.Get("Authorization"), "Bearer ")
	x.mu.Lock()
	delete(x.tokens, text)
	x.mu.Unlock()
	x.unauthorized(x.w, x.r, x.q, false)
}

// token gives a token for the scopes that are asked for.
func (x *exchange) token() {
	auth := x.c.Auth
	if auth == nil {
		fail(x.w, http.StatusNotFound, "NOT_FOUND")
		return
	}
	user, password, _ := x.r.BasicAuth()
	if x.r.Method == http.MethodPost {
		user, password = x.r.PostFormValue("username"), x.r.PostFormValue("password")
	}
	if auth.User != "" && (user != auth.User || password != auth.Password) {
		fail(x.w, http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	_ = x.r.ParseForm()
	life := auth.Life
	if life == 0 {
		life = time.Minute
	}
	text := rand.Text()
	x.mu.Lock()
	x.tokens[text] = grant{access: scopes(x.r.Form["scope"]), end: time.Now().Add(life)}
	x.mu.Unlock()
	answer := must(json.Marshal(map[string]any{
		"token": text, "access_token": text, "expires_in": int(max(life, time.Minute).Seconds()), "issued_at": time.Now().UTC().Format(time.RFC3339),
	}))
	x.w.Header().Set("Content-Type", "application/json")
	switch x.fault {
	case AnswerLost:
		x.happened()
		reset(x.w)
		return
	case CutBody:
		x.happened()
		x.w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = x.w.Write(answer[:len(answer)/2])
		x.w.(http.Flusher).Flush()
		hangUp(x.w, false)
		return
	}
	_, _ = x.w.Write(answer)
}

// scopes takes "repository:NAME:pull,push" apart into one string per action.
func scopes(asked []string) []string {
	var access []string
	for _, scope := range strings.Fields(strings.Join(asked, " ")) {
		at := strings.LastIndex(scope, ":")
		if at < 0 {
			continue
		}
		for action := range strings.SplitSeq(scope[at+1:], ",") {
			access = append(access, scope[:at]+":"+action)
		}
	}
	return access
}
