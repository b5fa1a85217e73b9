//go:build linux && amd64

package faults_test

import (
	"path/filepath"
	"testing"

	"github.com/archbuild/archbuild/internal/registrytest"
)

// verb is something that the program is asked to do, and what it is to find when it begins.
type verb struct {
	name string
	args []string
	// prepare makes the user's files and what earlier runs have left.
	prepare func(t testing.TB, w *world)
	// hub fills the registry, before each run.
	hub func(t testing.TB, w *world)
	// tag is repository and tag that move.
	tag [2]string
	// appends is a file that each run adds to.
	appends string
	// whole verbs are tried at every call each time; of the others make test tries a few, chosen by a seed. Of two verbs
	// that change the same files in the same way, as manifest create and manifest push do, one is whole: half a minute
	// is what this test may take of the time of all tests. `make faults` tries everything.
	whole bool
}

const (
	both    = "linux/amd64,linux/arm64"
	seedNow = 7 // of what tags name before a run
)

// verbs is the table.
func verbs(built tree) []verb {
	bases := func(t testing.TB, w *world) {
		registrytest.Index(registrytest.Options{Platforms: []string{"linux/amd64", "linux/arm64"}}).Push(t, w.hub, "base", "1")
	}
	template := func(t testing.TB, w *world) {
		w.put(t, "svc/Dockerfile", "FROM "+w.hub+"/base:1\nCOPY a /a\n", 0o644)
		w.put(t, "svc/Dockerfile.dockerignore", "b\n", 0o644)
		w.put(t, "svc/a", "a\n", 0o644)
	}
	scratch := func(t testing.TB, w *world) {
		w.put(t, "svc/Dockerfile", scratchFile, 0o644)
		w.put(t, "svc/a", "a\n", 0o644)
		built.write(t, filepath.Join(w.dir, state))
	}
	images := func(t testing.TB, w *world) {
		for i, arch := range []string{"amd64", "arm64"} {
			registrytest.Image(registrytest.Options{Platforms: []string{"linux/" + arch}, Seed: uint64(i), Layers: []int{600, 300}}).Push(t, w.hub, "parts", arch)
		}
	}
	before := func(t testing.TB, w *world) {
		registrytest.Index(registrytest.Options{Platforms: []string{"linux/amd64"}, Seed: seedNow}).Push(t, w.hub, "app", "1")
	}
	record := func(t testing.TB, w *world) {
		if w.has("svc/Dockerfile") {
			w.must(t, "build", "svc", "--platform", both, "-t", w.hub+"/app:1", "--push", "--record", "records")
		}
	}
	return []verb{
		{name: "rewrite", whole: true, hub: bases, args: []string{"rewrite", "svc", "--platform", both, "--deps", "svc/rules.d"}, prepare: func(t testing.TB, w *world) {
			template(t, w)
			w.must(t, "rewrite", "svc", "--platform", both, "-o", "../home/tmp/known") // the registry's answers are known
			w.put(t, "svc/Dockerfile.amd64", "FROM old\n", 0o640)
			w.put(t, "svc/rules.d", "old: old\n", 0o604)
		}},
		{name: "lock", whole: true, hub: bases, args: []string{"lock", "svc", "--platform", both, "--update"}, prepare: func(t testing.TB, w *world) {
			template(t, w)
			registrytest.Index(registrytest.Options{Platforms: []string{"linux/amd64", "linux/arm64"}, Seed: seedNow}).Push(t, w.hub, "base", "1")
			w.must(t, "lock", "svc", "--platform", both)
			w.chmod(t, "svc/archbuild.lock", 0o600)
		}},
		{name: "ci plan", hub: bases, args: []string{"ci", "plan", "svc", "--platform", both, "-t", "{hub}/app:1", "--plan-file", "new/plan.json"}, prepare: template},
		{name: "port --write", hub: bases, args: []string{"port", "svc", "--write", "--offline"}, prepare: func(t testing.TB, w *world) {
			w.put(t, "svc/Dockerfile", ported, 0o664)
		}},
		{name: "manifest create", tag: [2]string{"app", "1"}, args: []string{"manifest", "create", "-t", "{hub}/app:1", "{hub}/parts:amd64", "{hub}/parts:arm64", "--metadata-file", "meta.json"},
			hub:     func(t testing.TB, w *world) { images(t, w); before(t, w) },
			prepare: func(t testing.TB, w *world) { w.put(t, "meta.json", "{}\n", 0o600) }},
		{name: "manifest push", whole: true, tag: [2]string{"app", "1"}, args: []string{"manifest", "push", "from-args", "--platforms", both, "--template", "{hub}/parts:ARCH", "--target", "{hub}/app:1"},
			hub: func(t testing.TB, w *world) { images(t, w); before(t, w) }, prepare: func(testing.TB, *world) {}},
		{name: "build to a layout", args: []string{"build", "svc", "--platform", both, "--iidfile", "id", "--metadata-file", "meta.json", "--deps", "rules.d"}, prepare: func(t testing.TB, w *world) {
			scratch(t, w)
			w.put(t, "id", "old", 0o600)
		}},
		{name: "build to a layout that is there", args: []string{"build", "svc", "--platform", both, "-o", "type=oci,tar=false,dest=layout"}, prepare: func(t testing.TB, w *world) {
			scratch(t, w)
			w.must(t, "build", "svc", "--platform", "linux/amd64", "-o", "type=oci,tar=false,dest=layout")
		}},
		{name: "build to an archive", args: []string{"build", "svc", "--platform", both, "-o", "type=oci,dest=app.tar", "-o", "type=tar,dest=files.tar"}, prepare: func(t testing.TB, w *world) {
			scratch(t, w)
			w.put(t, "app.tar", "old", 0o600)
		}},
		{name: "build to a folder", args: []string{"build", "svc", "--platform", both, "-o", "type=local,dest=out"}, prepare: func(t testing.TB, w *world) {
			scratch(t, w)
			w.put(t, "out/linux_amd64/a", "old", 0o644) // modes are those of the image
			w.put(t, "out/linux_amd64/mine", "mine", 0o600)
		}},
		{name: "build and push", tag: [2]string{"app", "1"}, args: []string{"build", "svc", "--platform", both, "-t", "{hub}/app:1", "--push"}, prepare: scratch, hub: before},
		{name: "build and record", args: []string{"build", "svc", "--platform", both, "-t", "{hub}/app:1", "--push", "--record", "records"}, prepare: scratch},
		{name: "verify", args: []string{"verify", "layout"}, prepare: func(t testing.TB, w *world) {
			scratch(t, w)
			w.must(t, "build", "svc", "--platform", both, "-o", "type=oci,tar=false,dest=layout")
			w.forget(t, "verdicts")
		}},
		{name: "ci assemble", appends: "summary.md", tag: [2]string{"app", "1"}, args: []string{"ci", "assemble", "-t", "{hub}/app:1", "--require", both, "records", "--summary", "summary.md", "--metadata-file", "meta.json"},
			hub: func(t testing.TB, w *world) { before(t, w); record(t, w) }, prepare: func(t testing.TB, w *world) {
				scratch(t, w)
				record(t, w)
				w.put(t, "summary.md", "# old\n", 0o600)
			}},
	}
}

const (
	scratchFile = "FROM scratch\nCOPY a /a\n"
	ported      = "FROM debian:12\nARG TARGETARCH\nRUN curl -fsSLO https://dl.example/tool-linux-amd64.tar.gz\n"
)
