package manifest_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
)

// TestALargeUploadGoesOnWhereItStopped: the registry goes away in the second part of a layer, and comes back two pushes later; what it had
// of the layer is not sent again.
func TestALargeUploadGoesOnWhereItStopped(t *testing.T) {
	const size = 70 << 20
	image := registrytest.Image(registrytest.Options{Platforms: []string{"linux/arm64"}, Layers: []int{size}, Seed: 1})
	dir := t.TempDir()
	image.Layout(t, dir, "")
	for kind, end := range map[registrytest.Kind]registrytest.Fault{
		// Debian's forgets an upload of which it got more than it could say; so none of the second part arrives.
		registrytest.Debian:       registrytest.ResetBefore,
		registrytest.Distribution: registrytest.ResetRequest,
	} {
		t.Run(string(kind), func(t *testing.T) {
			r := registrytest.Start(t, kind)
			p := registrytest.NewProxy(t, r, registrytest.Config{})
			journal := manifest.Journal{Dir: t.TempDir()}
			push := func() error {
				index, err := manifest.Gather(t.Context(), client(), manifest.Request{Sources: []manifest.Source{{Text: dir}}})
				if err != nil {
					t.Fatal(err)
				}
				defer index.Close()
				_, err = index.Push(t.Context(), client(), []string{p.Addr + "/app:1"}, manifest.PushOptions{Journal: journal})
				return err
			}
			gone, parts := false, 0
			p.Set(registrytest.Config{Script: func(a registrytest.Ask) registrytest.Fault {
				if gone {
					return registrytest.ResetBefore
				}
				if a.Class == registrytest.UploadPatch {
					parts++
				}
				if parts < 3 { // The config is one, the layer two.
					return ""
				}
				gone = true
				return end
			}})
			if err := push(); err == nil {
				t.Fatal("the push succeeded without a registry")
			}
			// A day on which nothing can be sent is no reason to forget what was sent before.
			p.Set(registrytest.Config{Script: func(a registrytest.Ask) registrytest.Fault {
				switch a.Class {
				case registrytest.UploadPost, registrytest.UploadGet, registrytest.UploadPatch, registrytest.UploadPut:
					return registrytest.ResetBefore
				}
				return ""
			}})
			if err := push(); err == nil {
				t.Fatal("the push succeeded though nothing can be sent")
			}
			p.Set(registrytest.Config{})
			if err := push(); err != nil {
				t.Fatal(err)
			}
			if _, wrong := registrytest.Read(r.Addr, "app", "1"); len(wrong) > 0 {
				t.Error(wrong)
			}
			counts := p.Counts()
			for _, u := range counts.Uploads {
				if u.Again > 0 || !u.Done || u.Received > size+5<<20 {
					t.Errorf("%+v", u)
				}
			}
			if len(counts.Uploads) != 2 {
				t.Errorf("%d uploads were begun for a config and a layer", len(counts.Uploads))
			}
		})
	}
}

// TestTwoPushesAtOnceDoNotWriteIntoOneUpload: an upload was interrupted, and two jobs with the same state folder go on at the same time.
func TestTwoPushesAtOnceDoNotWriteIntoOneUpload(t *testing.T) {
	const size = 5 << 20
	image := registrytest.Image(registrytest.Options{Platforms: []string{"linux/arm64"}, Layers: []int{size}, Seed: 1})
	dir := t.TempDir()
	image.Layout(t, dir, "")
	p := registrytest.NewProxy(t, registrytest.Start(t, registrytest.Distribution), registrytest.Config{})
	reg := registry.New(registry.Options{Backoff: time.Millisecond, Chunk: 1 << 20})
	journal := manifest.Journal{Dir: t.TempDir()}
	push := func() error {
		index, err := manifest.Gather(t.Context(), reg, manifest.Request{Sources: []manifest.Source{{Text: dir}}})
		if err != nil {
			return err
		}
		defer index.Close()
		_, err = index.Push(t.Context(), reg, []string{p.Addr + "/app:1"}, manifest.PushOptions{Journal: journal})
		return err
	}
	parts := 0
	p.Set(registrytest.Config{Script: func(a registrytest.Ask) registrytest.Fault {
		if a.Class == registrytest.UploadPatch {
			parts++
		}
		if parts > 2 {
			return registrytest.ResetBefore
		}
		return ""
	}})
	if err := push(); err == nil {
		t.Fatal("the push succeeded without a registry")
	}
	going := make(chan struct{})
	begun := sync.OnceFunc(func() { close(going) })
	p.Set(registrytest.Config{DripFor: 200 * time.Millisecond, Script: func(a registrytest.Ask) registrytest.Fault {
		if a.Class == registrytest.UploadPatch {
			begun()
			return registrytest.Drip
		}
		return ""
	}})
	first := make(chan error)
	go func() { first <- push() }()
	<-going
	if err := errors.Join(push(), <-first); err != nil {
		t.Fatal(err)
	}
	for _, u := range p.Counts().Uploads {
		if u.Again > 0 || u.Received > size+size/10 {
			t.Errorf("two wrote into one: %+v", u)
		}
	}
}
