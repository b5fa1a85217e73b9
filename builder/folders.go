package builder

import (
	"github.com/tonistiigi/fsutil"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/internal/ignore"
)

// contextLocal is where the frontend looks for the build context.
const contextLocal = "context"

// folders are what a node can ask the files of.
type folders struct {
	dockerfiles *dockerfiles
	others      map[string]fsutil.FS
	// ignore reads the ignore file of each of the others; nil text is none.
	ignore map[string]func() ([]byte, error)
}

func newFolders(offered *dockerfiles) folders {
	return folders{dockerfiles: offered, others: map[string]fsutil.FS{}, ignore: map[string]func() ([]byte, error){}}
}

// LookupDir is asked by the session.
func (f folders) LookupDir(name string) (fsutil.FS, bool) {
	if held, ok := f.dockerfiles.lookUp(name); ok {
		return held, true
	}
	other, ok := f.others[name]
	if !ok {
		return nil, false
	}
	sets := [][]string{f.ignored(name)}
	if name == contextLocal {
		sets = f.dockerfiles.ignoring(sets[0])
	}
	shown, err := guard.Ignoring(other, sets, ignore.File)
	return shown, err == nil
}

// everything is left out where an ignore file cannot be understood: the node is shown that file and nothing else.
// Who starts a build has looked at the file already; it has changed since.
var everything = []string{"**"}

// ignored are the patterns of the ignore file that lies in a folder.
func (f folders) ignored(name string) []string {
	text, err := f.ignore[name]()
	if err != nil {
		return everything
	}
	return patterns(name, text)
}

// patterns are those of an ignore file.
func patterns(name string, text []byte) []string {
	list, err := ignore.Patterns(name, text)
	if err != nil {
		return everything
	}
	return list
}
