package placing

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/placement"
	placefiles "github.com/archbuild/archbuild/placement/files"
	"github.com/archbuild/archbuild/project/compose"
	"github.com/archbuild/archbuild/project/find"
	"github.com/archbuild/archbuild/wrong"
)

// read finds the services of all arguments. All mistakes are told at once.
func (p *placing) read() error {
	p.local = map[string]bool{}
	var failed []error
	seen := map[string]string{}
	for _, path := range p.Paths {
		if p.named(path) {
			continue
		}
		f, isFile, err := p.file(path)
		if err == nil && !isFile {
			err = p.reference(path)
		}
		if err != nil {
			failed = append(failed, err)
		}
		if err != nil || !isFile {
			continue
		}
		p.files = append(p.files, f)
		for _, s := range f.Services {
			if at, twice := seen[s.Name]; twice && s.Object == nil {
				failed = append(failed, &wrong.File{fmt.Errorf("%s: service %s is in %s as well", s.At, s.Name, at), "join the files first: docker compose -f A -f B config | archbuild place -"})
				continue
			}
			seen[s.Name] = s.At
			p.services = append(p.services, s)
		}
	}
	return errors.Join(append(failed, p.onlyNamed())...)
}

// named tells whether an argument behind a file is the name of a service in it, and keeps it.
func (p *placing) named(word string) bool {
	hit := false
	for _, s := range p.services {
		if s.At != "" && s.Called(word) {
			p.only, hit = append(p.only, s.Name), true
		}
	}
	return hit
}

// onlyNamed leaves out the services of the files that nobody named, where somebody named some.
func (p *placing) onlyNamed() error {
	if len(p.only) == 0 {
		return nil
	}
	if p.For != "" && p.Overlay == "" {
		return &wrong.Usage{fmt.Errorf("an overlay for %s alone would take the place of the one for all services", strings.Join(p.only, ", ")), "leave the names out, or name the overlay: -o FILE"}
	}
	p.services = slices.DeleteFunc(p.services, func(s placement.Service) bool { return s.At != "" && !slices.Contains(p.only, s.Name) })
	return nil
}

// reference adds an image that the command line names, once. What is nearly the name of a service before it is taken for none.
func (p *placing) reference(name string) error {
	var known []string
	for _, s := range p.services {
		if s.At != "" {
			known = append(known, s.Name)
		}
		if s.Object != nil {
			known = append(known, s.Object.Name)
		}
	}
	if near := nearest.Word(name, known); near != "" && !strings.ContainsAny(name, ":@") {
		return &wrong.Usage{fmt.Errorf("%s: there is no service %s in it", p.files[len(p.files)-1].Name, name), fmt.Sprintf("did you mean %s? an image is told from a service by its tag: %s:latest", near, name)}
	}
	if _, here := ocistore.LocalName(name); here {
		p.local[name] = true
	}
	if !slices.ContainsFunc(p.services, func(s placement.Service) bool { return s.Name == name && s.At == "" }) {
		p.services = append(p.services, placement.Service{Name: name, Containers: []placement.Container{{Image: name}}})
	}
	return nil
}

// file reads an argument that is a file with services; what is none is the name of an image.
func (p *placing) file(path string) (f placefiles.File, isFile bool, err error) {
	if path == stdin {
		data, err := p.readStdin(placefiles.MaxBytes)
		if err == nil {
			f, err = p.parse("standard input", data)
		}
		return f, true, err
	}
	var found find.Found
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		if found, err = composeIn(path); len(found.Files) == 0 || err != nil {
			return f, false, err
		}
		path = found.Files[0]
	case err == nil && strings.HasSuffix(path, ".tar"):
		return f, false, nil
	case err == nil && info.Mode().IsRegular() && isPacked(path):
		folder, _, _ := strings.Cut(filepath.Base(path), ".")
		return f, true, &wrong.Usage{fmt.Errorf("%s is an archive, and place reads files and folders", path), fmt.Sprintf("unpack it first: mkdir %s && tar -xf %s -C %s && archbuild place %s", folder, path, folder, folder)}
	case err == nil:
	case isAddress(path):
		return f, true, notFetched(path)
	case isYAML(path) || strings.HasPrefix(path, ".") || strings.HasPrefix(path, "/"):
		return f, true, &wrong.Usage{fmt.Errorf("%s: no such file", path), "name a compose file, objects of Kubernetes, - for standard input, or an image"}
	default:
		return f, false, nil
	}
	data, err := readNamed(path, placefiles.MaxBytes)
	if err == nil {
		f, err = p.parse(path, data, append([]string{path}, found.Files[min(1, len(found.Files)):]...)...)
		f.Notes = append(applying(found), f.Notes...)
	}
	return f, true, err
}

// packed are the first bytes of gzip, bzip2, xz and zstd.
var packed = []string{"\x1f\x8b", "BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"}

// isPacked says whether a file is compressed: no file of services is.
func isPacked(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false // which whoever reads it says
	}
	defer file.Close()
	head := make([]byte, 6)
	n, _ := io.ReadFull(file, head)
	return slices.ContainsFunc(packed, func(first string) bool { return strings.HasPrefix(string(head[:n]), first) })
}

// addresses are what words begin with that are addresses, and no names of images.
var addresses = []string{"https://", "http://", "git://", "ssh://", "git@"}

func isAddress(word string) bool {
	return slices.ContainsFunc(addresses, func(scheme string) bool { return strings.HasPrefix(word, scheme) })
}

// notFetched says that an argument is an address, and how what is there becomes a file.
func notFetched(address string) error {
	if u, err := url.Parse(address); err == nil && u.User != nil && strings.HasPrefix(u.Scheme, "http") {
		u.User = nil // a password may be in it
		address = u.String()
	}
	hint := "curl -fL " + address + " | archbuild place -"
	if repository, _, is := strings.Cut(address, ".git"); is || !strings.HasPrefix(address, "http") {
		if is {
			repository += ".git"
		}
		hint = "clone it first, and name its folder: git clone " + repository
	}
	return &wrong.Usage{fmt.Errorf("%s is an address, and place fetches no files", address), hint}
}

// applying are those of a folder's notes that hold here: a bake file tells nothing of what runs.
func applying(found find.Found) []string {
	var notes []string
	for i, note := range found.Notes {
		if !strings.HasPrefix(filepath.Base(found.Beside[i]), "docker-bake") {
			notes = append(notes, note)
		}
	}
	return notes
}

func isYAML(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))
}

// composeIn finds the compose file of a folder and what is laid over it; none for a folder that is an image.
func composeIn(folder string) (find.Found, error) {
	if ocistore.IsLocal(folder) {
		return find.Found{}, nil
	}
	found, err := find.In(folder)
	if err == nil && found.Kind != find.Compose {
		err = &wrong.Usage{fmt.Errorf("%s: there is no compose file in it", folder), "name the file; in a folder compose.yaml, compose.yml, docker-compose.yml, docker-compose.yaml are looked for"}
	}
	return found, err
}

// parse reads services. A compose file is read as a build reads it, with its variables and what it includes; files are
// it and those laid over it; none is standard input.
func (p *placing) parse(name string, data []byte, files ...string) (placefiles.File, error) {
	o := compose.Options{Files: files, Environ: p.Environ, EnvFiles: p.EnvFiles}
	if len(files) == 0 {
		o.Files, o.Stdin = []string{stdin}, data
	}
	var err error
	if o.Sources, err = archbuild.SourcesBeside(nil, o.Files[0]); err != nil {
		return placefiles.File{}, err
	}
	return placefiles.Read(name, data, o)
}

// readStdin reads standard input, so many bytes at most.
func (p *placing) readStdin(most int64) ([]byte, error) {
	if p.Stdin == nil {
		return nil, &wrong.Usage{errors.New("there is no standard input"), "name a file"}
	}
	data, err := io.ReadAll(io.LimitReader(p.Stdin, most+1))
	if err != nil {
		return nil, &wrong.Read{"standard input", err}
	}
	return data, nil // one byte too many is told by who reads it
}

// readNamed reads a file that the command line names.
func readNamed(path string, most int64) ([]byte, error) {
	data, err := plainfile.Read(path, most)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &wrong.Usage{fmt.Errorf("%s: no such file", path), "look at the name"}
	case err != nil:
		return nil, &wrong.Read{path, err}
	}
	return data, nil
}
