package builder

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli/config"
	clitypes "github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"
	sessioncontent "github.com/moby/buildkit/session/content"
	"github.com/moby/buildkit/session/grpchijack"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/opencontainers/go-digest"
	"google.golang.org/grpc/codes"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/internal/ignore"
)

// Sources is what a node may read from this side during a session.
type Sources struct {
	// Context is the build context.
	Context Context
	// Shared is what sessions of one run have in common: with it a folder is walked once, and
	// not once for each session. Nil is nothing.
	Shared *Shared
	// Results is the folder where images are left by default, absolute. It is
	// no part of any context: a build must not hold the result of the last one.
	Results string
	// Rewrites are files of the context, by name, that are not sent: what
	// archbuild itself has written there.
	Rewrites []string
	// Dockerfiles holds every rewritten file, and the ignore file of each, by name. More
	// can come with Session.Add.
	Dockerfiles map[string][]byte
	// Contexts are the named contexts that are folders: NAME → folder.
	Contexts map[string]string
	// Layouts are those that are images in OCI layouts: NAME → image.
	Layouts map[string]Layout
	// Secrets by --secret, agents and keys by --ssh.
	Secrets []Secret
	// Fetches says that the build fetches something from Git or an address: then BuildKit asks for logins by itself.
	Fetches bool
	SSH     []SSH
	// Registries are those that the plan names, by host[:port], and what the node may do
	// there in the user's name. Credentials are given for no other.
	Registries map[string]guard.Access
	// Realm asks a registry who makes its tokens; nil believes the node.
	Realm guard.Realm
	// Tokens is the way to those who make the tokens of a registry; nil is any network.
	Tokens func(registry string) (*http.Client, error)
	// Refused is where is written down what the node asks for beside all this; nil is the session's own.
	Refused *guard.Book
	// Store is the folder that receives the results: blobs/sha256 below it. A session
	// without results has none.
	Store string
	// Caches outside the node, as far as they are folders here; nil for none.
	Caches *Caches
	// Edition of the folders. A node compares files with what it has got of the same
	// edition; another one is for files that changed while their sizes and times did not.
	Edition string

	results *guard.Results
	handed  *guard.Handed
}

// Secret is one --secret: a file's content or an environment variable's.
type Secret struct{ ID, File, Env string }

// Session is the one connection in which a node reads Sources. End it with Close.
type Session struct {
	node    *Node
	session *session.Session
	stop    context.CancelFunc
	done    chan error
	// ended is closed when the node is no longer connected.
	ended chan struct{}
	// named are Sources.Contexts and Layouts as the frontend wants them.
	named       map[string]string
	dockerfiles *dockerfiles
	sent        *counter
	// results is where the node leaves what it has built; nil where it builds nothing.
	results *guard.Results
	// handed are the images there that the node has got to stand on.
	handed  *guard.Handed
	turns   turns
	refused *guard.Book
	// fetched is the context that the node has already; nil when it is offered here.
	fetched *Fetched
	// ignored is its ignore file, and hidden what its builds do not see besides.
	ignored []byte
	hidden  []string
	// contextIgnore reads the ignore file of the context that is offered here; nil where none is.
	contextIgnore func() ([]byte, error)
}

// exportStore is the name under which BuildKit's OCI exporter looks for a store.
const exportStore = "export"

// Start opens a session with the node.
func Start(ctx context.Context, node *Node, from Sources) (*Session, error) {
	offered := newDockerfiles(from.Dockerfiles)
	if from.Refused == nil {
		from.Refused = new(guard.Book)
	}
	dirs := newFolders(offered)
	sent := newCounter(guard.Folders{From: dirs, Book: from.Refused}, from.Refused)
	if err := from.openResults(); err != nil {
		return nil, err
	}
	attachables, named, err := from.attachables(node, dirs)
	if err != nil {
		return nil, err
	}
	ignored, hidden, err := from.ignored()
	if err != nil {
		return nil, err
	}
	// A key that stays the same from run to run lets the node update its copy
	// of the context instead of asking for all of it again.
	place := hostname() + "\x00" + from.Context.Source()
	if from.Edition != "" {
		place += "\x00" + from.Edition
	}
	key := digest.FromString(place).Encoded()
	s, err := session.NewSession(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("opening a session with %s: %w", node.Name, err)
	}
	for _, a := range append(attachables, sent) {
		s.Allow(a)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	started := &Session{
		node: node, session: s, stop: stop, done: make(chan error, 1), ended: make(chan struct{}),
		turns: newTurns(), named: named, dockerfiles: offered, sent: sent, results: from.results, handed: from.handed, refused: from.Refused, fetched: from.Context.Fetched, ignored: ignored, hidden: hidden,
		contextIgnore: dirs.ignore[contextLocal],
	}
	go func() {
		defer close(started.ended)
		started.done <- s.Run(run, grpchijack.Dialer(node.Client.ControlClient()))
	}()
	return started, nil
}

// Add offers one more Dockerfile, or its ignore file, to a node that works already. Jobs
// that Build is called with later find it; those that run keep what they have, also where
// the name is the same.
func (s *Session) Add(name string, content []byte) { s.dockerfiles.add(name, content) }

// ID is the name by which the node knows the session.
func (s *Session) ID() string { return s.session.ID() }

// Refused is what the node asked for and did not get, so far.
func (s *Session) Refused() []guard.Refusal { return s.refused.Refusals() }

// Passwords are the registries of the plan whose password the node asked for and did not get, so far.
func (s *Session) Passwords() []string { return s.refused.Passwords() }

// Ended says whether the connection of the session has broken: no more jobs can be done in it.
func (s *Session) Ended() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Close ends the session. The node reads nothing after it returns. A node that does not
// answer is not waited for.
func (s *Session) Close() error {
	closed := make(chan error, 1)
	go func() { closed <- s.session.Close() }()
	err := within(closed, closing)
	s.stop()
	if ran := within(s.done, closing); err == nil && ran != nil && !errors.Is(ran, context.Canceled) && grpcerrors.Code(ran) != codes.Canceled {
		err = ran
	}
	return err
}

// closing is how long a node gets to say good-bye.
const closing = 500 * time.Millisecond

// within takes what comes in time.
func within(from chan error, most time.Duration) error {
	select {
	case err := <-from:
		return err
	case <-time.After(most):
		return nil
	}
}

// attachables are the services of a session beside that of files, and what the frontend is
// told of the named contexts. It enters the folders that are offered.
func (from Sources) attachables(node *Node, dirs folders) ([]session.Attachable, map[string]string, error) {
	named := map[string]string{}
	folder := func(local, path string) (err error) {
		dirs.others[local], err = from.offer(path)
		dirs.ignore[local] = func() ([]byte, error) { return ignore.Folder(path) }
		return err
	}
	switch {
	case from.Context.Archive != nil:
		dirs.others[contextLocal] = from.Context.Archive.offer(from.Rewrites)
		dirs.ignore[contextLocal] = func() ([]byte, error) { return ignore.Tree(from.Context.Archive.Files()) }
	case from.Context.Folder != "":
		if err := folder(contextLocal, from.Context.Folder); err != nil {
			return nil, nil, err
		}
	}
	for name, path := range from.Contexts {
		local := "named-" + digest.FromString(name + "\x00" + path).Encoded()[:16]
		named[name] = "local:" + local
		if err := folder(local, path); err != nil {
			return nil, nil, err
		}
	}
	stores, err := from.stores(named)
	if err != nil {
		return nil, nil, err
	}
	if err := from.Caches.addStores(stores, from.Refused); err != nil {
		return nil, nil, err
	}
	secrets, err := from.secrets()
	if err != nil {
		return nil, nil, err
	}
	offered, err := from.agents()
	if err != nil {
		return nil, nil, err
	}
	return []session.Attachable{sessioncontent.NewAttachable(stores), secrets, from.credentials(node), offered}, named, nil
}

// secrets are those of the list, and no other.
func (from Sources) secrets() (session.Attachable, error) {
	sources := make([]secretsprovider.Source, len(from.Secrets))
	ids := make([]string, len(from.Secrets))
	for i, s := range from.Secrets {
		ids[i], sources[i] = s.ID, secretsprovider.Source{ID: s.ID, FilePath: s.File, Env: s.Env}
	}
	store, err := secretsprovider.NewStore(sources)
	if err != nil {
		return nil, &SecretError{err}
	}
	inner, _ := secretsprovider.NewSecretProvider(store).(secrets.SecretsServer)
	return &guard.Secrets{From: inner, IDs: ids, Book: from.Refused, Fetches: from.Fetches}, nil
}

// credentials answers for the registries of the plan. A node can ask for any
// host, so the list is held here.
func (from Sources) credentials(node *Node) session.Attachable {
	load := authprovider.LoadAuthConfig(config.LoadDefaultConfigFile(io.Discard))
	if node.Remote {
		load = withoutToken(load)
	}
	inner, _ := authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{AuthConfigProvider: load}).(auth.AuthServer)
	if from.Tokens != nil {
		inner = &tokens{AuthServer: inner, load: load, way: from.Tokens}
	}
	return &guard.Auth{From: inner, Registries: from.Registries, Realm: from.Realm, Remote: node.Remote, Passwords: node.Passwords, Book: from.Refused}
}

// withoutToken leaves out a token that the user's configuration holds ready: it is good for whatever it was
// made for, and not for the scopes of a plan alone.
func withoutToken(load authprovider.AuthConfigProvider) authprovider.AuthConfigProvider {
	return func(ctx context.Context, host string, scopes []string, check authprovider.ExpireCachedAuthCheck) (clitypes.AuthConfig, error) {
		found, err := load(ctx, host, scopes, check)
		found.RegistryToken = ""
		return found, err
	}
}

// agents offers the ids in the list and no others.
func (from Sources) agents() (session.Attachable, error) {
	if len(from.SSH) == 0 {
		return &guard.Agents{Book: from.Refused}, nil
	}
	offered, err := agents(from.SSH)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(from.SSH))
	for i, s := range from.SSH {
		ids[i] = s.ID
	}
	inner, _ := offered.(sshforward.SSHServer)
	return &guard.Agents{From: inner, IDs: ids, Book: from.Refused}, nil
}

// openStore opens the content store below dir.
func openStore(dir string) (content.Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the content store: %w", err)
	}
	store, err := contentlocal.NewStore(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the content store: %w", err)
	}
	return ownIngests{Store: store, prefix: "run-" + rand.Text() + "-"}, nil
}

// ownIngests keeps unfinished blobs of several sessions apart: the local store's
// locks hold within one process only, and process ids are no names across
// containers that share a state folder.
type ownIngests struct {
	content.Store
	prefix string
}

func (s ownIngests) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	opts = append(opts, content.WithRef(s.prefix+o.Ref))
	for {
		// Two platforms often have a layer in common: the second one waits for the
		// first, and then finds the blob there. Left to BuildKit, it logs an error
		// and tries again after a pause that grows.
		w, err := s.Store.Writer(ctx, opts...)
		if !errdefs.IsUnavailable(err) {
			return w, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (s ownIngests) Abort(ctx context.Context, ref string) error {
	return s.Store.Abort(ctx, s.prefix+ref)
}

func (s ownIngests) Status(ctx context.Context, ref string) (content.Status, error) {
	return s.Store.Status(ctx, s.prefix+ref)
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return filepath.Base(name)
}
