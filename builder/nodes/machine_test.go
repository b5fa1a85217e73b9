package nodes_test

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/platform"
)

// machines are those for which there is a program, and qemu's name for each.
var machines = map[string]string{
	"amd64": "x86_64", "386": "i386", "arm64": "aarch64", "arm": "arm", "riscv64": "riscv64", "s390x": "s390x", "ppc64le": "ppc64le",
}

func TestProgramsAreWhatTheirSourceSays(t *testing.T) {
	source, err := os.ReadFile("machine/machine.c")
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile("machine/source.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(source); !bytes.HasPrefix(made, []byte(hex.EncodeToString(sum[:]))) {
		t.Error("machine.c was changed since the programs were made: sh builder/nodes/machine/make.sh")
	}
}

func TestProgramsAreSmallAndStandAlone(t *testing.T) {
	for arch := range machines {
		file := filepath.Join("machine", arch)
		f, err := elf.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		names := platform.MustParse("linux/" + arch).Names()
		if uint16(f.Machine) != names.Machine || f.Type != elf.ET_EXEC {
			t.Errorf("%s is a %s for %s", file, f.Type, f.Machine)
		}
		for _, segment := range f.Progs {
			if segment.Type == elf.PT_INTERP || segment.Type == elf.PT_DYNAMIC {
				t.Errorf("%s asks for a %s", file, segment.Type)
			}
		}
		if info, err := os.Stat(file); err != nil || info.Size() > 2048 {
			t.Errorf("%s: %v, %d bytes", file, err, info.Size())
		}
	}
}

var sentence = regexp.MustCompile(`^archbuild ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) (/[^\n]*)\n$`)

func TestProgramsTellWhatTheMachineIs(t *testing.T) {
	var root unix.Statfs_t
	if err := unix.Statfs("/", &root); err != nil {
		t.Fatal(err)
	}
	for arch, emulator := range machines {
		program := filepath.Join(t.TempDir(), arch)
		data, err := os.ReadFile(filepath.Join("machine", arch))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(program, data, 0o700); err != nil {
			t.Fatal(err)
		}
		command, ran := exec.Command(program), program
		if arch != runtime.GOARCH {
			ran, err = exec.LookPath("qemu-" + emulator + "-static")
			if err != nil {
				lacks(t, err.Error())
			}
			command = exec.Command(ran, program)
		}
		out, err := command.Output()
		said := sentence.FindStringSubmatch(string(out))
		if err != nil || said == nil {
			t.Errorf("%s: %v, %q", arch, err, out)
			continue
		}
		if cores := fmt.Sprintf("%x", runtime.NumCPU()); said[1] != cores {
			t.Errorf("%s counts %s cores, not %s", arch, said[1], cores)
		}
		size, _ := strconv.ParseInt(said[2], 16, 64)
		blocks, _ := strconv.ParseInt(said[3], 16, 64)
		if size != root.Bsize || size*blocks <= 0 || uint64(blocks) > root.Blocks {
			t.Errorf("%s sees %d blocks of %d bytes", arch, blocks, size)
		}
		// An emulator must not pass for the machine.
		if native := strings.HasSuffix(said[4], "/"+arch); native != (arch == runtime.GOARCH) {
			t.Errorf("%s was run by %s, which is seen as %s", arch, ran, said[4])
		}
	}
}

// lacks ends a test that cannot run here. Under CI that is a failure.
func lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("cannot run here, it lacks %s: make fixtures", what)
	}
	t.Skipf("cannot run here, it lacks %s: make fixtures", what)
}
