package manifest_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
)

// TestImagesThatWereClearedAwayAreSentAgain: a retention job has removed an image below an index that was read earlier. That the disk
// remembers it is no reason to think that the repository has it.
func TestImagesThatWereClearedAwayAreSentAgain(t *testing.T) {
	r := registrytest.Start(t, registrytest.Memory)
	index := newStore(t).pushed(r.Addr, arm64, "image", "app:1")
	reg := registry.New(registry.Options{Backoff: time.Millisecond, CacheDir: t.TempDir()})
	again := func(tag string) error {
		a, err := manifest.Gather(t.Context(), reg, manifest.Request{
			Sources: from(index), Annotations: manifest.Annotations{{Level: manifest.LevelIndex, Key: "a", Value: tag}},
		})
		if err != nil {
			return err
		}
		defer a.Close()
		_, err = a.Push(t.Context(), reg, []string{r.Addr + "/app:" + tag}, manifest.PushOptions{})
		return err
	}
	if err := again("2"); err != nil {
		t.Fatal(err)
	}
	a := gather(t, manifest.Request{Sources: from(index)})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+r.Addr+"/v2/app/manifests/"+a.Images[0].Digest.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != http.StatusAccepted {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
	if err := again("3"); err != nil {
		t.Fatal(err)
	}
	if _, err := client().Head(t.Context(), r.Addr+"/app@"+a.Images[0].Digest.String()); err != nil {
		t.Errorf("the tag names an index of an image that is not there: %v", err)
	}
}

// TestAPageThatNobodyBelievesIsRemoved: it may hold the address of an upload, which whoever knows it can go on with.
func TestAPageThatNobodyBelievesIsRemoved(t *testing.T) {
	r, dir := registrytest.Start(t, registrytest.Memory), t.TempDir()
	page := func(digit string) string { return filepath.Join(dir, strings.Repeat(digit, 64)+".jsonl") }
	old, young, notes := page("0"), page("1"), filepath.Join(dir, "notes.jsonl")
	for _, page := range []string{old, young, notes} {
		if err := os.WriteFile(page, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, page := range []string{old, notes} {
		if err := os.Chtimes(page, yesterday, yesterday); err != nil {
			t.Fatal(err)
		}
	}
	s := newStore(t)
	x := s.assemble(nil, s.result(arm64, s.simple(arm64, "image")))
	if _, err := x.Push(t.Context(), client(), []string{r.Addr + "/app:1"}, manifest.PushOptions{Journal: manifest.Journal{Dir: dir}}); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if diff := cmp.Diff([]string{young, notes}, left); diff != "" || err != nil {
		t.Errorf("left are (-want +got) %s, %v", diff, err)
	}
}

// TestTheNameInALayoutIsNoRemarkOnTheImage: the same image gives the same index, whether it is taken from a layout or a registry.
func TestTheNameInALayoutIsNoRemarkOnTheImage(t *testing.T) {
	r, dir := registrytest.Start(t, registrytest.Memory), t.TempDir()
	image := registrytest.Image(registrytest.Options{Platforms: []string{"linux/arm64"}, Layers: []int{10}, Seed: 1})
	image.Layout(t, dir, "a-name")
	image.Push(t, r.Addr, "app", "1")
	local, remote := gather(t, manifest.Request{Sources: from(dir)}), gather(t, manifest.Request{Sources: from(r.Addr + "/app:1")})
	if diff := cmp.Diff(string(remote.Bytes), string(local.Bytes)); diff != "" {
		t.Error(diff)
	}
}

// TestThePageOfAFinishedPushIsRemoved: whoever pushed was killed when all was there, and before the page was removed.
func TestThePageOfAFinishedPushIsRemoved(t *testing.T) {
	r, dir := registrytest.Start(t, registrytest.Memory), t.TempDir()
	s := newStore(t)
	x := s.assemble(nil, s.result(arm64, s.simple(arm64, "image")))
	push := func(repo string) {
		t.Helper()
		if _, err := x.Push(t.Context(), client(), []string{r.Addr + "/" + repo + ":1"}, manifest.PushOptions{Journal: manifest.Journal{Dir: dir}}); err != nil {
			t.Fatal(err)
		}
	}
	push("app")
	page := func(repo string) string {
		return filepath.Join(dir, fmt.Sprintf("%x.jsonl", sha256.Sum256([]byte(r.Addr+"/"+repo))))
	}
	for _, repo := range []string{"app", "other"} {
		if err := os.WriteFile(page(repo), []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	push("app")
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if diff := cmp.Diff([]string{page("other")}, left); diff != "" || err != nil {
		t.Errorf("left are (-want +got) %s, %v", diff, err)
	}
}
