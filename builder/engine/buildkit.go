//go:build linux

package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/defaults"
	"github.com/moby/buildkit/cache/remotecache"
	inlinecache "github.com/moby/buildkit/cache/remotecache/inline"
	localcache "github.com/moby/buildkit/cache/remotecache/local"
	registrycache "github.com/moby/buildkit/cache/remotecache/registry"
	"github.com/moby/buildkit/control"
	"github.com/moby/buildkit/frontend"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway"
	"github.com/moby/buildkit/frontend/gateway/forwarder"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/bboltcachestorage"
	"github.com/moby/buildkit/util/apicaps"
	"github.com/moby/buildkit/util/archutil"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/grpcerrors"
	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto" // the codec that BuildKit's own server uses
	"github.com/moby/buildkit/util/resolver"
	"github.com/moby/buildkit/util/resolver/limited"
	"github.com/moby/buildkit/version"
	"github.com/moby/buildkit/worker"
	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthapi "google.golang.org/grpc/health/grpc_health_v1"
)

// buildkit is an opened BuildKit server without a socket.
type buildkit struct {
	controller *control.Controller
	store      *store
}

// newBuildkit opens BuildKit's data below the root and puts its parts together.
// The caller holds the state lock: two of these on one root would wait for each
// other for ever. The channel tells BuildKit that the end has come.
func newBuildkit(c childOptions, cfg Config, mem *memory, end <-chan struct{}) (*buildkit, error) {
	version.Version = BuildKit
	apicaps.ExportedProduct = "buildkit"
	if err := applyProcessConfig(cfg); err != nil {
		return nil, err
	}
	// Trying every emulator takes as long as all the rest; BuildKit keeps the answer.
	go archutil.SupportedPlatforms(false)
	sessions, err := session.NewManager()
	if err != nil {
		return nil, fmt.Errorf("opening BuildKit: %w", err)
	}
	hosts := resolver.NewRegistryConfig(cfg.Registries)
	st, err := openStore(c.root, cfg.Workers.OCI.Snapshotter)
	if err != nil {
		return nil, err
	}
	w, err := newWorker(c, cfg, mem, st, hosts)
	if err != nil {
		return nil, fmt.Errorf("opening BuildKit's worker: %w", err)
	}
	workers := &worker.Controller{}
	if err := workers.Add(w); err != nil {
		return nil, fmt.Errorf("opening BuildKit's worker: %w", err)
	}
	frontends, err := newFrontends(cfg, workers)
	if err != nil {
		return nil, fmt.Errorf("opening BuildKit's frontends: %w", err)
	}
	opt := control.Opt{
		SessionManager:   sessions,
		WorkerController: workers,
		Frontends:        frontends,
		Entitlements:     entitlements(cfg),
		LeaseManager:     w.LeaseManager(),
		ContentStore:     w.ContentStore(),
		HistoryConfig:    cfg.History,
		ProxyNetwork:     cfg.ProxyNetwork,
		GarbageCollect:   w.GarbageCollect,
		GracefulStop:     end,
	}
	remoteCaches(&opt, sessions, w, hosts)
	if err := openStores(&opt, c.root, workers); err != nil {
		return nil, fmt.Errorf("opening BuildKit's data: %w", err)
	}
	controller, err := control.NewController(opt)
	if err != nil {
		return nil, fmt.Errorf("opening BuildKit: %w", err)
	}
	return &buildkit{controller: controller, store: st}, nil
}

func (b *buildkit) register(s *grpc.Server) {
	healthapi.RegisterHealthServer(s, health.NewServer())
	b.controller.Register(s)
}

func (b *buildkit) close() error { return errors.Join(b.controller.Close(), b.store.close()) }

// applyProcessConfig sets what BuildKit keeps for the whole process.
func applyProcessConfig(cfg Config) error {
	level, err := logLevel(cfg)
	if err != nil {
		return err
	}
	logrus.SetLevel(level)
	if cfg.System != nil && cfg.System.MaxRegistryConcurrency != nil {
		limited.SetMaxConcurrency(int64(*cfg.System.MaxRegistryConcurrency))
	}
	return nil
}

// newFrontends makes the built-in Dockerfile frontend and the one that runs
// frontend images, as far as the configuration leaves them on.
func newFrontends(cfg Config, workers *worker.Controller) (map[string]frontend.Frontend, error) {
	out := map[string]frontend.Frontend{}
	if on := cfg.Frontends.Dockerfile.Enabled; on == nil || *on {
		out["dockerfile.v0"] = forwarder.NewGatewayForwarder(workers.Infos(), dockerfile.Build)
	}
	if on := cfg.Frontends.Gateway.Enabled; on == nil || *on {
		gw, err := gateway.NewGatewayFrontend(workers.Infos(), cfg.Frontends.Gateway.AllowedRepositories)
		if err != nil {
			return nil, err
		}
		out["gateway.v0"] = gw
	}
	return out, nil
}

// entitlements are the privileges that a build may ask for; one that does not ask
// gets none. The private engine serves nobody but its owner, so unless the
// configuration has a list, all that it can give may be asked for.
func entitlements(cfg Config) []string {
	if cfg.Entitlements == nil {
		return []string{"network.host", "security.insecure"}
	}
	return cfg.Entitlements
}

func remoteCaches(opt *control.Opt, sessions *session.Manager, w worker.Worker, hosts docker.RegistryHosts) {
	opt.ResolveCacheExporterFuncs = map[string]remotecache.ResolveCacheExporterFunc{
		"inline":   inlinecache.ResolveCacheExporterFunc(),
		"local":    localcache.ResolveCacheExporterFunc(sessions),
		"registry": registrycache.ResolveCacheExporterFunc(sessions, hosts),
	}
	opt.ResolveCacheImporterFuncs = map[string]remotecache.ResolveCacheImporterFunc{
		"local":    localcache.ResolveCacheImporterFunc(sessions),
		"registry": registrycache.ResolveCacheImporterFunc(sessions, w.ContentStore(), hosts),
	}
}

// openStores opens the cache keys and the history of builds.
func openStores(opt *control.Opt, root string, workers *worker.Controller) error {
	cache, err := bboltcachestorage.NewStore(filepath.Join(root, "cache.db"))
	if err != nil {
		return err
	}
	history, err := boltutil.SafeOpen(filepath.Join(root, "history.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	opt.CacheStore = cache
	opt.HistoryDB = history
	opt.CacheManager = solver.NewCacheManager(context.Background(), "local", cache, worker.NewCacheResultStorage(workers))
	return nil
}

// buildkitOptions are the server options that BuildKit's clients count on.
func buildkitOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(defaults.DefaultMaxRecvMsgSize),
		grpc.MaxSendMsgSize(defaults.DefaultMaxSendMsgSize),
		grpc.ChainUnaryInterceptor(logFailures, grpcerrors.UnaryServerInterceptor),
		grpc.ChainStreamInterceptor(grpcerrors.StreamServerInterceptor),
	}
}

// logFailures writes the calls that failed to the log.
func logFailures(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	if err != nil {
		logrus.Errorf("%s: %v", info.FullMethod, err)
	}
	return resp, err
}
