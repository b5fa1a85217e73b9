package archbuild

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/assembling"
)

// TestEveryRequestOfAPush fails each request of a push of two platforms. Whatever happens, the push is done and right, or it has
// failed, every tag is what it was, and the same push afterwards is done and right and sends nothing that has arrived.
func TestEveryRequestOfAPush(t *testing.T) {
	failEvery(t, newPushing(t), "a push", 100)
}

// TestEveryRequestForBases fails each request by which bases are resolved: the lock file is the right one, or as it was.
func TestEveryRequestForBases(t *testing.T) {
	failEvery(t, newLocking(t), "bases", 40)
}

// pushing puts two platforms under two tags. One comes from a layout, its blobs are sent; the other from a repository of the same
// registry, its blobs are mounted. One tag is new, the other names an image.
type pushing struct {
	registry   *registrytest.Model
	layout     string
	old, index string
	children   []string
}

const (
	pushedRepo       = "app"
	movedTag, newTag = "1", "1.2"
)

func newPushing(t *testing.T) *pushing {
	w := &pushing{registry: registrytest.NewModel(), layout: filepath.Join(t.TempDir(), "amd64")}
	of := func(p string) *registrytest.Content {
		return registrytest.Image(registrytest.Options{Platforms: []string{p}, Layers: []int{200, 500}})
	}
	amd64, arm64 := of("linux/amd64"), of("linux/arm64")
	amd64.Layout(t, w.layout, "")
	w.registry.Put("parts", arm64, "arm64")
	old := registrytest.Index(registrytest.Options{Platforms: []string{"linux/amd64"}, Seed: 1})
	w.registry.Put(pushedRepo, old, movedTag)
	w.old, w.children = old.Root.Digest, []string{amd64.Root.Digest, arm64.Root.Digest}
	p := play(t, w) // The first time tells what the index is.
	if p.err != nil || w.index == "" {
		t.Fatal(p.err)
	}
	return w
}

func (w *pushing) state() *registrytest.Model { return w.registry }

func (w *pushing) prepare(*testing.T, theatre) {}

func (w *pushing) act(t *testing.T, s theatre) (any, error) {
	made, err := assembling.Index(t.Context(), assembling.Options{
		World:   outside.World{System: s.system(), Engine: outside.Engine{State: s.dir}, Registries: s.registries()},
		Sources: []string{w.layout, s.addr + "/parts:arm64"},
		Tags:    []string{s.addr + "/" + pushedRepo + ":" + movedTag, s.addr + "/" + pushedRepo + ":" + newTag},
	})
	if w.index == "" {
		w.index = made.Digest.String()
	}
	told := map[string]manifest.TagState{}
	if made.Pushed != nil {
		for _, tag := range made.Pushed.Tags {
			told[tag.Name[strings.LastIndex(tag.Name, ":")+1:]] = tag.State
		}
	}
	return told, err
}

func (w *pushing) judge(s theatre, said any, err error) (wrong []string, lost bool) {
	told, now := said.(map[string]manifest.TagState), s.registry.Tags(pushedRepo)
	find := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for tag, was := range map[string]string{movedTag: w.old, newTag: ""} {
		switch {
		case err == nil && now[tag] != w.index:
			find("it is said to be done, but %s names %q and not %s", tag, now[tag], w.index)
		case err != nil && now[tag] == was && told[tag] != manifest.TagMoved:
			continue
		case err != nil && (told[tag] != manifest.TagLost || now[tag] != w.index):
			find("it failed, but %s, told to be %q, names %q and not %q: %v", tag, told[tag], now[tag], was, err)
		}
		// Also a tag that is lost: the registry took it and was not heard of again, which nobody can take back.
		lost = lost || err != nil
		wrong = append(wrong, w.whole(s, tag)...)
	}
	if len(now) > 2 {
		find("there are other tags: %v", now)
	}
	return wrong, lost
}

// whole reads all that a tag names.
func (w *pushing) whole(s theatre, tag string) []string {
	node, wrong := s.registry.Read(pushedRepo, tag)
	var children []string
	for _, child := range node.Children {
		children = append(children, child.Digest)
	}
	if !slices.Equal(children, w.children) {
		wrong = append(wrong, fmt.Sprintf("%s has the children %v, not %v", tag, children, w.children))
	}
	return wrong
}

// locking writes an archbuild.lock anew, of two bases.
type locking struct {
	registry  *registrytest.Model
	old, want []byte
}

func newLocking(t *testing.T) *locking {
	w := &locking{registry: registrytest.NewModel()}
	w.registry.Put("base", registrytest.Index(registrytest.Options{Platforms: []string{"linux/amd64", "linux/arm64"}, Attest: true}), "1")
	w.registry.Put("tool", registrytest.Image(registrytest.Options{Platforms: []string{"linux/amd64"}}), "2")
	if p := play(t, w); p.err != nil || w.want == nil { // The first time tells what the lock is to be.
		t.Fatal(p.err)
	}
	w.old = bytes.ReplaceAll(w.want, []byte("sha256:"), []byte("sha256:0000"))
	return w
}

func (w *locking) state() *registrytest.Model { return w.registry }

func (w *locking) prepare(t *testing.T, s theatre) {
	text := "FROM --platform=linux/amd64 " + s.addr + "/tool:2 AS tool\nFROM " + s.addr + "/base:1\nCOPY --from=tool /data* /\n"
	for name, content := range map[string][]byte{"Dockerfile": []byte(text), lockName: w.old} {
		if content == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *locking) act(t *testing.T, s theatre) (any, error) {
	_, err := Lock(t.Context(), Options{
		System: s.system(), Engine: outside.Engine{State: filepath.Join(s.dir, "state")}, Registries: s.registries(),
		Paths: []string{s.dir}, Platforms: []string{"linux/amd64,linux/arm64"},
	}, []string{"*"})
	if w.want == nil {
		w.want, _ = os.ReadFile(filepath.Join(s.dir, lockName))
	}
	return nil, err
}

func (w *locking) judge(s theatre, _ any, err error) (wrong []string, lost bool) {
	got, readErr := os.ReadFile(filepath.Join(s.dir, lockName))
	want := w.want
	if err != nil {
		want = w.old
	}
	if readErr != nil || !bytes.Equal(got, want) {
		wrong = append(wrong, fmt.Sprintf("after %v the lock is not what it should be, %v:\n%s", err, readErr, got))
	}
	return wrong, false
}
