package compose_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/project/compose"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// TestWhatRunsIsMergedAsWhatIsBuilt: files that are included, extended and laid over each other are one, and each word
// keeps its place.
func TestWhatRunsIsMergedAsWhatIsBuilt(t *testing.T) {
	files, environ := unpacked(t, txtar.Parse([]byte(`
-- compose.yaml --
version: "3.8"
include: [data/compose.yaml]
services:
  web:
    extends: {file: common/base.yaml, service: base}
    image: shop/web:${TAG}
    labels: {affinity: b, other: "${NONE:?}"}
  ui: {build: {context: ui, platforms: [linux/arm64]}, profiles: [ui]}
  legacy: {image: "shop/legacy:7"}
-- compose.override.yaml --
services:
  web:
    deploy: {placement: {constraints: [node.role==worker]}}
    labels: [affinity=c]
-- common/base.yaml --
services:
  base:
    image: shop/base
    build: ../base
    deploy:
      replicas: 2
      placement: {constraints: ["node.labels.disk==${DISK:-ssd}"]}
-- data/compose.yaml --
services: {db: {image: "db:$DB"}}
-- data/.env --
DB=9
-- .env --
TAG=1
-- env --
COMPOSE_PROJECT_NAME=shop
`)))
	running, err := compose.LoadRunning(compose.Options{Files: files, Environ: environ, Sources: []compose.Source{{Image: "shop/legacy", Context: "old"}}},
		func(label string) bool { return label == "affinity" })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range running.Services {
		text := fmt.Sprintf("%s is %s (%s)", s.Name, s.Image, s.ImageAt)
		if s.Build != nil {
			text += fmt.Sprintf(", built for %s, named %v", s.Build.Platforms, s.Build.Named)
		}
		for _, c := range append(s.Constraints, s.Labels...) {
			text += fmt.Sprintf(", %s (%s)", c.Text, c.At)
		}
		got = append(got, text)
	}
	want := []string{
		"db is db:9 (data/compose.yaml:1)",
		"web is shop/web:1 (compose.yaml:6), built for [], named true, node.labels.disk==ssd (common/base.yaml:7), node.role==worker (compose.override.yaml:3), affinity=c (compose.override.yaml:4)",
		"ui is shop-ui (compose.yaml:8), built for [linux/arm64], named false",
		"legacy is shop/legacy:7 (compose.yaml:9), built for [], named true",
	}
	if diff := cmp.Diff(want, got); diff != "" || running.Version != "3.8" {
		t.Errorf("version %s\n%s", running.Version, diff)
	}
	if _, err := compose.LoadRunning(compose.Options{Files: files, Environ: append(environ, "COMPOSE_PROJECT_NAME=No")}, func(string) bool { return true }); err == nil || !strings.Contains(err.Error(), "a project cannot be called") {
		t.Error(err)
	}
}
