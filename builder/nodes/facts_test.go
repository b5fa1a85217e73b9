package nodes_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/platform"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

func platforms(words ...string) []platform.Platform {
	list := []platform.Platform{}
	for _, word := range words {
		p, err := platform.Parse(word)
		if err != nil {
			arch, variant, _ := strings.Cut(word, "/") // BuildKit lists more than archbuild knows
			p = platform.Platform{OS: "linux", Arch: arch, Variant: variant}
		}
		list = append(list, p)
	}
	return list
}

func TestNativeAndEmulatedAreToldApart(t *testing.T) {
	for _, row := range []struct{ problem, declared, listed, unaided, native, emulated string }{
		{"the first of the list is the node's own", "", "arm64 amd64", "", "arm64", "amd64"},
		{"levels of the same architecture are native", "", "amd64 amd64/v2 arm64 386", "386", "amd64 amd64/v2 386", "arm64"},
		{"a guest that an emulator runs is emulated", "", "arm64 arm/v7 arm/v6", "", "arm64", "arm/v7 arm/v6"},
		{"a guest that the CPU runs is native", "", "arm64 arm/v7 arm/v6", "arm/v7 arm/v6", "arm64 arm/v7 arm/v6", ""},
		{"older variants of arm are native", "", "arm/v7 arm/v6", "", "arm/v7 arm/v6", ""},
		{"what is declared counts alone", "arm64", "amd64 arm64", "", "arm64", "amd64"},
		{"what is declared need not be listed", "riscv64", "amd64", "", "riscv64", "amd64"},
		{"a platform is in one list only", "amd64", "amd64 amd64", "", "amd64", ""},
	} {
		spec := nodes.Spec{Platforms: platforms(strings.Fields(row.declared)...)}
		native, emulated := spec.Split(platforms(strings.Fields(row.listed)...), platforms(strings.Fields(row.unaided)...))
		if !slices.Equal(native, platforms(strings.Fields(row.native)...)) || !slices.Equal(emulated, platforms(strings.Fields(row.emulated)...)) {
			t.Errorf("%s: native %v, emulated %v", row.problem, native, emulated)
		}
	}
}

func TestSlotsFollowTheUserThenTheCores(t *testing.T) {
	for _, row := range []struct{ jobs, cores, want int }{{0, 0, 2}, {0, 1, 2}, {0, 2, 2}, {0, 8, 8}, {3, 8, 3}, {3, 0, 3}} {
		if got := (nodes.Spec{Jobs: row.jobs}).Slots(row.cores); got != row.want {
			t.Errorf("jobs=%d, %d cores: %d slots", row.jobs, row.cores, got)
		}
	}
}

// node starts a BuildKit server.
func node(t *testing.T, o fixtures.NodeOptions) *fixtures.Node {
	t.Helper()
	if os.Geteuid() != 0 {
		lacks(t, "root")
	}
	for _, program := range []string{"runc", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks(t, program)
		}
	}
	if _, err := os.Stat("../../bin/buildkitd"); err != nil {
		lacks(t, "bin/buildkitd")
	}
	if err := fixtures.RegisterEmulators(); err != nil {
		lacks(t, err.Error())
	}
	return fixtures.NodeForTest(t, o)
}

func spec(t *testing.T, text string) nodes.Spec {
	t.Helper()
	s, err := nodes.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// limited is a context for one look.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestANodeTellsWhatItIs(t *testing.T) {
	s := spec(t, node(t, fixtures.NodeOptions{TLS: true}).Socket+",weight=2")
	f := nodes.Look(limited(t), s)
	own := platform.Host()
	if !f.Reachable || f.Error != "" || f.BuildKit == "" || len(f.Native) == 0 || f.Native[0] != own || f.Weight != 2 || f.From != "--node" {
		t.Errorf("%+v", f)
	}
	if f.Cores == nil || *f.Cores != runtime.NumCPU() || f.Slots != max(2, *f.Cores) {
		t.Errorf("cores %v, slots %d", f.Cores, f.Slots)
	}
	if f.DiskFree == nil || *f.DiskFree <= 0 || f.CacheSize == nil || f.Running == nil || *f.Running != 0 {
		t.Errorf("free %v, cache %v, running %v", f.DiskFree, f.CacheSize, f.Running)
	}
	for _, p := range f.Native {
		if p.Arch != own.Arch && p.Arch != "386" {
			t.Errorf("%s is native for %s", own, p)
		}
	}
	// A build that has begun and not ended is seen, and the looking itself is none.
	if f := nodes.Look(limited(t), s); f.Running == nil || *f.Running != 0 {
		t.Errorf("running %v", f.Running)
	}
	building(t, s, func() {
		if f := nodes.Look(limited(t), s); f.Running == nil || *f.Running != 1 {
			t.Errorf("running %v", f.Running)
		}
	})
	// Looking again leaves nothing more than looking once.
	again := nodes.Look(limited(t), s)
	if again.CacheSize == nil {
		t.Fatal("the cache's size is not known")
	}
	if third := nodes.Look(limited(t), s); third.CacheSize == nil || *third.CacheSize > *again.CacheSize {
		t.Errorf("the cache grows from %d to %v bytes", *again.CacheSize, third.CacheSize)
	}
}

// building calls do while a build runs on a node.
func building(t *testing.T, s nodes.Spec, do func()) {
	t.Helper()
	connected, err := nodes.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Client.Close()
	_, err = connected.Client.Build(limited(t), client.SolveOpt{}, "", func(context.Context, gateway.Client) (*gateway.Result, error) {
		do()
		return gateway.NewResult(), nil
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestANodeOfAnotherMachineTellsWhatItIs(t *testing.T) {
	n := node(t, fixtures.NodeOptions{Platforms: []string{"linux/arm64"}})
	f := nodes.Look(limited(t), spec(t, n.Socket))
	if !f.Reachable || !slices.Equal(f.Native, platforms("arm64")) || f.Cores == nil || f.DiskFree == nil {
		t.Errorf("%+v", f)
	}
	if slices.Contains(f.Native, armv7) {
		t.Error("what an emulator runs passes for native")
	}
	// Its owner knows better.
	f = nodes.Look(limited(t), spec(t, n.Socket+",platform=arm64+riscv64"))
	if !slices.Equal(f.Native, platforms("arm64", "riscv64")) || !strings.Contains(f.Note, "declared for linux/riscv64, which the server does not list") {
		t.Errorf("native %v, note %q", f.Native, f.Note)
	}
}

func TestCertificatesDecideWhoIsAnswered(t *testing.T) {
	n := node(t, fixtures.NodeOptions{TLS: true})
	stranger := node(t, fixtures.NodeOptions{TLS: true})
	files := ",cacert=" + n.TLS.CA + ",cert=" + n.TLS.Certificate + ",key=" + n.TLS.Key
	for _, row := range []struct {
		problem, keys string
		answers       bool
	}{
		{"with the right certificates", files, true},
		{"with the name that is in the server's", files + ",servername=localhost", true},
		{"with another name", files + ",servername=arm.example", false},
		{"without TLS", "", false},
		{"without a certificate of one's own", ",cacert=" + n.TLS.CA, false},
		{"with another authority", ",cacert=" + stranger.TLS.CA + ",cert=" + n.TLS.Certificate + ",key=" + n.TLS.Key, false},
		{"with a certificate of another authority", ",cacert=" + n.TLS.CA + ",cert=" + stranger.TLS.Certificate + ",key=" + stranger.TLS.Key, false},
	} {
		f := nodes.Look(limited(t), spec(t, n.Address+row.keys))
		if f.Reachable != row.answers || (f.Error == "") != row.answers || (f.Hint == "") != row.answers {
			t.Errorf("%s: %+v", row.problem, f)
		}
	}
}

func TestSilentNodesDoNotHoldUpTheOthers(t *testing.T) {
	good, frozen := node(t, fixtures.NodeOptions{}), node(t, fixtures.NodeOptions{})
	if err := frozen.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { frozen.Thaw() })
	list := []nodes.Spec{spec(t, "unix:///no/such/socket"), spec(t, frozen.Socket), spec(t, good.Socket), spec(t, "tcp://127.0.0.1:1")}
	start := time.Now()
	found := nodes.LookAtAll(t.Context(), list, 6*time.Second, nodes.Look)
	if took := time.Since(start); took > 11*time.Second {
		t.Errorf("it took %s", took)
	}
	for i, row := range []struct {
		problem, want, hint string
	}{
		{"a socket that is not there", "no such file or directory", "ls -l /no/such/socket"},
		{"a server that hangs", "no answer within", "ls -l"},
		{"a server that answers", "", ""},
		{"a port where nobody listens", "connection refused", "cacert="},
	} {
		f := found[i]
		if f.Reachable != (row.want == "") || !strings.Contains(f.Error, row.want) || !strings.Contains(f.Hint, row.hint) || strings.Contains(f.Error, "desc =") {
			t.Errorf("%s: %+v", row.problem, f)
		}
	}
}

func TestHintsSayWhatToTry(t *testing.T) {
	for address, want := range map[string]string{
		"ssh://me@arm.example":                      "try: ssh me@arm.example buildctl debug workers",
		"ssh://arm:2222/run/b.sock":                 "try: ssh -p 2222 arm buildctl --addr unix:///run/b.sock debug workers",
		"docker-container://b?context=far":          "try: docker --context far exec b buildctl debug workers",
		"nerdctl-container://b":                     "try: nerdctl exec b buildctl debug workers",
		"kube-pod://b-0?namespace=ci&container=x":   "try: kubectl --namespace ci exec b-0 -- buildctl debug workers",
		"unix:///run/buildkit/buildkitd.sock":       "ls -l /run/buildkit/buildkitd.sock",
		"tcp://arm.example:1234":                    "if it speaks TLS, give cacert=",
		"podman-container://buildkitd":              "try: podman exec buildkitd buildctl debug workers",
		"tcp://arm.example:1234,cacert=facts.go":    "certificates",
		"kube-pod://b-0?context=arn:aws:eks:x:1:ci": "try: kubectl --context arn:aws:eks:x:1:ci exec b-0 -- buildctl debug workers",
	} {
		f := nodes.Silent(spec(t, address), &builder.NodeError{Address: address, Err: errors.New("no")})
		if !strings.Contains(f.Hint, want) || f.Error != "no" {
			t.Errorf("%s: %q, hint %q", address, f.Error, f.Hint)
		}
	}
}

func TestWhatWasSeenIsRemembered(t *testing.T) {
	dir := t.TempDir()
	if _, known := nodes.Recall(dir, "tcp://a:1"); known {
		t.Error("an empty folder remembers something")
	}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	cores := 8
	seen := nodes.Facts{Address: "tcp://a:1", Reachable: true, Native: platforms("arm64"), Listed: platforms("arm64", "amd64/v2", "mips64"), BuildKit: "v0.33.1", Cores: &cores}
	if err := nodes.Remember(dir, now, seen, nodes.Facts{Address: "tcp://b:1"}); err != nil {
		t.Fatal(err)
	}
	want := nodes.Seen{Address: "tcp://a:1", Native: platforms("arm64"), Listed: platforms("arm64", "amd64/v2", "mips64"), BuildKit: "v0.33.1", Cores: 8, When: now}
	got, known := nodes.Recall(dir, "tcp://a:1")
	if diff := cmp.Diff(want, got); diff != "" || !known {
		t.Error(known, diff)
	}
	if _, known := nodes.Recall(dir, "tcp://b:1"); known {
		t.Error("a node that did not answer is remembered")
	}
	// A node that does not answer now stays what it was.
	if err := nodes.Remember(dir, now.Add(time.Hour), nodes.Facts{Address: "tcp://a:1"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := nodes.Recall(dir, "tcp://a:1"); !got.When.Equal(now) {
		t.Error(got)
	}
	var many []nodes.Facts
	for i := range 600 {
		many = append(many, nodes.Facts{Address: fmt.Sprintf("tcp://c:%03d", i), Reachable: true})
	}
	if err := nodes.Remember(dir, now.Add(time.Hour), many...); err != nil {
		t.Fatal(err)
	}
	if _, known := nodes.Recall(dir, "tcp://a:1"); known {
		t.Error("the memory grows without end")
	}
	// Nor does a server that says too much.
	many = []nodes.Facts{{Address: "tcp://d:1", Reachable: true, Listed: make([]platform.Platform, 101)}, {Address: "tcp://e:1", Reachable: true, BuildKit: strings.Repeat("v", 65)}}
	if err := nodes.Remember(dir, now.Add(2*time.Hour), many...); err != nil {
		t.Fatal(err)
	}
	for _, f := range many {
		if _, known := nodes.Recall(dir, f.Address); known {
			t.Errorf("%s is remembered", f.Address)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files", len(entries))
	}
	if err := os.WriteFile(dir+"/nodes.json", []byte(`{"nodes": [{"address": 1`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, known := nodes.Recall(dir, "tcp://c:001"); known {
		t.Error("a broken memory remembers something")
	}
	if err := nodes.Remember(dir, now, seen); err != nil {
		t.Error(err)
	}
}

func TestABuildAsksAMachineOnce(t *testing.T) {
	n := node(t, fixtures.NodeOptions{})
	s, dir, now := spec(t, n.Socket), t.TempDir(), time.Now()
	connected, err := nodes.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Client.Close()
	first := nodes.Learn(t.Context(), dir, now, s, connected)
	if first.Cores != runtime.NumCPU() || len(first.Native) == 0 || first.Native[0] != platform.Host() {
		t.Errorf("%+v", first)
	}
	if again := nodes.Learn(t.Context(), dir, now.Add(time.Hour), s, connected); !again.When.Equal(first.When) {
		t.Error("it is asked again within the hour")
	}
	if later := nodes.Learn(t.Context(), dir, now.Add(48*time.Hour), s, connected); later.When.Equal(first.When) {
		t.Error("it is not asked again after two days")
	}
	declared := spec(t, n.Socket+",platform=arm64")
	if got := nodes.Learn(t.Context(), dir, now, declared, connected); !slices.Equal(got.Native, nodes.Platforms(platforms("arm64"))) {
		t.Errorf("what was declared since: %+v", got)
	}
}
