package archbuild

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/verbs/tending"
)

// shop is three services in a folder: a base, one that stands on it, and one that copies from it.
type shop struct {
	t      *testing.T
	folder string
	opts   Options
	log    *bytes.Buffer
}

func newShop(t *testing.T) *shop {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("the private engine needs root")
		}
		t.Skip("the private engine needs root")
	}
	s := &shop{t: t, folder: t.TempDir(), log: &bytes.Buffer{}}
	s.write("base/Dockerfile", "FROM scratch\nCOPY base.txt /base.txt\n")
	s.write("base/base.txt", noise(300_000))
	s.write("user/Dockerfile", "FROM shop/base\nCOPY user.txt /user.txt\n")
	s.write("user/user.txt", "user")
	s.write("copies/Dockerfile", "FROM scratch\nCOPY --from=shop/base /base.txt /copied.txt\n")
	t.Chdir(s.folder)
	s.opts = Options{
		Paths: []string{"base", "user", "copies"}, Platforms: []string{"linux/amd64,linux/arm64"}, Progress: "plain",
		Engine: outside.Engine{State: filepath.Join(t.TempDir(), "state")},
	}
	s.opts.Stdout, s.opts.Environ = &bytes.Buffer{}, os.Environ()
	t.Cleanup(func() {
		if err := tending.Stop(context.WithoutCancel(t.Context()), s.opts.world()); err != nil {
			t.Errorf("stopping the engine: %v", err)
		}
	})
	return s
}

// noise is text that no compression makes much shorter.
func noise(length int) string {
	from := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, length)
	for i := range text {
		text[i] = byte('0' + from.IntN(64))
	}
	return string(text)
}

func (s *shop) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// stand has service user stand on service base, as name.
func (s *shop) stand(services []service, user, base int, name, where string) {
	for _, target := range services[user].targets {
		services[user].stands = append(services[user].stands, stand{
			on: target.Platform, at: target.Platform, base: base, name: name,
			edge: project.Edge{User: services[user].name, For: target.Platform, Base: services[base].name, On: target.Platform, Name: name, Where: where, At: project.Place{File: services[user].file, Line: 1}},
		})
	}
}

// build builds the shop, and says what became of each service on each platform.
func (s *shop) build() (map[string]Built, []Image, error) {
	s.t.Helper()
	s.log.Reset()
	opts := s.opts
	opts.Stderr = s.log
	r, host, services, err := opts.begin(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	defer closeAll(services)
	s.stand(services, 1, 0, "shop/base", "FROM")
	s.stand(services, 2, 0, "shop/base", "COPY --from")
	nodes, err := opts.findPlaces(s.t.Context(), host)
	if err != nil {
		s.t.Fatal(err)
	}
	defer nodes.close()
	roster, plans, err := r.choose(s.t.Context(), services, nodes)
	if err != nil {
		s.t.Fatal(err)
	}
	crew := roster.crew()
	defer crew.close()
	images, err := r.make(s.t.Context(), crew, services, plans)
	all := map[string]Built{}
	for _, image := range images {
		for _, b := range image.Platforms {
			all[image.Name+" "+b.Platform.Arch] = b
		}
	}
	if s.t.Failed() {
		s.t.Logf("%s", s.log)
	}
	return all, images, err
}

// states are what became of all, in words.
func states(all map[string]Built) string {
	var list []string
	for _, name := range []string{"base", "user", "copies"} {
		for _, arch := range []string{"amd64", "arm64"} {
			b := all[name+" "+arch]
			text := b.State
			if b.Because != "" {
				text += " because of " + b.Because
			}
			list = append(list, fmt.Sprintf("%s %s: %s", name, arch, text))
		}
	}
	return strings.Join(list, "\n")
}

func TestServicesStandOnEachOther(t *testing.T) {
	s := newShop(t)
	all, images, err := s.build()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range all {
		if b.State != stateBuilt {
			t.Errorf("%s: %s", name, b.State)
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if got, want := all["user "+arch].BaseDigest, all["base "+arch].Digest; got != want {
			t.Errorf("%s stands on %s, and the base is %s", arch, got, want)
		}
	}
	for _, image := range images {
		for _, sent := range image.Sent {
			if image.Name == "base" && sent.Images > 0 || sent.Images > 10_000 {
				t.Errorf("%s: the node has built the base, and is sent %d bytes of images", image.Name, sent.Images)
			}
		}
	}
	if all, _, err = s.build(); err != nil {
		t.Fatal(err)
	}
	for name, b := range all {
		if b.State != stateResumed {
			t.Errorf("the second time, %s: %s", name, b.State)
		}
	}
}

func TestWhatIsBuiltAgainWhenSomethingChanges(t *testing.T) {
	s := newShop(t)
	if _, _, err := s.build(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what, file, text, want string
		fails                  bool
	}{
		{"the base: it and all that stand on it", "base/base.txt", "another base", `base amd64: built
base arm64: built
user amd64: built
user arm64: built
copies amd64: built
copies arm64: built`, false},
		{"a user: it alone", "user/user.txt", "another user", `base amd64: resumed
base arm64: resumed
user amd64: built
user arm64: built
copies amd64: resumed
copies arm64: resumed`, false},
		{"a comment of the base, whose image stays what it is: it alone", "base/Dockerfile", "# a comment\nFROM scratch\nCOPY base.txt /base.txt\n", `base amd64: built
base arm64: built
user amd64: resumed
user arm64: resumed
copies amd64: resumed
copies arm64: resumed`, false},
		{"a user, and it fails: the others are what they were", "user/Dockerfile", "FROM shop/base\nCOPY missing /\n", `base amd64: resumed
base arm64: resumed
user amd64: failed
user arm64: failed
copies amd64: resumed
copies arm64: resumed`, true},
		{"the base, and it fails: nothing that stands on it is built", "base/Dockerfile", "FROM scratch\nCOPY missing /\n", `base amd64: failed
base arm64: failed
user amd64: not built because of base
user arm64: not built because of base
copies amd64: not built because of base
copies arm64: not built because of base`, true},
		{"the base, which is for another machine on one platform: it is not stood on there", "base/Dockerfile", "FROM scratch\nCOPY wrong /program\nCOPY base.txt /base.txt\nENTRYPOINT [\"/program\"]\n", `base amd64: built
base arm64: refused
user amd64: failed
user arm64: not built because of base
copies amd64: built
copies arm64: not built because of base`, true},
	} {
		program(t, filepath.Join(s.folder, "base/wrong"))
		s.write(row.file, row.text)
		all, _, err := s.build()
		if got := states(all); got != row.want || (err != nil) != row.fails {
			t.Errorf("%s:\n%s\n%v", row.what, got, err)
		}
	}
}

// program writes the head of a program for amd64, which says so.
func program(t *testing.T, file string) {
	t.Helper()
	header := make([]byte, 128)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20] = 2, 62, 1
	if err := os.WriteFile(file, header, 0o700); err != nil {
		t.Fatal(err)
	}
}

// Of two nodes one builds the base. The other one, on which a user is built meanwhile, reads its layers once, and the first
// one none.
func TestABaseIsHandedToAnotherNode(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"a", "b"} {
		o := engine.Options{State: filepath.Join(t.TempDir(), "state"), RuntimeDir: t.TempDir(), Environ: os.Environ(), Idle: time.Minute, Log: t.Output()}
		o.Runc, _ = engine.FindRunc("") // no RUN is tried here
		t.Cleanup(func() {
			if err := engine.Stop(context.Background(), o); err != nil {
				t.Errorf("stopping the engine: %v", err)
			}
		})
		h, err := engine.Ensure(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		s.opts.Nodes = append(s.opts.Nodes, fmt.Sprintf("unix://%s,name=%s,jobs=1", h.State.Socket, name))
	}
	s.opts.Platforms = []string{platform.Host().String()}
	all, images, err := s.build()
	if err != nil {
		t.Fatal(err)
	}
	base := all["base "+platform.Host().Arch].Node
	elsewhere := 0
	for _, image := range images[1:] {
		node := image.Platforms[0].Node
		for _, sent := range image.Sent {
			switch {
			case sent.Node != node:
			case node == base && sent.Images > 10_000:
				t.Errorf("%s: node %s has built the base, and is sent %d bytes of it", image.Name, node, sent.Images)
			case node != base:
				elsewhere++
				if layer := int64(225_000); sent.Images < layer || sent.Images > 2*layer {
					t.Errorf("%s: node %s is sent %d bytes of the base, whose layer has about %d", image.Name, node, sent.Images, layer)
				}
			}
		}
	}
	if elsewhere != 1 {
		t.Errorf("%d users were built on the other node than their base", elsewhere)
	}
}
