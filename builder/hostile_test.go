package builder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	"github.com/docker/cli/cli/config"
	controlapi "github.com/moby/buildkit/api/services/control"
	workerapi "github.com/moby/buildkit/api/types"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/session/grpchijack"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/sshforward"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	fstypes "github.com/tonistiigi/fsutil/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/guard"
)

// hostile is a BuildKit server that builds nothing: it takes a session, and lets the test
// ask in it whatever a server could.
type hostile struct {
	controlapi.UnimplementedControlServer
	sessions *session.Manager
}

func (h *hostile) ListWorkers(context.Context, *controlapi.ListWorkersRequest) (*controlapi.ListWorkersResponse, error) {
	return &controlapi.ListWorkersResponse{Record: []*workerapi.WorkerRecord{{ID: "w", Platforms: []*pb.Platform{{OS: "linux", Architecture: "amd64"}}}}}, nil
}

func (h *hostile) Session(stream controlapi.Control_SessionServer) error {
	conn, closed, opts := grpchijack.Hijack(stream)
	defer conn.Close()
	go func() { <-closed; conn.Close() }()
	return h.sessions.HandleConn(stream.Context(), conn, opts)
}

// hostileNode starts one.
func hostileNode(t *testing.T) (*builder.Node, *hostile) {
	t.Helper()
	sessions, err := session.NewManager()
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{sessions: sessions}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	controlapi.RegisterControlServer(server, h)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	node, err := builder.Dial(t.Context(), "unix://"+socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Client.Close() })
	return node, h
}

// caller is the server's end of a session.
func (h *hostile) caller(t *testing.T, s *builder.Session) *grpc.ClientConn {
	t.Helper()
	c, err := h.sessions.Get(t.Context(), s.ID(), false)
	if err != nil {
		t.Fatal(err)
	}
	return c.Conn()
}

// canary stands in everything that a node must not see.
const canary = "canary-7f3a"

// served are the bytes of secrets that came out.
type served struct {
	t     *testing.T
	asked int
}

func (s *served) ask(what string, err error, got ...string) {
	s.t.Helper()
	s.asked++
	for _, text := range got {
		if text != "" {
			s.t.Errorf("%s: served %q", what, text)
		}
	}
	if err != nil && strings.Contains(err.Error(), canary) {
		s.t.Errorf("%s: the error holds a secret: %v", what, err)
	}
}

// hidingCanaries are a user's things: credentials, secrets, files, images.
func hidingCanaries(t *testing.T) builder.Sources {
	t.Helper()
	docker := t.TempDir()
	was := config.Dir()
	config.SetDir(docker) // DOCKER_CONFIG is looked at once in a process
	t.Cleanup(func() { config.SetDir(was) })
	login := fmt.Sprintf(`{"auths":{"planned.example":{"username":"u","password":"%s"},"other.example":{"username":"u","password":"%[1]s"},"https://index.docker.io/v1/":{"username":"u","password":"%[1]s"}}}`, canary)
	for i := range 200 {
		login = strings.Replace(login, `{"auths":{`, fmt.Sprintf(`{"auths":{"h%d.example":{"username":"u","password":"%s"},`, i, canary), 1)
	}
	if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(login), 0o600); err != nil {
		t.Fatal(err)
	}
	store := t.TempDir()
	for i := range 100 {
		text := fmt.Sprint(canary, i)
		path := filepath.Join(store, "blobs", "sha256", digest.FromString(text).Encoded())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CANARY", canary)
	return builder.Sources{
		Context:     builder.Context{Folder: folder(t, map[string]string{".dockerignore": ".env\n.git\nkeys/*\n!keys/public\n", ".env": canary, ".git/config": canary, "keys/private": canary, "keys/public": "public", "a": "a"})},
		Dockerfiles: map[string][]byte{"Dockerfile.amd64": []byte("FROM planned.example/app\n")}, Store: store,
		Secrets: []builder.Secret{{ID: "given", Env: "CANARY"}},
		Registries: map[string]guard.Access{
			"planned.example": {Pull: []string{"app"}},
		},
		Realm: func(_ context.Context, _, repository string) (string, error) {
			if repository != "app" {
				return "", nil
			}
			return "https://auth.planned.example/token", nil
		},
		Refused: new(guard.Book),
	}
}

func TestAHostileNodeGetsNothingThatThePlanDoesNotName(t *testing.T) {
	node, h := hostileNode(t)
	node.Remote = true
	from := hidingCanaries(t)
	s, err := builder.Start(t.Context(), node, from)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn := h.caller(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	is := &served{t: t}

	tokens, ids, agents, blobs := auth.NewAuthClient(conn), secrets.NewSecretsClient(conn), sshforward.NewSSHClient(conn), contentapi.NewContentClient(conn)
	for i := range 100 {
		host := fmt.Sprintf("h%d.example", i)
		c, err := tokens.Credentials(ctx, &auth.CredentialsRequest{Host: host})
		is.ask("credentials of "+host, err, c.GetSecret(), c.GetUsername())
		tok, err := tokens.FetchToken(ctx, &auth.FetchTokenRequest{Host: host, Realm: "http://127.0.0.1:1/", Scopes: []string{"repository:x:pull"}})
		is.ask("token of "+host, err, tok.GetToken())
		a, err := tokens.GetTokenAuthority(ctx, &auth.GetTokenAuthorityRequest{Host: host, Salt: []byte("s")})
		is.ask("authority of "+host, err, string(a.GetPublicKey()))
		v, err := tokens.VerifyTokenAuthority(ctx, &auth.VerifyTokenAuthorityRequest{Host: host, Salt: []byte("s"), Payload: []byte("p")})
		is.ask("signature for "+host, err, string(v.GetSigned()))

		secret, err := ids.GetSecret(ctx, &secrets.GetSecretRequest{ID: fmt.Sprint("id", i)})
		is.ask("a secret", err, string(secret.GetData()))
		_, err = agents.CheckAgent(ctx, &sshforward.CheckAgentRequest{ID: fmt.Sprint("agent", i)})
		is.ask("an agent", err)
		if err == nil {
			t.Error("there is an agent")
		}

		store := metadata.AppendToOutgoingContext(ctx, "buildkit-attachable-store-id", "export")
		d := digest.FromString(fmt.Sprint(canary, i))
		read, err := blobs.Read(store, &contentapi.ReadContentRequest{Digest: d.String()})
		if err == nil {
			var got *contentapi.ReadContentResponse
			got, err = read.Recv()
			is.ask("a blob", err, string(got.GetData()))
		} else {
			is.ask("a blob", err)
		}
		_, err = blobs.Delete(store, &contentapi.DeleteContentRequest{Digest: d.String()})
		is.ask("removal of a blob", err)
		if err == nil {
			t.Error("a blob was removed")
		}
		is.ask("a folder", nil, files(ctx, t, conn, fmt.Sprint("folder", i)))
	}
	// In the registry of the plan, too, it gets no more than what is planned, and from nobody else.
	for i := range 50 {
		tok, err := tokens.FetchToken(ctx, &auth.FetchTokenRequest{Host: "planned.example", Realm: "https://auth.planned.example/token", Scopes: []string{fmt.Sprintf("repository:other%d:pull", i)}})
		is.ask("token for another repository", err, tok.GetToken())
		tok, err = tokens.FetchToken(ctx, &auth.FetchTokenRequest{Host: "planned.example", Realm: fmt.Sprintf("https://evil%d.example/token", i), Scopes: []string{"repository:app:pull"}})
		is.ask("token from another realm", err, tok.GetToken())
	}
	if is.asked != 1000 || from.Refused.Total() != 1000 {
		t.Errorf("asked %d times, %d refusals: %+v", is.asked, from.Refused.Total(), kinds(from.Refused))
	}

	list := ""
	walk, err := blobs.List(metadata.AppendToOutgoingContext(ctx, "buildkit-attachable-store-id", "export"), &contentapi.ListContentRequest{})
	for err == nil {
		var got *contentapi.ListContentResponse
		got, err = walk.Recv()
		list += fmt.Sprint(got.GetInfo())
	}
	if list != "[]" && list != "" {
		t.Errorf("blobs of others are listed: %s", list)
	}
	if got, want := files(ctx, t, conn, "context"), ".dockerignore a keys keys/public"; got != want {
		t.Errorf("of the context it sees %q, want %q", got, want)
	}
	for i := range 100 {
		if _, err := os.Stat(filepath.Join(from.Store, "blobs", "sha256", digest.FromString(fmt.Sprint(canary, i)).Encoded())); err != nil {
			t.Error(err)
		}
	}
}

// Without the user's word for just this node and just this registry there is no password on another machine. A node of this
// machine has it: it serves nobody else.
func TestPasswordsGoToOtherMachinesByTheUsersWordAlone(t *testing.T) {
	for _, row := range []struct {
		why       string
		remote    bool
		passwords []string
		asked     string
		gets      bool
	}{
		{"another machine", true, nil, "planned.example", false},
		{"another machine, with leave", true, []string{"planned.example"}, "planned.example", true},
		{"leave for another registry", true, []string{"other.example"}, "planned.example", false},
		{"leave for another port", true, []string{"planned.example:5000"}, "planned.example", false},
		{"leave for what the plan does not name", true, []string{"other.example"}, "other.example", false},
		{"Docker's registry has two names", true, []string{"docker.io"}, "registry-1.docker.io", true},
		{"this machine", false, nil, "planned.example", true},
		{"this machine, not in the plan", false, nil, "other.example", false},
	} {
		node, h := hostileNode(t)
		node.Remote, node.Passwords = row.remote, row.passwords
		from := hidingCanaries(t)
		from.Registries["registry-1.docker.io"] = guard.Access{Pull: []string{"library/debian"}}
		s, err := builder.Start(t.Context(), node, from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := auth.NewAuthClient(h.caller(t, s)).Credentials(t.Context(), &auth.CredentialsRequest{Host: row.asked})
		if err != nil || (got.GetSecret() == canary) != row.gets || (got.GetUsername() == "u") != row.gets {
			t.Errorf("%s: got %v, %v", row.why, got, err)
		}
		_, planned := from.Registries[row.asked]
		if told := len(s.Passwords()) > 0; told != (planned && !row.gets) || (len(s.Refused()) > 0) == row.gets {
			t.Errorf("%s: told of %v, refused %v", row.why, s.Passwords(), s.Refused())
		}
		s.Close()
	}
}

// What the registry says of another repository, or of nobody, is no word for a password.
func TestTheRealmIsTheRegistrysOwnWord(t *testing.T) {
	node, h := hostileNode(t)
	node.Remote = true
	from := hidingCanaries(t)
	from.Registries["planned.example"] = guard.Access{Pull: []string{"app", "open"}}
	var made []string
	from.Tokens = func(registry string) (*http.Client, error) {
		return &http.Client{Transport: tripper(func(req *http.Request) (*http.Response, error) {
			made = append(made, registry+" "+req.URL.String())
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"access_token":"limited","expires_in":60}`)), Request: req}, nil
		})}, nil
	}
	s, err := builder.Start(t.Context(), node, from)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := auth.NewAuthClient(h.caller(t, s))
	for _, row := range []struct {
		why, realm, scope string
		gets              bool
	}{
		{"the registry's word", "https://auth.planned.example/token", "repository:app:pull", true},
		{"in the clear", "http://auth.planned.example/token", "repository:app:pull", false},
		{"another port", "https://auth.planned.example:8443/token", "repository:app:pull", false},
		{"another path", "https://auth.planned.example/other", "repository:app:pull", false},
		{"somebody in front of it", "https://x@auth.planned.example/token", "repository:app:pull", false},
		{"a host that begins so", "https://auth.planned.example.evil.example/token", "repository:app:pull", false},
		{"nothing", "", "repository:app:pull", false},
		{"the registry itself, which names nobody for it", "https://planned.example/token", "repository:open:pull", false},
		{"the word about another repository", "https://auth.planned.example/token", "repository:open:pull", false},
	} {
		made = nil
		got, err := client.FetchToken(t.Context(), &auth.FetchTokenRequest{Host: "planned.example", Realm: row.realm, Service: "s", Scopes: []string{row.scope}})
		if (err == nil) != row.gets || (got.GetToken() == "limited") != row.gets || (len(made) > 0) != row.gets {
			t.Errorf("%s: %v, %v; asked %v", row.why, got, err, made)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", row.why, err)
		}
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// kinds adds up refusals.
func kinds(b *guard.Book) map[guard.Kind]int {
	sum := map[guard.Kind]int{}
	for _, r := range b.Refusals() {
		sum[r.Kind] += r.Times
	}
	return sum
}

func TestAnHonestNodeIsRefusedNothing(t *testing.T) {
	node, _ := server(t)
	var book guard.Book
	from := builder.Sources{
		Context:     builder.Context{Folder: folder(t, map[string]string{".dockerignore": "b\n", "a": "a", "b": "b"})},
		Dockerfiles: map[string][]byte{"Dockerfile.amd64": []byte("FROM scratch\nCOPY . /\n")}, Refused: &book, Store: t.TempDir(),
	}
	for range 2 { // the second time all blobs are there
		built(t, start(t, node, from), "Dockerfile.amd64")
	}
	if book.Total() > 0 {
		t.Errorf("refused: %+v", book.Refusals())
	}
}

// files are the names that the client tells of in a folder, without any pattern, with all
// contents asked for: none of them may hold the canary.
func files(ctx context.Context, t *testing.T, conn *grpc.ClientConn, name string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, "dir-name", name))
	defer cancel()
	stream, err := filesync.NewFileSyncClient(conn).DiffCopy(ctx)
	if err != nil {
		return ""
	}
	var names []string
	var wanted []uint32 // the files among them
	told, ended := false, 0
	for {
		var p fstypes.Packet
		if err := stream.RecvMsg(&p); err != nil {
			if !errors.Is(err, io.EOF) && len(names) > 0 {
				t.Errorf("reading %s: %v", name, err)
			}
			break
		}
		switch {
		case p.Type == fstypes.PACKET_STAT && p.Stat != nil:
			if os.FileMode(p.Stat.Mode).IsRegular() {
				wanted = append(wanted, uint32(len(names)))
			}
			names = append(names, p.Stat.Path)
		case p.Type == fstypes.PACKET_STAT: // all were told of
			told = true
			for _, id := range wanted {
				if err := stream.SendMsg(&fstypes.Packet{Type: fstypes.PACKET_REQ, ID: id}); err != nil {
					t.Error(err)
				}
			}
		case p.Type == fstypes.PACKET_DATA:
			if strings.Contains(string(p.Data), canary) {
				t.Errorf("%s: file %d holds the canary", name, p.ID)
			}
			if len(p.Data) == 0 {
				ended++
			}
		case p.Type == fstypes.PACKET_ERR:
			return strings.Join(names, " ")
		}
		if told && ended == len(wanted) {
			break
		}
	}
	return strings.Join(names, " ")
}
