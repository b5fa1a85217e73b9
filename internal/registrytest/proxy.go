package registrytest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Config says what a [Proxy] does besides passing requests on. The zero value does nothing.
type Config struct {
	// Seed chooses the faults.
	Seed uint64
	// Rates are the probabilities of the faults. Their sum over those that can happen to a request should not exceed 1.
	Rates map[Fault]float64
	// InRow is how many faults one line, a method and a path, meets at most one after the other, 2 if zero; then a request gets
	// through. The requests that start or continue uploads of one repository are one line.
	InRow int
	// Script decides instead of Rates, if set; it is called under a lock and must not call the proxy.
	Script func(Ask) Fault
	// RetryAfter is what 429 asks for, in seconds.
	RetryAfter int
	// DripFor is how long a dripping body takes; zero is 20 ms.
	DripFor time.Duration
	// Latency is added to every request.
	Latency time.Duration
	// DownFrom is the number of the request, counting from 1 since the last [Proxy.Set], from which on every connection is reset.
	// Zero is never.
	DownFrom int
	// Auth makes the proxy ask for tokens; nil lets everybody do everything.
	Auth *Auth
	// Redirects sends every reader of a blob to another host.
	Redirects bool
}

// Ask is a request, as a script sees it.
type Ask struct {
	Class Class
	// Line is the method and the path; what differs between two runs, such as ids of uploads, is left out.
	Line string
	// Repo and Target are the repository and the tag or digest; the digest of an upload is known to its PUT alone.
	Repo, Target string
	// Nth counts the requests of this line from 1.
	Nth int
}

// Proxy stands between a client and a registry.
type Proxy struct {
	// Addr is the host:port for clients; plain http.
	Addr string
	// Elsewhere are the hosts that signed URLs lead to: another port, another name.
	Elsewhere []string

	registry string // host:port
	upstream http.RoundTripper

	mu       sync.Mutex
	config   Config
	schedule schedule
	since    int // requests since the last Set
	tokens   map[string]grant
	books
}

// NewProxy starts a proxy in front of a registry. It ends with the test, before the registry does.
func NewProxy(t testing.TB, registry *Registry, c Config) *Proxy {
	t.Helper()
	p := &Proxy{registry: registry.Addr, tokens: map[string]grant{}, books: newBooks()}
	p.Set(c)
	serve := listen
	if registry.model != nil {
		p.upstream, p.registry, serve = registry.model, "model", registry.wire.serve
	} else {
		upstream := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 5 * time.Second}
		t.Cleanup(upstream.CloseIdleConnections)
		p.upstream = upstream
	}
	p.Addr = serve(t, "127.0.0.1", p.serve)
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		p.Elsewhere = append(p.Elsewhere, serve(t, host, p.serveElsewhere))
	}
	return p
}

func listen(t testing.TB, host string, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	web := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	web.Start()
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return listener.Addr().String()
}

// Set changes what the proxy does from now on. What was counted stays, and so does the state of the schedule
// unless the seed is another. Set(Config{}) ends all trouble.
func (p *Proxy) Set(c Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.InRow == 0 {
		c.InRow = 2
	}
	if c.DripFor == 0 {
		c.DripFor = 20 * time.Millisecond
	}
	if p.schedule.lines == nil || c.Seed != p.schedule.seed {
		p.schedule = schedule{seed: c.Seed, lines: map[string]*line{}}
	}
	p.config, p.since = c, 0
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	q := parseRequest(r)
	c, up := p.arrive(q)
	defer p.leave()
	if !up {
		reset(w)
		return
	}
	if c.Latency > 0 {
		time.Sleep(c.Latency)
	}
	x := &exchange{Proxy: p, w: w, r: r, q: q, c: c}
	if c.Script != nil { // Which sees every request, those without a token too.
		x.fault = p.decide(q, c)
	}
	if c.Auth != nil && q.class != Token && !x.fault.early() && !p.allowed(w, r, &x.q) {
		return
	}
	if c.Script == nil {
		x.fault = p.decide(x.q, c)
	}
	x.run()
}

// arrive counts a request, and says how to treat it and whether the proxy is up.
func (p *Proxy) arrive(q request) (c Config, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	class := q.class
	if q.elsewhere {
		class = Elsewhere
	}
	p.requests[class]++
	p.since++
	p.atOnce++
	p.peak = max(p.peak, p.atOnce)
	up = p.config.DownFrom == 0 || p.since < p.config.DownFrom
	if !up {
		p.refused++
	}
	return p.config, up
}

func (p *Proxy) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.atOnce--
}

func (p *Proxy) decide(q request, c Config) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	fault := p.schedule.next(q, c)
	l := p.schedule.lines[q.line]
	if now := time.Now(); now.Before(l.notBefore) && now.After(l.told) {
		p.impatient = append(p.impatient, q.line)
	}
	if fault == TooMany {
		l.told = time.Now()
		l.notBefore = l.told.Add(time.Duration(c.RetryAfter) * time.Second)
	}
	return fault
}

// reset ends the connection so that the other side gets "connection reset by peer".
func reset(w http.ResponseWriter) { hangUp(w, true) }

func hangUp(w http.ResponseWriter, hard bool) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok && hard {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// fail answers with an error as registries write it.
func fail(w http.ResponseWriter, status int, code string) {
	body := `{"errors":[{"code":"` + code + `","message":"` + http.StatusText(status) + `"}]}`
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// upstreamURL is where a request goes.
func (p *Proxy) upstreamURL(at *url.URL) *url.URL {
	to := *at
	to.Scheme, to.Host = "http", p.registry
	return &to
}
