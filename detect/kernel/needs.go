package kernel

// need is one thing that building or running images asks of a kernel.
type need struct {
	name, group string
	// any holds alternatives, best first; each is options joined by "+", all of
	// which it takes. Options are spelled without CONFIG_.
	any []string
	// signs are files that are there only if the kernel has it.
	signs []string
	// filesystem is its type in /proc/filesystems.
	filesystem string
	// trial is the name of what can be tried.
	trial string
	// builds says which builds of archbuild's own engine fail without it, and
	// slower which only suffer; empty when none does.
	builds, slower string
	// hosts says who that runs images on this machine misses it.
	hosts string
}

const everyRun = "every build with a RUN step"

// The groups, which are headings.
const (
	groupCgroups    = "cgroups"
	groupNamespaces = "namespaces"
	groupStorage    = "file systems"
	groupNetwork    = "network devices"
	groupFilter     = "packet filter"
	groupSecurity   = "security"
	groupEmulation  = "emulation"
)

// needs are asked in this order, after control groups and namespaces, which
// have more to them than an option. What the engine needs was found by following
// what its runtime mounts and sets up for a step; what Docker, containerd and
// Kubernetes need is in their documentation and in what their own checks ask.
var needs = []need{
	{name: "cpu quotas", group: groupCgroups, any: []string{"CFS_BANDWIDTH"},
		signs: []string{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "/sys/fs/cgroup/system.slice/cpu.max", "/sys/fs/cgroup/cpu.max"},
		hosts: "limits of CPU time: docker run --cpus, CPU limits of Kubernetes"},
	{name: "block device throttling", group: groupCgroups, any: []string{"BLK_DEV_THROTTLING"},
		signs: []string{"/sys/fs/cgroup/blkio/blkio.throttle.read_bps_device", "/sys/fs/cgroup/system.slice/io.max", "/sys/fs/cgroup/io.max"},
		hosts: "limits of reading and writing: docker run --device-read-bps and the like"},

	{name: "overlayfs", group: groupStorage, any: []string{"OVERLAY_FS"}, filesystem: "overlay", trial: "overlay",
		slower: "layers are copied where they could be stacked", hosts: "the usual store of images of Docker, containerd and Podman"},
	{name: "tmpfs", group: groupStorage, any: []string{"TMPFS"}, filesystem: "tmpfs", trial: "tmpfs", builds: everyRun, hosts: "every container"},
	{name: "message queues", group: groupStorage, any: []string{"POSIX_MQUEUE"}, signs: []string{"/proc/sys/fs/mqueue"}, filesystem: "mqueue", trial: "mqueue",
		builds: everyRun, hosts: "every container"},
	{name: "pseudo-terminals", group: groupStorage, any: []string{"UNIX98_PTYS"}, signs: []string{"/proc/sys/kernel/pty"}, filesystem: "devpts",
		builds: everyRun, hosts: "every container"},

	{name: "veth", group: groupNetwork, any: []string{"VETH"}, trial: "link:veth", hosts: "networks of Docker, Podman and Kubernetes, all but the host's own"},
	{name: "bridge", group: groupNetwork, any: []string{"BRIDGE"}, trial: "link:bridge", hosts: "Docker's default network, Podman's, and most of Kubernetes"},
	{name: "bridge netfilter", group: groupNetwork, any: []string{"BRIDGE_NETFILTER"}, signs: []string{"/proc/sys/net/bridge/bridge-nf-call-iptables"},
		hosts: "Docker's isolation of networks from each other; services of Kubernetes (kubeadm refuses without it)"},
	{name: "vxlan", group: groupNetwork, any: []string{"VXLAN"}, trial: "link:vxlan", hosts: "overlay networks of Docker Swarm; flannel and Calico of Kubernetes"},
	{name: "vlan filtering of bridges", group: groupNetwork, any: []string{"BRIDGE_VLAN_FILTERING"}, hosts: "overlay networks of Docker Swarm"},
	{name: "encryption between hosts", group: groupNetwork, any: []string{"XFRM_USER+INET_ESP+CRYPTO_GCM"}, hosts: "overlay networks of Docker Swarm that are made with --opt encrypted"},
	{name: "macvlan", group: groupNetwork, any: []string{"MACVLAN"}, trial: "link:macvlan", hosts: "networks of Docker with the driver macvlan"},
	{name: "ipvlan", group: groupNetwork, any: []string{"IPVLAN"}, trial: "link:ipvlan", hosts: "networks of Docker with the driver ipvlan"},
	{name: "dummy", group: groupNetwork, any: []string{"DUMMY"}, trial: "link:dummy", hosts: "internal macvlan and ipvlan networks of Docker; kube-proxy in its mode ipvs"},
	{name: "tun", group: groupNetwork, any: []string{"TUN"}, signs: []string{"/sys/class/misc/tun"}, hosts: "rootless Docker and Podman (slirp4netns, pasta)"},

	{name: "connection tracking", group: groupFilter, any: []string{"NF_CONNTRACK"}, signs: []string{"/proc/sys/net/netfilter/nf_conntrack_max"},
		hosts: "Docker's and Kubernetes' networks"},
	{name: "filter table", group: groupFilter, any: []string{"IP_NF_FILTER", "NF_TABLES+NFT_COMPAT"}, trial: "table:filter", hosts: "Docker's and Kubernetes' networks"},
	{name: "nat", group: groupFilter, any: []string{"NF_NAT+IP_NF_NAT", "NF_TABLES+NFT_COMPAT+NFT_NAT", "NF_NAT_IPV4+IP_NF_IPTABLES", "NF_NAT+IP_NF_IPTABLES+IP_NF_TARGET_MASQUERADE"}, trial: "table:nat",
		hosts: "Docker's default network and published ports; services of Kubernetes"},
	{name: "masquerading", group: groupFilter, any: []string{"NETFILTER_XT_TARGET_MASQUERADE", "IP_NF_TARGET_MASQUERADE", "NFT_MASQ"}, trial: "target:MASQUERADE",
		hosts: "containers that reach the world through Docker's default network or Kubernetes' ones"},
	{name: "IPv6 nat", group: groupFilter, any: []string{"IP6_NF_NAT", "NF_TABLES+NFT_COMPAT+NFT_NAT"}, trial: "table6:nat", hosts: "networks of Docker with IPv6"},
	{name: "mangle table", group: groupFilter, any: []string{"IP_NF_MANGLE", "NF_TABLES+NFT_COMPAT"}, trial: "table:mangle", hosts: "Docker Swarm's ingress; kube-proxy"},
	{name: "raw table", group: groupFilter, any: []string{"IP_NF_RAW", "NF_TABLES+NFT_COMPAT"}, trial: "table:raw", hosts: "published ports of Docker 28 and later"},
	{name: "match addrtype", group: groupFilter, any: []string{"NETFILTER_XT_MATCH_ADDRTYPE"}, trial: "match:addrtype", hosts: "published ports of Docker"},
	{name: "match conntrack", group: groupFilter, any: []string{"NETFILTER_XT_MATCH_CONNTRACK"}, trial: "match:conntrack", hosts: "Docker's and Kubernetes' networks"},
	{name: "match mark", group: groupFilter, any: []string{"NETFILTER_XT_MARK", "NETFILTER_XT_MATCH_MARK"}, trial: "match:mark", hosts: "Docker Swarm's ingress; kube-proxy"},
	{name: "match comment", group: groupFilter, any: []string{"NETFILTER_XT_MATCH_COMMENT"}, trial: "match:comment", hosts: "kube-proxy"},
	{name: "match statistic", group: groupFilter, any: []string{"NETFILTER_XT_MATCH_STATISTIC"}, trial: "match:statistic", hosts: "services of Kubernetes with several pods (kube-proxy in its mode iptables)"},
	{name: "match ipvs", group: groupFilter, any: []string{"NETFILTER_XT_MATCH_IPVS"}, trial: "match:ipvs", hosts: "Docker Swarm's ingress"},
	{name: "redirecting", group: groupFilter, any: []string{"NETFILTER_XT_TARGET_REDIRECT", "IP_NF_TARGET_REDIRECT"}, trial: "target:REDIRECT", hosts: "Docker Swarm's ingress"},
	{name: "ipvs", group: groupFilter, any: []string{"IP_VS+IP_VS_RR+IP_VS_NFCT+IP_VS_PROTO_TCP+IP_VS_PROTO_UDP"}, signs: []string{"/proc/net/ip_vs"}, hosts: "Docker Swarm's services; kube-proxy in its mode ipvs"},
	{name: "nftables", group: groupFilter, any: []string{"NF_TABLES+NFT_CT+NFT_NAT+NFT_MASQ+NFT_FIB"}, hosts: "Podman's networks (netavark); kube-proxy in its mode nftables; distributions whose iptables is iptables-nft"},

	{name: "seccomp", group: groupSecurity, any: []string{"SECCOMP+SECCOMP_FILTER"}, signs: []string{"/proc/sys/kernel/seccomp/actions_avail"}, trial: "seccomp",
		slower: "steps run without a filter of system calls", hosts: "the profiles of Docker, Podman and Kubernetes that keep containers from rare system calls"},
	{name: "keys", group: groupSecurity, any: []string{"KEYS"}, signs: []string{"/proc/keys"}, trial: "keys", hosts: "containers with a keyring of their own, which Docker and containerd give them"},

	{name: "binfmt_misc", group: groupEmulation, any: []string{"BINFMT_MISC"}, signs: []string{"/proc/sys/fs/binfmt_misc"}, filesystem: "binfmt_misc",
		builds: "RUN steps for platforms that this CPU does not run itself", hosts: "images of other platforms"},
}
