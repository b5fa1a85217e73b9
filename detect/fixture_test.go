package detect_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
)

// tree is a machine as a tree of files: path → content. A content "-> x" is a
// link. Files that begin a program are executable.
type tree map[string]string

// merged is a tree with others laid over it; an empty content takes away.
func merged(trees ...tree) tree {
	all := tree{}
	for _, t := range trees {
		for path, content := range t {
			all[path] = content
		}
	}
	return all
}

func (files tree) write(t *testing.T) detect.Options {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			mode := os.FileMode(0o644)
			if strings.HasPrefix(content, "#!") || strings.HasPrefix(content, "\x7fELF") {
				mode = 0o755
			}
			if content == "#! setuid" {
				mode |= os.ModeSetuid
			}
			if err = os.WriteFile(path, []byte(content), mode); err == nil {
				err = os.Chmod(path, mode)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return detect.Options{Root: root}
}

// kernel is a machine with a kernel that has all a build needs.
func kernel(machine string) tree {
	return tree{
		"proc/sys/kernel/arch":              machine + "\n",
		"proc/sys/kernel/osrelease":         "6.12.1\n",
		"proc/sys/user/max_user_namespaces": "1000\n",
		"proc/self/ns/user":                 "",
		"proc/self/uid_map":                 "         0          0 4294967295\n",
		"proc/filesystems":                  "nodev\tsysfs\n\text4\nnodev\toverlay\nnodev\tbinfmt_misc\n",
		"proc/self/mountinfo":               "30 20 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n",
	}
}

// dpkg is a Debian userland.
func dpkg(arch string) tree {
	return tree{"var/lib/dpkg/status": "Package: aaa\nArchitecture: all\n\nPackage: dpkg\nStatus: install ok installed\n" +
		"Architecture: " + arch + "\nDescription: x\n\nPackage: dpkg-dev\nArchitecture: all\n"}
}

func program(spelling string) string { return string(detect.Probe(platform.MustParse(spelling))) }

// mounted is an empty binfmt_misc.
func mounted() tree { return tree{"proc/sys/fs/binfmt_misc/status": "enabled\n"} }

// entry is one as the kernel prints it.
func entry(spelling, flags, interpreter string) tree {
	r, ok := detect.RegistrationFor(platform.MustParse(spelling))
	if !ok {
		panic(spelling)
	}
	text := fmt.Sprintf("enabled\ninterpreter %s\nflags: %s\noffset 0\nmagic %s\nmask %s\n",
		interpreter, flags, hex.EncodeToString(r.Magic), hex.EncodeToString(r.Mask))
	return merged(mounted(), tree{"proc/sys/fs/binfmt_misc/" + r.Name: text})
}

// armProgram is a program whose build attributes name a CPU architecture.
func armProgram(arch byte) string {
	attributes := []byte{1, 0, 0, 0, 0, 5, 'A', 'R', 'M', 0, 6, arch, 8, 1}
	binary.LittleEndian.PutUint32(attributes[1:], uint32(len(attributes)))
	vendor := []byte{'A', 0, 0, 0, 0}
	vendor = append(vendor, "aeabi\x00"...)
	vendor = append(vendor, attributes...)
	binary.LittleEndian.PutUint32(vendor[1:], uint32(len(vendor)-1))

	names := []byte("\x00.ARM.attributes\x00.shstrtab\x00")
	bare := program("linux/arm/v7")
	file := bytes.NewBufferString(bare)
	attributesAt := file.Len()
	file.Write(vendor)
	namesAt := file.Len()
	file.Write(names)
	sectionsAt := file.Len()
	section := func(name, kind, offset, size int) {
		for _, v := range []int{name, kind, 0, 0, offset, size, 0, 0, 1, 0} {
			_ = binary.Write(file, binary.LittleEndian, uint32(v))
		}
	}
	section(0, 0, 0, 0)
	section(1, 0x70000003, attributesAt, len(vendor))
	section(17, 3, namesAt, len(names))
	out := file.Bytes()
	binary.LittleEndian.PutUint32(out[32:], uint32(sectionsAt))
	binary.LittleEndian.PutUint16(out[46:], 40)
	binary.LittleEndian.PutUint16(out[48:], 3)
	binary.LittleEndian.PutUint16(out[50:], 2)
	return string(out)
}

// dynamic is a program that asks for a loader: its only segment is PT_INTERP.
func dynamic(spelling string) string {
	program := detect.Probe(platform.MustParse(spelling))
	binary.LittleEndian.PutUint32(program[64:], 3)
	return string(program)
}
