package folders_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/project/folders"
	"github.com/google/go-cmp/cmp"
)

// tree writes empty files below a new folder called shop; a name with -> is a link.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "shop")
	for _, name := range names {
		name, to, link := strings.Cut(name, "->")
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil && link {
			err = os.Symlink(to, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte("FROM scratch\n"), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestDockerfilesBelowAFolder(t *testing.T) {
	for name, tt := range map[string]struct {
		files []string
		// want is NAME=FOLDER, with :FILE for one that has to be named.
		want string
		note string
	}{
		"each is called after its folder":            {[]string{"web/Dockerfile", "api/Dockerfile"}, "api=api web=web", ""},
		"the root's after the root":                  {[]string{"Dockerfile", "web/Dockerfile"}, "shop=. web=web", ""},
		"nested ones after the last part":            {[]string{"services/web/Dockerfile", "tools/lint/Dockerfile"}, "web=services/web lint=tools/lint", ""},
		"with more of the path where it is the same": {[]string{"a/web/Dockerfile", "b/web/Dockerfile", "c/db/Dockerfile"}, "a-web=a/web b-web=b/web db=c/db", ""},
		"as much as is needed":                       {[]string{"x/a/web/Dockerfile", "y/a/web/Dockerfile"}, "x-a-web=x/a/web y-a-web=y/a/web", ""},
		"one folder is the other's parent":           {[]string{"web/Dockerfile", "web/web/Dockerfile"}, "web=web web-web=web/web", ""},
		"case and signs become a name":               {[]string{"My App_1/Dockerfile"}, "my-app-1=My App_1", ""},
		"names that are the same but for case":       {[]string{"Web/Dockerfile", "web/Dockerfile"}, "web-2=Web web-3=web", ""},
		"several in a folder":                        {[]string{"web/Dockerfile", "web/Dockerfile.release", "web/debug.Dockerfile", "web/Dockerfile-test"}, "web=web web-test=web:Dockerfile-test web-release=web:Dockerfile.release web-debug=web:debug.Dockerfile", ""},
		"only one with a name of its own":            {[]string{"web/Dockerfile.release"}, "web-release=web:Dockerfile.release", ""},
		"a Containerfile":                            {[]string{"web/Containerfile"}, "web=web", ""},
		"a Dockerfile goes before the Containerfile": {[]string{"web/Containerfile", "web/Dockerfile"}, "web=web", ""},
		"a template":                                      {[]string{"web/Dockerfile.template"}, "web=web", ""},
		"what archbuild rewrites is no template":          {[]string{"web/Dockerfile", "web/Dockerfile.arm64", "web/Dockerfile.arm-v7", "web/Dockerfile.windows-amd64", "web/Dockerfile.aarch64"}, "web=web", "Dockerfile.arm64"},
		"files of platforms alone are one image":          {[]string{"web/Dockerfile.amd64", "web/Dockerfile.arm64"}, "web=web", "Dockerfile.arm64"},
		"a system alone is no platform":                   {[]string{"web/Dockerfile", "web/Dockerfile.windows"}, "web=web web-windows=web:Dockerfile.windows", ""},
		"ignore files, copies and templates of templates": {[]string{"web/Dockerfile", "web/Dockerfile.dockerignore", "web/Dockerfile.bak", "web/Dockerfile~", "web/Dockerfile.j2", "web/Dockerfile.md", "web/Dockerfiles"}, "web=web", ""},
		"hidden folders and other people's":               {[]string{"web/Dockerfile", ".git/Dockerfile", "web/node_modules/x/Dockerfile", "vendor/y/Dockerfile", "testdata/Dockerfile", "archbuild-out/web/Dockerfile"}, "web=web", "node_modules, testdata, vendor"},
		"links to folders are not followed":               {[]string{"web/Dockerfile", "web/again->..", "other->web"}, "web=web", ""},
		"a link to a file is one":                         {[]string{"web/Dockerfile", "api/Dockerfile->../web/Dockerfile"}, "api=api web=web", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, tt.files...)
			p, err := folders.Load(root)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, target := range p.Targets {
				rel, err := filepath.Rel(root, target.Context)
				if err != nil {
					t.Fatal(err)
				}
				text := target.Name + "=" + rel
				if target.Dockerfile != "" {
					text += ":" + target.Dockerfile
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
			if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
				t.Errorf("notes: %s", notes)
			}
		})
	}
}

func TestPathsAreTheUsers(t *testing.T) {
	root := tree(t, "Dockerfile", "web/Dockerfile")
	t.Chdir(filepath.Dir(root))
	p, err := folders.Load("./shop")
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "shop" || p.Targets[0].Context != "./shop" || p.Targets[1].Context != "shop/web" || p.Targets[1].At.File != "shop/web/Dockerfile" {
		t.Errorf("%+v", p.Targets)
	}
	t.Chdir(root)
	if p, err = folders.Load("."); err != nil || p.Targets[0].Name != "shop" || p.Targets[0].Context != "." {
		t.Errorf("%+v, %v", p.Targets, err)
	}
}

func TestSeveralRoots(t *testing.T) {
	root := tree(t, "a/web/Dockerfile", "b/web/Dockerfile", "b/Dockerfile")
	t.Chdir(root)
	p, err := folders.Load("a", "b", "b/web")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range p.Targets {
		got = append(got, target.Name+"="+target.Context)
	}
	if diff := cmp.Diff("a-web=a/web b=b b-web=b/web", strings.Join(got, " ")); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoProject(t *testing.T) {
	deep := strings.Repeat("d/", 60) + "Dockerfile"
	many := []string{"x/Dockerfile"}
	for i := range 2_001 {
		many = append(many, fmt.Sprintf("x/Dockerfile.v%d", i))
	}
	for name, tt := range map[string]struct {
		root string
		want string
	}{
		"an empty folder":         {tree(t, "main.go"), "no Dockerfile lies below"},
		"one that is too deep":    {tree(t, deep), "no Dockerfile lies below"},
		"more than anybody wants": {tree(t, many...), "more than 2000 Dockerfiles"},
	} {
		_, err := folders.Load(tt.root)
		if wrong := new(folders.Error); !errors.As(err, &wrong) || wrong.Hint() == "" || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := folders.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
