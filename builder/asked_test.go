package builder_test

import (
	"reflect"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// asking is all that a digest of what is asked can depend on.
type asking struct {
	from builder.Sources
	job  plan.Job
	opts builder.Options
}

func (a asking) digest(t *testing.T) digest.Digest {
	t.Helper()
	sum, err := a.from.Asked(t.Context(), a.job, a.opts)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func newAsking() asking {
	return asking{
		job: plan.Job{Platform: platform.MustParse("linux/arm64"), Dockerfile: "Dockerfile.arm64", Args: map[string]string{"A": "b"}},
		opts: builder.Options{
			Annotations: map[platform.Platform]map[string]string{platform.MustParse("linux/arm64"): {"annotation-manifest.a": "b"}},
			Remote:      map[string]builder.Remote{"more": {Address: "docker-image://debian:12"}},
		},
	}
}

// askedFields change one field each; what is nil has no part in what is built, for the reason given.
var askedFields = map[string]struct {
	change func(*asking)
	why    string
}{
	"Options.Patience":    {nil, "it is how long is waited for an end"},
	"Options.Template":    {nil, "it is for messages"},
	"Options.Labels":      {func(a *asking) { a.opts.Labels = map[string]string{"a": "b"} }, ""},
	"Options.Annotations": {func(a *asking) { a.opts.Annotations[a.job.Platform]["annotation-manifest.a"] = "c" }, ""},
	"Options.NoCache":     {func(a *asking) { a.opts.NoCache = true }, ""},
	"Options.Pull":        {func(a *asking) { a.opts.Pull = true }, ""},
	"Options.Provenance":  {func(a *asking) { a.opts.Provenance = "mode=max" }, ""},
	"Options.Export":      {func(a *asking) { a.opts.Export = map[string]string{"compression": "zstd"} }, ""},
	"Options.Remote": {func(a *asking) {
		a.opts.Remote["more"] = builder.Remote{Address: "https://example.com/a.git#0123456789012345678901234567890123456789"}
	}, ""},
	"Options.Images": {func(a *asking) {
		a.opts.Images = map[string]builder.Image{"base::linux/arm64": {Digest: digest.FromString("image")}}
	}, ""},
	"Options.Frontend":     {func(a *asking) { a.opts.Frontend = map[string]string{"force-network-mode": "none"} }, ""},
	"Options.Proxies":      {func(a *asking) { a.opts.Proxies = map[string]string{"HTTP_PROXY": "http://example.com"} }, ""},
	"Options.Allow":        {func(a *asking) { a.opts.Allow = []string{"network.host"} }, ""},
	"Options.CacheProject": {nil, "it says which cache mounts are meant; it is a build argument where provenance tells those, and the caller leaves it out elsewhere"},
	"Options.Caches":       {nil, "steps have the same results with and without"},

	"Sources.Context":     {nil, "its files are added up by the caller; what a node has fetched comes as an input"},
	"Sources.Shared":      {nil, "it saves a walk"},
	"Sources.handed":      {nil, "it says which blobs of Options.Images may be read"},
	"Sources.results":     {nil, "it is where they go"},
	"Sources.Results":     {nil, "it is no part of what is seen"},
	"Sources.Rewrites":    {nil, "they are no part of what is seen"},
	"Sources.Dockerfiles": {nil, "they are added up by the caller"},
	"Sources.Contexts":    {nil, "their files are added up by the caller"},
	"Sources.Layouts": {func(a *asking) {
		a.from.Layouts = map[string]builder.Layout{"base": {Folder: "/layout", Digest: digest.FromString("image")}}
	}, ""},
	"Sources.Secrets":    {nil, "they are no part of BuildKit's cache keys either"},
	"Sources.Fetches":    {nil, "it says what a node may ask for by itself"},
	"Sources.SSH":        {nil, "it is no part of BuildKit's cache keys either"},
	"Sources.Registries": {nil, "they say who gets credentials"},
	"Sources.Realm":      {nil, "it says who makes tokens"},
	"Sources.Tokens":     {nil, "it is the way to who makes tokens"},
	"Sources.Refused":    {nil, "it notes what a node asks for beside"},
	"Sources.Store":      {nil, "it is where results go"},
	"Sources.Edition":    {nil, "it is for nodes to tell what they have, not what there is"},
	"Sources.Caches":     {nil, "steps have the same results with and without"},
}

func TestWhatIsAskedOfANodeDependsOnAllThatItIsTold(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[builder.Options](), reflect.TypeFor[builder.Sources]()} {
		for i := range of.NumField() {
			name := of.Name() + "." + of.Field(i).Name
			field, known := askedFields[name]
			switch {
			case !known:
				t.Errorf("%s: is it part of what is built? Say so here, and in what the root package adds up for resuming", name)
			case field.change == nil && field.why == "":
				t.Errorf("%s: neither a change nor a reason", name)
			case field.change != nil:
				was, is := newAsking(), newAsking()
				field.change(&is)
				if was.digest(t) == is.digest(t) {
					t.Errorf("%s changed, and the digest did not", name)
				}
			}
		}
	}
}

func TestWhatIsAskedOfANodeDependsOnTheJob(t *testing.T) {
	base := plan.Base{From: "a", To: "a", Where: "FROM", Digest: digest.FromString("a").String(), Platform: platform.MustParse("linux/arm64")}
	for _, row := range []struct {
		what   string
		change func(*plan.Job)
		same   bool
	}{
		{"nothing", func(*plan.Job) {}, true},
		{"the node", func(j *plan.Job) { j.Node = "other" }, true},
		{"the platform", func(j *plan.Job) { j.Platform = platform.MustParse("linux/riscv64") }, false},
		{"the target", func(j *plan.Job) { j.Target = "test" }, false},
		{"the frontend", func(j *plan.Job) { j.Frontend = "own/frontend" }, false},
		{"an argument", func(j *plan.Job) { j.Args = map[string]string{"A": "c"} }, false},
		{"an argument more", func(j *plan.Job) { j.Args = map[string]string{"A": "b", "C": ""} }, false},
		{"an image of an ONBUILD", func(j *plan.Job) { j.Onbuild = []plan.Base{base} }, false},
		{"an image of a named context", func(j *plan.Job) { base.Context = "more"; j.Contexts = []plan.Base{base} }, false},
		{"the namespace of caches", func(j *plan.Job) { j.CacheNamespace = "arm64" }, false},
	} {
		was, is := newAsking(), newAsking()
		row.change(&is.job)
		if same := was.digest(t) == is.digest(t); same != row.same {
			t.Errorf("%s: the digest is the same: %t", row.what, same)
		}
	}
}

func TestAnAddressIsPinnedByAWholeCommit(t *testing.T) {
	const commit = "0123456789012345678901234567890123456789"
	for address, want := range map[string]bool{
		"https://example.com/a.git":                                          false,
		"https://example.com/a.git#main":                                     false,
		"https://example.com/a.git#" + commit:                                true,
		"https://example.com/a.git#" + commit + ":sub":                       true,
		"https://example.com/a.git#" + commit[:39]:                           false,
		"https://example.com/a.git?ref=main&checksum=" + commit:              true,
		"https://example.com/a.git?ref=main&checksum=" + commit[:7]:          false,
		"git@example.com:a.git#" + commit:                                    true,
		"https://example.com/a.tar.gz":                                       false,
		"https://example.com/a.tar.gz#" + commit:                             false,
		"https://example.com/a.git#0123456789ABCDEF0123456789ABCDEF01234567": false,
	} {
		if got := (builder.Remote{Address: address}).Pinned(); got != want {
			t.Errorf("%s: pinned %t", address, got)
		}
	}
}
