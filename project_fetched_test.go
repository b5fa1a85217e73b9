package archbuild

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
	"github.com/rogpeppe/go-internal/txtar"
)

// readPacked reads a project that lies in an archive, in a working directory that has files and variables that it could
// want. It gives what was read as the flags of its one image.
func readPacked(t *testing.T, packed string, o Options) (run, error) {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range txtar.Parse([]byte(packed)).Files {
		if err := w.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(f.Data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	chdirTo(t, "-- .env --\nNEAR=here\n-- key --\n-- near/Dockerfile --\nFROM here\n-- github.com/near/by/file --\n")
	if err := os.WriteFile("app.tar", archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Offline, o.State, o.Paths = true, filepath.Join(t.TempDir(), "state"), []string{"app.tar"}
	o.Environ = append(o.Environ, "NEAR=here", "HOME=/home/here")
	o, err := o.input(t.Context())
	if err != nil {
		return run{}, err
	}
	defer o.leave()
	r, err := o.check()
	if err != nil {
		return r, err
	}
	services, err := r.read(t.Context(), detect.HostFacts{Platform: platform.MustParse("linux/amd64")})
	t.Cleanup(func() { closeAll(services) })
	if err != nil {
		return r, err
	}
	return *services[0].self, nil
}

// TestAFetchedDefinitionGetsNothing holds that no word of a definition that was fetched becomes a flag that reads or writes
// something of this machine, unless the command line has it.
func TestAFetchedDefinitionGetsNothing(t *testing.T) {
	bake := func(rest string) string {
		return "-- Dockerfile.x --\nFROM scratch\n-- docker-bake.json --\n{\"variable\": {\"NEAR\": {\"default\": \"\"}}, \"target\": {\"default\": {\"dockerfile\": \"Dockerfile.x\", " + rest + "}}}\n"
	}
	compose := func(rest string) string {
		return "-- a/Dockerfile --\nFROM scratch\n-- compose.yaml --\nservices:\n  default:\n    build:\n      context: a\n" + rest
	}
	for name, tt := range map[string]struct {
		files  string
		o      Options
		refuse string
	}{
		"a variable of the environment":        {bake(`"args": {"A": "${NEAR}"}`), Options{}, ""},
		"an argument without a value":          {bake(`"args": {"NEAR": null}`), Options{}, ""},
		"a variable of compose":                {compose("      args: {A: \"${NEAR:-}\"}\n"), Options{}, ""},
		"an argument of compose":               {compose("      args: [NEAR]\n"), Options{}, ""},
		"the home folder":                      {compose("      additional_contexts: {x: ~/near}\n"), Options{}, "has no folder ~/near"},
		"the home folder by its name":          {bake(`"args": {"A": "${homedir()}"}`), Options{}, "homedir()"},
		"its name behind an escape":            {bake(`"args": {"A": "${\u0068omedir()}"}`), Options{}, "homedir()"},
		"a folder that looks like an address":  {bake(`"contexts": {"x": "github.com/near/by"}`), Options{}, ""},
		"a secret by its name alone":           {bake(`"secret": ["id=NEAR"]`), Options{}, "it takes the secret NEAR from this machine"},
		"a secret that is given":               {bake(`"secret": ["id=NEAR,src=/etc/passwd"]`), Options{Secrets: []string{"id=NEAR,src=key"}}, ""},
		"a Dockerfile on standard input":       {compose("      dockerfile: '-'\n"), Options{}, "its Dockerfile comes from standard input"},
		"an absolute Dockerfile":               {compose("      dockerfile: /etc/passwd\n"), Options{}, "its Dockerfile, /etc/passwd, lies outside"},
		"a loading into the container engine":  {bake(`"output": ["type=docker"]`), Options{}, "it delivers to type=docker"},
		"a loading into another engine":        {bake(`"output": ["type=docker,context=far"]`), Options{Load: true}, "it delivers to type=docker,context=far"},
		"an output that is replaced":           {bake(`"output": ["../x"]`), Options{Outputs: []string{"type=cacheonly"}}, ""},
		"an output of --set":                   {bake(`"output": []`), Options{Projects: Projects{Set: []string{"default.output=type=tar,dest=x.tar"}}}, ""},
		"a push that is asked for":             {bake(`"tags": ["registry.example/a"], "output": ["type=registry"]`), Options{Push: true}, ""},
		"a cache in the registry that is read": {bake(`"cache-from": ["registry.example/a"]`), Options{}, ""},
		"a token for whoever asks":             {bake(`"context": "https://git.example/a.git"`), Options{Secrets: []string{"id=GIT_AUTH_TOKEN,src=key"}}, "its context lies at git.example, which would be shown the secret GIT_AUTH_TOKEN too"},
		"a token for a named context":          {bake(`"contexts": {"x": "git@git.example:a.git"}`), Options{Secrets: []string{"id=GIT_AUTH_TOKEN,src=key"}}, "the context x lies at git.example, which"},
		"a token for one host":                 {bake(`"contexts": {"x": "https://git.example/a.git"}`), Options{Secrets: []string{"id=GIT_AUTH_TOKEN.git.example,src=key"}}, ""},
		"a cache of GitHub's":                  {bake(`"cache-from": ["type=gha"]`), Options{}, "it reads a cache of type gha"},
		"a cache in the registry":              {bake(`"cache-to": ["registry.example/a"]`), Options{}, "it writes a cache of type registry"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := readPacked(t, tt.files, tt.o)
			if tt.refuse != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refuse) || !strings.HasPrefix(err.Error(), "app.tar:") {
					t.Fatalf("it should be refused with %q, and is: %v", tt.refuse, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range append(r.BuildArgs, r.BuildContexts...) {
				if strings.Contains(text, "here") || strings.HasPrefix(text, "NEAR") {
					t.Errorf("it gets %s", text)
				}
			}
			for _, s := range r.secrets {
				if s.File != "key" {
					t.Errorf("it gets the secret %+v", s)
				}
			}
			if len(r.folders)+len(r.layouts)+len(r.ssh) > 0 {
				t.Errorf("it gets folders %v, layouts %v, keys %v", r.folders, r.layouts, r.ssh)
			}
		})
	}
}
