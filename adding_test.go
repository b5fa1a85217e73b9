package archbuild_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/outside"
)

// BuildKit's provenance names the address of each ADD with its query. The plan says so, and does not tell the values itself.
func TestAQueryThatProvenanceTellsIsNoted(t *testing.T) {
	const secret = "s3cr3t"
	for _, row := range []struct {
		says, file, provenance string
		noted                  bool
	}{
		{"a token from a build argument", "ARG TOKEN\nADD https://files.example/a?token=$TOKEN /a\n", "mode=max", true},
		{"an address that is a build argument", "ARG URL\nADD ${URL} /a\n", "mode=min", true},
		{"a token in the file", "ADD https://files.example/a?sig=" + secret + " /a\n", "mode=max", true},
		{"a token in the path as well", "ARG TOKEN\nADD https://files.example/$TOKEN/a?v=1 /a\n", "mode=max", true},
		{"no provenance", "ARG TOKEN\nADD https://files.example/a?token=$TOKEN /a\n", "", false},
		{"no query", "ADD https://files.example/a /a\n", "mode=max", false},
		{"a repository's own words", "ADD https://git.example/a.git?ref=main /a\n", "mode=max", false},
		{"an argument that is not given", "ARG NONE\nADD https://files.example/a?token=$NONE /a\n", "mode=max", false},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"+row.file), 0o600); err != nil {
			t.Fatal(err)
		}
		done, err := archbuild.Build(t.Context(), archbuild.Options{
			Paths: []string{dir}, Provenance: row.provenance, DryRun: true, Offline: true,
			BuildArgs: []string{"TOKEN=" + secret, "URL=https://files.example/a?token=" + secret},
			Engine:    outside.Engine{State: t.TempDir()},
		})
		if err != nil {
			t.Fatalf("%s: %v", row.says, err)
		}
		notes := strings.Join(done.Plans[0].Notes, "\n")
		if strings.Contains(notes, "provenance tells the query of ") != row.noted {
			t.Errorf("%s: the notes are %q", row.says, notes)
		}
		if strings.Contains(notes, secret) {
			t.Errorf("%s: the note tells the secret: %s", row.says, notes)
		}
	}
}
