package placing_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/placing"
)

// Ten services of two images: an index is asked for once and its images not at all; of an image alone its config is read.
func TestPlacementAsksForEachImageOnce(t *testing.T) {
	hub := hubtest.New(t)
	hub.Push(t, hub.Addr+"/shop/many:1", "linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x")
	hub.Push(t, hub.Addr+"/shop/one:1", "linux/amd64")
	hub.Requests()
	text := "services:\n"
	for i := range 10 {
		text += fmt.Sprintf("  s%d: {image: %s/shop/%s:1}\n", i, hub.Addr, []string{"many", "one"}[i%2])
	}
	stack := filepath.Join(t.TempDir(), "stack.yaml")
	if err := os.WriteFile(stack, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	opts := placing.Options{Paths: []string{stack}, World: outside.World{Engine: outside.Engine{State: t.TempDir()}}, Nodes: "linux/amd64,linux/arm64"}
	placed, err := placing.Services(context.Background(), opts)
	if err != nil || len(placed.Rows) != 10 {
		t.Fatalf("%d rows, %v", len(placed.Rows), err)
	}
	for _, row := range placed.Rows {
		if runs := row.Cells[1].Runs; runs != strings.HasSuffix(row.Images[0].Image, "many:1") {
			t.Errorf("%s of %s on arm64: %v", row.Service, row.Images[0].Image, runs)
		}
	}
	seen := map[string]int{}
	for _, request := range hub.Requests() {
		if !strings.HasSuffix(request, "/v2/") {
			seen[request]++
		}
	}
	for request, n := range seen {
		if n > 1 {
			t.Errorf("%s: %d times", request, n)
		}
	}
	if len(seen) > 5 { // a digest and a manifest of each, and one config
		t.Errorf("%d requests: %v", len(seen), seen)
	}
}
