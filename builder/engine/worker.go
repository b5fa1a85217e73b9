package engine

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/plugins/snapshots/native"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay/overlayutils"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildkitd/config"
	"github.com/moby/buildkit/executor/oci"
	"github.com/moby/buildkit/util/archutil"
	"github.com/moby/buildkit/util/disk"
	"github.com/moby/buildkit/util/network/cniprovider"
	"github.com/moby/buildkit/util/network/netproviders"
	"github.com/moby/buildkit/version"
	"github.com/moby/buildkit/worker/base"
	"github.com/moby/buildkit/worker/runc"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/semaphore"
)

// newWorker opens BuildKit's worker: snapshots, content and the executor.
func newWorker(c childOptions, cfg Config, hosts docker.RegistryHosts) (*base.Worker, error) {
	w := cfg.Workers.OCI
	binary := c.runc
	if binary == "" {
		stub, err := c.stubRunc()
		if err != nil {
			return nil, err
		}
		binary = stub
	}
	var parallel *semaphore.Weighted
	if w.MaxParallelism > 0 {
		parallel = semaphore.NewWeighted(int64(w.MaxParallelism))
	}
	opt, err := runc.NewWorkerOpt(c.root, snapshotter(c.root, w.Snapshotter), false, oci.ProcessSandbox, w.Labels, nil,
		networks(c.root, cfg), dns(cfg), binary, w.ApparmorProfile, w.SELinux, parallel, "", w.DefaultCgroupParent, nil)
	if err != nil {
		return nil, err
	}
	if opt.Platforms, err = supported(w.Platforms); err != nil {
		return nil, err
	}
	opt.RegistryHosts = hosts
	opt.GCPolicy = gcPolicy(w.GCConfig, c.root)
	opt.BuildkitVersion = client.BuildkitVersion{Package: version.Package, Version: BuildKit}
	return base.NewWorker(context.Background(), opt)
}

// snapshotter makes overlayfs snapshots where the file system allows it, else
// copies. Directories that a killed engine had half made are removed first:
// later they would be in the way ("file exists").
func snapshotter(root, name string) runc.SnapshotterFactory {
	if name == "" || name == "auto" {
		name = "overlayfs"
		if overlayutils.Supported(root) != nil {
			name = "native"
		}
	}
	return runc.SnapshotterFactory{Name: name, New: func(dir string) (snapshots.Snapshotter, error) {
		s, err := openSnapshotter(name, dir)
		if err != nil {
			return nil, err
		}
		if cleaner, ok := s.(snapshots.Cleaner); ok {
			// A store that was never written to has nothing to clean.
			if err := cleaner.Cleanup(context.Background()); err != nil && !errdefs.IsNotFound(err) {
				return nil, fmt.Errorf("cleaning up snapshots: %w", err)
			}
		}
		return s, nil
	}}
}

func openSnapshotter(name, dir string) (snapshots.Snapshotter, error) {
	if name == "native" {
		return native.NewSnapshotter(dir)
	}
	return overlay.NewSnapshotter(dir, overlay.AsynchronousRemove)
}

// networkMode is the network of a RUN: the host's, so that no CNI plugins are
// needed, unless the configuration says otherwise.
func networkMode(cfg Config) string {
	if mode := cfg.Workers.OCI.Mode; mode != "" {
		return mode
	}
	return "host"
}

func networks(root string, cfg Config) netproviders.Opt {
	n := cfg.Workers.OCI.NetworkConfig
	return netproviders.Opt{Mode: networkMode(cfg), CNI: cniprovider.Opt{
		Root:         root,
		ConfigPath:   or(n.CNIConfigPath, "/etc/buildkit/cni.json"),
		BinaryDir:    or(n.CNIBinaryPath, "/opt/cni/bin"),
		PoolSize:     n.CNIPoolSize,
		BridgeName:   or(n.BridgeName, "buildkit0"),
		BridgeSubnet: or(n.BridgeSubnet, "10.10.0.0/16"),
	}}
}

func or(value, fallback string) string {
	if value != "" {
		return value
	}
	return fallback
}

func dns(cfg Config) *oci.DNSConfig {
	if cfg.DNS == nil {
		return nil
	}
	return &oci.DNSConfig{Nameservers: cfg.DNS.Nameservers, Options: cfg.DNS.Options, SearchDomains: cfg.DNS.SearchDomains}
}

// supported lists the platforms that the worker says it has: those of the
// configuration, else the machine's own and those with an emulator.
func supported(names []string) ([]ocispecs.Platform, error) {
	if len(names) == 0 {
		return archutil.SupportedPlatforms(false), nil
	}
	var out []ocispecs.Platform
	for _, name := range names {
		p, err := platforms.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("worker.oci.platforms: %w", err)
		}
		out = append(out, platforms.Normalize(p))
	}
	return out, nil
}

// gcPolicy says what the worker may keep, as buildkitd would read the same file.
func gcPolicy(gc config.GCConfig, root string) []client.PruneInfo {
	if gc.GC != nil && !*gc.GC {
		return nil
	}
	stat, _ := disk.GetDiskStat(root) // unknown: BuildKit's default cap
	rules := gc.GCPolicy
	if len(rules) == 0 {
		rules = config.DefaultGCPolicy(gc, stat)
	}
	var out []client.PruneInfo
	for _, r := range rules {
		reserved := r.ReservedSpace
		if reserved == (config.DiskSpace{}) {
			reserved = r.KeepBytes //nolint:staticcheck // the older name of the same setting
		}
		out = append(out, client.PruneInfo{
			All:           r.All,
			Filter:        r.Filters,
			KeepDuration:  r.KeepDuration.Duration,
			ReservedSpace: reserved.AsBytes(stat),
			MaxUsedSpace:  r.MaxUsedSpace.AsBytes(stat),
			MinFreeSpace:  r.MinFreeSpace.AsBytes(stat),
		})
	}
	return out
}
