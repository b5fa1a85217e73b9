package parity_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	cacheimporttypes "github.com/moby/buildkit/cache/remotecache/v1/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// built is what came out of one tool.
type built struct {
	// Index is the digest of the index, or empty where there is none.
	Index string
	// Images by platform.
	Images map[string]image
	// Files of an output that is no image, each described in a line.
	Files map[string]string
}

// image is told apart by its digest; the rest is there to show a difference.
type image struct {
	Digest           string
	Manifest, Config any
}

// digests are what has to be equal.
func (b built) digests() map[string]string {
	list := map[string]string{}
	for platform, img := range b.Images {
		list[platform] = img.Digest
	}
	return list
}

// lines are all values of all documents, each by its path.
func (b built) lines() map[string]string {
	all := map[string]string{}
	for platform, img := range b.Images {
		all[platform] = img.Digest
		flatten(all, platform+" manifest", img.Manifest)
		flatten(all, platform+" config", img.Config)
	}
	return all
}

func flatten(all map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			flatten(all, path+"."+key, value)
		}
	case []any:
		for i, value := range v {
			flatten(all, fmt.Sprintf("%s[%d]", path, i), value)
		}
	default:
		all[path] = fmt.Sprint(v)
	}
}

// blobs finds a document by its descriptor.
type blobs func(ocispecs.Descriptor) ([]byte, error)

// add takes a manifest in, or all manifests of an index.
func (b *built) add(read blobs, d ocispecs.Descriptor) error {
	text, err := read(d)
	if err != nil {
		return err
	}
	var doc struct {
		Manifests []ocispecs.Descriptor `json:"manifests"`
		Config    ocispecs.Descriptor   `json:"config"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	if doc.Config.Digest == "" {
		b.Index = d.Digest.String()
		for _, m := range doc.Manifests {
			if err := b.add(read, m); err != nil {
				return err
			}
		}
		return nil
	}
	config, err := read(doc.Config)
	if err != nil {
		return err
	}
	var of ocispecs.Platform
	img := image{Digest: d.Digest.String()}
	if err := errors.Join(json.Unmarshal(config, &of), json.Unmarshal(config, &img.Config), json.Unmarshal(text, &img.Manifest)); err != nil {
		return err
	}
	if b.Images == nil {
		b.Images = map[string]image{}
	}
	if err := img.leaveChance(); err != nil {
		return err
	}
	if img.Digest != d.Digest.String() { // so the index's depends on chance as well
		b.Index = ""
	}
	b.Images[strings.TrimSuffix(of.OS+"/"+of.Architecture+"/"+of.Variant, "/")] = img
	return nil
}

// inlineCache is the key of an image's config that holds what BuildKit knows of its steps.
const inlineCache = "moby.buildkit.cache.v0"

// leaveChance takes out of an inline cache what depends on what else the BuildKit has
// built at that moment: keys of sources that lead to no layer. With them goes the digest,
// in whose place everything else is compared.
func (i *image) leaveChance() error {
	config, _ := i.Config.(map[string]any)
	text, has := config[inlineCache].(string)
	if !has {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	var records []cacheimporttypes.CacheRecord
	if err := json.Unmarshal(data, &records); err != nil {
		return err
	}
	used := map[int]bool{}
	for _, record := range records {
		for _, alternatives := range record.Inputs {
			for _, a := range alternatives {
				used[a.LinkIndex] = true
			}
		}
	}
	var kept []any
	for i, record := range records {
		if used[i] || len(record.Inputs)+len(record.Results)+len(record.ChainedResults) > 0 {
			after := linked(record, records)
			record.Inputs = nil
			kept = append(kept, cacheStep{record, after})
		}
	}
	if len(kept) == 0 {
		return errors.New("an inline cache without steps")
	}
	config[inlineCache] = kept
	delete(i.Manifest.(map[string]any), "config")
	i.Digest = ""
	whole, err := json.Marshal(i)
	i.Digest = digest.FromBytes(whole).String()
	return err
}

// cacheStep is a record of an inline cache. The records that it follows, input by input, are told by their digests, and not by
// their numbers, which count those that are left out as well.
type cacheStep struct {
	cacheimporttypes.CacheRecord
	After [][]string
}

func linked(record cacheimporttypes.CacheRecord, records []cacheimporttypes.CacheRecord) (after [][]string) {
	for _, alternatives := range record.Inputs {
		var list []string
		for _, a := range alternatives {
			list = append(list, a.Selector+" "+records[a.LinkIndex].Digest.String())
		}
		slices.Sort(list)
		after = append(after, list)
	}
	return after
}

// readLayout reads an OCI layout.
func readLayout(layout fs.FS) (built, error) {
	var b built
	text, err := fs.ReadFile(layout, "index.json")
	if err != nil {
		return b, err
	}
	var top ocispecs.Index
	if err := json.Unmarshal(text, &top); err != nil {
		return b, err
	}
	for _, d := range top.Manifests {
		err := b.add(func(d ocispecs.Descriptor) ([]byte, error) {
			return fs.ReadFile(layout, "blobs/"+d.Digest.Algorithm().String()+"/"+d.Digest.Encoded())
		}, d)
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// maxDocument is more than any manifest or config here has; layers are not looked into.
const maxDocument = 1 << 20

// readArchive reads the OCI layout in a tar.
func readArchive(name string) (built, error) {
	documents := fstest.MapFS{}
	err := eachEntry(name, func(h *tar.Header, r io.Reader) error {
		if h.Typeflag != tar.TypeReg || h.Size > maxDocument {
			return nil
		}
		text, err := io.ReadAll(r)
		documents[h.Name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		return built{}, err
	}
	b, err := readLayout(documents)
	if list := documents["manifest.json"]; list != nil && err == nil {
		b.Files = map[string]string{"manifest.json": string(list.Data)} // Docker's own
	}
	return b, err
}

func eachEntry(name string, do func(*tar.Header, io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(h, r)
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", filepath.Base(name), err)
		}
	}
}

// readTar describes the files of a tar; times are left aside.
func readTar(name string) (built, error) {
	b := built{Files: map[string]string{}}
	err := eachEntry(name, func(h *tar.Header, r io.Reader) error {
		sum := sha256.New()
		_, err := io.Copy(sum, r)
		b.Files[strings.TrimSuffix(h.Name, "/")] = fmt.Sprintf("%c %o %d:%d %s %x", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, sum.Sum(nil))
		return err
	})
	return b, err
}

// readFolder describes the files of a folder; times are left aside.
func readFolder(dir string) (built, error) {
	b := built{Files: map[string]string{}}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			content = fmt.Sprintf("%x", sha256.Sum256(text))
		case info.Mode()&fs.ModeSymlink != 0:
			if content, err = os.Readlink(name); err != nil {
				return err
			}
		}
		rel, err := filepath.Rel(dir, name)
		b.Files[rel] = info.Mode().String() + " " + content
		return err
	})
	return b, err
}

// readPushed reads an image in a registry.
func readPushed(ref name.Reference) (built, error) {
	var b built
	top, err := remote.Head(ref)
	if err != nil {
		return b, err
	}
	read := func(d ocispecs.Descriptor) ([]byte, error) {
		at := ref.Context().Digest(d.Digest.String())
		if strings.Contains(d.MediaType, "config") || strings.Contains(d.MediaType, "container.image") {
			layer, err := remote.Layer(at)
			if err != nil {
				return nil, err
			}
			r, err := layer.Compressed()
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return io.ReadAll(r)
		}
		got, err := remote.Get(at)
		if err != nil {
			return nil, err
		}
		return got.Manifest, nil
	}
	return b, b.add(read, ocispecs.Descriptor{MediaType: string(top.MediaType), Digest: digest.Digest(top.Digest.String())})
}
