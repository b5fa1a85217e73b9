package manifest_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
)

// TestNoTagMovesBeforeTheLastIndexIsThere: of two indexes that are pushed as one, the second cannot be.
func TestNoTagMovesBeforeTheLastIndexIsThere(t *testing.T) {
	r := registrytest.Start(t, registrytest.Memory)
	s := newStore(t)
	one, two := s.pushed(r.Addr, amd64, "one", "src:1"), s.pushed(r.Addr, amd64, "two", "src:2")
	p := registrytest.NewProxy(t, r, registrytest.Config{Script: func(a registrytest.Ask) registrytest.Fault {
		if a.Repo == "two" && a.Class != registrytest.ManifestHead && a.Class != registrytest.BlobHead {
			return registrytest.ResetBefore
		}
		return ""
	}})
	list := []manifest.Delivery{
		{Assembly: gather(t, manifest.Request{Sources: from(one)}), Names: []string{p.Addr + "/one:1"}},
		{Assembly: gather(t, manifest.Request{Sources: from(two)}), Names: []string{p.Addr + "/two:1"}},
	}
	done, err := manifest.PushAll(t.Context(), client(), list, manifest.PushOptions{})
	if err == nil {
		t.Fatal("the push succeeded though a repository takes nothing")
	}
	if len(done) != 2 || len(done[0].References) != 1 || len(done[1].References) != 0 {
		t.Errorf("told of %+v", done)
	}
	if _, err := client().Head(t.Context(), r.Addr+"/one:1"); err == nil {
		t.Error("the tag of the first index moved")
	}
	p.Set(registrytest.Config{})
	if _, err := manifest.PushAll(t.Context(), client(), list, manifest.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/one:1", "/two:1"} {
		if _, err := client().Head(t.Context(), r.Addr+name); err != nil {
			t.Error(err)
		}
	}
}

// TestTwoIndexesCannotHaveOneName: only the later one would be left.
func TestTwoIndexesCannotHaveOneName(t *testing.T) {
	r := registrytest.Start(t, registrytest.Memory)
	s := newStore(t)
	var list []manifest.Delivery
	for _, name := range []string{"src:1", "src:2"} {
		source := s.pushed(r.Addr, amd64, name, name)
		list = append(list, manifest.Delivery{Assembly: gather(t, manifest.Request{Sources: from(source)}), Names: []string{r.Addr + "/app:1"}})
	}
	if _, err := manifest.PushAll(t.Context(), client(), list, manifest.PushOptions{}); !errors.As(err, new(*manifest.NameError)) {
		t.Errorf("error %v", err)
	}
}

// TestWhatOthersAddMeanwhileIsNotLost: two jobs read the same index and each adds its image.
func TestWhatOthersAddMeanwhileIsNotLost(t *testing.T) {
	for _, row := range []struct {
		name string
		old  bool
	}{{"to an index", true}, {"to one that neither finds", false}} {
		t.Run(row.name, func(t *testing.T) {
			r := registrytest.Start(t, registrytest.Memory)
			s := newStore(t)
			name := r.Addr + "/app:1"
			if row.old {
				s.pushed(r.Addr, amd64, "first", "app:1")
			}
			arm, other := s.pushed(r.Addr, arm64, "mine", "src:1"), s.pushed(r.Addr, armV7, "theirs", "src:2")
			mine := gather(t, manifest.Request{Append: name, Sources: from(arm)})
			theirs := gather(t, manifest.Request{Append: name, Sources: from(other)})
			if _, err := theirs.Push(t.Context(), client(), []string{name}, manifest.PushOptions{}); err != nil {
				t.Fatal(err)
			}
			_, err := mine.Push(t.Context(), client(), []string{name}, manifest.PushOptions{})
			if !errors.As(err, new(*manifest.AppendError)) {
				t.Errorf("error %v, want that somebody else pushed", err)
			}
			now, err := client().Head(t.Context(), name)
			if err != nil || now.Digest != theirs.Descriptor.Digest {
				t.Errorf("the tag names %s, %v; want what the other job made", now.Digest, err)
			}
		})
	}
}

// TestAPushThatLookedBeforeIsSeen: another job looks at the tag, we write it, then the other job does, and knows nothing of our image.
func TestAPushThatLookedBeforeIsSeen(t *testing.T) {
	r := registrytest.Start(t, registrytest.Memory)
	s := newStore(t)
	name := r.Addr + "/app:1"
	image := s.pushed(r.Addr, arm64, "mine", "src:1")
	p := registrytest.NewProxy(t, r, registrytest.Config{})
	written, theirs := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(written) })
	p.Set(registrytest.Config{Script: func(a registrytest.Ask) registrytest.Fault {
		if a.Class == registrytest.ManifestPut && a.Target == "1" {
			once()
		}
		return ""
	}})
	go func() {
		defer close(theirs)
		<-written
		time.Sleep(200 * time.Millisecond)
		s.pushed(r.Addr, amd64, "theirs", "app:1")
	}()
	mine := gather(t, manifest.Request{Append: p.Addr + "/app:1", Sources: from(image)})
	_, err := mine.Push(t.Context(), client(), []string{p.Addr + "/app:1"}, manifest.PushOptions{})
	if !errors.As(err, new(*manifest.TagError)) {
		t.Errorf("error %v, want that another push came after", err)
	}
	<-theirs
	if now, err := client().Head(t.Context(), name); err != nil || now.Digest == mine.Descriptor.Digest {
		t.Errorf("the tag names %s, %v", now.Digest, err)
	}
}
