package kernel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// fix is what supplies a need that is not there.
func (m *machine) fix(n need, a answer) string {
	if m.virtual == "gVisor" {
		return "run it on Linux itself: gVisor has no such thing"
	}
	lacking := m.lacking(n)
	if m.isBarred(lacking[0]) {
		return "take " + modules[lacking[0]][0] + " out of module_blacklist= on the kernel command line" + m.bootloader() + ", and restart"
	}
	if m.sealed && m.fileOfAll(lacking) {
		return "restart the machine and load " + strings.Join(moduleNames(lacking), ", ") + " before modules are locked"
	}
	if a.uninstalled || m.config == nil && m.listsAt != "" {
		if command := m.installModules(lacking); command != "" {
			return command
		}
	}
	if m.fileOfAll(lacking) { // tried in vain although it is installed
		return "modprobe " + strings.Join(moduleNames(lacking), " ")
	}
	if m.distribution.ID == "alpine" && strings.HasSuffix(m.release, "-virt") {
		return "apk add linux-lts && reboot" // the kernel for guests leaves much out
	}
	return m.rebuild(lacking)
}

// lacking are the options to be switched on: those of the first alternative that
// are not there.
func (m *machine) lacking(n need) []string {
	var list []string
	options := strings.Split(n.any[0], "+")
	for _, name := range options {
		if a := m.option(name); !a.known || !a.yes {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return options
	}
	return list
}

func (m *machine) fileOfAll(options []string) bool {
	for _, name := range options {
		if !m.hasFile(name) {
			return false
		}
	}
	return true
}

func moduleNames(options []string) []string {
	var list []string
	for _, name := range options {
		if names := modules[name]; len(names) > 0 {
			list = append(list, names[0])
		}
	}
	return list
}

// installModules is the command that installs modules which the distribution
// packages apart from its kernel; empty where there is no such package.
func (m *machine) installModules(options []string) string {
	options = slices.DeleteFunc(slices.Clone(options), func(name string) bool { return len(modules[name]) == 0 })
	if len(options) == 0 {
		return ""
	}
	load := " && modprobe " + strings.Join(moduleNames(options), " ")
	switch d := m.distribution; {
	case m.virtual != "":
		return ""
	case d.ID == "ubuntu" && strings.HasSuffix(m.release, "-raspi"):
		return "apt-get install -y linux-modules-extra-raspi" + load
	case d.ID == "ubuntu" && ubuntuFlavour.MatchString(m.release):
		return "apt-get install -y linux-modules-extra-" + m.release + load
	case d.ID == "openwrt":
		return openwrt(options)
	case d.Is("suse", "opensuse"):
		return "zypper install -y kernel-default && reboot"
	case d.ID == "amzn":
		return "dnf install -y kernel-modules-extra" + load
	case d.Is("rhel", "centos", "fedora"):
		return "dnf install -y kernel-modules-" + m.release + " kernel-modules-extra-" + m.release + load
	}
	return ""
}

// ubuntuFlavour ends the releases of Ubuntu's own kernels; boards run others under it.
var ubuntuFlavour = regexp.MustCompile(`-(generic|lowlatency|virtual|kvm|aws|azure|gcp|gke|oracle|ibm|nvidia)(-\S+)?$`)

// openwrtPackages are OpenWrt's names for groups of modules.
var openwrtPackages = map[string]string{
	"VETH": "kmod-veth", "VXLAN": "kmod-vxlan", "MACVLAN": "kmod-macvlan", "IPVLAN": "kmod-ipvlan", "DUMMY": "kmod-dummy", "TUN": "kmod-tun",
	"BRIDGE_NETFILTER": "kmod-br-netfilter", "NF_NAT": "kmod-nf-nat", "IP_NF_NAT": "kmod-ipt-nat", "IP_NF_RAW": "kmod-ipt-raw",
	"NETFILTER_XT_MATCH_ADDRTYPE": "kmod-ipt-extra", "NETFILTER_XT_MATCH_CONNTRACK": "kmod-ipt-conntrack",
	"NETFILTER_XT_MARK": "kmod-ipt-core", "NETFILTER_XT_MATCH_COMMENT": "kmod-ipt-core", "NETFILTER_XT_TARGET_REDIRECT": "kmod-ipt-nat", "CRYPTO_GCM": "kmod-crypto-gcm", "NETFILTER_XT_MATCH_STATISTIC": "kmod-ipt-ipopt", "IP_VS": "kmod-nf-ipvs", "IP_VS_RR": "kmod-nf-ipvs", "NETFILTER_XT_MATCH_IPVS": "kmod-nf-ipvs",
	"INET_ESP": "kmod-ipsec4", "XFRM_USER": "kmod-ipsec", "NFT_COMPAT": "kmod-nft-compat", "NFT_FIB": "kmod-nft-fib", "NFT_NAT": "kmod-nft-nat",
}

func openwrt(options []string) string {
	var list []string
	for _, name := range options {
		p, ok := openwrtPackages[name]
		if !ok {
			return ""
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return "opkg update && opkg install " + strings.Join(list, " ")
}

// rebuild names the options of a kernel that has it.
func (m *machine) rebuild(options []string) string {
	list := make([]string, 0, len(options))
	for _, name := range options {
		value := "y"
		if m.modular && len(modules[name]) > 0 {
			value = "m"
		}
		list = append(list, fmt.Sprintf("CONFIG_%s=%s", name, value))
	}
	text := strings.Join(list, " ")
	if m.virtual == "WSL" {
		return "a kernel with " + text + ": wsl --update, or one of your own named in .wslconfig"
	}
	return "a kernel with " + text
}
