package nodes

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/internal/plainfile"
)

// maxFile bounds the user's file; what is longer is refused by its reader.
const maxFile = 2 << 20

// UserFile is the path of the user's own configuration:
// $XDG_CONFIG_HOME/archbuild/config.yaml, else below ~/.config. It is empty
// without a home: a file of the working directory is somebody else's.
func UserFile(getenv func(string) string) string {
	home := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(home) { // the XDG specification says to ignore a relative one
		home = filepath.Join(getenv("HOME"), ".config")
	}
	if !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(home, "archbuild", "config.yaml")
}

// Load reads the nodes of the user's own file:
//
//	nodes:
//	  - tcp://arm.example:1234,platform=linux/arm64        # as --node takes it
//	  - name: arm
//	    address: tcp://10.0.0.7:1234
//	    platforms: [linux/arm64, linux/arm/v7]
//	    weight: 2
//	    jobs: 4
//	    tlsdir: arm         # or cacert, cert, key; relative to the file's folder
//	    servername: arm.example
//
// Without a file, or without a path, there are none. Every error found is
// returned, joined, with its place in the file.
func Load(path string) ([]Spec, error) {
	if path == "" {
		return nil, nil
	}
	data, err := read(path)
	if err != nil || data == nil {
		return nil, err
	}
	entries, err := config.LoadUser(path, data)
	if err != nil {
		return nil, err
	}
	var specs []Spec
	var errs []error
	for _, entry := range entries {
		spec, err := fromEntry(path, entry)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		spec.From = fmt.Sprintf("%s:%d", path, entry.Line)
		specs = append(specs, spec)
		if _, err := Unique(specs); err != nil {
			errs = append(errs, config.Wrong(path, entry.Value, inFile(err)))
			specs = specs[:len(specs)-1]
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return Unique(specs)
}

// read gives the bytes of a file; nil if there is none.
func read(path string) ([]byte, error) {
	f, err := plainfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &FileError{err}
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, &FileError{fmt.Errorf("reading %s: %w", path, errIsFolder)}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, &FileError{err}
	}
	return append([]byte{}, data...), nil
}

// FileError says that the user's file is there and cannot be read.
type FileError struct{ Err error }

func (e *FileError) Error() string { return fmt.Sprintf("the file of nodes: %v", e.Err) }

// Unwrap gives the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Hint says what to look at.
func (e *FileError) Hint() string {
	return "it has to be a file that you can read; docs/nodes.md shows one"
}

// fromEntry makes a node of an entry.
func fromEntry(path string, entry config.Node) (Spec, error) {
	wrong := func(at config.Value, err error) error { return config.Wrong(path, at, inFile(err)) }
	folder := filepath.Dir(path)
	if entry.Keys == nil {
		spec, err := parse(entry.Text, folder)
		if err != nil {
			return Spec{}, wrong(entry.Value, err)
		}
		return spec, nil
	}
	address, ok := entry.Keys["address"]
	if !ok {
		return Spec{}, wrong(entry.Value, &Error{"", "a node without an address", "add address: tcp://arm.example:1234"})
	}
	spec, err := ParseAddress(address.Text)
	if err != nil {
		return Spec{}, wrong(address, err)
	}
	spec.Platforms = entry.Platforms
	given := map[string]string{}
	for key, value := range entry.Keys {
		if key == "address" {
			continue
		}
		if value.Text == "" {
			return Spec{}, wrong(value, &Error{address.Text, key + " has no value", "write one, or leave " + key + " out"})
		}
		given[key] = value.Text
	}
	return spec, spec.set(given, folder, func(key, what, hint string) error {
		return wrong(entry.Keys[key], &Error{address.Text, what, hint})
	})
}

// entryError is what is wrong with an entry. Unlike an *Error it is no wrong usage of
// a command: the file is wrong.
type entryError struct{ text, help string }

func (e *entryError) Error() string { return e.text }

// Hint is the one thing to do next.
func (e *entryError) Hint() string { return e.help }

// inFile turns advice for a command line into advice for a file.
func inFile(err error) error {
	help := hintOf(err)
	if strings.HasPrefix(help, tildeHint) {
		help = "write the whole path, or one that starts at the folder of the file"
	}
	return &entryError{err.Error(), help}
}
