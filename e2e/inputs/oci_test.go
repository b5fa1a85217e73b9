package inputs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The media types of images.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// fields are a JSON object: a document, a descriptor.
type fields map[string]any

// with is the object with other fields as well; nil takes one away.
func (f fields) with(more fields) fields {
	all := fields{}
	for key, value := range f {
		all[key] = value
	}
	for key, value := range more {
		if all[key] = value; value == nil {
			delete(all, key)
		}
	}
	return all
}

// layout is an OCI layout that is made, well or badly, in memory.
type layout struct {
	// files by their names in it.
	files map[string][]byte
	// index is the content of index.json.
	index any
}

func newLayout() *layout {
	return &layout{files: map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}}
}

func blobName(body []byte) string { return fmt.Sprintf("blobs/sha256/%x", sha256.Sum256(body)) }

// put keeps a blob, and gives its descriptor.
func (l *layout) put(mediaType string, body []byte) fields {
	l.files[blobName(body)] = body
	return fields{"mediaType": mediaType, "digest": fmt.Sprintf("sha256:%x", sha256.Sum256(body)), "size": len(body)}
}

// doc keeps a document.
func (l *layout) doc(mediaType string, content any) fields {
	body, err := json.Marshal(content)
	if err != nil {
		panic(err) // tables hold what JSON can
	}
	return l.put(mediaType, body)
}

// entry is a file of a layer.
type entry struct {
	name, body, link string
	kind             byte
}

// tarred is a tar of such files.
func tarred(entries ...entry) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.body)), Mode: 0o755, Linkname: e.link, Format: tar.FormatPAX}
		if e.kind == 0 {
			header.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(header); err != nil {
			panic(fmt.Sprintf("%s: %v", e.name, err))
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func gzipped(body []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// config is that of an image for a platform whose entrypoint is /app, over one layer.
func config(arch string, layer []byte) fields {
	return fields{
		"os": "linux", "architecture": arch, "config": fields{"Entrypoint": []string{"/app"}},
		"rootfs": fields{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	}
}

// manifest is that of an image.
func manifest(config fields, layers ...fields) fields {
	return fields{"schemaVersion": 2, "mediaType": typeManifest, "config": config, "layers": layers}
}

// image keeps an image of one layer, and gives its descriptor with the platform.
func (l *layout) image(arch string, layer []byte) fields {
	m := manifest(l.doc(typeConfig, config(arch, layer)), l.put(typeLayer, layer))
	return l.doc(typeManifest, m).with(fields{"platform": fields{"os": "linux", "architecture": arch}})
}

// list keeps an index.
func (l *layout) list(children ...fields) fields {
	return l.doc(typeIndex, fields{"schemaVersion": 2, "mediaType": typeIndex, "manifests": children})
}

// root is what index.json lists.
func (l *layout) root(children ...fields) {
	l.index = fields{"schemaVersion": 2, "manifests": children}
}

// all are the files with index.json among them.
func (l *layout) all() map[string][]byte {
	if l.index != nil {
		body, err := json.Marshal(l.index)
		if err != nil {
			panic(err)
		}
		l.files["index.json"] = body
	}
	return l.files
}

// inLayout writes a layout to a folder.
func inLayout(name string, build func(*layout)) maker {
	return func(dir string) error {
		l := newLayout()
		build(l)
		for file, body := range l.all() {
			path := filepath.Join(dir, name, file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, body, 0o644)); err != nil {
				return err
			}
		}
		return nil
	}
}

// archived writes a layout as a tar.
func archived(name string, build func(*layout), more ...entry) maker {
	return func(dir string) error {
		l := newLayout()
		build(l)
		var entries []entry
		for file, body := range l.all() {
			entries = append(entries, entry{name: file, body: string(body)})
		}
		return os.WriteFile(filepath.Join(dir, name), tarred(append(entries, more...)...), 0o644)
	}
}

// hello is a layer with a program that every machine runs.
func hello() []byte { return tarred(entry{name: "app", body: "#!/bin/sh\necho hello\n"}) }
