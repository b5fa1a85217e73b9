package builder

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/gitutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// Remote is a context that a node fetches by itself, with what is said about it.
type Remote struct {
	// Address as BuildKit has it: of a Git repository, with #REF:SUBDIR or
	// ?ref=REF&subdir=SUBDIR, or of a tar archive or a Dockerfile at http(s).
	Address string
	// KeepGit leaves the folder .git in it.
	KeepGit bool
	// CommitTimes gives files the time of their commit and not that of the checkout.
	CommitTimes bool
	// Dated asks for the time of the context as well.
	Dated bool
	// KnownHosts are lines as ssh has them in known_hosts, for the host of the
	// address. Without any the node takes what key it finds.
	KnownHosts string
}

// IsRemote says whether a path means something that a node fetches.
func IsRemote(path string) bool {
	if (Remote{Address: path}).isWeb() || strings.HasPrefix(path, "github.com/") {
		return true
	}
	_, err := gitutil.ParseURL(path)
	return err == nil
}

// git reads the address of a repository; nil when it is none.
func (r Remote) git() (*dfgitutil.GitRef, error) {
	g, isGit, err := dfgitutil.ParseGitRef(r.Address)
	if !isGit {
		return nil, nil
	}
	return g, err
}

// Check looks at the address alone. An error is an *AddressError.
func (r Remote) Check() error {
	if _, err := r.git(); err != nil {
		return &AddressError{r.Shown(), err}
	}
	if _, err := url.Parse(r.Address); err != nil && r.isWeb() {
		return &AddressError{r.Shown(), errNoURL} // err itself repeats the address
	}
	if at, err := url.Parse(r.Address); err == nil && r.isWeb() && at.Host == "" {
		return &AddressError{r.Shown(), errNoURL}
	}
	return nil
}

var errNoURL = errors.New("that is no URL: special characters of a password are written as %XX")

// isWeb says whether the address is fetched by http.
func (r Remote) isWeb() bool {
	return strings.HasPrefix(r.Address, "http://") || strings.HasPrefix(r.Address, "https://")
}

// Shown is the address without a password or a token in it: user information, and the values of a query, which is
// how stores of files and forges are told that somebody may read.
func (r Remote) Shown() string {
	if scheme, rest, ok := strings.Cut(r.Address, "://"); ok {
		if _, err := url.Parse(r.Address); err != nil { // where the password ends nobody can say
			rest, _, _ = strings.Cut(rest[strings.LastIndex(rest, "@")+1:], "?")
			return scheme + "://" + rest
		}
	}
	u, err := url.Parse(r.Address)
	if err != nil || len(r.secrets()) == 0 {
		return r.Address
	}
	if r.password() != "" {
		u.User = url.User(hidden)
	}
	u.RawQuery = hideQuery(u.RawQuery)
	return u.String()
}

// hidden stands where something was that is not shown.
const hidden = "xxxxx"

// gitWords are the keys of a query that says which files of a repository are meant.
var gitWords = []string{"ref", "tag", "branch", "subdir", "checksum", "commit", "keep-git-dir", "submodules", "mtime", "fetch-by-commit"}

// hideQuery is a query without the values of what Git has no word for.
func hideQuery(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		key, value, _ := strings.Cut(part, "=")
		if value != "" && !slices.Contains(gitWords, key) {
			parts[i] = key + "=" + hidden
		}
	}
	return strings.Join(parts, "&")
}

// HasToken says whether its query may hold a token. BuildKit takes passwords out of what it tells of an
// image, and leaves queries in.
func (r Remote) HasToken() bool {
	u, err := url.Parse(r.Address)
	return err == nil && r.isWeb() && hideQuery(u.RawQuery) != u.RawQuery
}

// secrets are what is not shown of the address: as it is written there, and as it is meant.
func (r Remote) secrets() []string {
	var list []string
	if password := r.password(); password != "" {
		list = append(list, password)
	}
	u, err := url.Parse(r.Address)
	if err != nil || !r.isWeb() {
		return list
	}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		key, value, _ := strings.Cut(part, "=")
		if value == "" || slices.Contains(gitWords, key) {
			continue
		}
		list = append(list, value)
		if meant, err := url.QueryUnescape(value); err == nil && meant != value {
			list = append(list, meant)
		}
	}
	return list
}

// password is the one in the address.
func (r Remote) password() string {
	u, err := url.Parse(r.Address)
	if err != nil || u.User == nil {
		return ""
	}
	if password, ok := u.User.Password(); ok {
		return password
	}
	if u.Scheme == gitutil.SSHProtocol {
		return ""
	}
	return u.User.Username()
}

// SSHHost is the host, with its port, that Git reaches by ssh; empty for all else.
func (r Remote) SSHHost() string {
	u, err := gitutil.ParseURL(r.Address)
	if err != nil || u.Scheme != gitutil.SSHProtocol {
		return ""
	}
	return u.Host
}

// Name is a short name for what is there: the last word of the subfolder, the
// repository or the archive.
func (r Remote) Name() string {
	g, err := r.git()
	switch {
	case err == nil && g != nil && path.Clean("/"+g.SubDir) != "/":
		return path.Base(path.Clean("/" + g.SubDir))
	case err == nil && g != nil:
		return g.ShortName
	}
	address, _, _ := strings.Cut(r.Address, "?")
	return ArchiveName(path.Base(address))
}

// ArchiveName is the name of an archive without the words that say that it is one.
func ArchiveName(file string) string {
	for _, end := range []string{".gz", ".bz2", ".zst", ".xz", ".tar", ".tgz"} {
		file = strings.TrimSuffix(file, end)
	}
	return file
}

// Fetched is a remote context on a node. Its files can be read until Close.
type Fetched struct {
	Remote
	// Pin is what was found there: a commit, or the digest of a file. Builds take
	// that and nothing newer. It is empty when the node is too old to tell.
	Pin string
	// Git says that it is a repository.
	Git bool
	// Time of the commit, or the one that the server has for the file, if it was asked for
	// and is known.
	Time *time.Time
	// Dockerfile is the name of the one file that there is, when the address leads
	// to a file that is no archive.
	Dockerfile string
	// Files are the context's.
	Files fs.FS

	state llb.State
	// folder is the one of a whole that this is; see Sub.
	folder string
	finish func()
}

// Close lets the node forget the context. Builds do not need it open.
func (f *Fetched) Close() { f.finish() }

// Fetch has a node get a remote context, and opens it. From says which secrets
// and agents it may use for that. An error about the context is a *FetchError.
func Fetch(ctx context.Context, node *Node, remote Remote, from Sources) (*Fetched, error) {
	from.Fetches = true
	session, err := Start(ctx, node, from)
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(ctx)
	f := &Fetched{Remote: remote}
	opened, ended := make(chan error, 2), make(chan struct{})
	leave := make(chan struct{})
	f.finish = func() {
		close(leave)
		<-ended
		stop()
		session.Close()
	}
	opt := client.SolveOpt{SharedSession: session.session, SessionPreInitialized: true, Internal: node.Private}
	go func() {
		defer close(ended)
		_, err := node.Client.Build(run, opt, "", func(_ context.Context, c gateway.Client) (*gateway.Result, error) {
			err := f.open(run, c)
			opened <- err
			if err == nil {
				select {
				case <-leave:
				case <-run.Done():
				}
			}
			return gateway.NewResult(), err
		}, nil)
		opened <- err // should it not have come so far
	}()
	if err := <-opened; err != nil {
		f.finish()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	return f, nil
}

// open finds out what is there, pins it, and has the node fetch it.
func (f *Fetched) open(ctx context.Context, c gateway.Client) error {
	g, err := f.git()
	if err != nil {
		return &AddressError{f.Shown(), err}
	}
	if f.Git = g != nil; f.Git {
		return f.openGit(ctx, c, g)
	}
	return f.openFile(ctx, c)
}

// download is what BuildKit calls a file that it has fetched.
const download = "context"

func (f *Fetched) openFile(ctx context.Context, c gateway.Client) error {
	opts := []llb.HTTPOption{llb.Filename(download), llb.WithCustomName("[internal] load remote build context " + f.Shown())}
	file := llb.HTTP(f.Address, opts...)
	found, err := resolve(ctx, c, file, f.Dated)
	if err != nil {
		return &FetchError{Address: f.Shown(), Err: err, secrets: f.secrets()}
	}
	if found != nil && found.HTTP != nil {
		f.Pin, f.Time = found.HTTP.Digest.String(), found.HTTP.LastModified
		file = llb.HTTP(f.Address, append(opts, llb.Checksum(found.HTTP.Digest))...)
	}
	ref, err := solve(ctx, c, file)
	var head []byte
	if err == nil {
		head, err = ref.ReadFile(ctx, gateway.ReadRequest{Filename: download, Range: &gateway.FileRange{Length: ArchiveHead}})
	}
	if err != nil {
		return &FetchError{Address: f.Shown(), Answers: true, Err: err, secrets: f.secrets()}
	}
	f.state, f.Dockerfile = file, download
	if IsArchive(head) {
		// Who owns the files in it is no property of the image, as with a folder.
		root := &llb.ChownOpt{User: &llb.UserOpt{}, Group: &llb.UserOpt{}}
		f.state = llb.Scratch().File(llb.Copy(file, "/"+download, "/", &llb.CopyInfo{AttemptUnpack: true, ChownOpt: root}), llb.WithCustomName("[internal] unpack "+f.Shown()))
		f.Dockerfile = ""
		if ref, err = solve(ctx, c, f.state); err != nil {
			return &FetchError{Address: f.Shown(), Answers: true, Found: true, Err: err, secrets: f.secrets()}
		}
	}
	f.Files = newTree(nodeFiles{ctx, ref})
	return nil
}

// without is what a build gets to see: all but what patterns name, as in an ignore file.
func (f *Fetched) without(patterns []string) llb.State {
	if len(patterns) == 0 {
		return f.state
	}
	seen := &llb.CopyInfo{CopyDirContentsOnly: true, ExcludePatterns: patterns}
	return llb.Scratch().File(llb.Copy(f.state, "/", "/", seen), llb.WithCustomName("[internal] leave out what .dockerignore names"))
}

// resolve asks what a source is now, and of a commit, if it is to be dated, all that it
// says. Nil is no answer: the node cannot tell.
func resolve(ctx context.Context, c gateway.Client, source llb.State, dated bool) (*sourceresolver.MetaResponse, error) {
	def, err := source.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	for _, data := range def.ToPB().Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return nil, err
		}
		if from := op.GetSource(); from != nil {
			return c.ResolveSourceMetadata(ctx, from, sourceresolver.Opt{GitOpt: &sourceresolver.ResolveGitOpt{ReturnObject: dated}})
		}
	}
	return nil, errors.New("not a source")
}

func solve(ctx context.Context, c gateway.Client, state llb.State) (gateway.Reference, error) {
	def, err := state.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	result, err := c.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true})
	if err != nil {
		return nil, err
	}
	return result.SingleRef()
}

// nodeFiles are files on a node.
type nodeFiles struct {
	ctx context.Context
	ref gateway.Reference
}

func (n nodeFiles) list(folder string) ([]*fstypes.Stat, error) {
	return n.ref.ReadDir(n.ctx, gateway.ReadDirRequest{Path: folder})
}

func (n nodeFiles) open(name string) (io.Reader, error) {
	return bufio.NewReaderSize(&nodeFile{nodeFiles: n, name: name}, 64<<10), nil
}

// nodeFile reads a file piece by piece.
type nodeFile struct {
	nodeFiles
	name string
	at   int
}

// pieceBytes are asked for at a time: no more than one message may have.
const pieceBytes = 1 << 20

func (f *nodeFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	piece := gateway.FileRange{Offset: f.at, Length: min(len(p), pieceBytes)}
	data, err := f.ref.ReadFile(f.ctx, gateway.ReadRequest{Filename: f.name, Range: &piece})
	if err != nil {
		return 0, err
	}
	if len(data) == 0 {
		return 0, io.EOF
	}
	f.at += len(data)
	return copy(p, data), nil
}
