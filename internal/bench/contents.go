package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// contents is what an image of an OCI archive is to whoever runs it: for each path, type, mode, owner and content, and under
// "config" how it is started. Times are left out, those inside jars too: no two builds have them in common.
func contents(archive, platform string) (files map[string]string, err error) {
	layout, err := os.MkdirTemp("", "archbuild-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(layout)) }()
	if err := untar(layout, archive); err != nil {
		return nil, err
	}
	img, err := fixtures.FindImage(layout, platform)
	if err != nil {
		return nil, err
	}
	files, err = describeFiles(img)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(config.Config)
	files["config"] = string(text)
	return files, err
}

func describeFiles(img v1.Image) (map[string]string, error) {
	files := map[string]string{}
	tree := mutate.Extract(img)
	defer tree.Close()
	for tr := tar.NewReader(tree); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(h.Name, ".jar") {
			if data, err = entriesOf(data); err != nil {
				return nil, fmt.Errorf("%s: %w", h.Name, err)
			}
		}
		files["/"+strings.Trim(h.Name, "./")] = fmt.Sprintf("%c %o %d:%d %s %x", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, sha256.Sum256(data))
	}
}

// entriesOf a jar are its files' names and sums, sorted.
func entriesOf(jar []byte) ([]byte, error) {
	r, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, f := range r.File {
		lines = append(lines, fmt.Sprintf("%s %08x %d", f.Name, f.CRC32, f.UncompressedSize64))
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n")), nil
}

// differences are the first ten.
func differences(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if a[name] != b[name] && len(list) < 10 {
			list = append(list, fmt.Sprintf("%s: %q, %q", name, a[name], b[name]))
		}
	}
	return list
}

// untar writes the files of an archive of our own making.
func untar(dir, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", filepath.Base(archive), err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			return fmt.Errorf("reading %s: %w", filepath.Base(archive), err)
		}
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(h.Name)), content); err != nil {
			return err
		}
	}
}

func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}
