package inputs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/internal/ignore"
)

// ignoreFiles are ignore files of which nobody can tell what they leave out. Each stands where the folder's
// .dockerignore would, a Dockerfile's own, or that of a named context; and beside each lies a file that is to stay here.
func ignoreFiles() []row {
	utf16 := func(text string) string { return strings.Join(strings.Split(text, ""), "\x00") + "\x00" }
	kinds := []struct {
		is   string
		make func(name string) maker
		says string
		// private: not for a user who may read everything.
		private bool
	}{
		{"in UTF-16 with a mark", func(name string) maker { return file(name, "\xff\xfe"+utf16(".env\n")) }, "it is no text in UTF-8", false},
		{"in UTF-16 without one", func(name string) maker { return file(name, utf16(".env\n")) }, "it is no text in UTF-8", false},
		{"in Latin-1", func(name string) maker { return file(name, "gr\xfcn\n.env\n") }, "it is no text in UTF-8", false},
		{"that is a pipe", fifo, "it is a named pipe", false},
		{"that is a folder", folder, "it is a folder", false},
		{"that is a socket", socket, "it is a socket", false},
		{"that is a link to itself", func(name string) maker { return link(name, filepath.Base(name)) }, "leads back to itself", false},
		{"that is a link to nothing", func(name string) maker { return link(name, "nothing") }, "a symbolic link to what is not there", false},
		{"that is a link to a device without an end", func(name string) maker { return link(name, "/dev/zero") }, "ignore: it is a ", false},
		{"with a line of a megabyte", func(name string) maker { return repeated(name, "", "a", 1<<20, "") }, "token too long", false},
		{"of a terabyte", func(name string) maker { return sparse(name, 1<<40) }, "it is longer than 1048576 bytes", false},
		{"that nobody may read", func(name string) maker {
			return func(dir string) error { return errors.Join(file(name, ".env\n")(dir), closed(name)(dir)) }
		}, "permission denied", true},
	}
	build := "build . --platform linux/amd64,linux/arm64 -t registry.example/app:1 --offline"
	matrix := "ci plan . --offline -t registry.example/app:1 --platform linux/arm64 --run 1"
	var rows []row
	for _, kind := range kinds {
		for _, at := range []struct{ what, name, args string }{
			{"a .dockerignore %s, in a build", ignore.File, build},
			{"a .dockerignore %s, in a matrix", ignore.File, matrix},
			{"a Dockerfile's own ignore file %s", "Dockerfile" + ignore.File, build},
			{"a named context's ignore file %s", "more/" + ignore.File, build + " --build-context more=more"},
		} {
			in := []maker{file("Dockerfile", "FROM scratch\nCOPY . /\n"), file(".env", "PASSWORD=1\n"), file("more/.env", "PASSWORD=2\n"), kind.make(at.name)}
			rows = append(rows, row{bad: strings.Replace(at.what, "%s", kind.is, 1), in: in, args: words(at.args), says: kind.says, code: 1, unprivileged: kind.private})
		}
	}
	return append(rows, ignoreArchives()...)
}

// ignoreArchives are contexts in a tar.
func ignoreArchives() []row {
	archive := func(bad, says string, ignored entry) row {
		ignored.name = ignore.File
		body := tarred(entry{name: "Dockerfile", body: "FROM scratch\nCOPY . /\n"}, entry{name: ".env", body: "PASSWORD=1\n"}, ignored)
		return row{
			bad: "an archive whose .dockerignore is " + bad, says: says, code: 1, args: words("build context.tar --offline -t registry.example/app:1"),
			in: []maker{func(dir string) error { return os.WriteFile(filepath.Join(dir, "context.tar"), body, 0o600) }},
		}
	}
	return []row{
		archive("in UTF-16", "it is no text in UTF-8", entry{body: "\xff\xfe.\x00e\x00n\x00v\x00\n\x00"}),
		archive("no pattern", "syntax error in pattern", entry{body: "a[\n"}),
	}
}
