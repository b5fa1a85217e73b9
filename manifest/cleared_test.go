package manifest_test

import (
	"net/http"
	"testing"
	"time"

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
