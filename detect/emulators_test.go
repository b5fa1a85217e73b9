package detect_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
)

const qemuArm64 = "/usr/bin/qemu-aarch64-static"

func TestEmulatorsAreToldByWhatTheyMatch(t *testing.T) {
	counter := t.TempDir() + "/count"
	script := "#!/bin/sh\necho x >> " + counter + "\necho 'qemu-aarch64 version 7.2.22 (Debian 1:7.2)'\n"
	machine := merged(kernel("x86_64"), dpkg("amd64"),
		entry("linux/arm64", "OPF", "/usr/libexec/aarch64-binfmt-P"),
		tree{
			"usr/libexec/aarch64-binfmt-P":                 "-> ../bin/qemu-aarch64-static",
			"usr/bin/qemu-aarch64-static":                  script,
			"proc/sys/fs/binfmt_misc/jar":                  "enabled\ninterpreter /usr/bin/jexec\nflags: \noffset 0\nmagic 504b0304\n",
			"proc/sys/fs/binfmt_misc/python3":              "enabled\ninterpreter /usr/bin/python3\nflags: \nextension .pyc\n",
			"proc/sys/fs/binfmt_misc/register":             "",
			"proc/sys/fs/binfmt_misc/qemu-arm":             "disabled\n",
			"proc/sys/fs/binfmt_misc/any-name-for-riscv":   strings.Replace(entry("linux/riscv64", "C", "/opt/emu")["proc/sys/fs/binfmt_misc/qemu-riscv64"], "enabled", "disabled", 1),
			"proc/sys/fs/binfmt_misc/second-aarch64-entry": entry("linux/arm64", "", qemuArm64)["proc/sys/fs/binfmt_misc/qemu-aarch64"],
		})
	got, err := detect.Emulators(context.Background(), machine.write(t))
	if err != nil {
		t.Fatal(err)
	}
	missingF := "the flag F is missing: only images that hold a static %s can use it"
	want := detect.Binfmt{
		Supported: true, Mounted: "/proc/sys/fs/binfmt_misc", Known: true, Enabled: true,
		Entries: []detect.Emulator{
			{Name: "any-name-for-riscv", Platforms: platforms("linux/riscv64"), Interpreter: "/opt/emu", Flags: "C",
				Reason: strings.Replace(missingF, "%s", "/opt/emu", 1)},
			{Name: "qemu-aarch64", Platforms: platforms("linux/arm64"), Interpreter: "/usr/libexec/aarch64-binfmt-P", Flags: "OPF", Enabled: true,
				Version: "7.2.22", Containers: true, Reason: "the kernel holds the interpreter open; its file is not seen here"},
			{Name: "second-aarch64-entry", Platforms: platforms("linux/arm64"), Interpreter: qemuArm64, Enabled: true,
				Version: "7.2.22", Reason: strings.Replace(missingF, "%s", qemuArm64, 1)},
		},
		Notes: []string{"any-name-for-riscv has the flag C: a set-user-ID program of an image runs the emulator as root"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if ran, _ := os.ReadFile(counter); string(ran) != "x\n" {
		t.Errorf("the interpreter of two entries was asked %d times", len(ran)/2)
	}
}

func TestWhetherAnEntryWorksInContainers(t *testing.T) {
	for name, tc := range map[string]struct {
		flags, interpreter string
		want               bool
	}{
		"opened at registration and static":    {"F", program("linux/amd64"), true},
		"opened at registration, but dynamic":  {"F", dynamic("linux/amd64"), false},
		"opened at registration and not seen":  {"POCF", "", true},
		"not opened at registration":           {"", program("linux/amd64"), false},
		"not opened at registration, not seen": {"OC", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			machine := merged(kernel("x86_64"), dpkg("amd64"), entry("linux/arm64", tc.flags, qemuArm64))
			if tc.interpreter != "" {
				machine[qemuArm64] = tc.interpreter
			}
			got, err := detect.Emulators(context.Background(), machine.write(t))
			if err != nil || len(got.Entries) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			if e := got.Entries[0]; e.Containers != tc.want || (!tc.want && e.Reason == "") {
				t.Errorf("got %v: %q", e.Containers, e.Reason)
			}
		})
	}
}

func TestWhereBinfmtIs(t *testing.T) {
	bare := merged(kernel("x86_64"), dpkg("amd64"))
	elsewhere := merged(bare, tree{
		"proc/self/mountinfo": "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n40 20 0:30 / /mnt/binfmt\\040misc rw,relatime shared:3 - binfmt_misc none rw\n",
	})
	for path, content := range entry("linux/arm64", "F", qemuArm64) {
		elsewhere[strings.Replace(path, "proc/sys/fs/binfmt_misc", "mnt/binfmt misc", 1)] = content
	}
	for name, tc := range map[string]struct {
		machine                   tree
		supported, known, enabled bool
		mounted                   string
		entries                   int
	}{
		"mounted":                      {merged(bare, mounted()), true, true, true, "/proc/sys/fs/binfmt_misc", 0},
		"mounted elsewhere":            {elsewhere, true, true, true, "/mnt/binfmt misc", 1},
		"mounted and switched off":     {merged(bare, tree{"proc/sys/fs/binfmt_misc/status": "disabled\n"}), true, true, false, "/proc/sys/fs/binfmt_misc", 0},
		"in the kernel, but unmounted": {bare, true, false, false, "", 0},
		"not in the kernel":            {merged(bare, tree{"proc/filesystems": "\text4\n"}), false, false, false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := detect.Emulators(context.Background(), tc.machine.write(t))
			if err != nil {
				t.Fatal(err)
			}
			if got.Supported != tc.supported || got.Known != tc.known || got.Enabled != tc.enabled || got.Mounted != tc.mounted || len(got.Entries) != tc.entries {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestCanRun(t *testing.T) {
	qemu := func(spelling string, change func(*detect.Emulator)) detect.Binfmt {
		e := detect.Emulator{Name: "qemu", Platforms: platforms(spelling), Interpreter: "/q", Flags: "F", Enabled: true, Version: "7.2", Containers: true}
		if change != nil {
			change(&e)
		}
		return detect.Binfmt{Supported: true, Mounted: "/m", Known: true, Enabled: true, Entries: []detect.Emulator{e}}
	}
	none := detect.Binfmt{Supported: true, Mounted: "/m", Known: true, Enabled: true}
	host := func(kernel, native string) detect.HostFacts {
		return detect.HostFacts{Platform: platform.MustParse(kernel), Kernel: platform.MustParse(kernel), Native: platforms(native)}
	}
	amd64 := host("linux/amd64", "linux/386 linux/amd64 linux/amd64/v2")
	arm64 := host("linux/arm64", "linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm64")
	bigOnly := host("linux/arm64", "linux/arm64")
	piZero := host("linux/arm/v6", "linux/arm/v5 linux/arm/v6")

	for name, tc := range map[string]struct {
		host   detect.HostFacts
		binfmt detect.Binfmt
		p      string
		how    detect.How
		reason string
	}{
		"its own platform":                       {amd64, none, "linux/amd64", detect.Native, ""},
		"386 on amd64":                           {amd64, none, "linux/386", detect.Native, "the amd64 kernel runs 386 programs"},
		"a level the CPU has":                    {amd64, none, "linux/amd64/v2", detect.Native, ""},
		"a level the CPU lacks":                  {amd64, none, "linux/amd64/v3", detect.No, "this CPU runs linux/amd64, linux/amd64/v2 only"},
		"arm64, emulated":                        {amd64, qemu("linux/arm64", nil), "linux/arm64", detect.Emulated, "by /q 7.2"},
		"every variant is emulated":              {amd64, qemu("linux/arm/v5 linux/arm/v6 linux/arm/v7", nil), "linux/arm/v6", detect.Emulated, "by /q 7.2"},
		"no emulator":                            {amd64, none, "linux/arm64", detect.No, "no emulator is registered"},
		"an emulator of another platform":        {amd64, qemu("linux/arm64", nil), "linux/s390x", detect.No, "no emulator is registered"},
		"an emulator switched off":               {amd64, qemu("linux/arm64", func(e *detect.Emulator) { e.Enabled = false }), "linux/arm64", detect.No, "the emulator qemu is switched off"},
		"an emulator that containers do not see": {amd64, qemu("linux/arm64", func(e *detect.Emulator) { e.Containers, e.Reason = false, "why" }), "linux/arm64", detect.No, "qemu does not work in containers: why"},
		"all emulators switched off":             {amd64, func() detect.Binfmt { b := qemu("linux/arm64", nil); b.Enabled = false; return b }(), "linux/arm64", detect.No, "all emulators are switched off"},
		"binfmt_misc is not mounted":             {amd64, detect.Binfmt{Supported: true}, "linux/arm64", detect.No, "no emulator is seen: binfmt_misc is not mounted here"},
		"the kernel has no binfmt_misc":          {amd64, detect.Binfmt{}, "linux/arm64", detect.No, "the kernel has no binfmt_misc, which emulators need"},
		"32-bit ARM on an arm64 that can":        {arm64, none, "linux/arm/v7", detect.Native, "the arm64 kernel runs arm programs"},
		"32-bit ARM on an arm64 that cannot":     {bigOnly, none, "linux/arm/v7", detect.No, "no emulator is registered"},
		"an entry is asked before the CPU":       {arm64, qemu("linux/arm/v7", nil), "linux/arm/v7", detect.Emulated, "by /q 7.2"},
		"a newer ARM than the CPU":               {piZero, none, "linux/arm/v7", detect.No, "this CPU runs linux/arm/v5, linux/arm/v6 only"},
		"an older ARM than the CPU":              {piZero, none, "linux/arm/v5", detect.Native, ""},
		"another system":                         {amd64, none, "windows/amd64", detect.No, "programs of windows do not run on Linux"},
		"the better of two entries for the same": {amd64, detect.Binfmt{Supported: true, Known: true, Enabled: true, Entries: append(qemu("linux/arm64", func(e *detect.Emulator) { e.Name, e.Enabled = "off", false }).Entries, qemu("linux/arm64", nil).Entries...)}, "linux/arm64", detect.Emulated, "by /q 7.2"},
	} {
		t.Run(name, func(t *testing.T) {
			got := detect.CanRun(tc.host, tc.binfmt, platform.MustParse(tc.p))
			want := detect.Ability{Platform: platform.MustParse(tc.p), How: tc.how, Reason: tc.reason}
			if tc.how == detect.Emulated {
				want.Emulator = "qemu"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOnlyWhatIsAskedAboutIsRun(t *testing.T) {
	machine := merged(kernel("x86_64"), dpkg("amd64"), entry("linux/arm64", "F", qemuArm64), tree{qemuArm64: "#!/bin/sh\necho qemu version 9.1\n"})
	for list, want := range map[string]string{"": "9.1", "linux/amd64": "", "linux/amd64 linux/arm64": "9.1"} {
		o := machine.write(t)
		o.Platforms = platforms(list)
		got, err := detect.Emulators(context.Background(), o)
		if err != nil || got.Entries[0].Version != want {
			t.Errorf("asked about %q: version %q, want %q (%v)", list, got.Entries[0].Version, want, err)
		}
	}
}
