package manifest

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/platforms"
)

// platformFolder is the folder of a platform among several, as BuildKit's local
// and tar exporters name it: linux_arm_v7.
func platformFolder(r Result) string {
	return strings.NewReplacer("/", "_", `\`, "_", ":", "_").Replace(platforms.FormatAll(r.Platform.OCI()))
}

// tree is the file system of one platform and the folder that it goes into,
// empty for none.
type tree struct {
	image
	folder string
}

// trees flattens every result. Without folders, a file that two platforms have
// is an error.
func (x Index) trees(ctx context.Context, split *bool) ([]tree, error) {
	folders := len(x.Results) > 1
	if split != nil {
		folders = *split
	}
	var list []tree
	owner := map[string]Result{}
	for _, r := range x.Results {
		m, err := x.flatten(ctx, r)
		if err != nil {
			return nil, err
		}
		t := tree{image: m}
		if folders {
			t.folder = platformFolder(r)
		}
		for _, f := range m.files {
			if folders || f.header.Typeflag == tar.TypeDir {
				continue
			}
			if other, ok := owner[f.name]; ok {
				return nil, &OutputError{"platform-split=false", fmt.Sprintf("%s and %s both have the file /%s", other.Platform, r.Platform, f.name), "leave platform-split=false out, or give the files different names"}
			}
			owner[f.name] = r
		}
		list = append(list, t)
	}
	return list, nil
}

// WriteTar writes the files of all platforms as one tar archive, each platform
// in a folder of its own (linux_arm64/) if there are several or split says so.
// Owners, modes, times and extended attributes are those of the image.
// The order is fixed: folders sorted by name, then contents in the order of the
// layers, then everything without content, sorted by name.
func (x Index) WriteTar(ctx context.Context, w io.Writer, split *bool) error {
	list, err := x.trees(ctx, split)
	if err != nil {
		return fmt.Errorf("writing tar: %w", err)
	}
	a := tar.NewWriter(w)
	for _, t := range list {
		if err := t.writeTar(ctx, a); err != nil {
			return fmt.Errorf("writing tar: %w", err)
		}
	}
	return a.Close()
}

func (t tree) writeTar(ctx context.Context, a *tar.Writer) error {
	prefix := ""
	if t.folder != "" {
		prefix = t.folder + "/"
		if err := a.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: prefix, Mode: 0o755, ModTime: time.Unix(0, 0)}); err != nil {
			return err
		}
	}
	for _, f := range t.files {
		if f.header.Typeflag != tar.TypeDir {
			continue
		}
		if err := a.WriteHeader(tarHeader(f, prefix, "")); err != nil {
			return err
		}
	}
	written := map[*inode]string{}
	buffer := make([]byte, copyBuffer)
	err := t.contents(ctx, func(f file, content io.Reader) error {
		written[f.inode] = f.name
		if err := a.WriteHeader(tarHeader(f, prefix, "")); err != nil {
			return err
		}
		_, err := io.CopyBuffer(a, content, buffer)
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range t.files {
		first, again := written[f.inode]
		if f.header.Typeflag == tar.TypeDir || first == f.name {
			continue
		}
		written[f.inode] = f.name
		link := ""
		if again {
			link, written[f.inode] = prefix+first, first
		}
		if err := a.WriteHeader(tarHeader(f, prefix, link)); err != nil {
			return err
		}
	}
	return nil
}

// tarHeader describes a path; link is the path that it is a hard link of.
func tarHeader(f file, prefix, link string) *tar.Header {
	h := &tar.Header{
		Typeflag: f.header.Typeflag, Name: prefix + f.name, Linkname: f.header.Linkname,
		Mode: f.header.Mode, Uid: f.header.Uid, Gid: f.header.Gid, ModTime: f.header.ModTime,
	}
	switch h.Typeflag {
	case tar.TypeDir:
		h.Name += "/"
	case tar.TypeReg:
		h.Size = f.header.Size
	case tar.TypeChar, tar.TypeBlock:
		h.Devmajor, h.Devminor = f.header.Devmajor, f.header.Devminor
	}
	if link != "" {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, link, 0
	}
	for name, value := range f.header.PAXRecords {
		if strings.HasPrefix(name, xattrPrefix) && link == "" {
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords[name] = value
		}
	}
	return h
}

// copyBuffer is shared by all files of a tree: most files are small.
const copyBuffer = 64 << 10

// xattrPrefix marks extended attributes in the records of a tar entry.
const xattrPrefix = "SCHILY.xattr."
