package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/registrytest"
)

// requests are counted by class.
type requests = map[registrytest.Class]int

// Three sources, each an image of two layers and a config, become an index of two tags. With twenty of them and other tools beside
// it this is one of the benchmarks.
func TestAnAssemblyAsksForNoMoreThanItNeeds(t *testing.T) {
	for _, kind := range realRegistries {
		t.Run(string(kind), func(t *testing.T) {
			hub, other := registrytest.Start(t, kind), registrytest.Start(t, kind)
			proxy, x := registrytest.NewProxy(t, hub, registrytest.Config{}), newTools(t)
			for _, arch := range []string{"amd64", "arm64", "riscv64"} {
				image := registrytest.Image(registrytest.Options{Platforms: []string{"linux/" + arch}, Layers: []int{2000, 3000}})
				image.Push(t, hub.Addr, "parts", arch)
				image.Push(t, other.Addr, "parts", arch)
			}
			for _, run := range []struct {
				does, from, to string
				want           requests
			}{
				{
					"what the registry has is taken over by it", proxy.Addr, "app",
					requests{"ping": 1, "GET manifest": 3, "GET blob": 3, "HEAD manifest": 3 + 1 + 2 + 2, "POST mount": 9, "PUT manifest": 3 + 1 + 2},
				},
				{
					"a repeated run only looks", proxy.Addr, "app",
					requests{"ping": 1, "HEAD manifest": 3 + 3 + 1 + 2},
				},
				{
					"in the repository of the sources there is nothing to look for but index and tags", proxy.Addr, "parts",
					requests{"ping": 1, "HEAD manifest": 3 + 1 + 2 + 2, "PUT manifest": 1 + 2},
				},
				{
					"what a repository has already is not sent from another registry", other.Addr, "app",
					requests{"ping": 1, "HEAD manifest": 3 + 1 + 2},
				},
				{
					"what it lacks is sent once", other.Addr, "new",
					requests{
						"ping": 1, "HEAD manifest": 3 + 1 + 2 + 2, "PUT manifest": 3 + 1 + 2,
						"HEAD blob": 9, "POST upload": 9, "PATCH upload": 9, "PUT upload": 9,
					},
				},
			} {
				proxy.Forget()
				x.run("archbuild", "manifest", "create", "-t", proxy.Addr+"/"+run.to+":1", "-t", proxy.Addr+"/"+run.to+":2",
					run.from+"/parts:amd64", run.from+"/parts:arm64", run.from+"/parts:riscv64")
				if diff := cmp.Diff(run.want, proxy.Counts().Requests); diff != "" {
					t.Errorf("%s: -want +got\n%s", run.does, diff)
				}
			}
		})
	}
}
