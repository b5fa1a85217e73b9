package builder

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/archbuild/archbuild/platform"
	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"
)

// Context is where the files of a build come from. One field is set; none is a
// context that a session does without.
type Context struct {
	// Folder is its absolute path.
	Folder string
	// Archive is a tar on this machine.
	Archive *Archive
	// Fetched is one that the node has got by itself.
	Fetched *Fetched
}

// Source tells contexts apart: a folder by its path, what cannot change by what is in
// it. The node takes a file for unchanged that had its
// name, size and time in the last context of the same source, so two archives are
// never one: the times in them are often all the same.
func (c Context) Source() string {
	switch {
	case c.Archive != nil:
		return c.Archive.digest.String()
	case c.Fetched != nil:
		return c.Fetched.Pin + c.Fetched.folder
	}
	return c.Folder
}

// Layout is an image in an OCI layout on this machine.
type Layout struct {
	// Folder of the layout, absolute.
	Folder string
	Digest digest.Digest
}

// Image is one in the store that receives the results: what other jobs stand on.
type Image struct {
	// Digest of its manifest.
	Digest digest.Digest
	// Blobs are all that it is made of, the manifest included: a node reads no others.
	Blobs []digest.Digest
	// Config is the image's, as it lies there.
	Config []byte
}

// handedStore is the name under which a session offers such images.
const handedStore = "handed"

func (i Image) address() string { return "oci-layout://" + handedStore + "@" + i.Digest.String() }

// layoutID is the name of a layout's store in a session.
func layoutID(name string) string { return "layout-" + digest.FromString(name).Encoded()[:16] }

// address is what the frontend is told of a named context that is the layout.
func (l Layout) address(name string) string {
	return "oci-layout://" + layoutID(name) + "@" + l.Digest.String()
}

// contextAttr is how the frontend is told of a named context, NAME or NAME::PLATFORM.
func contextAttr(name string) string {
	if name, on, found := strings.Cut(name, "::"); found {
		if p, err := platform.Parse(on); err == nil {
			return "context:" + name + "::" + contextPlatform(p)
		}
	}
	return "context:" + name
}

// stores are the content stores of a session: the one for results, and those of
// layouts, of which it notes the addresses.
func (from Sources) stores(named map[string]string) (map[string]content.Store, error) {
	stores := map[string]content.Store{}
	for name, layout := range from.Layouts {
		store, err := contentlocal.NewStore(layout.Folder)
		if err != nil {
			return nil, fmt.Errorf("opening the OCI layout %s: %w", layout.Folder, err)
		}
		stores["oci:"+layoutID(name)] = guard.ReadOnly(store, from.Refused)
		named[name] = layout.address(name)
	}
	if from.results != nil {
		stores[exportStore] = from.results
		stores["oci:"+handedStore] = from.handed
	}
	return stores, nil
}

// ignored is the ignore file of a context that the node has fetched, and the patterns of
// what no build sees of it. For other contexts BuildKit applies the ignore files: see putInRequest.
func (from Sources) ignored() (file []byte, hidden []string, err error) {
	fetched := from.Context.Fetched
	if fetched == nil {
		return nil, nil, nil
	}
	if file, err = ignore.Tree(fetched.Files); err != nil {
		return nil, nil, fmt.Errorf("reading the context: %w", err)
	}
	for _, name := range from.Rewrites {
		if _, err := fs.Lstat(fetched.Files, name); err == nil {
			hidden = append(hidden, literal.Replace(name))
		}
	}
	return file, hidden, nil
}

// excluded are the patterns of what the build of a Dockerfile does not see of a context
// that the node has fetched.
func (s *Session) excluded(dockerfile string, offered files) ([]string, error) {
	text, own := offered[dockerfile+ignore.File]
	if !own {
		text = s.ignored
	}
	list, err := ignore.Patterns(ignore.File, text)
	if err != nil {
		return nil, fmt.Errorf("reading the ignore file of %s: %w", dockerfile, err)
	}
	return append(list, s.hidden...), nil
}

// literal makes a pattern of a name.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)

// inputs hands the frontend the context that the node has already.
func (s *Session) inputs(dockerfile string, offered files, attrs map[string]string) (map[string]llb.State, error) {
	if s.fetched == nil {
		return map[string]llb.State{}, nil
	}
	excluded, err := s.excluded(dockerfile, offered)
	if err != nil {
		return nil, err
	}
	if s.fetched.Git {
		attrs["input:context"] = s.fetched.Shown() // for the provenance
	}
	return map[string]llb.State{"context": s.fetched.without(excluded)}, nil
}

// named tells the frontend of a named context. It knows no ssh:// for those, so a
// repository is handed over; and it shows passwords, so a file at http is.
func (r Remote) named(name string, attrs map[string]string, inputs map[string]llb.State) {
	attr := contextAttr(name)
	g, err := r.git()
	input := "input-" + digest.FromString(name).Encoded()[:16]
	switch {
	case g != nil && err == nil:
		inputs[input] = r.gitState(g, g.Ref, g.Checksum)
	case g == nil && r.isWeb():
		inputs[input] = llb.HTTP(r.Address, llb.Filename(download), llb.WithCustomName("[context "+name+"] "+r.Shown()))
	default:
		attrs[attr] = r.Address
		return
	}
	attrs[attr], attrs["input:"+input] = "input:"+input, r.Shown()
}
