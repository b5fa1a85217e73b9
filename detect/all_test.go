package detect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
)

const goodRunc = "#!/bin/sh\necho runc version 1.4.3\n"

// complete is an amd64 machine that misses nothing for arm64.
func complete() tree {
	return merged(kernel("x86_64"), dpkg("amd64"), entry("linux/arm64", "F", qemuArm64), tree{
		"usr/sbin/runc": goodRunc, "usr/bin/newuidmap": "#! setuid", "usr/bin/newgidmap": "#! setuid",
		"etc/subuid": "me:100000:65536\n", "etc/subgid": "me:100000:65536\n",
		qemuArm64: program("linux/amd64"),
	})
}

func without(t tree, paths ...string) tree {
	t = merged(t)
	for _, p := range paths {
		delete(t, p)
	}
	return t
}

func TestWhatIsMissingComesWithItsCommand(t *testing.T) {
	const arm64Entry = "proc/sys/fs/binfmt_misc/qemu-aarch64"
	register := func(spelling string) string {
		r, _ := detect.RegistrationFor(platform.MustParse(spelling))
		return r.Command()
	}
	const install = "apt-get install -y qemu-user-static"
	for name, tc := range map[string]struct {
		machine   tree
		platforms string
		commands  []string // or hints in parentheses
	}{
		"nothing":             {complete(), "linux/amd64,linux/arm64", nil},
		"nothing but Windows": {complete(), "windows/amd64", nil},
		"runc":                {without(complete(), "usr/sbin/runc"), "linux/amd64", []string{"apt-get install -y runc"}},
		"a runc that is crun": {merged(complete(), tree{"usr/sbin/runc": "#!/bin/sh\necho crun version 1\n"}), "linux/amd64", []string{"apt-get install -y runc"}},
		"overlayfs":           {merged(complete(), tree{"proc/filesystems": "nodev\tbinfmt_misc\n"}), "linux/amd64", []string{"(use a kernel with CONFIG_OVERLAY_FS)"}},
		"not overlayfs as a module": {merged(complete(), tree{
			"proc/filesystems": "nodev\tbinfmt_misc\n", "lib/modules/6.12.1/modules.dep": "kernel/fs/overlayfs/overlay.ko.xz:\n",
		}), "linux/amd64", nil},
		"cgroups":   {merged(complete(), tree{"proc/self/mountinfo": ""}), "linux/amd64", []string{"mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"}},
		"the entry": {without(complete(), arm64Entry), "linux/arm64", []string{register("linux/arm64")}},
		"the mount and the entry": {without(complete(), arm64Entry, "proc/sys/fs/binfmt_misc/status"), "linux/arm64",
			[]string{detect.MountBinfmt, register("linux/arm64")}},
		"the emulator, where nothing else registers it": {without(complete(), arm64Entry, qemuArm64), "linux/arm64",
			[]string{install, register("linux/arm64")}},
		"the emulator, where systemd registers it": {without(merged(complete(), tree{"run/systemd/system/x": ""}), arm64Entry, qemuArm64), "linux/arm64",
			[]string{install}},
		"one entry for all of ARM": {merged(complete(), tree{"usr/bin/qemu-arm-static": program("linux/amd64")}), "linux/arm/v6,linux/arm/v7,linux/arm64",
			[]string{register("linux/arm/v7")}},
		"the emulator under its newer name": {without(merged(complete(), tree{"usr/bin/qemu-aarch64": program("linux/amd64")}), arm64Entry, qemuArm64), "linux/arm64",
			[]string{strings.Replace(register("linux/arm64"), "-static", "", 1)}},
		"not a dynamic one": {without(merged(complete(), tree{"usr/bin/qemu-aarch64": dynamic("linux/amd64")}), arm64Entry, qemuArm64), "linux/arm64",
			[]string{install, register("linux/arm64")}},
		"the flag F": {merged(complete(), entry("linux/arm64", "", qemuArm64)), "linux/arm64",
			[]string{"echo -1 > /proc/sys/fs/binfmt_misc/qemu-aarch64 && " + register("linux/arm64")}},
		"the switch of the entry": {merged(complete(), tree{arm64Entry: strings.Replace(complete()[arm64Entry], "enabled", "disabled", 1)}), "linux/arm64",
			[]string{"echo 1 > /proc/sys/fs/binfmt_misc/qemu-aarch64"}},
		"the switch of all": {merged(complete(), tree{"proc/sys/fs/binfmt_misc/status": "disabled\n"}), "linux/arm64",
			[]string{"echo 1 > /proc/sys/fs/binfmt_misc/status"}},
		"binfmt_misc in the kernel": {without(merged(complete(), tree{"proc/filesystems": "nodev\toverlay\n"}), arm64Entry, "proc/sys/fs/binfmt_misc/status"), "linux/arm64",
			[]string{"(use a kernel with CONFIG_BINFMT_MISC, or a native node for these platforms (--node))"}},
		"never an emulator for what the CPU could run": {complete(), "linux/amd64/v4", nil},
	} {
		t.Run(name, func(t *testing.T) {
			wantMissing(t, tc.machine.write(t), tc.platforms, tc.commands)
		})
	}
}

func wantMissing(t *testing.T, o detect.Options, platforms string, commands []string) {
	t.Helper()
	var err error
	if o.Platforms, err = platform.ParseList(platforms); err != nil {
		t.Fatal(err)
	}
	facts, err := detect.All(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range facts.Missing {
		if m.What == "" || m.Affects == "" || (m.Command == "") == (m.Hint == "") {
			t.Errorf("incomplete: %+v", m)
		}
		got = append(got, m.Command)
		if m.Hint != "" {
			got[len(got)-1] = "(" + m.Hint + ")"
		}
	}
	if diff := cmp.Diff(commands, got); diff != "" {
		t.Errorf("%s\n%+v", diff, facts.Missing)
	}
}

func TestKernelFeatures(t *testing.T) {
	v1 := "30 20 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	v2 := "31 20 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	for want, mountinfo := range map[string]string{"v1": v1, "v2": v2, "hybrid": v1 + v2, "none": ""} {
		machine := merged(kernel("x86_64"), tree{"proc/self/mountinfo": mountinfo, "proc/self/uid_map": "0 1000 1\n"})
		got := detect.Kernel(machine.write(t))
		if diff := cmp.Diff(detect.KernelFacts{Overlayfs: true, Cgroups: want, UserNamespaces: true, InUserNamespace: true}, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFactsAreOneDocumentAndAlwaysTheSame(t *testing.T) {
	o := complete().write(t)
	var documents [][]byte
	for range 3 {
		facts, err := detect.All(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		document, err := json.Marshal(facts)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
		var back detect.Facts
		if err := json.Unmarshal(document, &back); err != nil {
			t.Fatal(err)
		}
		for i := range facts.Missing { // what only this program asks is not in the document
			facts.Missing[i].For, facts.Missing[i].Entry = nil, false
		}
		if diff := cmp.Diff(facts, back); diff != "" {
			t.Errorf("the document lost something: %s", diff)
		}
	}
	if !bytes.Equal(documents[0], documents[1]) || !bytes.Equal(documents[1], documents[2]) {
		t.Error("the same machine gave other documents")
	}
}

func TestACancelledLookIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := detect.All(ctx, complete().write(t)); err == nil {
		t.Error("no error")
	}
}
