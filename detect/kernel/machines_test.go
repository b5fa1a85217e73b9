package kernel_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/archbuild/archbuild/detect"
)

// machines are the kernels of testdata and all that is to be said against them: a
// line has the status, the check, and what the fix is to hold. A star stands for
// every check of a group that no line names. What has no line is ok, which makes
// the table hold in both directions.
var machines = map[string]string{
	"debian-12": ``,
	"ubuntu-24.04": `
		degraded  user namespaces          | sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`,
	"ubuntu-raspi": `
		degraded  user namespaces          | sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
		degraded  memory controller        | sed -i 's/$/ cgroup_enable=memory cgroup_memory=1/' /boot/firmware/cmdline.txt && reboot
		degraded  hugetlb controller       | CONFIG_CGROUP_HUGETLB=y
		degraded  vxlan                    | apt-get install -y linux-modules-extra-raspi && modprobe vxlan
		degraded  match ipvs               | apt-get install -y linux-modules-extra-raspi && modprobe xt_ipvs`,
	"almalinux-9": ``,
	"almalinux-10-minimal": `
		degraded  bridge netfilter         | kernel-modules-extra-6.12.0-55.9.1.el10_0.x86_64 && modprobe br_netfilter
		degraded  match addrtype           | dnf install -y kernel-modules-6.12.0-55.9.1.el10_0.x86_64 kernel-modules-extra-
		degraded  match statistic          | && modprobe xt_statistic
		degraded  match ipvs               | && modprobe xt_ipvs`,
	"fedora-41": ``,
	"amazon-linux-2023": `
		degraded  macvlan                  | dnf install -y kernel-modules-extra && modprobe macvlan
		degraded  match ipvs               | dnf install -y kernel-modules-extra && modprobe xt_ipvs
		degraded  ipvs                     | dnf install -y kernel-modules-extra && modprobe ip_vs ip_vs_rr`,
	"opensuse-leap-15.6": `
		degraded  vxlan                    | zypper install -y kernel-default && reboot
		degraded  macvlan                  | zypper install -y kernel-default && reboot
		degraded  ipvlan                   | zypper install -y kernel-default && reboot`,
	"alpine-3.20": `
		missing   control groups           | rc-service cgroups start && rc-update add cgroups
		degraded  hugetlb controller       | apk add linux-lts && reboot
		degraded  block device throttling  | apk add linux-lts && reboot`,
	"raspberry-pi-os": `
		degraded  memory controller        | sed -i 's/$/ cgroup_enable=memory cgroup_memory=1/' /boot/firmware/cmdline.txt && reboot
		degraded  hugetlb controller       | CONFIG_CGROUP_HUGETLB=y
		degraded  block device throttling  | CONFIG_BLK_DEV_THROTTLING=y`,
	"imx-yocto": `
		missing   control groups           | CONFIG_CGROUPS=y
		missing   devices controller       | CONFIG_CGROUP_DEVICE=y
		degraded  memory controller        | CONFIG_MEMCG=y
		degraded  * cgroups                | CONFIG_
		degraded  user namespaces          | CONFIG_USER_NS=y
		degraded  cgroup namespaces        | CONFIG_CGROUPS=y
		degraded  time namespaces          | CONFIG_TIME_NS=y
		degraded  overlayfs                | CONFIG_OVERLAY_FS=m
		missing   message queues           | CONFIG_POSIX_MQUEUE=y
		ok        bridge
		ok        tun
		degraded  vxlan                    | CONFIG_VXLAN=m
		degraded  veth                     | CONFIG_VETH=m
		degraded  * network devices        | CONFIG_
		degraded  nat                      | CONFIG_NF_NAT=m CONFIG_IP_NF_NAT=m
		degraded  * packet filter          | CONFIG_
		degraded  seccomp                  | CONFIG_SECCOMP_FILTER=y
		missing   binfmt_misc              | CONFIG_BINFMT_MISC=m`,
	"nas-4.4": `
		degraded  pids controller          | CONFIG_CGROUP_PIDS=y
		degraded  hugetlb controller       | CONFIG_CGROUP_HUGETLB=y
		degraded  perf controller          | CONFIG_CGROUP_PERF=y
		degraded  cpu quotas               | CONFIG_CFS_BANDWIDTH=y
		degraded  block device throttling  | CONFIG_BLK_DEV_THROTTLING=y
		degraded  user namespaces          | CONFIG_USER_NS=y
		degraded  cgroup namespaces        | Linux 4.6 or later
		degraded  time namespaces          | Linux 5.6 or later
		degraded  overlayfs                | CONFIG_OVERLAY_FS=m
		degraded  vlan filtering of bridges| CONFIG_BRIDGE_VLAN_FILTERING=y
		degraded  macvlan                  | CONFIG_MACVLAN=m
		degraded  ipvlan                   | CONFIG_IPVLAN=m
		degraded  dummy                    | CONFIG_DUMMY=m
		degraded  IPv6 nat                 | CONFIG_IP6_NF_NAT=m
		degraded  raw table                | CONFIG_IP_NF_RAW=m
		degraded  match statistic          | CONFIG_NETFILTER_XT_MATCH_STATISTIC=m
		degraded  match ipvs               | CONFIG_NETFILTER_XT_MATCH_IPVS=m
		degraded  ipvs                     | CONFIG_IP_VS=m
		degraded  nftables                 | CONFIG_NF_TABLES=m
		degraded  seccomp                  | CONFIG_SECCOMP_FILTER=y
		missing   binfmt_misc              | CONFIG_BINFMT_MISC=m`,
	"openwrt": `
		unknown   devices controller
		degraded  hugetlb controller       | CONFIG_CGROUP_HUGETLB=y
		degraded  perf controller          | CONFIG_CGROUP_PERF=y
		unknown   cpu quotas
		unknown   block device throttling
		degraded  bridge netfilter         | opkg update && opkg install kmod-br-netfilter
		degraded  vxlan                    | opkg update && opkg install kmod-vxlan
		degraded  macvlan                  | opkg update && opkg install kmod-macvlan
		degraded  ipvlan                   | opkg update && opkg install kmod-ipvlan
		degraded  dummy                    | opkg update && opkg install kmod-dummy
		unknown   vlan filtering of bridges
		degraded  encryption between hosts | opkg update && opkg install kmod-ipsec kmod-ipsec4 kmod-crypto-gcm
		degraded  match addrtype           | opkg update && opkg install kmod-ipt-extra
		degraded  match conntrack          | opkg update && opkg install kmod-ipt-conntrack
		degraded  match mark               | opkg update && opkg install kmod-ipt-core
		degraded  match comment            | opkg update && opkg install kmod-ipt-core
		degraded  match statistic          | opkg update && opkg install kmod-ipt-ipopt
		degraded  match ipvs               | opkg update && opkg install kmod-nf-ipvs
		degraded  redirecting              | opkg update && opkg install kmod-ipt-nat
		degraded  ipvs                     | opkg update && opkg install kmod-nf-ipvs
		unknown   keys
		missing   binfmt_misc              | CONFIG_BINFMT_MISC=m`,
	"board-without-nat": `
		degraded  hugetlb controller       | CONFIG_CGROUP_HUGETLB=y
		degraded  vxlan                    | CONFIG_VXLAN=m
		degraded  ipvlan                   | CONFIG_IPVLAN=m
		degraded  encryption between hosts | CONFIG_INET_ESP=m
		degraded  nat                      | CONFIG_IP_NF_NAT=m
		degraded  masquerading             | CONFIG_NETFILTER_XT_TARGET_MASQUERADE=m
		degraded  IPv6 nat                 | CONFIG_IP6_NF_NAT=m
		degraded  raw table                | CONFIG_IP_NF_RAW=m
		degraded  match ipvs               | CONFIG_NETFILTER_XT_MATCH_IPVS=m
		degraded  nftables                 | CONFIG_NF_TABLES=m CONFIG_NFT_CT=m`,
	"wsl2": `
		degraded  macvlan                  | CONFIG_MACVLAN=m: wsl --update
		degraded  ipvlan                   | CONFIG_IPVLAN=m: wsl --update
		degraded  raw table                | CONFIG_IP_NF_RAW=m: wsl --update
		degraded  match ipvs               | .wslconfig`,
	"firecracker": `
		unknown   devices controller
		degraded  hugetlb controller       | CONFIG_CGROUP_HUGETLB=y
		degraded  perf controller          | CONFIG_CGROUP_PERF=y
		unknown   cpu quotas
		unknown   block device throttling
		degraded  overlayfs                | CONFIG_OVERLAY_FS=y
		missing   message queues           | CONFIG_POSIX_MQUEUE=y
		unknown   * network devices
		ok        connection tracking
		unknown   * packet filter
		unknown   keys
		missing   binfmt_misc              | CONFIG_BINFMT_MISC=y`,
	"gvisor": `
		degraded  io controller            | on Linux itself
		degraded  freezer                  | on Linux itself
		degraded  hugetlb controller       | on Linux itself
		degraded  perf controller          | on Linux itself
		unknown   cpu quotas
		unknown   block device throttling
		degraded  cgroup namespaces        | on Linux itself
		degraded  time namespaces          | on Linux itself
		unknown   * network devices
		unknown   * packet filter
		unknown   * security
		missing   binfmt_misc              | on Linux itself`,
	"container": `
		unknown   devices controller
		degraded  io controller            | --privileged
		degraded  hugetlb controller       | --privileged
		unknown   cpu quotas
		unknown   block device throttling
		ok        veth
		ok        bridge
		unknown   * network devices
		unknown   * packet filter
		unknown   binfmt_misc`,
	"debian-hardened": `
		degraded  memory controller        | take memory out of cgroup_disable=pressure,memory on the kernel command line (GRUB_CMDLINE_LINUX in /etc/default/grub
		degraded  user namespaces          | sysctl -w user.max_user_namespaces=15000
		ok        veth
		ok        vlan filtering of bridges
		degraded  macvlan                  | take macvlan out of module_blacklist=
		degraded  ipvlan                   | take ipvlan out of module_blacklist=
		degraded  vxlan                    | restart the machine and load vxlan before modules are locked
		degraded  * network devices        | restart the machine and load
		degraded  * packet filter          | restart the machine and load
		missing   binfmt_misc              | restart the machine and load binfmt_misc`,
}

// expectation is a line of the table.
type expectation struct {
	status detect.Status
	name   string
	fix    string
}

func expectations(t *testing.T, table string) (named, groups map[string]expectation) {
	t.Helper()
	named, groups = map[string]expectation{}, map[string]expectation{}
	for line := range strings.Lines(table) {
		what, fix, _ := strings.Cut(strings.TrimSpace(line), "|")
		status, name, _ := strings.Cut(strings.TrimSpace(what), " ")
		if status == "" {
			continue
		}
		e := expectation{detect.Status(status), strings.TrimSpace(name), strings.TrimSpace(fix)}
		if group, ok := strings.CutPrefix(e.name, "* "); ok {
			groups[group] = e
		} else {
			named[e.name] = e
		}
	}
	return named, groups
}

func TestMachines(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) != len(machines) {
		t.Fatalf("%d machines, %d expectations (%v)", len(files), len(machines), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			table, known := machines[name]
			if !known {
				t.Fatal("nothing is expected of it")
			}
			compare(t, checks(t, unpack(t, file)), table)
		})
	}
}

func compare(t *testing.T, list []detect.Check, table string) {
	t.Helper()
	named, groups := expectations(t, table)
	for _, c := range list {
		want, ok := named[c.Name]
		if !ok {
			want, ok = groups[c.Group]
		}
		if !ok {
			want.status = detect.OK
		}
		if c.Status != want.status || !strings.Contains(c.Fix, want.fix) {
			t.Errorf("%s is %s, fix %q (%s, from %s)\nwant %s, fix with %q", c.Name, c.Status, c.Fix, c.Detail, c.Source, want.status, want.fix)
		}
		if fault := wellFormed(c); fault != "" {
			t.Errorf("%s: %s: %+v", c.Name, fault, c)
		}
		delete(named, c.Name)
	}
	for name := range named {
		t.Errorf("nothing is said of %s", name)
	}
}

// wellFormed is what every check promises.
func wellFormed(c detect.Check) string {
	bad := c.Status == detect.Degraded || c.Status == detect.Lacking
	switch {
	case c.Detail == "":
		return "it does not say what was found"
	case c.Source == "" && c.Status != detect.Unknown:
		return "it does not say from where that is known"
	case bad && (c.Affects == "" || c.Fix == ""):
		return "it says neither whom it affects nor what to do"
	case !bad && c.Fix != "":
		return "there is nothing to be mended"
	case c.Status == detect.Lacking && !strings.Contains(c.Affects, "RUN step") && !strings.Contains(c.Affects, "build"):
		return "it breaks builds and does not say which"
	case c.Status == detect.Degraded && !strings.HasPrefix(c.Affects, "no build;") && !strings.HasPrefix(c.Affects, "builds: "):
		return "it does not say whether builds are affected"
	}
	return ""
}

// unpack makes the tree of a machine. The file "namespaces" lists those in
// /proc/self/ns, and what ends in .gz is packed.
func unpack(t *testing.T, file string) detect.Options {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	put := func(name string, data []byte) {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range archive.Files {
		switch {
		case f.Name == "namespaces":
			for _, kind := range strings.Fields(string(f.Data)) {
				put("proc/self/ns/"+kind, nil)
			}
		case strings.HasSuffix(f.Name, ".gz"):
			put(f.Name, packed(t, f.Data))
		default:
			put(f.Name, f.Data)
		}
	}
	return detect.Options{Root: root}
}

func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRootless: an engine of a plain user needs a namespace, and no control of devices.
func TestRootless(t *testing.T) {
	o := unpack(t, "testdata/ubuntu-24.04.txtar")
	o.Rootless = true
	compare(t, checks(t, o), `missing user namespaces | sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`)
	o = unpack(t, "testdata/imx-yocto.txtar")
	o.Rootless = true
	compare(t, checks(t, o), strings.Replace(strings.Replace(machines["imx-yocto"],
		"missing   devices", "degraded  devices", 1), "degraded  user", "missing   user", 1))
}

// TestBrokenConfigurations: half a configuration is none.
func TestBrokenConfigurations(t *testing.T) {
	for name, data := range map[string][]byte{
		"cut off": packed(t, []byte(strings.Repeat("CONFIG_KEYS=y\nCONFIG_SMP=y\n", 2000)))[:60], "empty": nil, "no options": []byte("# Linux\n"),
		"another file": []byte("hello=world\n"), "packed otherwise": []byte("\x1f\x8bnonsense"),
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "proc/config.gz"), data, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, c := range checks(t, detect.Options{Root: root}) {
				if c.Status != detect.Unknown {
					t.Errorf("%s is %s", c.Name, fmt.Sprintf("%s (%s)", c.Status, c.Detail))
				}
			}
		})
	}
}
