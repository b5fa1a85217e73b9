package archbuild

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/archbuild/archbuild/builder"
)

func TestTwoSpellingsOfARepositoryAreOneProject(t *testing.T) {
	for address, want := range map[string]string{
		"https://git.example/team/app.git":               "repository git.example/team/app",
		"https://GIT.example/team/app/":                  "repository git.example/team/app",
		"https://user:secret@git.example:8443/team/app":  "repository git.example/team/app",
		"git@git.example:team/app.git":                   "repository git.example/team/app",
		"git.example:team/app":                           "repository git.example/team/app",
		"ssh://git@git.example:22/team/app.git":          "repository git.example/team/app",
		"git://git.example/team/app":                     "repository git.example/team/app",
		"https://git.example/team/other.git":             "repository git.example/team/other",
		"https://git.example/team/../team/app":           "repository git.example/team/app",
		"/srv/git/app.git":                               "repository /srv/git/app",
		"file:///srv/git/app.git":                        "repository /srv/git/app",
		"https://elsewhere.example/git.example/team/app": "repository elsewhere.example/git.example/team/app",
	} {
		if got := repositoryOf(address); got != want {
			t.Errorf("%s is %q, want %q", address, got, want)
		}
	}
}

// What a project is known by, where the folder lies in a clone and where it does not.
func TestAProjectIsItsRepository(t *testing.T) {
	const origin = "[core]\n\tbare = false\n[remote \"up\"]\n\turl = https://up.example/x\n[remote \"origin\"]\n\turl = https://git.example/team/app.git\n"
	for name, tt := range map[string]struct {
		files map[string]string
		tags  []string
		want  string // after the folder's own path, where it begins with a dot
	}{
		"a clone":                       {map[string]string{".git/config": origin}, nil, "repository git.example/team/app"},
		"a clone with a name":           {map[string]string{".git/config": origin}, []string{"reg.example/other:1"}, "repository git.example/team/app"},
		"a worktree":                    {map[string]string{".git": "gitdir: ../main/.git/worktrees/x\n", "../main/.git/worktrees/x/commondir": "../..\n", "../main/.git/config": origin}, nil, "repository git.example/team/app"},
		"a repository without origin":   {map[string]string{".git/config": "[core]\n"}, nil, "."},
		"a folder":                      {nil, nil, "./service"},
		"a folder with a name":          {nil, []string{"localhost:5000/team/app:1", "reg.example/other"}, "image localhost:5000/team/app"},
		"a name with a digest":          {nil, []string{"reg.example/team/app@sha256:00"}, "image reg.example/team/app"},
		"a .git that is something else": {map[string]string{".git": "hello"}, nil, "./service"},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			folder := filepath.Join(root, "service")
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			for file, text := range tt.files {
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want := tt.want
			if want[0] == '.' {
				want = "folder " + filepath.Join(root, want)
			}
			s := service{name: "service", context: buildContext{Context: builder.Context{Folder: folder}}}
			if got := (run{Options: Options{Tags: tt.tags}}).projectOf(s); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
