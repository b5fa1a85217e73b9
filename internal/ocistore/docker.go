package ocistore

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// dockerEntries reads what `docker save` wrote before it wrote OCI layouts: a
// manifest.json that lists for each image a config and layers by file name.
// An OCI manifest is made up for each, of the digests of the bytes that lie
// there, so that nothing below needs to know the difference.
func dockerEntries(a *archive) ([]Entry, error) {
	_, images, err := dockerImages(a)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, img := range images {
		entry, ok, err := ImageEntry(img)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, entry)
		}
	}
	return list, nil
}

func dockerImages(a *archive) (digested, []v1.Image, error) {
	files := digested{archive: a, names: map[v1.Hash]string{}, known: map[string]v1.Descriptor{}}
	raw, err := member(a, "manifest.json")
	if err != nil {
		return files, nil, err
	}
	var saved []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(raw, &saved); err != nil {
		return files, nil, fmt.Errorf("reading manifest.json: %w", err)
	}
	if len(saved) > maxEntries {
		return files, nil, fmt.Errorf("more than %d images", maxEntries)
	}
	var list []v1.Image
	for _, s := range saved {
		img, err := files.image(s.Config, s.Layers)
		if err != nil {
			return files, nil, err
		}
		list = append(list, img)
	}
	return files, list, nil
}

// digested serves the files of an archive under their digests.
type digested struct {
	*archive
	names map[v1.Hash]string
	known map[string]v1.Descriptor
}

func (d digested) open(name string) (io.ReadCloser, int64, error) {
	if path.Dir(name) == "blobs/sha256" {
		if file, ok := d.names[v1.Hash{Algorithm: "sha256", Hex: path.Base(name)}]; ok {
			name = file
		}
	}
	return d.archive.open(name)
}

func (d digested) image(config string, layers []string) (v1.Image, error) {
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	var err error
	if m.Config, err = d.describe(config); err != nil {
		return nil, err
	}
	m.Config.MediaType = types.OCIConfigJSON
	for _, name := range layers {
		desc, err := d.describe(name)
		if err != nil {
			return nil, err
		}
		m.Layers = append(m.Layers, desc)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return imageOf(d, raw)
}

// describe reads a file once for its digest. It tells gzip by its first bytes.
func (d digested) describe(file string) (v1.Descriptor, error) {
	name := path.Join("/", file)[1:]
	if desc, ok := d.known[name]; ok {
		return desc, nil
	}
	r, size, err := d.archive.open(name)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer r.Close()
	buffered := bufio.NewReader(r)
	desc := v1.Descriptor{Size: size, MediaType: types.OCIUncompressedLayer}
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		desc.MediaType = types.OCILayer
	}
	h := sha256.New()
	if _, err := io.Copy(h, buffered); err != nil {
		return v1.Descriptor{}, fmt.Errorf("reading %s: %w", name, err)
	}
	desc.Digest = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
	d.names[desc.Digest], d.known[name] = name, desc
	return desc, nil
}
