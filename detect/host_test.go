package detect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
)

const (
	cpuPiZero = "processor\t: 0\nmodel name\t: ARMv6-compatible processor rev 7 (v6l)\nCPU architecture: 7\n"
	cpuPi2    = "processor\t: 0\nmodel name\t: ARMv7 Processor rev 5 (v7l)\nCPU architecture: 7\n\nprocessor\t: 1\nCPU architecture: 7\n"
	cpuPi4    = "processor\t: 0\nBogoMIPS\t: 108.00\nCPU architecture: 8\n"
	cpuHaswel = "processor\t: 0\nflags\t\t: fpu sse sse2 cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave\n"
)

func TestHostIsTheUserlandThenTheKernel(t *testing.T) {
	for name, tc := range map[string]struct {
		machine                             tree
		platform, userland, source, kernel_ string
		native                              string
	}{
		"a Debian server": {
			merged(kernel("x86_64"), dpkg("amd64")),
			"linux/amd64", "linux/amd64", "dpkg", "linux/amd64", "linux/amd64",
		},
		"several dpkg architectures: the first is its own": {
			merged(kernel("x86_64"), tree{"var/lib/dpkg/arch": "amd64\narm64\ni386\n"}),
			"linux/amd64", "linux/amd64", "dpkg", "linux/amd64", "linux/amd64",
		},
		"a CPU tells its amd64 level": {
			merged(kernel("x86_64"), dpkg("amd64"), tree{"proc/cpuinfo": cpuHaswel}),
			"linux/amd64", "linux/amd64", "dpkg", "linux/amd64", "linux/amd64 linux/amd64/v2 linux/amd64/v3",
		},
		"a 32-bit PC userland under a 64-bit kernel": {
			merged(kernel("x86_64"), dpkg("i386")),
			"linux/386", "linux/386", "dpkg", "linux/amd64", "linux/386 linux/amd64",
		},
		"an old PC": {
			merged(kernel("i586"), dpkg("i386")),
			"linux/386", "linux/386", "dpkg", "linux/386", "linux/386",
		},
		"a Raspberry Pi Zero, whose cpuinfo says 7 and means 6": {
			merged(kernel("armv6l"), dpkg("armhf"), tree{"proc/cpuinfo": cpuPiZero, "bin/sh": armProgram(6)}),
			"linux/arm/v6", "linux/arm/v6", "dpkg", "linux/arm/v6", "linux/arm/v5 linux/arm/v6",
		},
		"Raspbian, made for v6, on a Pi 2, which runs v7": {
			merged(kernel("armv7l"), dpkg("armhf"), tree{"proc/cpuinfo": cpuPi2, "bin/sh": armProgram(6)}),
			"linux/arm/v7", "linux/arm/v6", "dpkg", "linux/arm/v7", "linux/arm/v5 linux/arm/v6 linux/arm/v7",
		},
		"a Pi 4 with a 64-bit kernel under 32-bit Debian": {
			merged(kernel("aarch64"), dpkg("armhf"), tree{"proc/cpuinfo": cpuPi4, "bin/sh": armProgram(10)}),
			"linux/arm/v7", "linux/arm/v7", "dpkg", "linux/arm64", "linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm64",
		},
		"an armel userland on an ARMv5": {
			merged(kernel("armv5tel"), dpkg("armel"), tree{"proc/cpuinfo": "CPU architecture: 5TE\n", "bin/sh": armProgram(4)}),
			"linux/arm/v5", "linux/arm/v5", "dpkg", "linux/arm/v5", "linux/arm/v5",
		},
		"an arm64 server: 32-bit ARM is not taken for granted": {
			merged(kernel("aarch64"), dpkg("arm64"), tree{"proc/cpuinfo": cpuPi4}),
			"linux/arm64", "linux/arm64", "dpkg", "linux/arm64", "linux/arm64",
		},
		"Alpine for old ARM": {
			merged(kernel("armv7l"), tree{"etc/apk/arch": "armhf\n", "proc/cpuinfo": cpuPi2}),
			"linux/arm/v7", "linux/arm/v6", "apk", "linux/arm/v7", "linux/arm/v5 linux/arm/v6 linux/arm/v7",
		},
		"no package manager: the shell tells, through links into the tree": {
			merged(kernel("aarch64"), tree{"bin/sh": "-> /usr/bin/dash", "usr/bin/dash": program("linux/arm/v7")}),
			"linux/arm/v7", "linux/arm/v7", "/bin/sh", "linux/arm64", "linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm64",
		},
		"nothing but a kernel": {
			kernel("riscv64"),
			"linux/riscv64", "linux/riscv64", "kernel", "linux/riscv64", "linux/riscv64",
		},
		"a kernel in 32-bit disguise (linux32)": {
			merged(kernel("armv8l"), dpkg("arm64")),
			"linux/arm64", "linux/arm64", "dpkg", "linux/arm64", "linux/arm64",
		},
		"a big-endian mainframe": {
			merged(kernel("s390x"), tree{"bin/sh": program("linux/s390x")}),
			"linux/s390x", "linux/s390x", "/bin/sh", "linux/s390x", "linux/s390x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := detect.Host(context.Background(), tc.machine.write(t))
			if err != nil {
				t.Fatal(err)
			}
			want := detect.HostFacts{
				Platform: platform.MustParse(tc.platform), Userland: platform.MustParse(tc.userland), Source: tc.source,
				Kernel: platform.MustParse(tc.kernel_), Machine: got.Machine, Release: "6.12.1", Native: platforms(tc.native),
			}
			want.Mixed = want.Userland.Arch != want.Kernel.Arch
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBothAreSaidWhenTheyDiffer(t *testing.T) {
	got, err := detect.Host(context.Background(), merged(kernel("aarch64"), dpkg("armhf")).write(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := "linux/arm/v7 (userland linux/arm/v7 by dpkg, kernel linux/arm64)"; got.String() != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnUnknownMachineIsAnError(t *testing.T) {
	if _, err := detect.Host(context.Background(), kernel("vax").write(t)); !errors.Is(err, detect.ErrNoPlatform) {
		t.Errorf("got %v", err)
	}
}

func TestBrokenFilesAreNoPanic(t *testing.T) {
	broken := armProgram(6)
	for cut := 0; cut < len(broken); cut += 3 {
		machine := merged(kernel("armv7l"), tree{"bin/sh": broken[:cut]})
		if _, err := detect.Host(context.Background(), machine.write(t)); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func platforms(list string) []platform.Platform {
	var all []platform.Platform
	for word := range strings.FieldsSeq(list) {
		all = append(all, platform.MustParse(word))
	}
	slices.SortFunc(all, platform.Platform.Compare)
	return all
}
