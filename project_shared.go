package archbuild

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/distribution/reference"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/wrong"
)

// claim is a place that an image of a project's file writes to.
type claim struct {
	service string
	// what is written, output or cache, dest as the file calls the place, and at where it does.
	what, dest string
	at         project.Place
	// key is the place by its one name; folder says that it is one.
	key    string
	folder bool
	// own is how the place could be called so that it is this image's alone.
	own string
}

// refuse says that another image writes there too.
func (c claim) refuse(format string, args ...any) error {
	return &TargetError{c.service, c.at, &wrong.File{fmt.Errorf("its %s goes to %s, "+format, append([]any{c.what, c.dest}, args...)...), "give each a place of its own: " + c.own}}
}

// checkShared finds folders, files and caches that two images of a project's file would both write, and those that would lie in
// each other. What the command line names is looked at elsewhere.
func (r run) checkShared(services []service) error {
	var failed []error
	first := map[string]claim{}
	for _, s := range services {
		if s.self == nil || s.self.of == nil {
			continue
		}
		for _, c := range r.claims(s) {
			other, taken := first[c.key]
			switch {
			case !taken:
				first[c.key] = c
			case other.service != c.service:
				failed = append(failed, c.refuse("and so does that of %s (%s): one would replace the other", other.service, other.at))
			}
		}
	}
	return errors.Join(append(failed, nested(first)...)...)
}

// claims are the places that one image writes to by its file's word.
func (r run) claims(s service) []claim {
	var list []claim
	add := func(what, key, dest string, folder bool) {
		if path, err := filepath.Abs(dest); err == nil {
			own := "dest=" + filepath.Join(filepath.Dir(dest), s.name+"-"+filepath.Base(dest))
			list = append(list, claim{service: s.name, what: what, dest: dest, at: s.self.of.Place(key), key: path, folder: folder, own: own})
		}
	}
	for _, c := range cachesOf(s.self.cacheTo, s) {
		switch {
		case len(r.CacheTo)+len(r.Cache) > 0:
		case c.Type == builder.CacheLocal:
			add("cache", "cache-to", fromHere(c.Attrs["dest"]), true)
		case c.Type == builder.CacheRegistry:
			if ref, err := reference.ParseNormalizedNamed(c.Attrs["ref"]); err == nil {
				dest := c.Attrs["ref"]
				list = append(list, claim{service: s.name, what: "cache", dest: dest, at: s.self.of.Place("cache-to"), key: "registry " + reference.TagNameOnly(ref).String(), own: "ref=" + dest + "-" + s.name})
			}
		}
	}
	for _, out := range r.outputsOf(s) {
		if out.Dest != "" && !out.Stdout() && len(r.Outputs) == 0 {
			add("output", "output", out.Dest, out.Folder || out.Type == manifest.TypeLocal)
		}
	}
	return list
}

// nested refuses what would be written into the folder of another image. A folder in which the user stands has everything in it,
// and is no result of one image.
func nested(claims map[string]claim) []error {
	here, err := os.Getwd()
	if err != nil {
		return nil
	}
	var failed []error
	for _, key := range slices.Sorted(maps.Keys(claims)) {
		c := claims[key]
		for folder := filepath.Dir(key); filepath.IsAbs(folder) && folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
			outer, known := claims[folder]
			if name, err := filepath.Rel(folder, here); err == nil && filepath.IsLocal(name) {
				break
			}
			if known && outer.folder && outer.service != c.service {
				c.own = "dest=" + filepath.Join(filepath.Dir(outer.dest), c.service+"-"+filepath.Base(c.dest))
				failed = append(failed, c.refuse("which lies in %s, where the %s of %s goes (%s)", outer.dest, outer.what, outer.service, outer.at))
				break
			}
		}
	}
	return failed
}
