package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/registrytest"
)

const (
	// rounds are counted; one more goes before them.
	rounds = 7
	// latency is added to every request.
	latency = 20 * time.Millisecond
	// promised is how much of a peer's time archbuild may take.
	promised = 0.7
)

// platforms of the sources, one image each.
var platforms = []string{
	"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/ppc64le", "linux/ppc64", "linux/s390x", "linux/riscv64", "linux/loong64",
	"linux/mips", "linux/mipsle", "linux/mips64", "linux/mips64le", "freebsd/amd64", "freebsd/arm64", "netbsd/amd64", "openbsd/amd64", "darwin/amd64", "darwin/arm64",
}

// The first run asks for each source's manifest and config once, looks what the other repository has (20 images, the index and 3
// tags), lets it take over 2 layers and a config of each image, writes each document, and reads the tags back.
var firstRun = map[registrytest.Class]int{
	registrytest.Ping: 1, registrytest.ManifestGet: 20, registrytest.BlobGet: 20, registrytest.ManifestHead: 20 + 1 + 3 + 3,
	registrytest.Mount: 60, registrytest.ManifestPut: 20 + 1 + 3,
}

// The same run again looks at sources, images, index and tags, and finds nothing to do.
var repeatedRun = map[registrytest.Class]int{registrytest.Ping: 1, registrytest.ManifestHead: 20 + 20 + 1 + 3}

// BenchmarkAssembly puts 20 images of one repository together as an index in another of the same registry, under three tags.
// The three programs take turns, each time with a new repository. crane has no call for three tags: it is asked twice more.
func BenchmarkAssembly(b *testing.B) {
	for _, kind := range []registrytest.Kind{registrytest.Debian, registrytest.Distribution} {
		b.Run(string(kind), func(b *testing.B) {
			a := newAssembly(b, kind)
			for range b.N {
				a.measure()
			}
			a.report()
			a.again()
		})
	}
}

// assembly is the work to be done and who does it.
type assembly struct {
	*testing.B
	proxy   *registrytest.Proxy
	sources []string
	env     []string
	// used counts destinations.
	used  int
	tools []*tool
}

// tool is a program and how it is called to write to a repository.
type tool struct {
	name   string
	calls  func(to string) [][]string
	took   []time.Duration
	counts registrytest.Counts
}

func newAssembly(b *testing.B, kind registrytest.Kind) *assembly {
	hub := registrytest.Start(b, kind)
	a := &assembly{B: b, proxy: registrytest.NewProxy(b, hub, registrytest.Config{Latency: latency})}
	for i, p := range platforms {
		image := registrytest.Image(registrytest.Options{Platforms: []string{p}, Layers: []int{4 << 10, 4 << 10}})
		image.Push(b, hub.Addr, "parts/app", fmt.Sprint("part-", i))
		a.sources = append(a.sources, fmt.Sprintf("%s/parts/app:part-%d", a.proxy.Addr, i))
	}
	a.env = append(os.Environ(), "DOCKER_CONFIG="+b.TempDir(), "BUILDX_CONFIG="+b.TempDir(), "XDG_CONFIG_HOME="+b.TempDir())
	a.tools = []*tool{{name: "archbuild", calls: a.archbuild}, {name: "buildx", calls: a.buildx}, {name: "crane", calls: a.crane}}
	return a
}

// archbuild has a state of its own each time, and so remembers nothing.
func (a *assembly) archbuild(to string) [][]string {
	return [][]string{slices.Concat([]string{"archbuild", "manifest", "create", "--state", a.TempDir()}, tags(to), a.sources)}
}

func (a *assembly) buildx(to string) [][]string {
	return [][]string{slices.Concat([]string{"buildx", "imagetools", "create"}, tags(to), a.sources)}
}

func (a *assembly) crane(to string) [][]string {
	args := []string{"crane", "index", "append", "-t", to + ":1"}
	for _, s := range a.sources {
		args = append(args, "-m", s)
	}
	return [][]string{args, {"crane", "tag", to + ":1", "2"}, {"crane", "tag", to + ":1", "3"}}
}

func tags(to string) []string { return []string{"-t", to + ":1", "-t", to + ":2", "-t", to + ":3"} }

// measure lets the tools take turns, all of them once without counting.
func (a *assembly) measure() {
	for round := range rounds + 1 {
		for _, t := range a.tools {
			a.used++
			calls := t.calls(fmt.Sprintf("%s/whole/app%d", a.proxy.Addr, a.used))
			a.proxy.Forget()
			began := time.Now()
			for _, args := range calls {
				a.call(args)
			}
			if round > 0 {
				t.took = append(t.took, time.Since(began))
			}
			t.counts = a.proxy.Counts()
		}
	}
}

func (a *assembly) call(args []string) {
	a.Helper()
	cmd := exec.CommandContext(a.Context(), program(a, args[0]), args[1:]...)
	cmd.Env = a.env
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		a.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, &said)
	}
}

// report prints what was measured, and fails if it is more than what is promised.
func (a *assembly) report() {
	ours := a.tools[0]
	for _, t := range a.tools {
		slices.Sort(t.took)
		fmt.Printf("  %-10s min %5d ms  median %5d ms  max %5d ms  %s\n", t.name,
			t.took[0].Milliseconds(), t.median().Milliseconds(), t.took[len(t.took)-1].Milliseconds(), requests(t.counts.Requests))
		if t == ours {
			continue
		}
		ratio := float64(ours.median()) / float64(t.median())
		a.ReportMetric(ratio, "of-"+t.name)
		if ratio > promised {
			a.Errorf("archbuild took %.2f of the time of %s, promised is at most %.1f", ratio, t.name, promised)
		}
	}
	a.ReportMetric(float64(ours.median().Milliseconds()), "ms")
	a.ReportMetric(0, "ns/op")
	if diff := cmp.Diff(firstRun, ours.counts.Requests); diff != "" {
		a.Errorf("requests of archbuild: -want +got\n%s", diff)
	}
}

// again makes the last thing twice, with what archbuild remembers.
func (a *assembly) again() {
	call := a.archbuild(a.proxy.Addr + "/whole/again")[0]
	a.call(call)
	a.proxy.Forget()
	began := time.Now()
	a.call(call)
	fmt.Printf("  %-10s %d ms  %s\n", "repeated", time.Since(began).Milliseconds(), requests(a.proxy.Counts().Requests))
	if diff := cmp.Diff(repeatedRun, a.proxy.Counts().Requests); diff != "" {
		a.Errorf("requests of a repeated run: -want +got\n%s", diff)
	}
}

func (t *tool) median() time.Duration { return t.took[len(t.took)/2] }

// requests is a list such as "GET manifest 20, ping 1".
func requests(counts map[registrytest.Class]int) string {
	var list []string
	for class, n := range counts {
		list = append(list, fmt.Sprintf("%s %d", class, n))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// program is one of those that make built.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%s is missing (make bin/%s): %v", name, name, err)
	}
	return path
}
