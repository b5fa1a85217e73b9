package contents_test

import (
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/archbuild/archbuild/lint/contents"
)

// metered is a context that counts what is read of its files.
type metered struct {
	fstest.MapFS
	files, bytes *atomic.Int64
}

type meteredFile struct {
	fs.File
	bytes *atomic.Int64
}

func (m metered) Open(name string) (fs.File, error) {
	m.files.Add(1)
	file, err := m.MapFS.Open(name)
	return meteredFile{file, m.bytes}, err
}

func (f meteredFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.bytes.Add(int64(n))
	return n, err
}

// A look at 200 MB has to take less than a second, so it must not read them. Seconds depend
// on the machine; bytes do not.
func TestOfLargeFilesTheBeginningIsRead(t *testing.T) {
	const count, atMost = 400, 4 << 10
	tree := metered{fstest.MapFS{}, &atomic.Int64{}, &atomic.Int64{}}
	text := make([]byte, 512<<10)
	program := append(elf("linux/amd64"), text...)
	for i := range count {
		content := text
		if i%4 == 0 {
			content = program
		}
		tree.MapFS[fmt.Sprintf("%d/%d", i%7, i)] = &fstest.MapFile{Data: content}
	}
	found := look(t, tree, nil, contents.Copy{Sources: []string{"."}, Dest: "/a"}, contents.Copy{Sources: []string{"1", "2", "3"}, Dest: "/b"})
	if len(found.Programs) < count/4 {
		t.Errorf("found %d programs", len(found.Programs))
	}
	if got := tree.files.Load(); got != count {
		t.Errorf("opened %d files of %d", got, count)
	}
	if got := tree.bytes.Load(); got > count*atMost {
		t.Errorf("read %d bytes of each file, want at most %d", got/count, atMost)
	}
	t.Logf("%d bytes of each file", tree.bytes.Load()/count)
}
