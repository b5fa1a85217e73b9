package verify

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// maxCompared is the longest program whose headers are read.
const maxCompared = 1 << 30

// Comparison is how two images of one platform differ.
type Comparison struct {
	// Files and Programs that both have.
	Files    int `json:"files"`
	Programs int `json:"programs"`
	// Differences by path; errors first.
	Differences []Difference `json:"differences"`
}

// Difference is one thing that two images have in two ways.
type Difference struct {
	// Severity is error for what an image is not allowed to differ in, warning for
	// contents that differ from build to build as well: logs, time stamps in archives.
	Severity Severity `json:"severity"`
	// Path in the image; empty for its config.
	Path string `json:"path,omitempty"`
	// What differs: file, type, mode, owner, link, machine, libraries, content, config.
	What string `json:"what"`
	// First and Second say what the images have.
	First  string `json:"first"`
	Second string `json:"second"`
}

// String is the difference as one line.
func (d Difference) String() string {
	name := d.Path
	if name == "" {
		name = "the image"
	}
	return printable(fmt.Sprintf("%s: %s: %s, and %s", name, d.What, d.First, d.Second))
}

// Failed tells whether there is a difference that matters.
func (c Comparison) Failed() bool {
	return slices.ContainsFunc(c.Differences, func(d Difference) bool { return d.Severity == SeverityError })
}

// Compare holds two images against each other, file by file: their names, modes,
// owners and links, for ELF files the machine, the ABI and the libraries they need,
// and the bytes. Times are left aside. Programs made by Go have to be equal byte by byte.
func Compare(ctx context.Context, first, second v1.Image) (Comparison, error) {
	a, err := filesOf(ctx, first)
	if err != nil {
		return Comparison{}, err
	}
	b, err := filesOf(ctx, second)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Differences: []Difference{}}
	if err := c.configs(first, second); err != nil {
		return Comparison{}, err
	}
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c.file(name, a[name], b[name])
	}
	slices.SortStableFunc(c.Differences, func(x, y Difference) int { return cmp.Compare(x.Severity, y.Severity) })
	return c, nil
}

func (c *Comparison) add(severity Severity, name, what, first, second string) {
	if first != second {
		first, second = cmp.Or(first, "none"), cmp.Or(second, "none")
		c.Differences = append(c.Differences, Difference{severity, name, what, first, second})
	}
}

// configs compares how the images are run.
func (c *Comparison) configs(first, second v1.Image) error {
	a, err := first.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading image config: %w", err)
	}
	b, err := second.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading image config: %w", err)
	}
	c.add(SeverityError, "", "config", fmt.Sprintf("%+v", a.Config), fmt.Sprintf("%+v", b.Config))
	return nil
}

// file compares one name; nil is a file that is not there.
func (c *Comparison) file(name string, a, b *compared) {
	if a == nil || b == nil {
		there := map[bool]string{true: "there", false: "not there"}
		c.add(SeverityError, name, "file", there[a != nil], there[b != nil])
		return
	}
	c.Files++
	c.add(SeverityError, name, "type", a.kind, b.kind)
	c.add(SeverityError, name, "mode", a.mode, b.mode)
	c.add(SeverityError, name, "owner", a.owner, b.owner)
	c.add(SeverityError, name, "link", a.link, b.link)
	c.add(SeverityError, name, "machine", a.machine, b.machine)
	c.add(SeverityError, name, "libraries", a.libraries, b.libraries)
	if a.machine != "" && b.machine != "" {
		c.Programs++
	}
	severity := SeverityWarning
	if a.golang != "" && b.golang != "" {
		severity = SeverityError
		c.add(severity, name, "settings", a.golang, b.golang)
	}
	c.add(severity, name, "content", a.content, b.content)
}

// compared is what two images may differ in for one file.
type compared struct {
	kind, mode, owner, link string
	// machine and libraries are those of an ELF file, golang how Go built it.
	machine, libraries, golang string
	content                    string
}

// filesOf reads every file of an image, its layers put on top of one another.
func filesOf(ctx context.Context, img v1.Image) (map[string]*compared, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading layers: %w", err)
	}
	files := map[string]*compared{}
	for _, l := range layers {
		if err := addLayer(ctx, files, l); err != nil {
			digest, _ := l.Digest()
			return nil, fmt.Errorf("reading layer %s: %w", digest, err)
		}
	}
	return files, nil
}

// addLayer puts a layer on top of some files.
func addLayer(ctx context.Context, files map[string]*compared, l v1.Layer) error {
	compressed, err := l.Compressed()
	if err != nil {
		return err
	}
	defer compressed.Close()
	plain, done, err := decompress(bufio.NewReaderSize(&interruptible{ctx, compressed}, 64<<10))
	if err != nil {
		return err
	}
	defer done()
	s := &scanner{maxBytes: maxUnpacked}
	tr := tar.NewReader(&counted{plain, s})
	added := map[string]*compared{}
	for {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			maps.Copy(files, added)
			return nil
		}
		if err == nil {
			err = s.count(header)
		}
		if err != nil {
			return err
		}
		e, ok := s.entry(header)
		if !ok {
			continue
		}
		if e.Kind != kindDir { // what is put in the place of a folder takes what was in it away
			remove(files, e.Path, e.Kind != kindOpaque)
		}
		if e.Kind == kindWhiteout || e.Kind == kindOpaque {
			continue
		}
		one := &compared{
			kind: kindOf(header.Typeflag), mode: fmt.Sprintf("%04o", header.Mode&0o7777), owner: fmt.Sprintf("%d:%d", header.Uid, header.Gid), link: header.Linkname,
		}
		if e.Kind == kindFile {
			if err := one.read(tr, header.Size); err != nil {
				return fmt.Errorf("%s: %w", printable(e.Path), err)
			}
		}
		added[e.Path] = one
	}
}

// remove takes out what is below a path, and the path itself if that is wanted.
func remove(files map[string]*compared, name string, itself bool) {
	if one := files[name]; one == nil && itself {
		return // most are new
	}
	if itself {
		if files[name].kind != kindOf(tar.TypeDir) {
			delete(files, name)
			return
		}
		delete(files, name)
	}
	below := strings.TrimSuffix(name, "/") + "/"
	for other := range files {
		if strings.HasPrefix(other, below) {
			delete(files, other)
		}
	}
}

func kindOf(flag byte) string {
	switch flag {
	case tar.TypeReg:
		return "file"
	case tar.TypeDir:
		return "folder"
	case tar.TypeSymlink:
		return "symbolic link"
	case tar.TypeLink:
		return "hard link"
	}
	return fmt.Sprintf("of type %q", flag)
}

// read takes in a file's content.
func (c *compared) read(r io.Reader, size int64) error {
	sum := sha256.New()
	head := make([]byte, min(size, 4))
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	sum.Write(head)
	if string(head) != elf.ELFMAG || size > maxCompared {
		if _, err := io.Copy(sum, r); err != nil {
			return err
		}
	} else {
		content := bytes.NewBuffer(append(make([]byte, 0, size), head...))
		if _, err := io.Copy(io.MultiWriter(content, sum), r); err != nil {
			return err
		}
		c.readELF(content.Bytes())
	}
	c.content = fmt.Sprintf("%d bytes, sha256:%.12x", size, sum.Sum(nil))
	return nil
}

// readELF takes in what the headers of a program say; one that is damaged says no more
// than that it is one.
func (c *compared) readELF(content []byte) {
	c.machine = "a damaged ELF file"
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return
	}
	defer f.Close()
	c.machine = fmt.Sprintf("%s %s %s %s", f.Machine, f.Class, f.OSABI, f.Type)
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			interpreter, err := io.ReadAll(p.Open())
			if err == nil {
				c.machine += " " + strings.TrimRight(string(interpreter), "\x00")
			}
		}
	}
	if libraries, err := f.ImportedLibraries(); err == nil {
		c.libraries = strings.Join(libraries, " ")
	}
	if info, err := buildinfo.Read(bytes.NewReader(content)); err == nil {
		c.golang = info.GoVersion
		for _, s := range info.Settings {
			if strings.HasPrefix(s.Key, "CGO_") || strings.HasPrefix(s.Key, "GO") || s.Key == "-tags" {
				c.golang += " " + s.Key + "=" + s.Value
			}
		}
	}
}
