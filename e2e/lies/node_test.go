package lies_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	controlapi "github.com/moby/buildkit/api/services/control"
	workerapi "github.com/moby/buildkit/api/types"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/session"
	sessioncontent "github.com/moby/buildkit/session/content"
	"github.com/moby/buildkit/session/grpchijack"
	"github.com/moby/buildkit/solver/pb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"

	"github.com/archbuild/archbuild/platform"
)

// node is a BuildKit server that builds nothing. What it is asked for it hands over all the same: blobs
// into the client's content store, and an answer that names them.
type node struct {
	controlapi.UnimplementedControlServer
	address  string
	sessions *session.Manager
	claims   []platform.Platform
	// silent keeps it from answering a sign of life; nil answers.
	silent chan struct{}
	// solve is what it does when it is to build.
	solve func(*order) error
	// tells is what it has to say meanwhile; nil waits for the end.
	tells func(ctx context.Context, to controlapi.Control_StatusServer) error
	// solves are channels by the name of a build, closed when it ends.
	solves sync.Map
}

// ended is closed when a build has ended.
func (n *node) ended(ref string) chan struct{} {
	c, _ := n.solves.LoadOrStore(ref, make(chan struct{}))
	return c.(chan struct{})
}

// order is one build that it is asked for.
type order struct {
	ctx    context.Context
	store  content.Store
	answer map[string]string
}

func newNode(t *testing.T, claims ...string) *node {
	t.Helper()
	sessions, err := session.NewManager()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{sessions: sessions}
	for _, text := range claims {
		n.claims = append(n.claims, platform.MustParse(text))
	}
	dir, err := os.MkdirTemp("", "node") // the test's own has a comma in its name, and is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(64<<20))
	controlapi.RegisterControlServer(server, n)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	n.address = "unix://" + socket
	return n
}

func (n *node) ListWorkers(context.Context, *controlapi.ListWorkersRequest) (*controlapi.ListWorkersResponse, error) {
	w := &workerapi.WorkerRecord{ID: "w"}
	for _, p := range n.claims {
		w.Platforms = append(w.Platforms, &pb.Platform{OS: p.OS, Architecture: p.Arch, Variant: p.Variant})
	}
	return &controlapi.ListWorkersResponse{Record: []*workerapi.WorkerRecord{w}}, nil
}

func (n *node) Info(ctx context.Context, _ *controlapi.InfoRequest) (*controlapi.InfoResponse, error) {
	if n.silent != nil {
		select {
		case <-n.silent:
			<-ctx.Done()
			return nil, context.Cause(ctx)
		default:
		}
	}
	return &controlapi.InfoResponse{}, nil
}

func (n *node) Session(stream controlapi.Control_SessionServer) error {
	conn, closed, opts := grpchijack.Hijack(stream)
	defer conn.Close()
	go func() { <-closed; conn.Close() }()
	return n.sessions.HandleConn(stream.Context(), conn, opts)
}

func (n *node) Solve(ctx context.Context, req *controlapi.SolveRequest) (*controlapi.SolveResponse, error) {
	defer close(n.ended(req.Ref))
	if req.Frontend == "" {
		return &controlapi.SolveResponse{}, nil // which machine it is, nobody finds out
	}
	caller, err := n.sessions.Get(ctx, req.Session, false)
	if err != nil {
		return nil, err
	}
	o := &order{ctx: ctx, store: sessioncontent.NewCallerStore(caller, "export"), answer: map[string]string{}}
	if err := n.solve(o); err != nil {
		return nil, err
	}
	return &controlapi.SolveResponse{ExporterResponse: o.answer}, nil
}

func (n *node) Status(req *controlapi.StatusRequest, to controlapi.Control_StatusServer) error {
	if n.tells != nil {
		return n.tells(to.Context(), to)
	}
	select {
	case <-n.ended(req.Ref):
	case <-to.Context().Done():
	}
	return nil
}

// send hands over blobs as BuildKit does.
func (o *order) send(blobs ...blob) error {
	var failed []error
	for _, b := range blobs {
		failed = append(failed, content.WriteBlob(o.ctx, o.store, "layer-"+b.desc.Digest.String(), bytes.NewReader(b.bytes), b.desc))
	}
	return errors.Join(failed...)
}

// name answers with a descriptor.
func (o *order) name(desc ocispec.Descriptor) error {
	text, err := json.Marshal(desc)
	o.answer[exptypes.ExporterImageDescriptorKey] = base64.StdEncoding.EncodeToString(text)
	o.answer[exptypes.ExporterImageDigestKey] = desc.Digest.String()
	return err
}

// give sends an image and names it.
func (o *order) give(i image) error {
	return errors.Join(o.send(i.all()...), o.name(i.manifest.desc))
}
