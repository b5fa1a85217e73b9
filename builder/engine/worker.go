//go:build linux

package engine

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildkitd/config"
	"github.com/moby/buildkit/executor/oci"
	"github.com/moby/buildkit/executor/resources"
	"github.com/moby/buildkit/executor/runcexecutor"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/archutil"
	"github.com/moby/buildkit/util/disk"
	"github.com/moby/buildkit/util/network"
	"github.com/moby/buildkit/util/network/cniprovider"
	"github.com/moby/buildkit/util/network/netproviders"
	"github.com/moby/buildkit/version"
	"github.com/moby/buildkit/worker/base"
	"github.com/moby/buildkit/worker/label"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/semaphore"
)

// newWorker puts BuildKit's worker together: the store, the network and the
// executor that has runc make containers. BuildKit's own assembly is not used
// because it also makes an RSA key for a proxy at every start, a tenth of a
// second on average, and keeps a database open for ever.
func newWorker(c childOptions, cfg Config, mem *memory, st *store, hosts docker.RegistryHosts) (*base.Worker, error) {
	w := cfg.Workers.OCI
	nets, err := openNetworks(c.root, cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the network: %w", err)
	}
	opt := base.WorkerOpt{
		Labels:           labels(cfg, st.snapshotter, nets.mode, c.processMode()),
		GCPolicy:         gcPolicy(w.GCConfig, c.root),
		BuildkitVersion:  client.BuildkitVersion{Package: version.Package, Version: BuildKit},
		NetworkProviders: nets.providers,
		ProxyProvider:    nets.proxy,
		RegistryHosts:    hosts,
	}
	if w.MaxParallelism > 0 {
		opt.ParallelismSem = semaphore.NewWeighted(int64(w.MaxParallelism))
	}
	if opt.Platforms, err = supported(w.Platforms); err != nil {
		return nil, err
	}
	if opt.ResourceMonitor, err = resources.NewMonitor(); err != nil {
		return nil, err
	}
	binary, err := c.runcOrStub()
	if err != nil {
		return nil, err
	}
	containers, err := runcexecutor.New(runcexecutor.Opt{
		Root:                filepath.Join(st.root, bundlesName),
		CommandCandidates:   []string{binary},
		Rootless:            c.kept,
		ProcessMode:         c.processMode(),
		DNS:                 dns(cfg),
		ApparmorProfile:     w.ApparmorProfile,
		SELinux:             w.SELinux,
		DefaultCgroupParent: cmp.Or(w.DefaultCgroupParent, c.cgroup()),
		ResourceMonitor:     opt.ResourceMonitor,
		ProxyProvider:       nets.proxy,
		OOMScoreAdj:         mem.stepScore,
	}, nets.providers)
	if err != nil {
		return nil, err
	}
	opt.Executor = bounded{c.ending(containers, st.root, cmp.Or(w.DefaultCgroupParent, c.cgroup())), mem}
	if err := st.fill(&opt); err != nil {
		return nil, err
	}
	if err := st.dropUnfinished(); err != nil {
		return nil, err
	}
	made, err := base.NewWorker(context.Background(), opt)
	if err != nil {
		return nil, err
	}
	return made, st.dropLost(context.Background(), opt.LeaseManager)
}

// processMode says whether the processes of a RUN are among themselves. They are
// but where there can be no /proc for them.
func (c childOptions) processMode() oci.ProcessMode {
	if c.kept && !c.ownProc {
		return oci.NoProcessSandbox
	}
	return oci.ProcessSandbox
}

// runcOrStub is the command that runs containers. Where runc is missing it is
// this program under another name, which says so: BuildKit insists on a command
// that exists, but uses it for RUN only.
func (c childOptions) runcOrStub() (string, error) {
	if c.runc != "" {
		return c.runc, nil
	}
	err := os.Symlink("/proc/self/exe", c.noRunc)
	if err != nil && !os.IsExist(err) {
		return "", err
	}
	return c.noRunc, nil
}

// labels describe the worker as buildkitd would.
func labels(cfg Config, snapshotter, network string, processes oci.ProcessMode) map[string]string {
	w := cfg.Workers.OCI
	out := map[string]string{
		label.Executor:       "oci",
		label.Snapshotter:    snapshotter,
		label.Network:        network,
		label.OCIProcessMode: processes.String(),
		label.SELinuxEnabled: strconv.FormatBool(w.SELinux),
	}
	if host, err := os.Hostname(); err == nil {
		out[label.Hostname] = host
	}
	if w.ApparmorProfile != "" {
		out[label.ApparmorProfile] = w.ApparmorProfile
	}
	for name, value := range w.Labels {
		out[name] = value
	}
	return out
}

// networks are the networks that a RUN can have.
type networks struct {
	mode      string
	providers map[pb.NetMode]network.Provider
	proxy     network.ProxyProvider
}

// openNetworks gives RUN the host's network, so that no CNI plugins are needed,
// unless the configuration says otherwise.
func openNetworks(root string, cfg Config) (networks, error) {
	mode := networkMode(cfg)
	if mode == "host" && !cfg.ProxyNetwork {
		host := network.NewHostProvider()
		return networks{mode: mode, providers: map[pb.NetMode]network.Provider{
			pb.NetMode_UNSET: host,
			pb.NetMode_HOST:  host,
			pb.NetMode_NONE:  network.NewNoneProvider(),
		}}, nil
	}
	n := cfg.Workers.OCI.NetworkConfig
	var nets networks
	var err error
	nets.providers, nets.proxy, nets.mode, err = netproviders.Providers(netproviders.Opt{Mode: mode, CNI: cniprovider.Opt{
		Root:         root,
		ConfigPath:   or(n.CNIConfigPath, "/etc/buildkit/cni.json"),
		BinaryDir:    or(n.CNIBinaryPath, "/opt/cni/bin"),
		PoolSize:     n.CNIPoolSize,
		BridgeName:   or(n.BridgeName, "buildkit0"),
		BridgeSubnet: or(n.BridgeSubnet, "10.10.0.0/16"),
	}})
	return nets, err
}

func networkMode(cfg Config) string { return or(cfg.Workers.OCI.Mode, "host") }

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
	return parsePlatforms(names)
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
