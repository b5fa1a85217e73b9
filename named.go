package archbuild

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/wrong"
)

// namedContexts are those of --build-context by their keys: NAME, or NAME::PLATFORM
// for what stands for the name on one platform alone.
type namedContexts struct {
	// folders are on this machine, and so are layouts; remote are those that BuildKit fetches.
	folders, remote map[string]string
	layouts         map[string]builder.Layout
}

const (
	// imageScheme begins a named context that is an image.
	imageScheme = "docker-image://"
	// layoutScheme begins one that is an image in an OCI layout.
	layoutScheme = "oci-layout://"
)

// contextHint names the kinds of named contexts.
const contextHint = "give a folder, docker-image://REF, oci-layout://FOLDER:TAG, a Git repository or https://…"

// isFetched says whether BuildKit gets a named context by itself.
func isFetched(address string) bool {
	return strings.HasPrefix(address, imageScheme) || builder.IsRemote(address)
}

// parseContexts reads --build-context. The last one of a key counts.
func parseContexts(list []string) (namedContexts, error) {
	c := namedContexts{folders: map[string]string{}, remote: map[string]string{}, layouts: map[string]builder.Layout{}}
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || value == "" {
			return c, &wrong.Usage{fmt.Errorf("--build-context %s is not NAME=VALUE", name), "write --build-context NAME=FOLDER or NAME=docker-image://REF"}
		}
		key, err := plan.ContextKey(name)
		if err != nil {
			return c, &wrong.Usage{fmt.Errorf("--build-context %s: %w", name, err), "name it as FROM or COPY --from does, in lower case, and for one platform alone NAME::PLATFORM"}
		}
		delete(c.folders, key)
		delete(c.remote, key)
		delete(c.layouts, key)
		if err := c.add(key, value); err != nil {
			return c, &wrong.Usage{fmt.Errorf("--build-context %s=%s: %w", name, builder.Remote{Address: value}.Shown(), err), wrong.Hint(err)}
		}
	}
	return c, nil
}

func (c namedContexts) add(key, value string) error {
	refuse := func(hint, format string, args ...any) error { return &wrong.Usage{fmt.Errorf(format, args...), hint} }
	info, err := os.Stat(value)
	isFolder := err == nil && info.IsDir()
	switch {
	case strings.HasPrefix(value, imageScheme):
		if _, err := plan.ContextName(strings.TrimPrefix(value, imageScheme)); err != nil {
			return refuse("write docker-image://NAME:TAG", "%w", err)
		}
		c.remote[key] = value
	case strings.HasPrefix(value, layoutScheme):
		layout, err := findLayout(strings.TrimPrefix(value, layoutScheme))
		if err != nil {
			return err
		}
		c.layouts[key] = layout
	case strings.HasPrefix(value, "target:"):
		return refuse("build that target first, with -o type=oci,tar=false,dest=FOLDER, and give oci-layout://FOLDER", "target: is for bake files, where it names another target")
	case !isFolder && builder.IsRemote(value):
		if err := (builder.Remote{Address: value}).Check(); err != nil {
			return err
		}
		c.remote[key] = value
	case !isFolder && strings.Contains(value, "://"):
		scheme, _, _ := strings.Cut(value, "://")
		return refuse(contextHint, "contexts of kind %s:// are not supported", scheme)
	case !isFolder:
		return refuse(contextHint, "no such folder")
	default:
		folder, err := filepath.Abs(value)
		c.folders[key] = folder
		return err
	}
	return nil
}

// checkIgnored refuses folders whose ignore file cannot be understood.
func (c namedContexts) checkIgnored() error {
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(c.folders)) {
		if _, err := ignore.Folder(c.folders[name]); err != nil {
			failed = append(failed, &wrong.Read{What: "the context " + name, Err: err})
		}
	}
	return errors.Join(failed...)
}

// findLayout finds the image that FOLDER[:TAG][@DIGEST] names in an OCI layout: by its
// name, else the only one there is.
func findLayout(text string) (builder.Layout, error) {
	path, tag := text, "latest"
	var want digest.Digest
	if before, after, ok := cutLast(path, "@"); ok && digest.Digest(after).Validate() == nil {
		path, want = before, digest.Digest(after)
	}
	if before, after, ok := cutLast(path, ":"); ok && reference.TagRegexp.FindString(after) == after {
		path, tag = before, after
	}
	folder, err := filepath.Abs(path)
	if err != nil {
		return builder.Layout{}, err
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return builder.Layout{}, &wrong.Usage{fmt.Errorf("no such folder: %s", path), "give the folder of an OCI layout: oci-layout://FOLDER:TAG"}
	}
	layout, err := ocistore.OpenLayout(folder)
	if err != nil {
		return builder.Layout{}, err
	}
	defer layout.Close()
	if want != "" {
		return builder.Layout{Folder: folder, Digest: want}, nil
	}
	var names []string
	for _, d := range layout.Roots {
		names = append(names, layoutName(d))
	}
	i := slices.Index(names, tag)
	if i < 0 && len(names) == 1 {
		i = 0
	}
	if i < 0 {
		return builder.Layout{}, &wrong.Usage{fmt.Errorf("the layout has no image %s", tag), "name one that it has: " + strings.Join(names, ", ")}
	}
	return builder.Layout{Folder: folder, Digest: digest.Digest(layout.Roots[i].Digest.String())}, nil
}

// layoutName is what an image in a layout is called: its tag, else its digest.
func layoutName(d v1.Descriptor) string {
	for _, key := range []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"} {
		if name := d.Annotations[key]; name != "" {
			if _, tag, ok := cutLast(name, ":"); ok {
				return tag
			}
			return name
		}
	}
	return d.Digest.String()
}

// contextKeys are the keys of all --build-context, sorted.
func (c namedContexts) contextKeys() []string {
	keys := slices.Concat(slices.Collect(maps.Keys(c.folders)), slices.Collect(maps.Keys(c.remote)), slices.Collect(maps.Keys(c.layouts)))
	slices.Sort(keys)
	return keys
}

// contextImages are the named contexts that are images of a registry; scratch is none.
func (c namedContexts) contextImages() map[string]string {
	images := map[string]string{}
	for key, address := range c.remote {
		if image, ok := strings.CutPrefix(address, imageScheme); ok && image != "scratch" {
			images[key] = image
		}
	}
	return images
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
