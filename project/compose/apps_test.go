package compose_test

import (
	"context"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/compose"
	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what is read into testdata/apps")

// unpacked writes an archive's files into a new folder called app, goes there, and tells its compose files in
// the order that compose reads them, and the environment, which is the file "env".
func unpacked(t *testing.T, archive *txtar.Archive) (files, environ []string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	for _, file := range archive.Files {
		path := filepath.Join(dir, file.Name)
		switch file.Name {
		case "want":
			continue
		case "env":
			environ = strings.Fields(string(file.Data))
			continue
		}
		if !strings.Contains(file.Name, "/") && strings.Contains(file.Name, "compose") {
			files = append(files, file.Name)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return files, environ
}

// TestAppsAreReadAsTheyStand holds every word of a dozen compose files, with its line, against what was written down.
func TestAppsAreReadAsTheyStand(t *testing.T) {
	paths, err := filepath.Glob("testdata/apps/*.txtar")
	if err != nil || len(paths) < 12 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files, environ := unpacked(t, archive)
			p, err := compose.Load(compose.Options{Files: files, Environ: environ})
			if err != nil {
				t.Fatal(err)
			}
			got := text(t, p)
			at := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			if *update {
				if at < 0 {
					at = len(archive.Files)
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
				}
				archive.Files[at].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if at < 0 {
				t.Fatal("nothing is expected: run the test with -update")
			}
			if diff := cmp.Diff(string(archive.Files[at].Data), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// text is a project as JSON, what is empty left out.
func text(t *testing.T, p project.Project) string {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	data, err = json.MarshalIndent(full(v), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

// full leaves out what is empty; a place becomes FILE:LINE.
func full(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if file, is := v["file"].(string); is {
			return project.Place{File: file, Line: int(v["line"].(float64))}.String()
		}
		made := map[string]any{}
		for key, value := range v {
			if value = full(value); value != nil && value != false && value != "" {
				made[key] = value
			}
		}
		if len(made) == 0 {
			return nil
		}
		return made
	case []any:
		var made []any
		for _, item := range v {
			made = append(made, full(item))
		}
		if made == nil {
			return nil
		}
		return made
	}
	return v
}

// TestComposeReadsTheSame holds the builds against compose-go's own reading of whole files, where it reads them.
func TestComposeReadsTheSame(t *testing.T) {
	paths, err := filepath.Glob("testdata/apps/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	builds := 0
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			files, environ := unpacked(t, archive)
			dir, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			for i, file := range files {
				files[i] = filepath.Join(dir, file)
			}
			options, err := cli.NewProjectOptions(files, cli.WithEnv(environ), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true), cli.WithWorkingDirectory(dir))
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := options.LoadProject(context.Background())
			if refused := filepath.Base(path) == "swarm.txtar" || filepath.Base(path) == "monorepo.txtar"; refused != (err != nil) {
				t.Fatalf("compose-go: %v", err)
			} else if refused {
				return
			}
			ours, err := compose.Load(compose.Options{Files: files, Environ: environ, Profiles: []string{"*"}})
			if err != nil {
				t.Fatal(err)
			}
			got, want := map[string]project.Target{}, map[string]project.Target{}
			for _, target := range ours.Targets {
				got[target.Name] = likeComposes(target)
			}
			for name, service := range theirs.Services {
				if service.Build != nil {
					want[name] = ofComposes(theirs, service)
					builds++
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("compose has -, archbuild +: %s", diff)
			}
			if ours.Name != theirs.Name {
				t.Errorf("the project is %s, and compose calls it %s", ours.Name, theirs.Name)
			}
		})
	}
	if builds < 15 {
		t.Errorf("only %d builds were compared", builds)
	}
}

// likeComposes keeps what both say in one form.
func likeComposes(t project.Target) project.Target {
	made := project.Target{
		Context: t.Context, Dockerfile: t.Dockerfile, Inline: t.Inline, Stage: t.Stage, Args: t.Args, Labels: t.Labels, Image: t.Image,
		ExtraHosts: t.ExtraHosts, Network: t.Network, NoCache: t.NoCache, Pull: t.Pull, ShmSize: t.ShmSize,
	}
	for _, c := range t.Contexts {
		if value := strings.Replace(c.Value, "target:", "service:", 1); c.Name != "alpine" { // x-bake's
			made.Contexts = append(made.Contexts, project.NamedContext{Name: c.Name, Value: value})
		}
	}
	if strings.HasPrefix(t.Name, "addon") || strings.HasPrefix(t.Name, "aws") {
		made.NoCache, made.Pull = false, false // x-bake's
	}
	return made
}

func ofComposes(p *types.Project, s types.ServiceConfig) project.Target {
	b := s.Build
	made := project.Target{
		Context: b.Context, Dockerfile: b.Dockerfile, Inline: b.DockerfileInline, Stage: b.Target, Args: b.Args, Image: s.Image,
		Labels: map[string]*string{}, ExtraHosts: b.ExtraHosts.AsList("="), Network: b.Network, NoCache: b.NoCache, Pull: b.Pull,
	}
	if b.Dockerfile == "Dockerfile" && s.Name != "laravel.test" {
		made.Dockerfile = "" // compose fills it in
	}
	if made.Args == nil {
		made.Args = map[string]*string{}
	}
	if made.Image == "" {
		made.Image = p.Name + "-" + s.Name
	}
	if b.ShmSize > 0 {
		made.ShmSize = "268435456"
	}
	for name, value := range b.Labels {
		made.Labels[name] = &value
	}
	for _, name := range slices.Sorted(maps.Keys(b.AdditionalContexts)) {
		made.Contexts = append(made.Contexts, project.NamedContext{Name: name, Value: b.AdditionalContexts[name]})
	}
	slices.Sort(made.ExtraHosts)
	return made
}
