package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	workerapi "github.com/moby/buildkit/api/types"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/grpchijack"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	// owned stands in all hostile text, so that a row of the table can show that it was reached.
	owned = "OWNED"
	// evil is hostile text of one line: a title, a colour that archbuild does not use, C1, bidi, a lone CR, BS.
	evil = "\x1b]0;title\x07\x1b[97;41m" + owned + "\u009b7m\u202e\u2066\r\x08##vso[task.x]##[group]"
	// evilLines has what CI systems obey at the beginning of a line, and lines as if archbuild had written them.
	evilLines = evil + "\n::add-mask::" + owned + "\n##teamcity[x]\n\r::set-output name=a::b\narchbuild: hint: forged " + owned + "\n\x1b[0Ksection_start:1:x\r\x1b[0K\n"
)

// hostileWorld is a folder with a stranger's text in every place that strangers write.
type hostileWorld struct {
	// registry and node are addresses.
	registry, node string
}

func newHostileWorld(t *testing.T) hostileWorld {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	w := hostileWorld{registry: hostileRegistry(t), node: hostileNode(t)}
	dockerfile := strings.Join([]string{
		"# " + evil, "ARG WHO=\"" + evil + "\"", "FROM scratch AS base", "LABEL who=\"" + evil + "\"",
		"ADD https://example.com/tool_" + evil + "_linux_amd64.tar.gz /", "COPY . /",
		"RUN curl -LO https://example.com/" + evil + "/tool-linux-amd64.tar.gz && ./configure --host=x86_64-linux-gnu # " + evil, "COPY nothing-" + owned + " /x\n",
	}, "\n")
	files := map[string]string{
		"app/Dockerfile": dockerfile,
		"app/bad" + strings.ReplaceAll(evil, "/", "") + ".bin": "x",
		"plain/Dockerfile":      "FROM scratch\nCOPY Dockerfile /\nRUN " + evil + "\n",
		"from/Dockerfile":       "FROM " + w.registry + "/denied/" + "app:1\n",
		"wrong/Dockerfile":      "FROM scratch\nFRUM " + evil + "\n",
		"yaml/Dockerfile":       "FROM scratch\n",
		"yaml/archbuild.yaml":   "platforms: [\"linux/" + `\e]0;t\a\u009b7m` + owned + "\"]\n\"" + `x\e[97;41m\n::add-mask::` + owned + "\": 1\n",
		"spec.yaml":             "image: " + w.registry + "/denied/app:1\nmanifests:\n- image: " + w.registry + "/denied/app:1\n  platform: {os: linux, architecture: \"" + `\e[97;41m` + owned + "\"}\n",
		"records/one.json":      string(must(json.Marshal(map[string]any{"format": 1, "name": evilLines, "run": evilLines, evil: evilLines}))),
		"shop/compose.yaml":     inASCII(map[string]any{"services": map[string]any{"web": map[string]any{"image": evil}, evil: map[string]any{"image": evilLines, "build": evilLines, evil: evil}}}),
		"shop/docker-bake.json": inASCII(map[string]any{"target": map[string]any{"a": map[string]any{"context": "plain", "contexts": map[string]any{"x": "target:" + evil}}}}),
		"shop/kube.yaml": inASCII(map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": evilLines}, "spec": map[string]any{"template": map[string]any{
			"spec": map[string]any{"containers": []any{map[string]any{"name": evil, "image": evil}}}}}}),
		"plan.json":                    string(must(json.Marshal(map[string]any{"format": 1, evil: evilLines}))),
		"state/run/engine.log":         evilLines,
		"config/archbuild/config.yaml": "",
		"buildx/instances/" + owned:    string(must(json.Marshal(map[string]any{"Name": owned + evil, "Driver": evil, "Nodes": []any{map[string]any{"Name": evilLines, "Endpoint": "tcp://" + evil}}}))),
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hostileLayout(t, "layout")
	for name, value := range map[string]string{"ARCHBUILD_STATE": dir + "/state", "XDG_CONFIG_HOME": dir + "/config", "DOCKER_CONFIG": dir, "BUILDX_CONFIG": dir + "/buildx", "HOME": dir, "BUILDKIT_HOST": "", "EVIL": evilLines} {
		t.Setenv(name, value)
	}
	return w
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// hostileImage is the blobs of an index that lies and shouts, and the index itself.
func hostileImage() (blobs map[digest.Digest][]byte, index []byte) {
	blobs = map[digest.Digest][]byte{}
	put := func(value any, mediaType string, fields map[string]any) map[string]any {
		body := must(json.Marshal(value))
		d := digest.FromBytes(body)
		blobs[d] = body
		desc := map[string]any{"mediaType": mediaType, "digest": d, "size": len(body)}
		for k, v := range fields {
			desc[k] = v
		}
		return desc
	}
	said := map[string]any{"org.opencontainers.image.base.name": evilLines, "org.opencontainers.image.source": evilLines, evil: evilLines}
	config := put(map[string]any{"os": "linux", "architecture": "arm64", "author": evilLines, "config": map[string]any{"Labels": said, "Env": []string{evilLines}, "Entrypoint": []string{evil}}, "rootfs": map[string]any{"type": "layers", "diff_ids": []string{}}},
		"application/vnd.oci.image.config.v1+json", nil)
	image := put(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []any{}, "annotations": said},
		"application/vnd.oci.image.manifest.v1+json", map[string]any{"annotations": said, "platform": map[string]any{"os": "linux", "architecture": "amd64", "variant": evil, "os.version": evil}})
	other := put(map[string]any{"schemaVersion": 2, "artifactType": evil}, "application/vnd."+evil, map[string]any{"annotations": said})
	return blobs, must(json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{image, other}, "annotations": said}))
}

func hostileLayout(t *testing.T, folder string) {
	t.Helper()
	blobs, index := hostileImage()
	if err := os.MkdirAll(folder+"/blobs/sha256", 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"index.json": index, "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}
	for d, body := range blobs {
		files["blobs/sha256/"+d.Encoded()] = body
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(folder, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// hostileRegistry serves that image as shown/app:1, and answers all else by an error that shouts.
func hostileRegistry(t *testing.T) string {
	t.Helper()
	blobs, index := hostileImage()
	blobs[digest.FromBytes(index)] = index
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, found := blobs[digest.Digest(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])]
		switch {
		case r.URL.Path == "/v2/":
			return
		case strings.HasSuffix(r.URL.Path, "/tags/list"):
			body = must(json.Marshal(map[string]any{"name": evil, "tags": []string{evilLines, "1"}}))
		case r.URL.Path == "/v2/shown/app/manifests/1":
			body = index
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		case !found || !strings.HasPrefix(r.URL.Path, "/v2/shown/"):
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			body = must(json.Marshal(map[string]any{"errors": []any{map[string]any{"code": "DENIED", "message": evilLines, "detail": evilLines}}}))
		default:
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// shouting is a BuildKit server that builds nothing, and shouts.
type shouting struct {
	controlapi.UnimplementedControlServer
	sessions *session.Manager
}

func (s *shouting) Info(context.Context, *controlapi.InfoRequest) (*controlapi.InfoResponse, error) {
	return &controlapi.InfoResponse{BuildkitVersion: &workerapi.BuildkitVersion{Package: evilLines, Version: evilLines, Revision: evilLines}}, nil
}

func (s *shouting) ListWorkers(context.Context, *controlapi.ListWorkersRequest) (*controlapi.ListWorkersResponse, error) {
	return &controlapi.ListWorkersResponse{Record: []*workerapi.WorkerRecord{{
		ID: evil, Labels: map[string]string{evil: evilLines, "org.mobyproject.buildkit.worker.hostname": evilLines, "org.mobyproject.buildkit.worker.executor": evilLines},
		Platforms:       []*pb.Platform{{OS: "linux", Architecture: "amd64"}, {OS: evil, Architecture: evilLines}, {OS: "linux", Architecture: "arm64", Variant: evil}},
		BuildkitVersion: &workerapi.BuildkitVersion{Package: evilLines, Version: evilLines},
	}}}, nil
}

func (s *shouting) Session(stream controlapi.Control_SessionServer) error {
	conn, closed, opts := grpchijack.Hijack(stream)
	defer conn.Close()
	go func() { <-closed; conn.Close() }()
	return s.sessions.HandleConn(stream.Context(), conn, opts)
}

func (s *shouting) Solve(context.Context, *controlapi.SolveRequest) (*controlapi.SolveResponse, error) {
	time.Sleep(300 * time.Millisecond)
	return nil, status.Error(codes.Unknown, "process "+evilLines+" did not complete successfully: exit code: 1")
}

func (s *shouting) Status(_ *controlapi.StatusRequest, stream controlapi.Control_StatusServer) error {
	now := timestamppb.Now()
	one, failed := digest.FromString("one").String(), digest.FromString("failed").String()
	said := &controlapi.StatusResponse{
		Vertexes: []*controlapi.Vertex{
			{Digest: one, Name: "[1/2] " + evilLines, Started: now, Completed: now},
			{Digest: failed, Name: "[2/2] RUN " + evilLines, Started: now, Completed: now, Error: "process " + evilLines},
		},
		Statuses: []*controlapi.VertexStatus{{ID: evilLines, Vertex: one, Name: evilLines, Total: 2, Current: 1, Timestamp: now, Started: now}},
		Warnings: []*controlapi.VertexWarning{{Vertex: one, Short: []byte(evilLines), Detail: [][]byte{[]byte(evilLines)}, Url: evilLines}},
	}
	for i := range evilLines { // every part may be cut everywhere
		said.Logs = append(said.Logs, &controlapi.VertexLog{Vertex: failed, Timestamp: now, Stream: 1, Msg: []byte(evilLines[i : i+1])})
	}
	for range 3 {
		said.Logs = append(said.Logs, &controlapi.VertexLog{Vertex: failed, Timestamp: now, Stream: 2, Msg: []byte(evilLines)})
	}
	return stream.Send(said)
}

func hostileNode(t *testing.T) string {
	t.Helper()
	sessions, err := session.NewManager()
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	controlapi.RegisterControlServer(server, &shouting{sessions: sessions})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return fmt.Sprint("unix://", socket)
}

// inASCII is JSON in which nothing stands as itself that a reader of YAML refuses.
func inASCII(value any) string {
	var text strings.Builder
	for _, r := range string(must(json.Marshal(value))) {
		if r < 0x7f {
			text.WriteRune(r)
		} else {
			fmt.Fprintf(&text, "\\u%04x", r)
		}
	}
	return text.String()
}
