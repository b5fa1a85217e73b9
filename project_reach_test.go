package archbuild

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// chdirTo makes a folder of some files, links among them, and goes there.
func chdirTo(t *testing.T, files string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "home", "app")
	for _, f := range txtar.Parse([]byte(files)).Files {
		name := filepath.Join(folder, f.Name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		to, isLink := strings.CutPrefix(strings.TrimSpace(string(f.Data)), "link ")
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(to, name)
		default:
			err = os.WriteFile(name, f.Data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
}

// readFor reads a project in a folder of its own, as a build does: its notes with its arguments, and what is wrong.
func readFor(t *testing.T, files string, o Options) (told string, err error) {
	t.Helper()
	chdirTo(t, files)
	o.Offline, o.State = true, t.TempDir()
	if o, err = o.input(t.Context()); err != nil {
		return "", err
	}
	r, err := o.check()
	if err != nil {
		return "", err
	}
	services, err := r.read(t.Context(), detect.HostFacts{Platform: platform.MustParse("linux/amd64")})
	t.Cleanup(func() { closeAll(services) })
	for _, s := range services {
		told += strings.Join(append(s.notes, s.self.BuildArgs...), "\n")
	}
	return told, err
}

const aDockerfile = "-- Dockerfile --\nFROM scratch\n"

// TestAFileWritesNothingOutsideOfItsProject holds that outputs and caches of a bake or compose file lie in the project or
// the working directory, unless the command line names the place itself.
func TestAFileWritesNothingOutsideOfItsProject(t *testing.T) {
	bake := func(rest string) string {
		return aDockerfile + "-- docker-bake.json --\n{\"target\": {\"default\": {" + rest + "}}}\n"
	}
	for name, tt := range map[string]struct {
		files  string
		o      Options
		refuse string
	}{
		"a folder of its own":                 {bake(`"output": ["type=local,dest=out/x"]`), Options{}, ""},
		"its own folder":                      {bake(`"output": ["."]`), Options{}, ""},
		"standard output":                     {bake(`"output": ["type=tar,dest=-"]`), Options{}, ""},
		"the folder above":                    {bake(`"output": ["type=local,dest=../x"]`), Options{}, "default: it would write to ../x, which is outside the project"},
		"a short form":                        {bake(`"output": ["../x"]`), Options{}, "write to ../x,"},
		"an archive":                          {bake(`"output": ["type=oci,dest=/etc/cron.d/x"]`), Options{}, "write to /etc/cron.d/x,"},
		"a docker archive":                    {bake(`"output": ["type=docker,dest=/etc/x"]`), Options{}, "write to /etc/x,"},
		"a link that leads out":               {bake(`"output": ["type=local,dest=out/x"]`) + "-- out --\nlink ..\n", Options{}, "write to out/x,"},
		"a link to what is not there":         {bake(`"output": ["type=tar,dest=x.tar"]`) + "-- x.tar --\nlink ../nowhere/x\n", Options{}, "write to x.tar,"},
		"links in a ring":                     {bake(`"output": ["type=tar,dest=a/x.tar"]`) + "-- a --\nlink b/x\n-- b --\nlink a/x\n", Options{}, "write to a/x.tar,"},
		"a cache":                             {bake(`"cache-to": ["type=local,dest=../cache"]`), Options{}, "/home/cache, which is outside the project"},
		"a cache in the project":              {bake(`"cache-to": ["type=local,dest=cache"]`), Options{}, ""},
		"a cache in a registry":               {bake(`"cache-to": ["type=registry,ref=example.com/cache"]`), Options{}, ""},
		"-o takes the place of it":            {bake(`"output": ["type=local,dest=../x"]`), Options{Outputs: []string{"type=local,dest=../y"}}, ""},
		"--cache-to takes the place of it":    {bake(`"cache-to": ["type=local,dest=../cache"]`), Options{BuildFlags: BuildFlags{CacheTo: []string{"type=local,dest=../y"}}}, ""},
		"--set is the user's word":            {bake(`"tags": ["a"]`), Options{Projects: Projects{Set: []string{"*.output=type=local,dest=../x", "*.cache-to=type=local,dest=../c"}}}, ""},
		"--set of another place is none":      {bake(`"output": ["type=local,dest=../x"]`), Options{Projects: Projects{Set: []string{"*.output+=type=local,dest=../y"}}}, "write to ../x,"},
		"compose files, by what bake adds":    {aDockerfile + "-- compose.yaml --\nservices:\n  app: {build: {context: ., x-bake: {output: ['type=local,dest=/srv/x']}}}\n", Options{}, "app: it would write to /srv/x,"},
		"compose files, by a cache of theirs": {aDockerfile + "-- compose.yaml --\nservices:\n  app: {build: {context: ., cache_to: ['type=local,dest=../x']}}\n", Options{}, "/x, which is outside"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.o.File = "docker-bake.json"
			if strings.Contains(tt.files, "compose.yaml") {
				tt.o.File = "compose.yaml"
			}
			_, err := readFor(t, tt.files, tt.o)
			switch {
			case tt.refuse == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.refuse != "" && (err == nil || !strings.Contains(err.Error(), tt.refuse)):
				t.Errorf("not refused: %v", err)
			case tt.refuse != "" && !strings.Contains(wrong.Hint(leaves(err)[0]), "-o "):
				t.Errorf("the hint is %q", wrong.Hint(leaves(err)[0]))
			}
			if tt.refuse == "" {
				return
			}
			tt.o.DryRun = true
			notes, err := readFor(t, tt.files, tt.o)
			if err != nil || !strings.Contains(notes, "would write outside the project") {
				t.Errorf("a plan tells %q, %v", notes, err)
			}
		})
	}
}

// TestAnUntrustedProjectReachesNothing holds what a bake or compose file gets that nobody vouches for.
func TestAnUntrustedProjectReachesNothing(t *testing.T) {
	bake := func(rest string) string {
		return aDockerfile + "-- ../key --\nsecret\n-- ../Dockerfile --\nFROM scratch\n-- docker-bake.json --\n{" + rest + "}\n"
	}
	target := func(rest string) string { return bake(`"target": {"default": {` + rest + `}}`) }
	for name, tt := range map[string]struct {
		files, refuse string
	}{
		"a secret's file":                {target(`"secret": ["id=x,src=../key"]`), "it takes the secret x from ../key"},
		"a link to a secret's file":      {target(`"secret": ["id=x,src=mine"]`) + "-- mine --\nlink ../key\n", "it takes the secret x from mine"},
		"a context":                      {target(`"context": ".."`), "it takes its context .."},
		"a link to a context":            {target(`"context": "up"`) + "-- up --\nlink ..\n", "it takes its context up"},
		"a link to a named context":      {target(`"contexts": {"x": "up"}`) + "-- up --\nlink ..\n", "it takes the context x from up"},
		"a Dockerfile":                   {target(`"dockerfile": "../Dockerfile"`), "it takes its Dockerfile ../Dockerfile"},
		"a link to a Dockerfile":         {target(`"dockerfile": "mine"`) + "-- mine --\nlink ../Dockerfile\n", "it takes its Dockerfile mine"},
		"a cache":                        {target(`"cache-from": ["type=local,src=.."]`), "it takes the cache "},
		"a push":                         {target(`"tags": ["example.com/a:1"], "output": ["type=registry"]`), "it pushes, and --untrusted lends it no login"},
		"a variable of the environment":  {bake(`"variable": {"TOKEN": {"default": "x"}}, "target": {"default": {"args": {"A": "${TOKEN}"}}}`), ""},
		"the same, of a compose file":    {aDockerfile + "-- compose.yaml --\nservices:\n  app: {build: {context: ., args: {A: '${TOKEN:?none}'}}}\n", "TOKEN is required"},
		"variables of a file outside":    {aDockerfile + "-- ../env --\nTOKEN=secret-of-mine\n-- compose.yaml --\ninclude:\n  - {path: x.yaml, env_file: ../env}\n-- x.yaml --\nservices: {app: {build: .}}\n", "lies outside the project"},
		"what lies in the project is it": {target(`"context": "sub", "secret": ["id=x,src=mine"]`) + "-- sub/Dockerfile --\nFROM scratch\n-- mine --\nx\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{File: "docker-bake.json", System: outside.System{Environ: []string{"TOKEN=secret-of-mine"}}}
			o.Untrusted = true
			if strings.Contains(tt.files, "compose.yaml") {
				o.File = "compose.yaml"
			}
			told, err := readFor(t, tt.files, o)
			if strings.Contains(told, "secret-of-mine") {
				t.Errorf("it was given %q", told)
			}
			switch {
			case tt.refuse == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.refuse != "" && (err == nil || !strings.Contains(err.Error(), tt.refuse)):
				t.Errorf("not refused: %v", err)
			}
		})
	}
}
