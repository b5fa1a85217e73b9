package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
)

var soakPlatforms = []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64", "linux/s390x"}

// soakRuns is how many runs the soak makes; ARCHBUILD_SOAK is another number.
func soakRuns(t *testing.T) int {
	t.Helper()
	text := os.Getenv("ARCHBUILD_SOAK")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSoak assembles an image of five platforms out of a repository into another, on bad days of both registries. Whatever happens,
// the tags name the whole image or what they named before, and another try sends nothing that was taken.
func TestSoak(t *testing.T) {
	total := soak(t, 0, soakRuns(t), true)
	for _, finding := range total.findings {
		t.Error(finding)
	}
	t.Logf("%d runs: %d failed and were tried again, %d tags were lost by a registry that stayed down; %d requests; faults: %v",
		total.runs, total.failed, total.lost, total.requests, total.faults)
	for _, fault := range registrytest.Faults {
		if total.runs >= 20 && total.faults[fault] == 0 {
			t.Errorf("%q never happened", fault)
		}
	}
	if total.runs >= 20 && (total.failed == 0 || total.failed == total.runs) {
		t.Errorf("%d of %d runs failed: that shows nothing", total.failed, total.runs)
	}
}

// TestSoakNeedsTheJournal shows that the soak would notice: without a journal, blobs are sent again.
func TestSoakNeedsTheJournal(t *testing.T) {
	const runs = 12
	failed := 0
	for first := 0; first < 5*runs && !t.Failed(); first += runs { // The first ones do mostly.
		total := soak(t, first, first+runs, false)
		if slices.ContainsFunc(total.findings, func(f string) bool { return strings.Contains(f, "sent again") }) {
			return
		}
		failed += total.failed
	}
	t.Errorf("nothing was sent again; %d runs failed", failed)
}

// tally is what all runs together gave.
type tally struct {
	mu                           sync.Mutex
	findings                     []string
	runs, failed, lost, requests int
	faults                       map[registrytest.Fault]int
}

func (a *tally) add(c registrytest.Counts) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for fault, n := range c.Faults {
		a.faults[fault] += n
	}
	for _, n := range c.Requests {
		a.requests += n
	}
}

func (a *tally) find(run *soakRun, format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.findings = append(a.findings, fmt.Sprintf("run %d (%s): ", run.seed, run.target.Kind)+fmt.Sprintf(format, args...))
}

// soak makes the runs from the first to before the last, those against different makes of registry at the same time.
func soak(t *testing.T, first, last int, journal bool) *tally {
	t.Helper()
	total := &tally{faults: map[registrytest.Fault]int{}}
	t.Run("against", func(t *testing.T) {
		for k, kind := range registrytest.Kinds {
			t.Run(string(kind), func(t *testing.T) {
				t.Parallel()
				from, to := registrytest.Start(t, registrytest.Memory), registrytest.Start(t, kind)
				for seed := first + k; seed < last; seed += len(registrytest.Kinds) {
					t.Run(fmt.Sprint(seed), func(t *testing.T) { newSoakRun(t, total, uint64(seed), from, to, journal).all() })
				}
			})
		}
	})
	return total
}

// soakRun is an assembly with its two registries, on their days.
type soakRun struct {
	t             *testing.T
	total         *tally
	seed          uint64
	random        *rand.Rand
	target        *registrytest.Registry
	origin, proxy *registrytest.Proxy // the same one where both repositories are of one registry
	sources       []manifest.Source
	children      []string // digests, as the index is to list them
	repo          string
	tags          []string
	before        map[string]string // what each tag named
	journal       manifest.Journal
	auth          *registrytest.Auth
}

func newSoakRun(t *testing.T, total *tally, seed uint64, from, to *registrytest.Registry, journal bool) *soakRun {
	r := &soakRun{
		t: t, total: total, seed: seed, random: rand.New(rand.NewPCG(seed, 4)), target: to,
		repo: fmt.Sprintf("result/%d", seed), tags: []string{"1", "1.2", "latest"}, before: map[string]string{},
	}
	if journal {
		r.journal.Dir = t.TempDir()
	}
	if r.random.IntN(2) == 0 {
		r.auth = &registrytest.Auth{User: "me", Password: "secret", Life: time.Duration(400+r.random.IntN(600)) * time.Millisecond} // a push takes about a second
	}
	r.proxy = registrytest.NewProxy(t, to, registrytest.Config{})
	r.origin = r.proxy
	if r.random.IntN(4) > 0 { // Mostly another registry: there is more to send.
		r.origin = registrytest.NewProxy(t, from, registrytest.Config{})
	} else {
		from = to
	}
	r.fill(from.Addr)
	return r
}

// fill puts the sources into a registry, and for half of the runs an image that the tags name.
func (r *soakRun) fill(addr string) {
	largest := 90_000
	if r.random.IntN(5) == 0 {
		largest = 1_300_000 // More than is read in one go.
	}
	repo, content := fmt.Sprintf("parts/%d", r.seed), registrytest.Options{
		Platforms: soakPlatforms, Layers: []int{300, 20_000, largest}, Seed: r.seed, Shared: r.random.IntN(2) == 0, Docker: r.random.IntN(3) == 0,
	}
	if r.random.IntN(2) == 0 {
		content.Attest = true
		index := registrytest.Index(content)
		index.Push(r.t, addr, repo, "all")
		r.sources = []manifest.Source{{Text: r.origin.Addr + "/" + repo + ":all"}}
		for _, child := range index.Children() {
			r.children = append(r.children, child.Digest)
		}
	} else {
		for i, p := range soakPlatforms {
			content.Platforms = []string{p}
			image, tag := registrytest.Image(content), fmt.Sprint("part", i)
			image.Push(r.t, addr, repo, tag)
			r.sources = append(r.sources, manifest.Source{Text: r.origin.Addr + "/" + repo + ":" + tag})
			r.children = append(r.children, image.Root.Digest)
		}
	}
	if r.random.IntN(2) == 0 {
		old := registrytest.Index(registrytest.Options{Platforms: soakPlatforms[:2], Seed: r.seed + 1e6})
		old.Push(r.t, r.target.Addr, r.repo, "1", "latest")
		r.before["1"], r.before["latest"] = old.Root.Digest, old.Root.Digest
	}
}

// all is a try on a bad day, one on a better day if that failed, and one more when all is done.
func (r *soakRun) all() {
	defer func() {
		r.total.add(r.proxy.Counts())
		if r.origin != r.proxy {
			r.total.add(r.origin.Counts())
		}
	}()
	bad := registrytest.Config{
		Seed: r.seed, Rates: registrytest.Rates(0.004 + 0.02*r.random.Float64()), DripFor: 10 * time.Millisecond, Auth: r.auth,
	}
	for _, rare := range []registrytest.Fault{ // There are few requests that these can hit.
		registrytest.FalseMissing, registrytest.ResetRequest, registrytest.ResetResponse, registrytest.CutBody, registrytest.ShortBody, registrytest.WrongBytes,
	} {
		bad.Rates[rare] *= 3
	}
	bad.Rates[registrytest.FalseMissing] *= 3
	r.origin.Set(bad)
	if r.random.IntN(2) == 0 {
		bad.DownFrom = 1 + r.random.IntN(150)
	}
	r.proxy.Set(bad)
	pushed, err := r.push()
	r.judge(pushed, err, bad.DownFrom > 0)
	r.accounts()
	if err != nil {
		r.again()
	}
	r.unchanged()
}

// again has to succeed, though the registry often denies what it has.
func (r *soakRun) again() {
	r.total.mu.Lock()
	r.total.failed++
	r.total.mu.Unlock()
	better := registrytest.Config{Seed: r.seed + 1, InRow: 1, Auth: r.auth, DripFor: time.Millisecond, Rates: map[registrytest.Fault]float64{
		registrytest.FalseMissing: 0.6, registrytest.Redirect: 0.2, registrytest.Drip: 0.1,
	}}
	r.origin.Set(better)
	r.proxy.Set(better)
	pushed, err := r.push()
	if err != nil {
		r.total.find(r, "the second try: %v", err)
		return
	}
	r.judge(pushed, nil, false)
	r.accounts()
}

// unchanged is a try when everything is there: nothing is written.
func (r *soakRun) unchanged() {
	r.total.mu.Lock()
	r.total.runs++
	r.total.mu.Unlock()
	for _, p := range []*registrytest.Proxy{r.origin, r.proxy} {
		p.Set(registrytest.Config{Auth: r.auth})
	}
	before := r.proxy.Counts().Requests
	pushed, err := r.push()
	if err != nil {
		r.total.find(r, "the last try: %v", err)
		return
	}
	for _, tag := range pushed.Tags {
		if tag.State != manifest.TagUnchanged {
			r.total.find(r, "the last try says %s is %s", tag.Name, tag.State)
		}
	}
	after := r.proxy.Counts().Requests
	for _, class := range []registrytest.Class{
		registrytest.UploadPost, registrytest.UploadPatch, registrytest.UploadPut, registrytest.Mount, registrytest.ManifestPut,
	} {
		if n := after[class] - before[class]; n > 0 {
			r.total.find(r, "the last try made %d requests %s", n, class)
		}
	}
}

// push is what a process would do: nothing is left of the one before but the journal.
func (r *soakRun) push() (manifest.Pushed, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	reg := registry.New(registry.Options{Backoff: time.Millisecond, Keychain: keychain{r}})
	index, err := manifest.Gather(ctx, reg, manifest.Request{Sources: r.sources})
	if err != nil {
		return manifest.Pushed{}, err
	}
	defer index.Close()
	var names []string
	for _, tag := range r.tags {
		names = append(names, r.proxy.Addr+"/"+r.repo+":"+tag)
	}
	pushed, err := index.Push(ctx, reg, names, manifest.PushOptions{Journal: r.journal})
	if errors.Is(err, context.DeadlineExceeded) {
		r.total.find(r, "it did not end within a minute")
	}
	return pushed, err
}

// keychain has the password of the proxies and of no other host.
type keychain struct{ *soakRun }

func (k keychain) Resolve(at authn.Resource) (authn.Authenticator, error) {
	if k.auth == nil || at.RegistryStr() != k.proxy.Addr && at.RegistryStr() != k.origin.Addr {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: k.auth.User, Password: k.auth.Password}, nil
}

// judge reads the tags at the registry itself.
func (r *soakRun) judge(pushed manifest.Pushed, failure error, down bool) {
	said := map[string]manifest.TagState{}
	for _, tag := range pushed.Tags {
		said[tag.Name[strings.LastIndex(tag.Name, ":")+1:]] = tag.State
	}
	for _, tag := range r.tags {
		digest, err := registrytest.Digest(r.target.Addr, r.repo, tag)
		if err != nil {
			r.total.find(r, "reading %s: %v", tag, err)
			continue
		}
		if failure != nil && digest == r.before[tag] {
			continue
		}
		if failure != nil && (!down || said[tag] != manifest.TagLost) {
			r.total.find(r, "failed, but %s (said to be %q) names %q and not %q: %v", tag, said[tag], digest, r.before[tag], failure)
		}
		if failure != nil {
			// The registry took the tag and was never heard of again: nobody can take that back. It is told, and the image is whole.
			r.total.mu.Lock()
			r.total.lost++
			r.total.mu.Unlock()
		}
		r.whole(tag)
	}
}

func (r *soakRun) whole(tag string) {
	node, wrong := registrytest.Read(r.target.Addr, r.repo, tag)
	for _, text := range wrong {
		r.total.find(r, "%s: %s", tag, text)
	}
	var children []string
	for _, child := range node.Children {
		children = append(children, child.Digest)
	}
	if !slices.Equal(children, r.children) {
		r.total.find(r, "%s has the children %v, not %v", tag, children, r.children)
	}
}

// accounts looks at what the proxies counted.
func (r *soakRun) accounts() {
	for _, p := range []*registrytest.Proxy{r.origin, r.proxy} {
		c := p.Counts()
		for _, leak := range c.Leaks {
			r.total.find(r, "credentials went to another host: %s", leak)
		}
		for _, key := range slices.Sorted(maps.Keys(c.Resent)) {
			r.total.find(r, "%s was confirmed, and %d bytes of it were sent again", key, c.Resent[key])
		}
		for _, upload := range c.Uploads {
			if upload.Again > 0 {
				r.total.find(r, "%d bytes of an upload of %s were sent again though confirmed", upload.Again, upload.Digest)
			}
		}
	}
}
