package archbuild

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/wrong"
)

// BuildFlags are flags of docker buildx build about how RUN instructions run, what
// the image says of itself and what is kept. Each field holds a flag's text, and
// what is accepted is what buildx accepts.
type BuildFlags struct {
	// Network of RUN: default, host or none. Empty is default, and none where Untrusted.
	Network string
	// Untrusted says that nobody vouches for the Dockerfile: a rootless engine of its own,
	// no network, no privileges; what is known to be open is an error.
	Untrusted bool
	// AddHosts are HOST:IP or HOST=IP[,IP].
	AddHosts []string
	// ShmSize of /dev/shm, in bytes or with a unit: 64m.
	ShmSize string
	// Ulimits are NAME=SOFT[:HARD].
	Ulimits      []string
	CgroupParent string
	// Resources are limits of RUN: memory=2g, cpu-quota=50000.
	Resources []string
	// Allow are privileges that RUN may ask for: network.host, security.insecure, device[=NAME].
	Allow []string
	// Attests are type=provenance|sbom[,KEY=VALUE]; SBOM is short for the latter.
	Attests []string
	SBOM    string
	// NoCacheFilter names stages that are built anew.
	NoCacheFilter []string
	// CacheFrom and CacheTo are REF, or type=TYPE,KEY=VALUE.
	CacheFrom, CacheTo []string
	// Cache are both at once, for all stages: as CacheFrom, or a folder that begins with . or /.
	Cache []string
	// Builder is one of buildx's own, by name; its BuildKit does the work.
	Builder string
	// Call is build, or a question about the Dockerfile: check, outline, targets.
	Call string
}

// frontend turns flags into attributes of the Dockerfile frontend, and into the
// privileges that steps may ask for. All wrong ones are reported.
func (b BuildFlags) frontend(noCache bool) (attrs map[string]string, allow []string, err error) {
	attrs = map[string]string{}
	set := func(key, value string, err error) error {
		if value != "" && err == nil {
			attrs[key] = value
		}
		return err
	}
	network, wrongNetwork := b.network()
	hosts, wrongHosts := addHosts(b.AddHosts)
	shm, wrongShm := shmSize(b.ShmSize)
	limits, wrongLimits := ulimits(b.Ulimits)
	filter, wrongFilter := b.noCacheFilter(noCache)
	resources, wrongResources := resourceLimits(b.Resources)
	allow, wrongAllow := entitlements(b.Allow)
	err = errors.Join(
		set("force-network-mode", network, wrongNetwork),
		set("add-hosts", hosts, wrongHosts),
		set("shm-size", shm, wrongShm),
		set("ulimit", limits, wrongLimits),
		set("cgroup-parent", b.CgroupParent, nil),
		set("no-cache", filter, wrongFilter),
		wrongResources, wrongAllow,
	)
	maps.Copy(attrs, resources)
	if network == "host" && !slices.Contains(allow, networkHost) { // as in buildx, the flag is leave enough
		allow = append(allow, networkHost)
	}
	return attrs, allow, err
}

// Entitlements, as BuildKit calls them.
const (
	networkHost      = "network.host"
	securityInsecure = "security.insecure"
	device           = "device"
)

func (b BuildFlags) network() (string, error) {
	switch b.Network {
	case "", "default":
		return "", nil
	case "host", "none":
		return b.Network, nil
	}
	return "", &wrong.Usage{fmt.Errorf("--network %s: BuildKit has no such network%s", b.Network, nearest.DidYouMean(b.Network, []string{"default", "host", "none"})), "use default, host or none; a network of its own is set up in buildkitd.toml: --engine-config FILE"}
}

// addHosts reads --add-host. BuildKit wants HOST=IP, one for each address.
func addHosts(list []string) (string, error) {
	const hint = "write --add-host NAME:ADDRESS, as in --add-host mirror:10.0.0.2 or --add-host mirror=[::1]"
	var hosts []string
	for _, text := range list {
		host, addresses, ok := strings.Cut(text, "=")
		if !ok {
			host, addresses, ok = strings.Cut(text, ":")
		}
		if !ok || host == "" || addresses == "" {
			return "", &wrong.Usage{fmt.Errorf("--add-host %s is not NAME:ADDRESS", text), hint}
		}
		if addresses == "host-gateway" {
			return "", &wrong.Usage{fmt.Errorf("--add-host %s: the address of the host as containers see it is known to Docker's own builder only", text), "write the address itself; on the private engine RUN has the host's network, where it is 127.0.0.1"}
		}
		for _, address := range strings.Split(addresses, ",") {
			if inside, found := strings.CutPrefix(address, "["); found {
				address = strings.TrimSuffix(inside, "]")
			}
			if net.ParseIP(address) == nil {
				return "", &wrong.Usage{fmt.Errorf("--add-host %s: %q is no address", text, address), hint}
			}
			hosts = append(hosts, host+"="+address)
		}
	}
	return strings.Join(hosts, ","), nil
}

// shmSize reads --shm-size; 0 is BuildKit's own.
func shmSize(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	size, err := units.RAMInBytes(text)
	if err != nil || size < 0 {
		return "", &wrong.Usage{fmt.Errorf("--shm-size %s is no size", text), "write a number with b, k, m or g: --shm-size 128m"}
	}
	if size == 0 {
		return "", nil
	}
	return strconv.FormatInt(size, 10), nil
}

// ulimits reads --ulimit; the last one of a name counts.
func ulimits(list []string) (string, error) {
	byName := map[string]string{}
	for _, text := range list {
		limit, err := units.ParseUlimit(text)
		if err != nil {
			return "", &wrong.Usage{fmt.Errorf("--ulimit %s: %w", text, err), "write --ulimit NAME=SOFT[:HARD], as in --ulimit nofile=1024:2048"}
		}
		byName[limit.Name] = limit.String()
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		texts = append(texts, byName[name])
	}
	return strings.Join(texts, ","), nil
}

// noCacheFilter reads --no-cache-filter: names of stages, one or several with commas.
func (b BuildFlags) noCacheFilter(noCache bool) (string, error) {
	names := b.noCacheStages()
	if noCache && len(names) > 0 {
		return "", &wrong.Usage{errors.New("--no-cache and --no-cache-filter exclude each other"), "leave one of them out: --no-cache is for all stages"}
	}
	return strings.Join(names, ","), nil
}

func (b BuildFlags) noCacheStages() []string {
	var names []string
	for _, text := range b.NoCacheFilter {
		for _, name := range strings.Split(text, ",") {
			if name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// resourceKeys are what --resource has, and the frontend's word for each.
var resourceKeys = map[string]string{
	"memory": "memory", "memory-swap": "memswap", "cpu-shares": "cpushares", "cpu-period": "cpuperiod", "cpu-quota": "cpuquota",
	"cpuset-cpus": "cpusetcpus", "cpuset-mems": "cpusetmems",
}

// resourceLimits reads --resource.
func resourceLimits(list []string) (map[string]string, error) {
	attrs := map[string]string{}
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		word, known := resourceKeys[key]
		if !ok || !known {
			return nil, &wrong.Usage{fmt.Errorf("--resource %s: there is no such resource", text), "write KEY=VALUE with one of " + strings.Join(slices.Sorted(maps.Keys(resourceKeys)), ", ")}
		}
		var number int64
		var err error
		switch {
		case key == "memory-swap" && value == "-1":
			number = -1
		case strings.HasPrefix(key, "memory"):
			number, err = units.RAMInBytes(value)
		case strings.HasPrefix(key, "cpuset"):
			attrs[word] = value
			continue
		default:
			number, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil || number < -1 {
			return nil, &wrong.Usage{fmt.Errorf("--resource %s: %q is no amount", text, value), "write a number, for memory with a unit: --resource memory=2g"}
		}
		if number != 0 {
			attrs[word] = strconv.FormatInt(number, 10)
		}
	}
	return attrs, nil
}

// entitlements reads --allow.
func entitlements(list []string) ([]string, error) {
	var allow []string
	for _, text := range list {
		name, _, value := strings.Cut(text, "=")
		switch {
		case text == "":
			continue
		case text == "buildx.local.delete": // which archbuild never does
			continue
		case name == device, !value && (name == networkHost || name == securityInsecure):
			allow = append(allow, text)
		default:
			return nil, &wrong.Usage{fmt.Errorf("--allow %s: there is no such privilege", text), "use network.host, security.insecure or device"}
		}
	}
	return allow, nil
}
