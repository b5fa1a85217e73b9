// Package kills_test kills what builds are made of, at random moments: the client, its private engine, the processes in a container,
// the registry, and two of them at once. Everything is real: the program, its engine and runc, an emulator, a registry with its data
// on disk. Each kill is a SIGKILL, which nobody can prepare for or clean up after.
//
// The kills are spread over lanes that work side by side. A lane has a state folder, and so an engine, a registry and a context of its
// own. A round of it is a build of something new, with a kill; then the same build again, which has to pass. What a round kills, and
// when, is drawn from the seed and the lane's name: the same seed gives the same rounds.
//
// A moment is drawn in one of two ways: anywhere in the length of a build, or first a phase of the build (start of the engine, plan,
// solve, verify, export, push, tag) and then a moment of it. The kill waits for the phase to begin, so that it meets it on a loaded machine too.
package kills_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/internal/registrytest"
)

// bound is how long the kills may take together.
const bound = 20 * time.Minute

// TestKills shows what a killed build leaves: nothing that the next one stumbles over, and once the engine was stopped nothing at all.
func TestKills(t *testing.T) {
	requireMachine(t)
	h := &hunt{
		wanted: number(t, "ARCHBUILD_KILLS", 30), seed: uint64(number(t, "ARCHBUILD_KILLS_SEED", 1)),
		until: time.Now().Add(bound), tally: newTally(), tools: makeTools(t),
	}
	began := time.Now()
	addrs := freeAddrs(t, 3)
	var lanes sync.WaitGroup // All at once: t.Parallel would leave one behind on two cores.
	for _, spec := range []laneSpec{
		{name: "root", registry: registrytest.Distribution, addr: addrs[0]},
		{name: "root-debian", registry: registrytest.Debian, addr: addrs[1]},
		{name: "rootless", registry: registrytest.Distribution, addr: addrs[2], rootless: true},
	} {
		lanes.Go(func() { t.Run(spec.name, func(t *testing.T) { newLane(t, h, spec).run() }) })
	}
	lanes.Wait()
	t.Logf("seed %d, %s: %s", h.seed, time.Since(began).Round(time.Second), h.tally)
	if kills := h.tally.kills(); kills < h.wanted && !t.Failed() {
		t.Errorf("%d of %d kills within %s: ask for fewer (KILLS=%d), or give this test the machine alone", kills, h.wanted, bound, kills)
	}
}

// hunt is what all lanes share.
type hunt struct {
	wanted int
	seed   uint64
	until  time.Time
	tally  *tally
	tools  tools
}

// goesOn says whether another round is wanted.
func (h *hunt) goesOn() bool { return h.tally.kills() < h.wanted && time.Now().Before(h.until) }

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// requireMachine says what this machine lacks. Under CI that is a failure.
func requireMachine(t *testing.T) {
	t.Helper()
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root")
	}
	for _, program := range []string{"runc", "../../bin/registry"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks = append(lacks, program)
		}
	}
	if err := fixtures.RegisterEmulators(); err != nil {
		lacks = append(lacks, err.Error())
	}
	switch {
	case len(lacks) == 0:
	case os.Getenv("CI") != "":
		t.Fatalf("cannot run here, it lacks %s: make fixtures bin/registry", strings.Join(lacks, ", "))
	default:
		t.Skipf("cannot run here, it lacks %s: make fixtures bin/registry", strings.Join(lacks, ", "))
	}
}

// tools are the programs that the lanes run.
type tools struct {
	archbuild string
	// registry is the program of each kind, tool that of the base image for each architecture.
	registry map[registrytest.Kind]string
	tool     map[string]string
}

func makeTools(t *testing.T) tools {
	t.Helper()
	dir := t.TempDir()
	debian, err := fixtures.RegistryProgram(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	distribution, err := filepath.Abs("../../bin/registry")
	if err != nil {
		t.Fatal(err)
	}
	all := tools{
		archbuild: filepath.Join(dir, "archbuild"), tool: map[string]string{},
		registry: map[registrytest.Kind]string{registrytest.Debian: debian, registrytest.Distribution: distribution},
	}
	goBuild(t, runtime.GOARCH, all.archbuild, "github.com/archbuild/archbuild/cmd/archbuild")
	for _, arch := range architectures {
		all.tool[arch] = filepath.Join(dir, "tool-"+arch)
		goBuild(t, arch, all.tool[arch], "github.com/archbuild/archbuild/e2e/kills/tool")
	}
	return all
}

func goBuild(t *testing.T, arch, to, pkg string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
}

// tally is what came of all rounds.
type tally struct {
	mu sync.Mutex
	// killed counts rounds by victims, then by phase; signals counts SIGKILLs.
	killed                  map[string]map[phase]int
	signals, rounds, missed int
	// ended counts how runs ended of which something was killed, tags what was seen under their tags then.
	ended, tags map[string]int
	recoveries  int
	longest     time.Duration
	looks, left int
	// disk is how many bytes each lane keeps when it was told to keep nothing, each time.
	disk map[string][]int64
}

func newTally() *tally {
	return &tally{killed: map[string]map[phase]int{}, ended: map[string]int{}, tags: map[string]int{}, disk: map[string][]int64{}}
}

// note changes the tally.
func (y *tally) note(change func()) {
	y.mu.Lock()
	defer y.mu.Unlock()
	change()
}

func (y *tally) kills() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.signals
}

// String is a table.
func (y *tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d SIGKILLs in %d rounds, %d more ended before their moment\n%-20s", y.signals, y.rounds-y.missed, y.missed, "killed during")
	for _, p := range phases {
		fmt.Fprintf(&b, " %8s", p)
	}
	for _, victims := range slices.Sorted(maps.Keys(y.killed)) {
		fmt.Fprintf(&b, "\n%-20s", victims)
		for _, p := range phases {
			fmt.Fprintf(&b, " %8d", y.killed[victims][p])
		}
	}
	fmt.Fprintf(&b, "\nthe runs: %s; their tags right after: %s\n", counts(y.ended), counts(y.tags))
	fmt.Fprintf(&b, "%d builds after a kill passed, the longest took %s\n", y.recoveries, y.longest.Round(10*time.Millisecond))
	fmt.Fprintf(&b, "%d mounts, processes, sockets, control groups, locks and temporary files left, by %d looks", y.left, y.looks)
	for _, name := range slices.Sorted(maps.Keys(y.disk)) {
		fmt.Fprintf(&b, "\n%s when emptied keeps, in kB:", name)
		for _, size := range y.disk[name] {
			fmt.Fprintf(&b, " %d", size>>10)
		}
	}
	return b.String()
}

func counts(of map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list = append(list, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(list, ", ")
}
