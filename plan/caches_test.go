package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/google/go-cmp/cmp"
)

// kept writes how a plan keeps caches: per job its namespace and ids, per stage
// the word.
func kept(p plan.Plan) []string {
	var lines []string
	for _, job := range p.Jobs {
		line := job.Platform.Suffix() + ":"
		if job.CacheNamespace != "" {
			line += " namespace=" + job.CacheNamespace
		}
		for _, id := range job.CacheIDs {
			line += fmt.Sprintf(" %d id=%s", id.Line, id.ID)
		}
		for _, stage := range job.Stages {
			if stage.Caches != "" {
				line += fmt.Sprintf(" [%d %s]", stage.Index, stage.Caches)
			}
		}
		lines = append(lines, line)
	}
	return append(append(lines, p.CacheNote()...), p.Notes...)
}

func TestCachesAreKeptApartWhereStagesArePerPlatform(t *testing.T) {
	const (
		onNode = "FROM --platform=$BUILDPLATFORM golang AS b\nRUN --mount=type=cache,target=/go make\n"
		apart  = "caches without an id are kept apart: those on linux/arm64 are their own"
		both   = apart + "; those on linux/amd64 share one"
	)
	for _, row := range []struct {
		name, dockerfile string
		args             map[string]string
		want             []string
	}{
		{"a file without cache mounts stays as it is", "FROM debian\nRUN x\n", nil, []string{"amd64:", "arm64:"}},
		{
			"a job that is one platform's gets a namespace, that of the node none",
			"FROM debian\nRUN --mount=type=cache,target=/c x\n", nil,
			[]string{"amd64: [0 shared]", "arm64: namespace=arm64 [0 apart]", both},
		},
		{
			"a stage on the build platform shares, and the file stays",
			onNode + "FROM debian\nCOPY --from=b /x /\n", nil, []string{"amd64: [0 shared]", "arm64: [0 shared]"},
		},
		{
			"where both sorts of stages mix, ids are written for the one",
			onNode + "FROM debian\nRUN --mount=type=cache,target=/c x\nCOPY --from=b /x /\n", nil,
			[]string{"amd64: [0 shared] [1 shared]", "arm64: 4 id=arm64:/c [0 shared] [1 apart]", both},
		},
		{
			"a stage on the build platform without caches is in nobody's way",
			"FROM --platform=$BUILDPLATFORM golang AS b\nRUN make\nFROM debian\nRUN --mount=type=cache,target=/c x\nCOPY --from=b /x /\n", nil,
			[]string{"amd64: [1 shared]", "arm64: namespace=arm64 [1 apart]", both},
		},
		{
			"what a stage that is not needed mounts does not count",
			onNode + "FROM debian\nRUN --mount=type=cache,target=/c x\n", nil,
			[]string{"amd64: [1 shared]", "arm64: namespace=arm64 [1 apart]", both},
		},
		{
			"an id is the author's: no namespace comes before it, and the note tells of it",
			"FROM debian\nRUN --mount=type=cache,target=/c --mount=type=cache,id=mine,target=/d x\n", nil,
			[]string{
				"amd64: [0 shared]", "arm64: 2 id=arm64:/c [0 apart]", both,
				"Dockerfile:2: all platforms share the cache id=mine, as the file says; id=mine-$TARGETARCH keeps them apart",
			},
		},
		{
			"an id with a variable or an architecture's name needs no note",
			"FROM debian\nRUN --mount=type=cache,id=x-$TARGETARCH,target=/c x\nRUN --mount=type=cache,id=x-arm64,target=/c x\n", nil,
			[]string{"amd64: [0 named]", "arm64: [0 named]"},
		},
		{
			"an empty id is none", "FROM debian\nRUN --mount=type=cache,target=/c,id= --mount=type=cache,id=a$V,target=/ x\n", nil,
			[]string{"amd64: [0 shared]", "arm64: 2 id=arm64:/c [0 apart]", both},
		},
		{
			"the user's namespace counts alone, an empty one as well",
			onNode + "FROM debian\nRUN --mount=type=cache,target=/c x\nCOPY --from=b /x /\n", map[string]string{plan.NamespaceArg: ""},
			[]string{"amd64: [0 named] [1 named]", "arm64: [0 named] [1 named]", "caches are kept as --build-arg BUILDKIT_CACHE_MOUNT_NS says"},
		},
		{
			"a stage of a platform that is written out has one cache in all jobs",
			"FROM --platform=linux/arm64 debian AS b\nRUN --mount=type=cache,target=/b x\nFROM debian\nRUN --mount=type=cache,target=/c/ x\nCOPY --from=b /x /\n", nil,
			[]string{"amd64: 2 id=arm64:/b [0 apart] [1 shared]", "arm64: 2 id=arm64:/b 4 id=arm64:/c [0 apart] [1 apart]", both},
		},
		{
			"an ONBUILD that fires in the file counts for the stage that runs it",
			"FROM debian AS b\nONBUILD RUN --mount=type=cache,target=/c x\nFROM b\n", nil,
			[]string{"amd64: [1 shared]", "arm64: namespace=arm64 [1 apart]", both},
		},
		{
			"what no id can be written for is told",
			onNode + "FROM debian\nRUN --mount=type=cache,target=${X:-y} x\nCOPY --from=b /x /\n", nil,
			[]string{
				"amd64: [0 shared] [1 shared]", "arm64: [0 shared] [1 shared]",
				"Dockerfile:4: all platforms share the cache of ${X:-y}: give it an id, id=NAME-$TARGETARCH keeps them apart",
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			var targets []plan.Target
			for _, p := range []platform.Platform{amd64, arm64} {
				targets = append(targets, plan.Target{Platform: p, Args: row.args})
			}
			req := request(t, row.dockerfile, targets...)
			req.AllowForeign = []string{"b"}
			p, err := planned(t, req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, kept(p)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// planned makes a plan with every question answered by itself.
func planned(t *testing.T, req plan.Request) (plan.Plan, error) {
	t.Helper()
	questions, err := plan.Questions(req)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(req, answer(questions))
}

func TestABuildPlatformThatIsNotTheNodesHasCachesOfItsOwn(t *testing.T) {
	req := request(t, "FROM --platform=$BUILDPLATFORM debian AS b\nRUN --mount=type=cache,target=/c x\nFROM debian\nCOPY --from=b /x /\n", plan.Target{Platform: amd64})
	req.Build = arm64
	p, err := planned(t, req)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(kept(p), "\n"); !strings.HasPrefix(got, "amd64: 2 id=arm64:/c [0 apart]\n") {
		t.Error(got)
	}
}

func TestCachesThatAreLeftToAnotherFrontendAreShared(t *testing.T) {
	job := plan.Job{CacheIDs: []plan.CacheID{{Line: 1}}, Stages: []plan.Stage{{Caches: plan.OwnCaches}, {Caches: plan.NamedCaches}}}
	notes := job.LeaveCaches()
	if len(notes) != 1 || job.CacheIDs != nil || job.Stages[0].Caches != plan.SharedCaches || job.Stages[1].Caches != plan.NamedCaches {
		t.Errorf("%v %+v", notes, job)
	}
}
