package archbuild

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// A cache mount is a folder that every build with the same id writes to and believes. So
// that one project cannot leave something there for another, the ids of each are its own.
// A project is what its repository is, by where it was cloned from: that stays the same in
// a checkout of a CI, in a second clone, and when a folder is moved, and no file that is
// under version control decides it. All services of a repository are one project.

// cacheProject is a short name for the project of a service: a digest, as it becomes part
// of what a node is told and of provenance.
func (r run) cacheProject(s service) string {
	const length = 12
	project := r.projectOf(s)
	if r.Untrusted {
		project = "untrusted " + project // a node may be others' too
	}
	sum := sha256.Sum256([]byte(project))
	return hex.EncodeToString(sum[:])[:length]
}

// projectOf is what a project is known by: its repository, else the repository of the
// image that is made, else where it lies.
func (r run) projectOf(s service) string {
	r = r.with(s)
	c := s.context.Context
	root := ""
	switch {
	case c.Fetched != nil:
		address, _, _ := strings.Cut(c.Fetched.Shown(), "#")
		return repositoryOf(address)
	case c.Archive == nil:
		var origin string
		if origin, root = cloneOf(c.Folder); origin != "" {
			return repositoryOf(origin)
		}
	}
	if tags := r.tagsOf(s); len(tags) > 0 {
		name, _, _ := strings.Cut(tags[0], "@")
		if tag := strings.LastIndexByte(name, ':'); tag > strings.LastIndexByte(name, '/') {
			name = name[:tag]
		}
		return "image " + name
	}
	switch {
	case root != "":
		return "folder " + root
	case c.Archive == nil:
		return "folder " + c.Folder
	}
	return "archive " + s.name
}

// scpLike is how git and ssh spell an address without a scheme: git@host:path.
var scpLike = regexp.MustCompile(`^(?:[^@/:]+@)?([^/:@]+):([^/].*)$`)

// repositoryOf is a repository's address without what may differ between two clones:
// scheme, user, password, the end .git.
func repositoryOf(address string) string {
	host, place := "", address
	if m := scpLike.FindStringSubmatch(address); m != nil && !strings.Contains(address, "://") {
		host, place = m[1], m[2]
	} else if u, err := url.Parse(address); err == nil && u.Scheme != "" {
		host, place = u.Hostname(), u.Path
	}
	place = strings.TrimSuffix(strings.TrimSuffix(path.Clean("/"+place), "/"), ".git")
	return "repository " + strings.ToLower(host) + place
}

// cloneOf looks for the clone that a folder lies in: the address of its origin, or "", and
// the folder of its working tree, or "".
func cloneOf(folder string) (origin, root string) {
	for dir := folder; ; dir = filepath.Dir(dir) {
		if git := gitFolder(dir); git != "" {
			return originIn(readStart(filepath.Join(git, "config"))), dir
		}
		if dir == filepath.Dir(dir) {
			return "", ""
		}
	}
}

// gitFolder is git's own folder of a working tree, or "". A worktree and a submodule have
// a file that leads there, and a worktree's leads on to that of the clone.
func gitFolder(dir string) string {
	git := filepath.Join(dir, ".git")
	info, err := os.Lstat(git)
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		return git
	}
	to, isLink := strings.CutPrefix(strings.TrimSpace(readStart(git)), "gitdir: ")
	if !isLink {
		return ""
	}
	to = inside(dir, to)
	if common := strings.TrimSpace(readStart(filepath.Join(to, "commondir"))); common != "" {
		return inside(to, common)
	}
	return to
}

func inside(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// originIn reads the address of the remote "origin" from git's configuration.
func originIn(config string) string {
	section := ""
	for line := range strings.Lines(config) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if section == `[remote "origin"]` && strings.EqualFold(strings.TrimSpace(key), "url") {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// readStart is the beginning of a file, or "": what it holds decides a name alone.
func readStart(name string) string {
	const most = 64 << 10
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, most))
	return string(data)
}
