package contents_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/archbuild/archbuild/lint/contents"
)

// BenchmarkLook looks at 20,000 small files of a folder, and at a hundred jars of a hundred
// classes each.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	put := func(name string, content []byte) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	source := bytes.Repeat([]byte("func answer() int { return 42 }\n"), 100)
	for i := range 20_000 {
		put(fmt.Sprintf("src/%02d/%03d/file%d.go", i%40, i%400, i), source)
	}
	jar := zipOf(b, zip.Deflate, 100)
	for i := range 100 {
		put(fmt.Sprintf("lib/%d.jar", i), jar)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	for _, row := range []struct {
		name   string
		source string
	}{{"files", "src"}, {"jars", "lib"}} {
		b.Run(row.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := contents.Look(context.Background(), root.FS(), nil, []contents.Copy{{Sources: []string{row.source}, Dest: "/srv"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// zipOf is a zip of classes.
func zipOf(t testing.TB, method uint16, classes int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := range classes {
		f, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("com/example/Class%d.class", i), Method: method})
		if err == nil {
			_, err = f.Write(append([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x41"), bytes.Repeat([]byte(fmt.Sprint(i, "java/lang/Object")), 100)...))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
