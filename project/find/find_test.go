package find_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/project/find"
	"github.com/google/go-cmp/cmp"
)

func TestWhichFilesAFolderHas(t *testing.T) {
	for name, tt := range map[string]struct {
		there string
		kind  find.Kind
		files string
		notes int
	}{
		"nothing":                               {"Dockerfile main.go", find.None, "", 0},
		"compose's own name":                    {"compose.yaml", find.Compose, "compose.yaml", 0},
		"the short ending":                      {"compose.yml", find.Compose, "compose.yml", 0},
		"yaml goes before yml":                  {"compose.yml compose.yaml", find.Compose, "compose.yaml", 1},
		"of the old names yml goes before yaml": {"docker-compose.yaml docker-compose.yml", find.Compose, "docker-compose.yml", 1},
		"the new name goes before the old":      {"docker-compose.yml compose.yml", find.Compose, "compose.yml", 1},
		"with its override":                     {"compose.yaml compose.override.yaml", find.Compose, "compose.yaml compose.override.yaml", 0},
		"one override, whatever its name":       {"docker-compose.yml compose.override.yml docker-compose.override.yml", find.Compose, "docker-compose.yml compose.override.yml", 1},
		"an override alone is none":             {"compose.override.yaml docker-bake.override.hcl", find.None, "", 0},
		"bake in HCL":                           {"docker-bake.hcl", find.Bake, "docker-bake.hcl", 0},
		"bake takes all, JSON first":            {"docker-bake.hcl docker-bake.json docker-bake.override.hcl docker-bake.override.json", find.Bake, "docker-bake.json docker-bake.hcl docker-bake.override.json docker-bake.override.hcl", 0},
		"compose goes before bake":              {"docker-bake.hcl compose.yaml docker-bake.override.hcl", find.Compose, "compose.yaml", 1},
		"a folder of that name is none":         {"compose.yaml/ docker-bake.hcl", find.Bake, "docker-bake.hcl", 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range strings.Fields(tt.there) {
				path := filepath.Join(dir, file)
				var err error
				if strings.HasSuffix(file, "/") {
					err = os.Mkdir(path, 0o755)
				} else {
					err = os.WriteFile(path, nil, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			found, err := find.In(dir)
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for _, file := range found.Files {
				files = append(files, filepath.Base(file))
			}
			if found.Kind != tt.kind || strings.Join(files, " ") != tt.files || len(found.Notes) != tt.notes {
				t.Errorf("%s: %v, %q", found.Kind, files, found.Notes)
			}
		})
	}
	if _, err := find.In(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there is none")
	}
}

func TestWhatAFileIs(t *testing.T) {
	const (
		compose = "# all\nservices:\n  web: {build: .}\n"
		bake    = "target \"web\" {\n}\n"
		file    = "# syntax=docker/dockerfile:1\n\nfrom debian:12\n"
	)
	got, want := map[string]string{}, map[string]string{}
	for _, tt := range []struct {
		name, content string
		want          find.Kind
	}{
		{"Dockerfile", compose, find.Dockerfile},
		{"Dockerfile.yaml", compose, find.Dockerfile},
		{"web.Dockerfile", bake, find.Dockerfile},
		{"Containerfile", "", find.Dockerfile},
		{"all.hcl", bake, find.Bake},
		{"frontend.hcl", "// syntax = example/frontend\n" + bake, find.Dockerfile},
		{"frontend.yaml", "# syntax=example/frontend\n" + compose, find.Dockerfile},
		{"archive", "services:\n\x00", find.Dockerfile},
		{"stack.yml", compose, find.Compose},
		{"stack.yaml", "name: x\n", find.Compose},
		{"build.yaml", file, find.Dockerfile},
		{"one.json", `{"target": {"web": {}}}`, find.Bake},
		{"two.json", `{"services": {"web": {}}}`, find.Compose},
		{"three.json", `{"services": {}, "target": {}}`, find.Bake},
		{"four.json", `{`, find.Bake},
		{"project", compose, find.Compose},
		{"project1", "include: [a.yaml]\n", find.Compose},
		{"project2", bake, find.Bake},
		{"project3", `{"group": {}}`, find.Bake},
		{"project4", file, find.Dockerfile},
		{"project5", "\ufeff# x\nARG A=1\n", find.Dockerfile},
		{"project6", "whatever", find.Dockerfile},
		{"project7", "FROM x\nRUN <<E\nservices:\nE\n", find.Dockerfile},
	} {
		path := filepath.Join(t.TempDir(), tt.name)
		if err := os.WriteFile(path, []byte(tt.content), 0o644); err != nil {
			t.Fatal(err)
		}
		kind, err := find.File(path)
		if err != nil {
			t.Error(err)
		}
		got[tt.name], want[tt.name] = kind.String(), tt.want.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPipeIsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if kind, err := find.File(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is missing: %s, %v", kind, err)
	}
	if err := os.Symlink(path, path+".yaml"); err != nil {
		t.Fatal(err)
	}
	if kind, err := find.File(path + ".yaml"); kind != find.Compose || err != nil {
		t.Errorf("a pipe that is called a compose file: %s, %v", kind, err)
	}
	_, err := find.File(path)
	if plain := new(plainfile.Error); !errors.As(err, &plain) {
		t.Errorf("%v", err)
	}
}

// A file that is passed over can be asked for: by its name in a folder, with -f in what was fetched.
func TestWhatIsPassedOverCanBeNamed(t *testing.T) {
	dir, tree := t.TempDir(), fstest.MapFS{"compose.yaml": {}, "docker-bake.hcl": {}}
	if err := os.CopyFS(dir, tree); err != nil {
		t.Fatal(err)
	}
	near, err := find.In(dir)
	if err != nil || len(near.Notes) != 1 || !strings.HasSuffix(near.Notes[0], "; in "+dir+", -f docker-bake.hcl takes that") {
		t.Errorf("in a folder: %q, %v", near.Notes, err)
	}
	if far := find.InTree(tree); len(far.Notes) != 1 || !strings.HasSuffix(far.Notes[0], "; -f docker-bake.hcl takes that") {
		t.Errorf("in a tree: %q", far.Notes)
	}
}
