package guard

import (
	"context"
	"slices"
	"strings"

	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/sshforward"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Secrets guards what --secret gives.
type Secrets struct {
	secrets.UnimplementedSecretsServer
	From secrets.SecretsServer
	// IDs that the Dockerfile asks for.
	IDs []string
	// Fetches says that the build fetches something from Git or an address, so that BuildKit asks for logins by itself.
	Fetches bool
	Book    *Book
}

// Register is asked by the session.
func (s *Secrets) Register(server *grpc.Server) { secrets.RegisterSecretsServer(server, s) }

// implicit are ids, and beginnings of ids, that BuildKit asks for by itself whenever it fetches something from Git or
// an address.
var implicit = []string{"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER", "HTTP_AUTH_"}

// Implicit says whether BuildKit asks for the secret by itself when it fetches something. One that the user gave is
// among IDs then, so that such a question without an answer is no sign of anything.
func Implicit(id string) bool {
	return slices.ContainsFunc(implicit, func(start string) bool { return strings.HasPrefix(id, start) })
}

// GetSecret gives the one of an id. One that is not there may be optional, so
// what is refused is not there either.
func (s *Secrets) GetSecret(ctx context.Context, req *secrets.GetSecretRequest) (*secrets.GetSecretResponse, error) {
	if !slices.Contains(s.IDs, req.ID) {
		if !s.Fetches || !Implicit(req.ID) {
			s.Book.note(Secret, req.ID)
		}
		return nil, status.Errorf(codes.NotFound, "secret %s: not found", req.ID)
	}
	return s.From.GetSecret(ctx, req)
}

// Agents guards what --ssh gives.
type Agents struct {
	sshforward.UnimplementedSSHServer
	From sshforward.SSHServer
	// IDs that the Dockerfile, or a repository of the plan, asks for.
	IDs  []string
	Book *Book
}

// Register is asked by the session.
func (s *Agents) Register(server *grpc.Server) { sshforward.RegisterSSHServer(server, s) }

// CheckAgent tells whether there is an agent under an id.
func (s *Agents) CheckAgent(ctx context.Context, req *sshforward.CheckAgentRequest) (*sshforward.CheckAgentResponse, error) {
	id := req.ID
	if id == "" {
		id = sshforward.DefaultID
	}
	if !slices.Contains(s.IDs, id) {
		s.Book.note(SSH, id)
		return nil, status.Errorf(codes.NotFound, "unset ssh forward key %s", id)
	}
	return s.From.CheckAgent(ctx, req)
}

// ForwardAgent joins the node and an agent.
func (s *Agents) ForwardAgent(stream sshforward.SSH_ForwardAgentServer) error {
	asked, _ := metadata.FromIncomingContext(stream.Context())
	id := sshforward.DefaultID
	if names := asked[sshforward.KeySSHID]; len(names) > 0 && names[0] != "" {
		id = names[0]
	}
	if !slices.Contains(s.IDs, id) {
		return s.Book.Refuse(SSH, id)
	}
	return s.From.ForwardAgent(stream)
}
