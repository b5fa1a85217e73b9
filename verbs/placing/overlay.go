package placing

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/internal/whole"
	"github.com/archbuild/archbuild/placement"
	placefiles "github.com/archbuild/archbuild/placement/files"
	"github.com/archbuild/archbuild/wrong"
)

// overlayNames are where an overlay goes when the user names no file.
var overlayNames = map[placement.Scheduler]string{
	placement.Swarm: "compose.place.yaml", placement.Cattle: "compose.place.yaml", placement.Kubernetes: "kubernetes.place.yaml",
}

// write makes the overlay, if there is to be one.
func (p *placing) write(placed *Placed) error {
	name := p.Overlay
	if name == "" && p.For != "" && len(p.files) > 0 {
		name = overlayNames[placed.Scheduler]
	}
	if name == "" {
		return nil
	}
	o := placement.Overlay{Table: placed.Table, Pin: p.Pin}
	for _, f := range p.files {
		for _, name := range append([]string{f.Name}, f.Over...) {
			o.Over = append(o.Over, filepath.Base(name))
		}
		if o.Version == "" {
			o.Version = f.Version
		}
	}
	for _, row := range placed.Rows {
		patched := row.Object == nil || placement.PodPath(row.Object.Kind) != nil
		if !row.Demand.Empty() && patched {
			placed.Constrained++
		}
		if !patched {
			placed.Notes = append(placed.Notes, fmt.Sprintf("%s: nobody knows how a patch is merged into a %s, so there is none: write its node affinity by hand", row.Service, row.Object.Kind))
		}
	}
	text := o.Bytes()
	if name == stdin {
		placed.Text = text
		return nil
	}
	changed, err := p.replace(name, text)
	if err == nil {
		placed.Overlay, placed.Changed = name, changed
	}
	return err
}

// NoOverlayError says that a file is there that archbuild has not written.
type NoOverlayError struct {
	Path string
	// Input says that it is one of the files with the services.
	Input bool
}

func (e *NoOverlayError) Error() string {
	if e.Input {
		return fmt.Sprintf("-o %s: that is the file with the services, which is never written to", e.Path)
	}
	return fmt.Sprintf("-o %s: the file is there, and is no overlay that archbuild has written", e.Path)
}

// Hint says what to do.
func (e *NoOverlayError) Hint() string {
	if e.Input {
		return "give the overlay a name of its own"
	}
	return "give another name, or --force to write over it"
}

// ExitStatus is 2, as for every path that cannot be meant.
func (e *NoOverlayError) ExitStatus() int { return 2 }

// replace writes a file unless it is so already, or somebody else's.
func (p *placing) replace(name string, text []byte) (changed bool, err error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, written(name, text)
	}
	if err != nil {
		return false, &wrong.Write{name, err}
	}
	if slices.ContainsFunc(p.files, func(f placefiles.File) bool {
		return slices.ContainsFunc(append([]string{f.Name}, f.Over...), func(name string) bool { return isFileOf(name, info) })
	}) {
		return false, &NoOverlayError{Path: name, Input: true}
	}
	old, err := plainfile.Read(name, placefiles.MaxBytes)
	if info.Mode().IsRegular() && err == nil && bytes.Equal(old, text) {
		return false, nil
	}
	ours := err == nil && bytes.HasPrefix(old, []byte(placement.Mark))
	if info.Mode().IsRegular() && !ours && !p.Force {
		return false, &NoOverlayError{Path: name}
	}
	return true, written(name, text)
}

func isFileOf(name string, info fs.FileInfo) bool {
	other, err := os.Stat(name)
	return err == nil && os.SameFile(other, info)
}

func written(name string, text []byte) error {
	if err := whole.Write(name, text); err != nil {
		return &wrong.Write{name, err}
	}
	return nil
}
