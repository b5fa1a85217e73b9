package archbuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/wrong"
)

// RewrittenFile is a file that was written, or need not be.
type RewrittenFile struct {
	Path string
	// Unchanged files said the same before, and keep their time.
	Unchanged bool
	// Kept files are what a platform is built from, so they are not written over.
	Kept bool
	// Replaced files said something else before.
	Replaced bool
	// own says that a platform is built from this very file.
	own bool
}

// namedFile is a file to be, and the Dockerfile it was made of.
type namedFile struct {
	name    string
	content []byte
	from    string
	// open says that a reference in it could not be decided.
	open bool
	// unreached is a registry that could not be asked about a reference, or empty.
	unreached string
}

// isSource says whether a path is the Dockerfile itself.
func (f namedFile) isSource(path string) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	from, err := os.Stat(f.from)
	return err == nil && os.SameFile(there, from)
}

// rewrittenFiles is every Dockerfile.ARCH, each with its ignore file.
func rewrittenFiles(s service, done []Rewritten) []namedFile {
	var files []namedFile
	for _, one := range done {
		open := slices.ContainsFunc(one.Warnings, func(w RewriteWarning) bool { return !w.harmless })
		files = append(files, namedFile{one.Dockerfile, one.Content, one.File, open, one.unreached()})
		if ignore := s.of(one.Platform).ignore; ignore != nil {
			files = append(files, namedFile{name: rewrite.DockerignoreName(one.Dockerfile), content: ignore, from: one.File})
		}
	}
	return files
}

// writeFiles writes into a folder, which is made if it is not there. A file that
// is there already outlives a registry that cannot be reached: what was decided
// when it could be is worth more than what is left open now. The others are written.
func writeFiles(files []namedFile, folder string) ([]RewrittenFile, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, &wrong.Write{Path: folder, Err: err}
	}
	var written []RewrittenFile
	var kept []error
	for _, file := range files {
		path := filepath.Join(folder, file.name)
		same := sameFile(path, file.content)
		_, missing := os.Lstat(path)
		if !same && file.isSource(path) {
			written = append(written, RewrittenFile{Path: path, Kept: true})
			continue
		}
		if !same && missing == nil && file.unreached != "" {
			kept = append(kept, &KeptError{Path: path, Host: file.unreached})
			continue
		}
		if !same {
			if err := outside.WriteWhole(path, file.content); err != nil {
				return written, err
			}
		}
		written = append(written, RewrittenFile{Path: path, Unchanged: same, Replaced: !same && missing == nil, own: same && file.isSource(path)})
	}
	return written, errors.Join(kept...)
}

// KeptError says that a file stays as it is because a registry could not be
// reached to decide what it should say.
type KeptError struct{ Path, Host string }

func (e *KeptError) Error() string {
	return fmt.Sprintf("kept: %s stays as it was: %s could not be reached", e.Path, e.Host)
}

// Hint names both ways out.
func (e *KeptError) Hint() string {
	return "try again when it can be reached; --offline writes what rules decide"
}

// sameFile says whether a plain file has this content.
func sameFile(path string, content []byte) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(content)) {
		return false
	}
	found, err := plainfile.Read(path, int64(len(content)))
	return err == nil && bytes.Equal(found, content)
}

// checkFresh finds the files that are missing or say something else.
func checkFresh(files []namedFile, folder string) error {
	var failed []error
	for _, file := range files {
		path := filepath.Join(folder, file.name)
		found, err := plainfile.Read(path, maxBeside)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			failed = append(failed, &StaleError{Path: path, Missing: true})
		case err != nil:
			failed = append(failed, &wrong.Read{What: path, Err: err})
		case !bytes.Equal(found, file.content) && !file.isSource(path):
			failed = append(failed, &StaleError{Path: path, Open: file.open})
		}
	}
	return errors.Join(failed...)
}

// StaleError names a Dockerfile.ARCH that is not what would be written now.
type StaleError struct {
	Path    string
	Missing bool
	// Open says that a reference could not be decided: the file may well be fine.
	Open bool
}

func (e *StaleError) Error() string {
	switch {
	case e.Missing:
		return e.Path + " is missing"
	case e.Open:
		return e.Path + " differs, but not every reference could be decided"
	}
	return e.Path + " is stale"
}

// Hint says how it is written.
func (e *StaleError) Hint() string {
	if e.Open {
		return "see to the warnings above, then write it: the same command without --check"
	}
	return "write it: the same command without --check"
}

// WriteFiles names the files, a line each.
func (r Rewriting) WriteFiles(w io.Writer) error {
	for _, file := range r.Files {
		state, why := "wrote", ""
		switch {
		case file.Unchanged:
			state = "unchanged"
		case file.Replaced:
			state = "replaced"
		case file.Kept:
			state, why = "kept", ", which its platform is built from; -o FOLDER writes what becomes of it"
		}
		if _, err := fmt.Fprintf(w, "%s %s%s\n", state, ui.Line(file.Path), why); err != nil {
			return err
		}
	}
	return nil
}

// WriteDiffs prints what changes for each platform as unified diffs, which patch
// reads.
func (r Rewriting) WriteDiffs(w io.Writer) error {
	for _, one := range r.Platforms {
		from, to := one.File, filepath.Join(filepath.Dir(one.File), one.Dockerfile)
		if fromStdin(one.File) {
			from = "Dockerfile"
		}
		text := diff.Diff(from, one.source, to, one.Content)
		if err := ui.WriteExact(w, text); err != nil {
			return err
		}
	}
	return nil
}
