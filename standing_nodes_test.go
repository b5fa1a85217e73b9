package archbuild

import (
	"errors"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
)

// TestNoJobGoesWhereItWouldStandOnWhatNobodyBuilds has a service ask for the image of another one on the platform of the
// node: the graph was made for one node, and another one would take that image from a registry.
func TestNoJobGoesWhereItWouldStandOnWhatNobodyBuilds(t *testing.T) {
	amd64, arm64 := platform.MustParse("linux/amd64"), platform.MustParse("linux/arm64")
	chdirTo(t, `
-- tools/Dockerfile --
FROM scratch
COPY Dockerfile /
-- own/Dockerfile --
FROM --platform=$BUILDPLATFORM shop/tools AS tools
FROM scratch
COPY --from=tools /Dockerfile /
-- target/Dockerfile --
FROM shop/tools
COPY Dockerfile /
-- compose.yaml --
services:
  tools: {build: tools, image: shop/tools}
  own: {build: {context: own, platforms: [linux/arm64]}}
  target: {build: {context: target, platforms: [linux/arm64]}}
`)
	o, err := Options{File: "compose.yaml", Offline: true, Engine: outside.Engine{State: t.TempDir()}}.input(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := o.check()
	if err != nil {
		t.Fatal(err)
	}
	services, err := r.read(t.Context(), detect.HostFacts{Platform: amd64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(services) })
	made, err := r.connect(services, func(platform.Platform) platform.Platform { return amd64 })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range made.services {
		if err := r.standsOn(s, arm64, place{name: "one", platform: amd64}); err != nil {
			t.Errorf("%s on the node of the graph: %v", s.name, err)
		}
		err := r.standsOn(s, arm64, place{name: "two", platform: arm64})
		other := new(OtherBaseError)
		switch {
		case s.name != "own" && err != nil:
			t.Errorf("%s on another node: %v", s.name, err)
		case s.name == "own" && (!errors.As(err, &other) || other.On != arm64 || other.Line != 1 || !strings.Contains(other.Hint(), "linux/arm64")):
			t.Errorf("%s may go to another node: %v", s.name, err)
		}
	}
}

// TestNothingIsMadeOfABaseThatIsRefusedLate has a base found wrong when others stand on it already, as by a witness.
func TestNothingIsMadeOfABaseThatIsRefusedLate(t *testing.T) {
	amd64, arm64 := platform.MustParse("linux/amd64"), platform.MustParse("linux/arm64")
	base, user := service{name: "base"}, service{name: "user"}
	for _, on := range []platform.Platform{amd64, arm64} {
		user.stands = append(user.stands, stand{on: on, at: on, base: 0, name: "shop/base", edge: project.Edge{Base: "base", On: on}})
	}
	further := service{name: "further", stands: []stand{{on: arm64, at: arm64, base: 1, name: "shop/user", edge: project.Edge{Base: "user", On: arm64}}}}
	made := newBases([]service{base, user, further})
	made.refuse(jobKey{0, arm64})
	jobs := []plan.Job{{Platform: amd64}, {Platform: arm64}}
	m := making{crew: &crew{bases: made}, service: user, plan: plan.Plan{Jobs: jobs}, image: &Image{Platforms: make([]Built, 2)}}
	failed := []error{nil, nil}
	m.checked(t.Context(), 1, make([]manifest.Result, 2), failed)
	if at := m.image.Platforms[1]; because(failed[1]) != "base" || at.State != stateNotBuilt || at.Because != "base" || at.Error == "" {
		t.Errorf("what stands on it is %+v: %v", at, failed[1])
	}
	if err := made.sound(user, amd64); err != nil {
		t.Errorf("its other platform: %v", err)
	}
	if err := made.sound(further, arm64); err != nil {
		t.Errorf("before the service between is settled: %v", err)
	}
	made.refuse(jobKey{1, arm64})
	if because(made.sound(further, arm64)) != "user" {
		t.Error("what stands on that is made")
	}
}
