package archbuild

import (
	"cmp"

	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// The tests in this file fail the requests of a run one by one, each in every way, rather than a sample of them. Time is that of
// synctest's bubble and connections are pipes: pauses and patience are those of the program, and take no time.

// way is a way in which requests fail.
type way struct {
	name string
	// fault says what happens to a request; empty where there is nothing to go wrong in this way.
	fault func(registrytest.Ask) registrytest.Fault
	// retryAfter is what 429 asks for, in seconds.
	retryAfter int
}

// every is a fault that can happen to all requests.
func every(f registrytest.Fault) func(registrytest.Ask) registrytest.Fault {
	return func(registrytest.Ask) registrytest.Fault { return f }
}

var ways = []way{
	{name: "500", fault: every(registrytest.Internal)},
	{name: "502", fault: every(registrytest.BadGateway)},
	{name: "503", fault: every(registrytest.Unavailable)},
	{name: "429", fault: every(registrytest.TooMany), retryAfter: 2},
	{name: "429 for a day", fault: every(registrytest.TooMany), retryAfter: 86400},
	{name: "reset", fault: every(registrytest.ResetBefore)},
	{name: "reset when done", fault: every(registrytest.AnswerLost)},
	{name: "timeout", fault: every(registrytest.Hang)},
	{name: "truncated body", fault: truncated},
	{name: "wrong digest", fault: misnamed},
}

// truncated cuts what has a body: an answer that is read, or what is sent.
func truncated(q registrytest.Ask) registrytest.Fault {
	switch q.Class {
	case registrytest.BlobGet, registrytest.ManifestGet, registrytest.Token:
		return registrytest.CutBody
	case registrytest.UploadPatch, registrytest.ManifestPut:
		return registrytest.ResetRequest
	}
	return ""
}

// misnamed gives other bytes than those of the digest, or another digest where there are no bytes.
func misnamed(q registrytest.Ask) registrytest.Fault {
	switch q.Class {
	case registrytest.BlobGet, registrytest.ManifestGet:
		return registrytest.WrongBytes
	case registrytest.BlobHead, registrytest.ManifestHead, registrytest.ManifestPut, registrytest.UploadPut, registrytest.Mount:
		return registrytest.WrongDigest
	}
	return ""
}

// How long a trouble lasts: for one request, or from it on.
const (
	once      = "once"
	ofItsKind = "its kind for ever"
	forEver   = "all for ever"
)

var durations = []string{once, ofItsKind, forEver}

// trouble is what happens to the nth request of a line, a method and a path.
type trouble struct {
	line string
	nth  int
	way  way
	// lasts is one of durations.
	lasts string
}

func (f trouble) String() string {
	return fmt.Sprintf("%s #%d: %s, %s", f.line, f.nth, f.way.name, f.lasts)
}

// script lets troubles happen, and writes down what was asked.
type script struct {
	troubles []trouble

	mu    sync.Mutex
	begun []registrytest.Class // of each trouble, once its request has come
	trace []registrytest.Ask
	met   int
}

func (s *script) decide(q registrytest.Ask) registrytest.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, q)
	for i, f := range s.troubles {
		itself := q.Line == f.line && q.Nth == f.nth
		if itself {
			s.begun[i] = q.Class
		}
		hit := itself || f.lasts == ofItsKind && s.begun[i] == q.Class || f.lasts == forEver && s.begun[i] != ""
		if fault := f.way.fault(q); hit && fault != "" {
			s.met++
			return fault
		}
	}
	return ""
}

// scene is something that asks a registry.
type scene interface {
	// state is what the registry holds before.
	state() *registrytest.Model
	// prepare makes the folder of a run.
	prepare(t *testing.T, s theatre)
	// act does it, as a new process would: nothing is left of the one before but the folder.
	act(t *testing.T, s theatre) (told any, err error)
	// judge says what is wrong afterwards, and whether all that could be done was to tell of a tag that is lost.
	judge(s theatre, told any, err error) (wrong []string, lost bool)
}

// theatre is where a scene is played once.
type theatre struct {
	dir, addr string
	wire      *registrytest.Wire
	registry  *registrytest.Model
}

// registries are options with a password.
func (s theatre) registries() outside.Registries {
	return outside.Registries{DockerConfig: s.dir + "/config.json", Dial: s.wire.Dial}
}

func (s theatre) system() outside.System {
	return outside.System{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Environ: []string{"HOME=" + s.dir}}
}

// played is what came of it.
type played struct {
	*script
	err   error
	wrong []string
	lost  bool
	took  time.Duration
	// again counts the requests of the repetition.
	again map[registrytest.Class]int
}

func (p *played) find(format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

// play lets a scene meet troubles, and repeats it without any.
func play(t *testing.T, of scene, troubles ...trouble) *played {
	p := &played{script: &script{troubles: troubles, begun: make([]registrytest.Class, len(troubles))}}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := theatre{dir: dir, wire: &registrytest.Wire{}, registry: of.state().Copy()}
		good := registrytest.Config{Auth: &registrytest.Auth{User: "me", Password: "secret"}}
		bad := good
		bad.Script = p.decide
		for _, f := range troubles {
			bad.RetryAfter = max(bad.RetryAfter, f.way.retryAfter)
		}
		proxy := registrytest.NewProxy(t, s.registry.On(s.wire), bad)
		s.addr = proxy.Addr
		if err := os.WriteFile(dir+"/config.json", []byte(`{"auths":{"`+s.addr+`":{"username":"me","password":"secret"}}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		of.prepare(t, s)
		began := time.Now()
		told, err := of.act(t, s)
		p.err, p.took = err, time.Since(began)
		p.wrong, p.lost = of.judge(s, told, err)
		p.hints()
		patient := bad.RetryAfter <= 2
		p.account(proxy, patient)
		p.sentTwice(s, "blob ")
		s.registry.ForgetTwice()
		proxy.Set(good)
		proxy.Forget()
		time.Sleep(time.Minute)
		told, err = of.act(t, s)
		if err != nil {
			p.find("the repetition: %v", err)
		} else {
			wrong, _ := of.judge(s, told, nil)
			p.wrong = append(p.wrong, wrong...)
		}
		p.account(proxy, patient)
		p.sentTwice(s, "")
		p.again = proxy.Counts().Requests
	})
	return p
}

// hints looks for the one thing to do that each error has to name.
func (p *played) hints() {
	for _, err := range leavesOf(p.err) {
		if wrong.Hint(err) == "" {
			p.find("it has no hint: %v", err)
		}
	}
}

// account looks at what the proxy and the registry have seen.
func (p *played) account(proxy *registrytest.Proxy, patient bool) {
	counts := proxy.Counts()
	if len(counts.Leaks) > 0 || patient && len(counts.Impatient) > 0 {
		p.find("credentials that went elsewhere: %q; requests before the time of Retry-After: %q", counts.Leaks, counts.Impatient)
	}
	for key, n := range counts.Resent {
		p.find("%d bytes of %s were sent after it was confirmed", n, key)
	}
}

// sentTwice looks for what was sent though the registry had it. A manifest whose answer was lost may be: asking would be no cheaper.
func (p *played) sentTwice(s theatre, what string) {
	for _, twice := range s.registry.Twice() {
		if strings.HasPrefix(twice, what) {
			p.find("%s was sent though it was there", twice)
		}
	}
}

func leavesOf(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, e := range joined.Unwrap() {
			list = append(list, leavesOf(e)...)
		}
		return list
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// undisturbed plays a scene without troubles, twice, and gives its requests. Their order is by line: many are made at once.
func undisturbed(t *testing.T, of scene) []registrytest.Ask {
	t.Helper()
	var lists [2][]registrytest.Ask
	for i := range lists {
		p := play(t, of)
		if p.err != nil || len(p.wrong) > 0 {
			t.Fatalf("without any trouble: %v, %q", p.err, p.wrong)
		}
		for class, n := range p.again {
			if !slices.Contains([]registrytest.Class{registrytest.Ping, registrytest.Token, registrytest.ManifestHead, registrytest.ManifestGet}, class) {
				t.Errorf("a repetition that has nothing to do makes %d requests %s", n, class)
			}
		}
		lists[i] = slices.SortedFunc(slices.Values(p.trace), func(a, b registrytest.Ask) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Nth, b.Nth))
		})
	}
	if !slices.Equal(lists[0], lists[1]) {
		t.Errorf("two runs without trouble ask for different things:\n%v\n%v", lists[0], lists[1])
	}
	for i, q := range lists[0] {
		t.Logf("request %d: %s #%d", i+1, q.Line, q.Nth)
	}
	return lists[0]
}

// singles are all troubles of one request.
func singles(requests []registrytest.Ask) [][]trouble {
	var list [][]trouble
	for _, w := range ways {
		for _, lasts := range durations {
			for _, q := range requests {
				if w.fault(q) != "" {
					list = append(list, []trouble{{q.Line, q.Nth, w, lasts}})
				}
			}
		}
	}
	return list
}

// pairs adds to each trouble that happens once every other request that there was when it happened: those as well
// that were made because of it.
func pairs(firsts []*played) [][]trouble {
	var list [][]trouble
	for _, p := range firsts {
		first := p.troubles[0]
		if first.lasts != once || p.met == 0 {
			continue
		}
		after := false
		for _, q := range p.trace {
			if q.Line == first.line && q.Nth == first.nth {
				after = true
			} else if after && first.way.fault(q) != "" {
				list = append(list, []trouble{first, {q.Line, q.Nth, first.way, once}})
			}
		}
	}
	return list
}

// mixed are pairs of any two faults, of which the second can last.
func mixed(random *rand.Rand, firsts []*played, n int) [][]trouble {
	var list [][]trouble
	for len(list) < n && len(firsts) > 0 {
		p := firsts[random.IntN(len(firsts))]
		q, w := p.trace[random.IntN(len(p.trace))], ways[random.IntN(len(ways))]
		if first := p.troubles[0]; first.lasts == once && w.fault(q) != "" && (first.line != q.Line || first.nth != q.Nth) {
			list = append(list, []trouble{first, {q.Line, q.Nth, w, durations[random.IntN(len(durations))]}})
		}
	}
	return list
}

// some are n of a list, by a seed; a list that is not longer stays as it is.
func some(list [][]trouble, n int) [][]trouble {
	if len(list) <= n {
		return list
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	return list[:n]
}
