package archbuild

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// buildContext is where the files of one PATH come from.
type buildContext struct {
	builder.Context
	// from is how the plan calls it, when it is no folder.
	from string
	// name of what is built of it.
	name string
	// tree are its files; nil is a folder, whose files are read by their paths.
	tree fs.FS
	// whole is what it is the folder at of, where it is one of several in an archive or a repository. Names of files
	// that belong to its template start from the root of that.
	whole *buildContext
	at    string
	// alone is a Dockerfile that came in the place of a context.
	alone io.Reader
	// notes for the plan.
	notes []string
	close func()
}

// files is where its template is looked for.
func (c buildContext) files() files { return files{c.root().tree} }

// root is what all its files are in.
func (c buildContext) root() buildContext {
	if c.whole != nil {
		return *c.whole
	}
	return c
}

// folder is where it is in its root, for one that is no folder of this machine.
func (c buildContext) folder() string {
	if c.whole != nil {
		return c.at
	}
	return "."
}

// shown is what the plan says of it; nil for a folder.
func (c buildContext) shown() *plan.Context {
	if c.from == "" {
		return nil
	}
	shown := &plan.Context{From: c.from}
	if c.Fetched != nil {
		shown.Pin = c.Fetched.Pin
	}
	return shown
}

// open gives all its files. The caller calls close.
func (c buildContext) open() (tree fs.FS, closeTree func(), err error) {
	if c.tree != nil {
		return c.tree, func() {}, nil
	}
	root, err := os.OpenRoot(c.Folder)
	if err != nil {
		return nil, nil, err
	}
	return root.FS(), func() { root.Close() }, nil
}

// ignored is what its ignore file says; nil is none.
func (c buildContext) ignored() ([]byte, error) {
	if c.tree != nil {
		return ignore.Tree(c.tree)
	}
	return ignore.Folder(c.Folder)
}

func folderContext(path string) (buildContext, error) {
	folder, err := filepath.Abs(path)
	if err != nil {
		return buildContext{}, &wrong.Read{What: "the working directory", Err: err}
	}
	return buildContext{Context: builder.Context{Folder: folder}, name: serviceName(folder), close: func() {}}, nil
}

// openPath finds out what a PATH is: a folder goes before all else, as in buildx.
func (r run) openPath(ctx context.Context, path string, host detect.HostFacts) (buildContext, error) {
	switch {
	case r.of == nil && r.opened != nil && r.opened.path == path:
		return r.opened.context(), nil
	case r.of != nil && r.found.origin != nil && builder.IsRemote(path):
		c, err := r.fetch(ctx, builder.Remote{Address: path}, host)
		return c, inTarget(*r.of, "context", err)
	case r.of != nil && r.found.origin != nil:
		return r.openIn(path)
	}
	if path == stdinName {
		return r.openStdin(ctx)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return folderContext(path)
	case err == nil:
		return r.openArchive(ctx, path)
	case builder.IsRemote(path):
		return r.fetch(ctx, builder.Remote{Address: path}, host)
	case strings.Contains(path, "://"):
		scheme, _, _ := strings.Cut(path, "://")
		return buildContext{}, &wrong.Usage{fmt.Errorf("%s: contexts of kind %s:// are not supported", path, scheme), "give a folder, a tar archive, or the address of a Git repository: https://HOST/REPO.git"}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return buildContext{}, &NoFolderError{Path: path}
	}
	return buildContext{}, &wrong.Read{What: "the context", Err: err}
}

// openArchive opens a file, which can only be a tar.
func (r run) openArchive(ctx context.Context, path string) (buildContext, error) {
	file, err := os.Open(path)
	if err != nil {
		return buildContext{}, &wrong.Read{What: "the context", Err: err}
	}
	defer file.Close()
	from := bufio.NewReaderSize(file, builder.ArchiveHead)
	if head, _ := from.Peek(builder.ArchiveHead); !builder.IsArchive(head) {
		return buildContext{}, &wrong.Usage{fmt.Errorf("%s is a file, not a folder, and no tar archive", path), fmt.Sprintf("give the folder, and the file with -f: %s -f %s", filepath.Dir(path), path)}
	}
	return r.archiveContext(ctx, from, path, builder.ArchiveName(filepath.Base(path)))
}

func (r run) archiveContext(ctx context.Context, from io.Reader, path, name string) (buildContext, error) {
	archive, err := builder.OpenArchive(ctx, from, filepath.Join(r.stateDir(), "tmp"))
	if err != nil {
		return buildContext{}, fmt.Errorf("%s: %w", path, err)
	}
	return buildContext{
		Context: builder.Context{Archive: archive}, from: path, name: serviceName(name), tree: archive.Files(), close: archive.Close,
	}, nil
}

// openStdin tells a tar archive on standard input from a Dockerfile.
func (r run) openStdin(ctx context.Context) (buildContext, error) {
	if r.Stdin == nil {
		return buildContext{}, &wrong.Usage{errors.New("-: nothing comes on standard input"), "pipe a tar archive or a Dockerfile into it: archbuild - <Dockerfile"}
	}
	from := bufio.NewReaderSize(r.Stdin, builder.ArchiveHead)
	head, err := from.Peek(builder.ArchiveHead)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return buildContext{}, &wrong.Read{What: stdinWords, Err: err}
	case len(head) == 0:
		return buildContext{}, &wrong.Usage{errors.New("-: standard input is empty"), "pipe a tar archive or a Dockerfile into it: archbuild - <Dockerfile"}
	case builder.IsArchive(head):
		return r.archiveContext(ctx, from, stdinWords, "")
	case strings.ContainsRune(string(head), 0):
		return buildContext{}, &wrong.File{errors.New("standard input is neither a tar archive nor a Dockerfile"), "pipe one of them: tar -c . | archbuild -"}
	case r.File != "":
		return buildContext{}, &wrong.Usage{fmt.Errorf("standard input is no tar archive, and -f %s names a Dockerfile already", r.File), "pipe a tar archive, or leave -f out"}
	}
	empty := builder.EmptyArchive()
	return buildContext{
		Context: builder.Context{Archive: empty}, from: "none, a Dockerfile alone comes on standard input", name: serviceName(""), tree: empty.Files(), alone: from, close: empty.Close,
	}, nil
}

// checkStdin sees to it that standard input is read once.
func (r run) checkStdin() error {
	var by []string
	for _, path := range r.Paths {
		if path == stdinName {
			by = append(by, stdinName)
		}
	}
	if r.File == stdinName {
		by = append(by, "-f -")
	}
	if len(by) == 0 {
		return nil
	}
	for _, s := range r.secrets {
		if slices.Contains([]string{"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}, s.File) {
			by = append(by, "--secret id="+s.ID)
		}
	}
	if r.File == stdinName && len(r.Paths) > 1 {
		by = append(by, "each of several paths")
	}
	if len(by) > 1 {
		return &wrong.Usage{fmt.Errorf("standard input can be read once, and not by %s", strings.Join(by, " and ")), "give one of them as a file or a folder"}
	}
	return nil
}

// fetch has the node get a remote context, and opens it there.
func (r run) fetch(ctx context.Context, remote builder.Remote, host detect.HostFacts) (buildContext, error) {
	if err := remote.Check(); err != nil {
		return buildContext{}, err
	}
	if r.Offline {
		return buildContext{}, notOffline(remote)
	}
	args := r.args.of(platform.Platform{})
	remote.KeepGit, _ = strconv.ParseBool(args["BUILDKIT_CONTEXT_KEEP_GIT_DIR"])
	remote.CommitTimes, remote.Dated = args[sourceDateEpoch] != "", args[sourceDateEpoch] == epochOfContext
	remote.KnownHosts = r.knownHosts(remote.SSHHost())
	at, err := r.locate(ctx, host)
	if err != nil {
		return buildContext{}, err
	}
	var node *builder.Node
	var closeNode func()
	if at.name == engineName {
		err = remote.CheckPrograms()
	}
	if err == nil {
		node, closeNode, err = at.open(ctx)
	}
	if err != nil {
		at.close()
		return buildContext{}, r.explainDisk(err)
	}
	leave := func() { closeNode(); at.close() }
	if r.progressMode() != "quiet" && r.progressMode() != "rawjson" {
		fmt.Fprintf(r.Stderr, "archbuild: %s fetches %s\n", node.Name, remote.Shown())
	}
	fetched, err := builder.Fetch(ctx, node, remote, builder.Sources{Secrets: implicitOf(r.secrets), SSH: r.ssh})
	if err != nil {
		leave()
		return buildContext{}, err
	}
	c := buildContext{
		Context: builder.Context{Fetched: fetched}, from: remote.Shown(), name: serviceName(remote.Name()), tree: fetched.Files,
		close: func() { fetched.Close(); leave() },
	}
	if host := remote.SSHHost(); host != "" && remote.KnownHosts == "" {
		c.notes = append(c.notes, fmt.Sprintf("%s is not in known_hosts: the node took the key that it found", host))
	}
	return c, nil
}

// notOffline says that --offline and an address exclude each other.
func notOffline(remote builder.Remote) error {
	err := fmt.Errorf("--offline: %s would have to be fetched", remote.Shown())
	return &wrong.Usage{err, "leave --offline out; or get it while there is a network, and name what is here then: " + remote.Download()}
}

// checkOffline refuses named contexts that a node would have to fetch.
func (r run) checkOffline() error {
	if !r.Offline {
		return nil
	}
	var failed []error
	for _, key := range slices.Sorted(maps.Keys(r.remote)) {
		if address := r.remote[key]; !strings.HasPrefix(address, imageScheme) {
			failed = append(failed, notOffline(builder.Remote{Address: address}))
		}
	}
	err := errors.Join(failed...)
	if r.of != nil {
		return inTarget(*r.of, "", err)
	}
	return err
}

// checkTokens refuses addresses whose query provenance would tell: a token in it would go wherever the image goes.
func (r run) checkTokens() error {
	if r.provenance == "" {
		return nil
	}
	var failed []error
	for _, address := range r.addresses() {
		if remote := (builder.Remote{Address: address}); remote.HasToken() {
			failed = append(failed, &wrong.Usage{fmt.Errorf("%s has a query, which may hold a token, and provenance would tell it to all who get the image", remote.Shown()), "download it and give the file, or leave --provenance out"})
		}
	}
	return errors.Join(failed...)
}

// addressNotes warn of addresses whose password the image would tell.
func (r run) addressNotes() []string {
	if r.provenance == "" {
		return nil
	}
	var notes []string
	for _, address := range r.addresses() {
		if shown := (builder.Remote{Address: address}).Shown(); shown != address {
			notes = append(notes, fmt.Sprintf("%s was given with a password, and provenance tells every address: leave --provenance out, or the password", shown))
		}
	}
	return notes
}

// epochOfContext is the value of SOURCE_DATE_EPOCH that means the time of the context.
const epochOfContext = "context"

// date puts the time of a context that the node has fetched in the place of its name:
// the frontend, which is handed the files, could not tell it.
func (c buildContext) date(args map[string]string) {
	if c.Fetched != nil && c.Fetched.Time != nil && args[sourceDateEpoch] == epochOfContext {
		args[sourceDateEpoch] = strconv.FormatInt(c.Fetched.Time.Unix(), 10)
	}
}

// end closes a context that may never have been opened.
func (c buildContext) end() {
	if c.close != nil {
		c.close()
	}
}

// closeAll closes the contexts of services.
func closeAll(services []service) {
	for _, s := range services {
		s.context.end()
	}
}

// isArchive looks whether a file is a tar archive.
func isArchive(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	head := make([]byte, builder.ArchiveHead)
	n, _ := io.ReadFull(file, head)
	return builder.IsArchive(head[:n])
}

// notDockerfile says of an address that leads to one file that it is no Dockerfile either.
func (c buildContext) notDockerfile(err error) error {
	var syntax *template.SyntaxError
	if c.Fetched == nil || c.Fetched.Dockerfile == "" || !errors.As(err, &syntax) {
		return err
	}
	return &wrong.File{fmt.Errorf("%s is no tar archive, and no Dockerfile either: %w", c.from, err), "give the address of a tar archive, or of a Git repository, which ends in .git"}
}
