package detect_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/detect"
)

const journalctl = "#!/bin/sh\ncase \"$*\" in *--grep=qemu*) ;; *) exit 2;; esac\n"

func TestCrashesAreFoundInLogs(t *testing.T) {
	const quiet = "Nov 21 10:00:01 box kernel: veth0: renamed from eth0\nNov 21 10:00:02 box kernel: node[77]: segfault at 0 ip 1 sp 2 error 4 in node[400000+1000]\n" +
		"Nov 21 10:00:03 box libvirtd[1]: qemu-system-x86_64: terminating on signal 15\nNov 21 10:00:04 box kernel: qemu-system-x86[9]: segfault at 0 ip 0 in qemu-system-x86_64[1000]\n" +
		"Nov 21 10:00:05 box binfmt[1]: registered qemu-aarch64\n"
	const own = "Nov 21 10:00:06 box kernel: qemu-aarch64-st[1234]: segfault at 18 ip 0000 sp 0001 error 4 in qemu-aarch64-static[55d0c0000000+3f0000]\n"
	const inside = "Nov 21 10:00:07 box kernel: traps: ldconfig[12] general protection fault ip:1 sp:2 error:0 in qemu-riscv64-static[400000+1000]\n"
	const cut = "Nov 21 10:00:08 box kernel: qemu-loongarch6[5]: segfault at 0 ip 0 sp 0 error 4\n"
	for name, tc := range map[string]struct {
		machine        tree
		status         detect.Status
		detail, source string
	}{
		"no log at all": {nil, detect.Unknown, "neither a journal nor a log", ""},
		"a quiet log":   {tree{"var/log/kern.log": quiet}, detect.OK, "none is told of", "/var/log/kern.log"},
		"an emulator's own crash": {tree{"var/log/kern.log": quiet + own}, detect.Degraded,
			"qemu-aarch64 crashed once: Nov 21 10:00:06 box kernel: qemu-aarch64-st[1234]: segfault", "/var/log/kern.log"},
		"crashes of several, one by its short name": {tree{"var/log/messages": own + quiet + inside + cut}, detect.Degraded,
			"qemu-aarch64, qemu-loongarch64, qemu-riscv64 crashed 3 times, the last: Nov 21 10:00:08", "/var/log/messages"},
		"the words of the emulator itself": {tree{"var/log/syslog": "dockerd[1]: qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n"}, detect.Degraded, "emulators crashed once", "/var/log/syslog"},
		"a core in the journal": {tree{
			"var/log/journal/0123/system.journal": "x",
			"usr/bin/journalctl":                  journalctl + "echo '2026-11-21T10:00:00+0000 box systemd-coredump[9]: Process 8 (qemu-x86_64) of user 0 dumped core.'\n",
			"var/log/kern.log":                    quiet,
		}, detect.Degraded, "qemu-x86_64 crashed once: 2026-11-21", "the journal"},
		"a quiet journal beside a log with a crash": {tree{
			"run/log/journal/0123/system.journal": "x", "usr/bin/journalctl": journalctl, "var/log/kern.log": own,
		}, detect.Degraded, "qemu-aarch64 crashed once", "/var/log/kern.log"},
		"a journal without hits ends with status 1": {tree{
			"run/log/journal/0123/system.journal": "x", "usr/bin/journalctl": journalctl + "exit 1\n", "var/log/kern.log": quiet,
		}, detect.OK, "none is told of", "/var/log/kern.log"},
		"a terminal is not told what to do": {tree{"var/log/kern.log": "\x1b[2Jqemu-arm[1]: segfault " + strings.Repeat("x", 500)}, detect.Degraded, "qemu-arm crashed once: [2Jqemu-arm[1]: segfault xxx", "/var/log/kern.log"},
	} {
		t.Run(name, func(t *testing.T) {
			o := merged(kernel("x86_64"), dpkg("amd64"), tc.machine).write(t)
			c := detect.CrashCheck(context.Background(), o)
			if c.Status != tc.status || !strings.Contains(c.Detail, tc.detail) || c.Source != tc.source || len(c.Detail) > 400 {
				t.Errorf("%+v", c)
			}
			if (c.Status == detect.Degraded) != (c.Fix != "" && c.Affects != "") {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestLogsThatMayNotBeRead: what a plain user is not shown is unknown. Root reads all.
func TestLogsThatMayNotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		return
	}
	o := merged(kernel("x86_64"), tree{"var/log/kern.log": "quiet"}).write(t)
	if err := os.Chmod(o.Path("/var/log/kern.log"), 0); err != nil {
		t.Fatal(err)
	}
	if c := detect.CrashCheck(context.Background(), o); c.Status != detect.Unknown || !strings.Contains(c.Detail, "may not read") {
		t.Errorf("%+v", c)
	}
}

func TestThisMachinesLogs(t *testing.T) {
	if c := detect.CrashCheck(context.Background(), detect.Options{}); c.Detail == "" || c.Name == "" {
		t.Errorf("%+v", c)
	}
}

func TestEmulatorsKnownForCrashes(t *testing.T) {
	for name, tc := range map[string]struct {
		host, release, guest, version string
		// want are parts of the detail; none means that nothing is known.
		want []string
	}{
		"Ubuntu 20.04's":                       {"linux/amd64", "5.4.0-200-generic", "linux/arm64", "4.2.1", []string{"ldconfig of Debian 11"}},
		"Debian 11's":                          {"linux/amd64", "5.10.0-30-amd64", "linux/arm64", "5.2.0", []string{"finds no room"}},
		"Debian 11's for another architecture": {"linux/amd64", "5.10.0-30-amd64", "linux/s390x", "5.2.0", []string{"finds no room"}},
		"Ubuntu 22.04's under its newer kernel": {"linux/amd64", "6.8.0-52-generic", "linux/arm64", "6.2.0",
			[]string{"address randomisation", "tonistiigi/binfmt#215"}},
		"Ubuntu 22.04's under its own kernel":       {"linux/amd64", "5.15.0-130-generic", "linux/arm64", "6.2.0", nil},
		"Debian 12's at its release":                {"linux/amd64", "6.1.0-9-amd64", "linux/arm64", "7.2.0", []string{"Go 1.23.0"}},
		"Debian 12's with later kernel and fixes":   {"linux/amd64", "6.12.9", "linux/arm64", "7.2.22", []string{"Go 1.23.0"}},
		"Docker Desktop's":                          {"linux/amd64", "6.6.12-linuxkit", "linux/arm64", "8.1.5", []string{"Ubuntu 22.04 and Debian 11"}},
		"the one of February 2025":                  {"linux/amd64", "6.8.0-1021-azure", "linux/arm64", "9.2.0", []string{"address randomisation", "Ubuntu 22.04 and Debian 11"}},
		"the one after it":                          {"linux/amd64", "6.8.0-1021-azure", "linux/arm64", "9.2.2", nil},
		"10.0":                                      {"linux/amd64", "6.12.0", "linux/arm64", "10.0.3", nil},
		"10.1.3":                                    {"linux/amd64", "6.12.0", "linux/arm64", "10.1.3", []string{"binfmt#298"}},
		"Go for amd64 on Arm":                       {"linux/arm64", "6.8.0-52-generic", "linux/amd64", "9.0.2", []string{"programs of Go crash"}},
		"Go for riscv64 on Arm":                     {"linux/arm64", "6.8.0-52-generic", "linux/riscv64", "9.2.2", nil},
		"a version that nobody sees":                {"linux/amd64", "6.8.0", "linux/arm64", "", nil},
		"a version that is none of qemu's releases": {"linux/amd64", "6.8.0", "linux/arm64", "git", nil},
	} {
		t.Run(name, func(t *testing.T) {
			guest := platforms(tc.guest)
			f := detect.Facts{
				Host:      detect.HostFacts{Kernel: platforms(tc.host)[0], Release: tc.release},
				Binfmt:    detect.Binfmt{Enabled: true, Entries: []detect.Emulator{{Name: "qemu-x", Platforms: guest, Version: tc.version, Flags: "F", Enabled: true, Containers: true}}},
				Platforms: []detect.Ability{{Platform: guest[0], How: detect.Emulated, Emulator: "qemu-x"}},
			}
			list := detect.EmulatorTroubles(f)
			if len(tc.want) == 0 && len(list) == 0 {
				return
			}
			if len(list) != 1 || (len(tc.want) == 0) != (len(list) == 0) {
				t.Fatalf("%+v", list)
			}
			c := list[0]
			rare := len(tc.want) == 1 && strings.HasPrefix(tc.want[0], "Go 1.23")
			if (c.Status == detect.OK) != rare || (c.Fix == "") != rare || strings.Contains(c.Affects, tc.guest) == rare {
				t.Errorf("%+v", c)
			}
			for _, part := range tc.want {
				if !strings.Contains(c.Detail, part) {
					t.Errorf("%q says nothing of %s", c.Detail, part)
				}
			}
			f.Platforms[0].How = detect.Native
			if len(detect.EmulatorTroubles(f)) != 0 {
				t.Error("an emulator that serves nothing is judged")
			}
		})
	}
}
