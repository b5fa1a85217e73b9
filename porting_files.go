package archbuild

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// diff is what changes in both files, in the form that `git apply` and patch read.
func (p *porting) diff() string {
	file := p.file
	if fromStdin(file) {
		file = filepath.Join(filepath.Dir(file), "Dockerfile")
	}
	return unified(file, p.template.Source, p.result.Source) + unified(p.config, p.before, p.result.Config)
}

// unified is the diff of one file, named as seen from the working folder.
func unified(path string, old, now []byte) string {
	name := filepath.ToSlash(seenFromHere(path))
	from := "a/" + name
	if old == nil {
		from = "/dev/null"
	}
	text := string(diff.Diff(from, old, "b/"+name, now))
	_, text, _ = strings.Cut(text, "\n") // a headline of its own kind
	return text
}

// seenFromHere is a path relative to the working folder, if it is below it.
func seenFromHere(path string) string {
	if !filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	here, err := os.Getwd()
	if err != nil {
		return strings.TrimPrefix(path, "/")
	}
	if relative, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return strings.TrimPrefix(path, "/")
}

// write puts the edited files in the place of the old ones, the Dockerfile last: while that is the old one, running
// port again does what a failure has left undone.
func (p *porting) write() ([]string, error) {
	var written []string
	files := []struct {
		path     string
		old, now []byte
	}{{p.config, p.before, p.result.Config}, {p.file, p.template.Source, p.result.Source}}
	for _, f := range files {
		if bytes.Equal(f.old, f.now) {
			continue
		}
		if err := replaceable(f.path, f.old); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		if bytes.Equal(f.old, f.now) {
			continue
		}
		if err := replaceFile(f.path, f.now); err != nil {
			return written, err
		}
		written = append(written, f.path)
	}
	return written, nil
}

// replaceable says why a file cannot be put in the place of what was read, or nil.
func replaceable(path string, old []byte) error {
	there, err := plainfile.Read(path, maxBeside)
	if err != nil && !os.IsNotExist(err) {
		return &wrong.Write{Path: path, Err: err}
	}
	if (err == nil) != (old != nil) || !bytes.Equal(there, old) {
		return &ChangedFileError{path}
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o200 == 0 {
		return &ReadOnlyFileError{path}
	}
	return nil
}

// ChangedFileError says that a file is not what was read of it.
type ChangedFileError struct{ Path string }

func (e *ChangedFileError) Error() string {
	return fmt.Sprintf("%s changed since it was read, so nothing was written", e.Path)
}

// Hint says what to do.
func (e *ChangedFileError) Hint() string { return "run port again: it reads the file as it is now" }

// ReadOnlyFileError says that a file's mode forbids to write it.
type ReadOnlyFileError struct{ Path string }

func (e *ReadOnlyFileError) Error() string {
	return fmt.Sprintf("%s is read-only, so nothing was written", e.Path)
}

// Hint says how to allow it.
func (e *ReadOnlyFileError) Hint() string {
	return fmt.Sprintf("chmod u+w %s, then run port again", e.Path)
}

// replaceFile writes a file whole where it lies, also behind a link, and keeps its mode.
func replaceFile(path string, content []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return outside.WriteWhole(path, content)
}

// WriteDiff prints the diff.
func (p Ported) WriteDiff(w io.Writer) error {
	return ui.WriteExact(w, []byte(p.Diff))
}

// WriteWritten prints which files were written.
func (p Ported) WriteWritten(w io.Writer) {
	for _, path := range p.Written {
		fmt.Fprintf(w, "wrote %s\n", ui.Line(path))
	}
}

// WriteRest prints what could not be looked at, what was written and compared, and what is left to do.
func (p Ported) WriteRest(w io.Writer) error {
	for _, note := range p.Notes {
		fmt.Fprintf(w, "archbuild: note: %s\n", ui.Line(note))
	}
	p.WriteWritten(w)
	if c := p.Compared; c != nil {
		fmt.Fprintf(w, "both images: %d file%s, %d program%s compared, %d difference%s\n", c.Files, ui.Plural(c.Files), c.Programs, ui.Plural(c.Programs), len(c.Differences), ui.Plural(len(c.Differences)))
		for i, d := range c.Differences {
			if i == shownDifferences {
				fmt.Fprintf(w, "  and %d more\n", len(c.Differences)-i)
				break
			}
			fmt.Fprintf(w, "  %s: %s\n", d.Severity, ui.Line(d.String()))
		}
	}
	if n := len(p.Gaps); n > 0 {
		fmt.Fprintf(w, "%d gap%s to fill in:\n", n, ui.Plural(n))
	}
	for _, g := range p.Gaps {
		fmt.Fprintf(w, "  %s:%d %s\n", ui.Line(g.File), g.Line, ui.Line(g.What))
	}
	if len(p.Left) > 0 {
		fmt.Fprintln(w, "left to do by hand:")
	}
	return Linted{Findings: p.Left}.WriteText(w)
}

// Summary says in a line what was done.
func (p Ported) Summary() string {
	edited := 0
	for _, f := range p.Findings {
		if f.Edited {
			edited++
		}
	}
	name := ui.Line(p.File)
	if fromStdin(p.File) {
		name = stdinWords
	}
	if p.Diff == "" {
		return "nothing to edit in " + name
	}
	if len(p.Written) == 0 {
		return fmt.Sprintf("%d finding%s can be edited in %s: nothing is written yet", edited, ui.Plural(edited), name)
	}
	return fmt.Sprintf("%d finding%s edited in %s", edited, ui.Plural(edited), name)
}
