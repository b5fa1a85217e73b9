package kernel

import (
	"fmt"
	"path"
	"slices"
)

// modules are the modules that an option makes when it is m; several where the
// name has changed. Options that are not here can only be y: no list of modules
// tells of them. Source: the Makefiles of Linux 3.10 to 6.18.
var modules = map[string][]string{
	"OVERLAY_FS": {"overlay", "overlayfs"}, "BINFMT_MISC": {"binfmt_misc"},
	"VETH": {"veth"}, "BRIDGE": {"bridge"}, "BRIDGE_NETFILTER": {"br_netfilter"}, "VXLAN": {"vxlan"},
	"MACVLAN": {"macvlan"}, "IPVLAN": {"ipvlan"}, "DUMMY": {"dummy"}, "TUN": {"tun"},
	"NF_CONNTRACK": {"nf_conntrack"}, "NF_NAT": {"nf_nat"}, "NF_NAT_IPV4": {"nf_nat_ipv4"},
	"IP_NF_FILTER": {"iptable_filter"}, "IP_NF_NAT": {"iptable_nat"}, "IP_NF_MANGLE": {"iptable_mangle"}, "IP_NF_RAW": {"iptable_raw"},
	"IP6_NF_FILTER": {"ip6table_filter"}, "IP6_NF_NAT": {"ip6table_nat"},
	"IP_NF_TARGET_MASQUERADE": {"ipt_MASQUERADE", "xt_MASQUERADE"}, "NETFILTER_XT_TARGET_MASQUERADE": {"xt_MASQUERADE"},
	"IP_NF_TARGET_REDIRECT": {"ipt_REDIRECT", "xt_REDIRECT"}, "NETFILTER_XT_TARGET_REDIRECT": {"xt_REDIRECT"},
	"NETFILTER_XT_MATCH_ADDRTYPE": {"xt_addrtype"}, "NETFILTER_XT_MATCH_CONNTRACK": {"xt_conntrack"},
	"NETFILTER_XT_MARK": {"xt_mark"}, "NETFILTER_XT_MATCH_MARK": {"xt_mark"}, "NETFILTER_XT_MATCH_COMMENT": {"xt_comment"},
	"NETFILTER_XT_MATCH_STATISTIC": {"xt_statistic"}, "NETFILTER_XT_MATCH_IPVS": {"xt_ipvs"},
	"IP_VS": {"ip_vs"}, "IP_VS_RR": {"ip_vs_rr"},
	"NF_TABLES": {"nf_tables"}, "NFT_COMPAT": {"nft_compat"}, "NFT_NAT": {"nft_nat", "nft_chain_nat"}, "NFT_MASQ": {"nft_masq"},
	"NFT_CT": {"nft_ct"}, "NFT_FIB": {"nft_fib"},
	"INET_ESP": {"esp4"}, "XFRM_USER": {"xfrm_user"}, "CRYPTO_GCM": {"gcm"},
}

// answer is what is known of one option, or of one need.
type answer struct {
	known, yes bool
	// detail and source as detect.Check has them.
	detail, source string
	// uninstalled says that the kernel was built with it as a module that is not there.
	uninstalled bool
}

// option asks for one option, spelled without CONFIG_.
func (m *machine) option(name string) answer {
	if m.config == nil {
		return m.listed(name)
	}
	a := answer{known: true, source: m.configAt}
	value := m.config[name]
	a.detail = fmt.Sprintf("CONFIG_%s=%s", name, value)
	switch {
	case value == "y":
		a.yes = true
	case value == "m":
		return m.asModule(name, a)
	case value == "" && m.isLoaded(name): // from outside the kernel's own tree
		a.yes, a.detail, a.source = true, "the module is loaded", "/proc/modules"
	default:
		a.detail = fmt.Sprintf("CONFIG_%s is not set", name)
	}
	return a
}

// asModule is the answer for an option that was built as a module.
func (m *machine) asModule(name string, a answer) answer {
	switch {
	case len(modules[name]) == 0: // nobody knows its module's name
		a.yes = true
	case m.isLoaded(name):
		a.yes, a.detail = true, a.detail+", loaded"
	case m.isBarred(name):
		a.detail += ", and the kernel command line forbids the module (module_blacklist)"
	case m.sealed:
		a.detail += ", not loaded, and no module is loaded any more (kernel.modules_disabled is 1)"
	case m.listsAt == "":
		a.known, a.detail = false, a.detail+", and the modules that are installed are not seen here"
	case m.hasFile(name):
		a.yes, a.detail = true, a.detail+", loaded when it is needed"
	default:
		a.uninstalled = true
		a.detail += ", but the module is not in " + m.listsAt
	}
	return a
}

// listed is the answer where there is no configuration: lists of modules tell of
// what can be one.
func (m *machine) listed(name string) answer {
	list := modules[name]
	switch {
	case len(list) == 0:
		return answer{detail: "no configuration of the kernel can be read here"}
	case m.isLoaded(name):
		return answer{known: true, yes: true, detail: "the module is loaded", source: "/proc/modules"}
	case m.listsAt == "":
		return answer{detail: "neither a configuration of the kernel nor a list of its modules can be read here"}
	case slices.ContainsFunc(list, func(s string) bool { return m.builtin[s] }):
		return answer{known: true, yes: true, detail: "built in", source: path.Join(m.listsAt, "modules.builtin")}
	case m.hasFile(name):
		return m.asModule(name, answer{known: true, detail: "a module", source: path.Join(m.listsAt, "modules.dep")})
	case len(m.builtin) == 0:
		return answer{detail: "no such module, and what is built in is not told here"}
	}
	return answer{known: true, detail: "no such module", source: path.Join(m.listsAt, "modules.dep")}
}

func (m *machine) isLoaded(name string) bool {
	return slices.ContainsFunc(modules[name], func(s string) bool { return m.loaded[s] || m.exists("/sys/module/"+s) })
}

func (m *machine) hasFile(name string) bool {
	return slices.ContainsFunc(modules[name], func(s string) bool { return m.loadable[s] })
}

func (m *machine) isBarred(name string) bool {
	return slices.ContainsFunc(modules[name], func(s string) bool { return slices.Contains(m.barred, s) })
}
