package detect_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
)

func TestWhatAPlainUserLacksComesWithItsCommand(t *testing.T) {
	setting := func(name, value string) tree { return tree{"proc/sys/" + name: value + "\n"} }
	for name, tc := range map[string]struct {
		machine  tree
		commands []string // or hints in parentheses
	}{
		"nothing":        {complete(), nil},
		"runc":           {without(complete(), "usr/sbin/runc"), []string{"apt-get install -y runc"}},
		"one of the two": {without(complete(), "usr/bin/newgidmap"), []string{"apt-get install -y uidmap"}},
		"two that lost their rights": {merged(complete(), tree{"usr/bin/newgidmap": "#!/bin/sh\n"}),
			[]string{"chmod u+s ROOT/usr/bin/newuidmap ROOT/usr/bin/newgidmap"}},
		"overlayfs for plain users": {merged(complete(), tree{"proc/sys/kernel/osrelease": "5.10.0-30-amd64\n"}),
			[]string{"(use Linux 5.11 or later; kernels of Debian and Ubuntu may have it before)"}},
		"a switch of Ubuntu": {merged(complete(), setting("kernel/apparmor_restrict_unprivileged_userns", "1")),
			[]string{"sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}},
		"a switch of Debian": {merged(complete(), setting("kernel/unprivileged_userns_clone", "0")),
			[]string{"sysctl -w kernel.unprivileged_userns_clone=1"}},
		"the number of namespaces": {merged(complete(), setting("user/max_user_namespaces", "0")),
			[]string{"sysctl -w user.max_user_namespaces=15000"}},
		"namespaces in the kernel": {without(complete(), "proc/self/ns/user"), []string{"(run archbuild as root, or give --node ADDR)"}},
		"any range": {without(complete(), "etc/subuid", "etc/subgid"),
			[]string{"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 me"}},
		"a range beside others": {merged(complete(), tree{"etc/subuid": "you:100000:65536\nthem:300000:1000\n", "etc/subgid": "you:100000:65536\n"}),
			[]string{"usermod --add-subuids 301000-366535 --add-subgids 301000-366535 me"}},
		"a range of groups": {merged(complete(), tree{"etc/subgid": "# me:1:1\nmel:1:1\nme:1\nme:x:1\n"}),
			[]string{"usermod --add-subuids 165536-231071 --add-subgids 165536-231071 me"}},
		"users enough": {merged(complete(), tree{"etc/subuid": "me:100000:1000\n"}),
			[]string{"usermod --add-subuids 165536-231071 --add-subgids 165536-231071 me"}},
		"everything": {without(complete(), "usr/bin/newuidmap", "etc/subuid", "etc/subgid"),
			[]string{"apt-get install -y uidmap", "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 me"}},
		"control groups, which runc looks for": {merged(complete(), tree{"proc/self/mountinfo": ""}),
			[]string{"mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := tc.machine.write(t)
			o.Rootless, o.User = true, "me"
			for i := range tc.commands {
				tc.commands[i] = strings.ReplaceAll(tc.commands[i], "ROOT", o.Root)
			}
			wantMissing(t, o, "linux/amd64", tc.commands)
		})
	}
}

func TestRangesAreReadInTheirOrder(t *testing.T) {
	o := merged(complete(), tree{"etc/subuid": "me:200000:10\nyou:1:1\nme:100000:20"}).write(t)
	o.User = "me"
	got := detect.Rootless(context.Background(), o)
	if diff := cmp.Diff([]detect.IDRange{{First: 200000, Count: 10}, {First: 100000, Count: 20}}, got.UIDs); diff != "" || got.IDs() != 31 {
		t.Errorf("%d users\n%s", got.IDs(), diff)
	}
}

// What a plain user's engine registers for itself, and how programs run then.
func TestPrivateEmulators(t *testing.T) {
	const qemuRISCV = "usr/bin/qemu-riscv64-static"
	arm64Entry := entry("linux/arm64", "F", qemuArm64)
	bare := merged(kernel("x86_64"), dpkg("amd64"))
	qemus := tree{qemuArm64: program("linux/amd64"), qemuRISCV: program("linux/amd64")}
	old := tree{"proc/sys/kernel/osrelease": "6.6.13-arch1\n"}
	for name, tc := range map[string]struct {
		machine tree
		private string // names of entries
		arm64   string // how, and why
		riscv64 string
	}{
		"what is installed": {merged(bare, qemus), "qemu-aarch64 qemu-riscv64",
			"emulated by " + qemuArm64 + ", registered privately", "emulated by /" + qemuRISCV + ", registered privately"},
		"what is installed, on a machine that serves a part": {merged(bare, qemus, arm64Entry), "qemu-aarch64 qemu-riscv64",
			"emulated by " + qemuArm64 + ", registered privately", "emulated by /" + qemuRISCV + ", registered privately"},
		"nothing, on a machine that serves all of it": {merged(bare, arm64Entry, tree{qemuArm64: program("linux/amd64")}), "",
			"emulated by " + qemuArm64, "no no emulator is registered"},
		"nothing that would hide what is not seen here": {merged(bare, entry("linux/arm64", "F", "/nowhere/qemu"), tree{qemuRISCV: program("linux/amd64")}), "",
			"emulated by /nowhere/qemu", "no no emulator is registered"},
		"instead of one that does not work in containers": {merged(bare, qemus, entry("linux/arm64", "", qemuArm64)), "qemu-aarch64 qemu-riscv64",
			"emulated by " + qemuArm64 + ", registered privately", "emulated by /" + qemuRISCV + ", registered privately"},
		"nothing before Linux 6.7": {merged(bare, qemus, old), "", "no no emulator is seen: binfmt_misc is not mounted here", "no no emulator is seen: binfmt_misc is not mounted here"},
		"nothing dynamic":          {merged(bare, tree{qemuArm64: dynamic("linux/amd64")}), "", "no no emulator is seen: binfmt_misc is not mounted here", "no no emulator is seen: binfmt_misc is not mounted here"},
		"nothing for the CPU's own": {merged(bare, tree{"usr/bin/qemu-x86_64-static": program("linux/amd64")}), "",
			"no no emulator is seen: binfmt_misc is not mounted here", "no no emulator is seen: binfmt_misc is not mounted here"},
	} {
		t.Run(name, func(t *testing.T) {
			o := tc.machine.write(t)
			o.Rootless, o.Quick = true, true
			var names []string
			for _, r := range detect.PrivateEmulators(context.Background(), o) {
				names = append(names, r.Name)
			}
			if got := strings.Join(names, " "); got != tc.private {
				t.Errorf("registers %q, want %q", got, tc.private)
			}
			for spelling, want := range map[string]string{"linux/arm64": tc.arm64, "linux/riscv64": tc.riscv64} {
				o.Platforms = []platform.Platform{platform.MustParse(spelling)}
				host, err := detect.Host(context.Background(), o)
				if err != nil {
					t.Fatal(err)
				}
				binfmt, err := detect.Emulators(context.Background(), o)
				if err != nil {
					t.Fatal(err)
				}
				a := detect.CanRun(host, binfmt, o.Platforms[0])
				if got := strings.TrimSpace(string(a.How) + " " + a.Reason); got != want {
					t.Errorf("%s: %q, want %q", spelling, got, want)
				}
			}
		})
	}
}

// Where the engine registers by itself, an emulator has only to be installed.
func TestAPlainUserHasOnlyToInstallEmulators(t *testing.T) {
	o := without(merged(complete(), tree{"proc/sys/fs/binfmt_misc/status": ""}), "proc/sys/fs/binfmt_misc/status", "proc/sys/fs/binfmt_misc/qemu-aarch64", qemuArm64).write(t)
	o.Rootless, o.User = true, "me"
	wantMissing(t, o, "linux/amd64,linux/arm64", []string{"apt-get install -y qemu-user-static"})
}
