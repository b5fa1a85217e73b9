//go:build linux

package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/builder/engine"
)

func TestParseFilters(t *testing.T) {
	for name, tt := range map[string]struct {
		texts []string
		want  []string
		keep  time.Duration
		bad   bool
	}{
		"of buildx, all have to fit":         {[]string{"type=regular", "private"}, []string{"type==regular,private"}, 0, false},
		"of buildx, a part of an id":         {[]string{"id=abc"}, []string{"id~=abc"}, 0, false},
		"of buildx, a pattern":               {[]string{"description~=golang"}, []string{"description~=golang"}, 0, false},
		"of buildx, with spaces":             {[]string{"description~=RUN go"}, []string{`description~="RUN go"`}, 0, false},
		"of buildx, not":                     {[]string{"type!=regular"}, []string{"type!=regular"}, 0, false},
		"of buildx, something that is there": {[]string{"shared"}, []string{"shared"}, 0, false},
		"of buildctl, one has to fit":        {[]string{"type==regular", "type==source.local"}, []string{"type==regular", "type==source.local"}, 0, false},
		"a time":                             {[]string{"until=24h"}, nil, 24 * time.Hour, false},
		"no time":                            {[]string{"until=yesterday"}, nil, 0, true},
		"no key":                             {[]string{"=x"}, nil, 0, true},
		"nothing":                            {[]string{""}, nil, 0, true},
		"a key that is none":                 {[]string{"typ=regular"}, nil, 0, true},
		"a mark with a value":                {[]string{"inuse=false"}, nil, 0, true},
		"a key without its value":            {[]string{"type"}, nil, 0, true},
		"no expression":                      {[]string{"type=="}, nil, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, keep, err := engine.ParseFilters(tt.texts)
			if tt.bad != (err != nil) || !tt.bad && (!slices.Equal(got, tt.want) || keep != tt.keep) {
				t.Errorf("got %q, %s, %v", got, keep, err)
			}
		})
	}
}

func TestTheCacheIsMeasuredAndPruned(t *testing.T) {
	o := options(t)
	requireRunc(t, o.Runc)
	h := ensure(t, o)
	dir := boxContext(t)
	token := fmt.Sprintf("t%d", time.Now().UnixNano())
	if out, err := buildBox(t.Context(), h.Client, dir, sleeper(time.Millisecond, token)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	usage := func() engine.Usage {
		u, err := h.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	before := usage()
	for end := time.Now().Add(time.Minute); before.Reclaimable != before.Total && time.Now().Before(end); before = usage() {
		time.Sleep(20 * time.Millisecond) // BuildKit lets go of a build's results a moment after its answer.
	}
	if before.Total < 1<<20 || before.Count != len(before.Records) || before.Reclaimable != before.Total || len(before.Kinds) < 2 {
		t.Errorf("after a build: %+v", before)
	}
	if len(before.Policy) != 4 {
		t.Errorf("the policy is %+v", before.Policy)
	}
	prune := func(want engine.PruneOptions) engine.Freed {
		freed, err := h.Prune(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		return freed
	}
	if kept := prune(engine.PruneOptions{KeepDuration: time.Hour}); kept.Count != 0 {
		t.Errorf("what was used a moment ago has gone: %+v", kept)
	}
	local := prune(engine.PruneOptions{Filters: []string{"type==source.local"}})
	if local.Count == 0 || slices.ContainsFunc(usage().Kinds, func(k engine.KindUsage) bool { return k.Kind == "source.local" }) {
		t.Errorf("pruned by a filter: %+v", local)
	}
	rest := prune(engine.PruneOptions{All: true})
	if after := usage(); after.Total != 0 || rest.Size+local.Size != before.Total {
		t.Errorf("freed %d and %d of %d, left %+v", local.Size, rest.Size, before.Total, after)
	}
}

// The policy is what buildkitd makes of the same file.
func TestThePolicyOfAFile(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []engine.Rule
	}{
		"none at all": {"[worker.oci]\ngc = false\n", []engine.Rule{}},
		"rules of its own": {`
[[worker.oci.gcpolicy]]
keepDuration = "48h"
filters = ["type==source.local", "type==exec.cachemount"]
maxUsedSpace = "512MB"
[[worker.oci.gcpolicy]]
all = true
keepBytes = 1024000000
minFreeSpace = "1GB"
reservedSpace = "2GB"
[[worker.oci.gcpolicy]]
keepBytes = "3GB"
keepDuration = 3600
`, []engine.Rule{
			{Filter: []string{"type==source.local", "type==exec.cachemount"}, KeepDuration: 48 * time.Hour, MaxUsedSpace: 512 << 20},
			{All: true, MinFreeSpace: 1 << 30, ReservedSpace: 2 << 30},
			{KeepDuration: time.Hour, ReservedSpace: 3 << 30},
		}},
		"bounds for the rules that BuildKit has": {`
[worker.oci]
reservedSpace = "1GB"
maxUsedSpace = "5GB"
minFreeSpace = "2GB"
`, []engine.Rule{
			{Filter: []string{"type==source.local", "type==exec.cachemount", "type==source.git.checkout"}, KeepDuration: 48 * time.Hour, MaxUsedSpace: 512e6},
			{KeepDuration: 60 * 24 * time.Hour, ReservedSpace: 1 << 30, MaxUsedSpace: 5 << 30, MinFreeSpace: 2 << 30},
			{ReservedSpace: 1 << 30, MaxUsedSpace: 5 << 30, MinFreeSpace: 2 << 30},
			{All: true, ReservedSpace: 1 << 30, MaxUsedSpace: 5 << 30, MinFreeSpace: 2 << 30},
		}},
		"the older name of a bound": {"[worker.oci]\ngckeepstorage = \"4GB\"\n", []engine.Rule{
			{Filter: []string{"type==source.local", "type==exec.cachemount", "type==source.git.checkout"}, KeepDuration: 48 * time.Hour, MaxUsedSpace: 512e6},
			{KeepDuration: 60 * 24 * time.Hour, ReservedSpace: 4 << 30},
			{ReservedSpace: 4 << 30},
			{All: true, ReservedSpace: 4 << 30},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Runc = ""
			o.Config = filepath.Join(t.TempDir(), "buildkitd.toml")
			if err := os.WriteFile(o.Config, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			usage, err := ensure(t, o).Usage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, usage.Policy); diff != "" {
				t.Errorf("the policy differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownKeysOfTheConfigurationAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "buildkitd.toml")
	text := `# a comment
debug = true
[worker.oci]
gckeepstorag = "5GB"
maxusedspace = "5GB"
labels = {anything = "goes"}
[[worker.oci.gcpolicy]]
keepDurations = "48h"
[worker]
maxUsedSpace = "1GB"
[registry."docker.io"]
mirror = ["m.example"]
[registries]
x = 1
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range engine.ConfigWarnings(path) {
		got = append(got, strings.TrimPrefix(w, path+":"))
	}
	want := []string{
		"4: BuildKit has no key worker.oci.gckeepstorag, and passes over it; did you mean worker.oci.gckeepstorage?",
		"8: BuildKit has no key worker.oci.gcpolicy.keepDurations, and passes over it; did you mean worker.oci.gcpolicy.keepDuration?",
		"10: BuildKit has no key worker.maxUsedSpace, and passes over it; did you mean worker.oci.maxUsedSpace?",
		"12: BuildKit has no key registry.docker.io.mirror, and passes over it; did you mean registry.docker.io.mirrors?",
		"13: BuildKit has no key registries, and passes over it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the warnings differ (-want +got):\n%s", diff)
	}
	if w := engine.ConfigWarnings(filepath.Join(t.TempDir(), "none")); w != nil {
		t.Errorf("a file that is not there: %q", w)
	}
	if w := engine.ConfigWarnings(""); w != nil {
		t.Errorf("no file: %q", w)
	}
}
