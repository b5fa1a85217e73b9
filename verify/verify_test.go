package verify_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
)

var (
	amd64   = elfFor("linux/amd64")
	arm64   = elfFor("linux/arm64")
	i386    = elfFor("linux/386")
	s390x   = elfFor("linux/s390x")
	ppc64le = elfFor("linux/ppc64le")
)

func layers(list ...[]file) [][]file { return list }

// found is a finding in short: severity and path (or what was found, of the image itself).
func found(r verify.Report) []string {
	list := []string{}
	for _, f := range r.Findings {
		if f.Path == "" {
			list = append(list, string(f.Severity)+" "+f.Found)
		} else {
			list = append(list, string(f.Severity)+" "+f.Path)
		}
	}
	return list
}

type row struct {
	name   string
	label  string // linux/arm64 when empty
	config v1.ConfigFile
	layers [][]file
	base   int
	allow  []string
	want   []string
}

func (r row) run(t *testing.T) {
	if r.label == "" {
		r.label = "linux/arm64"
	}
	label := platform.MustParse(r.label)
	var list []v1.Layer
	for _, files := range r.layers {
		list = append(list, layerOf(t, files...))
	}
	img := imageOf(t, label, r.config, list...)
	report, err := verify.Image(context.Background(), img, verify.Options{Platform: label, BaseLayers: r.base, Allow: r.allow})
	if err != nil {
		t.Fatal(err)
	}
	if r.want == nil {
		r.want = []string{}
	}
	if diff := cmp.Diff(r.want, found(report)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func entrypoint(argv ...string) v1.ConfigFile {
	return v1.ConfigFile{Config: v1.Config{Entrypoint: argv}}
}

func command(argv ...string) v1.ConfigFile { return v1.ConfigFile{Config: v1.Config{Cmd: argv}} }

func runRows(t *testing.T, rows []row) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { r.run(t) })
	}
}

func TestWhichFilesCount(t *testing.T) {
	runRows(t, []row{
		{name: "a right program is fine", config: entrypoint("/app"), layers: layers([]file{exe("app", arm64)})},
		{name: "a foreign entrypoint is an error", config: entrypoint("/app"), layers: layers([]file{exe("app", amd64)}), want: []string{"error /app"}},
		{name: "a foreign program in PATH is an error", layers: layers([]file{exe("usr/local/bin/jq", amd64)}), want: []string{"error /usr/local/bin/jq"}},
		{name: "PATH is that of the config", config: v1.ConfigFile{Config: v1.Config{Env: []string{"PATH=/opt/x/bin:/bin"}}},
			layers: layers([]file{exe("opt/x/bin/jq", amd64), exe("usr/bin/jq", amd64)}), want: []string{"error /opt/x/bin/jq", "warning /usr/bin/jq"}},
		{name: "a folder of PATH may be a link", config: v1.ConfigFile{Config: v1.Config{Env: []string{"PATH=/opt/now/bin"}}},
			layers: layers([]file{exe("opt/v1/bin/jq", amd64), symlink("opt/now", "v1")}), want: []string{"error /opt/v1/bin/jq"}},
		{name: "a foreign program elsewhere is a warning", layers: layers([]file{exe("opt/tool", amd64)}), want: []string{"warning /opt/tool"}},
		{name: "a foreign library in a library folder is an error", layers: layers([]file{data("usr/lib/libz.so.1", amd64)}), want: []string{"error /usr/lib/libz.so.1"}},
		{name: "a foreign library in the own multiarch folder is an error",
			layers: layers([]file{data("usr/lib/aarch64-linux-gnu/libz.so.1", amd64)}), want: []string{"error /usr/lib/aarch64-linux-gnu/libz.so.1"}},
		{name: "another architecture's multiarch folder may hold its libraries",
			layers: layers([]file{data("usr/lib/x86_64-linux-gnu/libz.so.1", amd64)}), want: []string{"warning /usr/lib/x86_64-linux-gnu/libz.so.1"}},
		{name: "LD_LIBRARY_PATH names library folders", config: v1.ConfigFile{Config: v1.Config{Env: []string{"LD_LIBRARY_PATH=/opt/lib"}}},
			layers: layers([]file{data("opt/lib/a.so", amd64)}), want: []string{"error /opt/lib/a.so"}},
		{name: "a plugin deep below a library folder is a warning",
			layers: layers([]file{data("usr/lib/node_modules/x/prebuilds/linux-x64/x.so", amd64)}), want: []string{"warning /usr/lib/node_modules/x/prebuilds/linux-x64/x.so"}},
		{name: "a file that nobody may execute is data", layers: layers([]file{data("usr/bin/sample", amd64)})},
		{name: "an entrypoint without the mode bit counts", config: entrypoint("/app"), layers: layers([]file{data("app", amd64)}), want: []string{"error /app"}},
		{name: "text with the mode bit is no program", layers: layers([]file{exe("usr/bin/readme", []byte("hello, world, hello"))})},
		{name: "an empty file and a short one are no programs", layers: layers([]file{exe("usr/bin/a", nil), exe("usr/bin/b", []byte("\x7fEL")), exe("usr/bin/c", []byte("\x7fELF"))})},
		{name: "a relocatable object is no program", layers: layers([]file{exe("usr/bin/x.o", header{machine: 62, bits: 64, kind: 1}.bytes())})},
		{name: "a core file is no program", layers: layers([]file{exe("usr/bin/core", header{machine: 62, bits: 64, kind: 4}.bytes())})},
		{name: "BPF is no program", layers: layers([]file{exe("usr/bin/bpf", header{machine: 247, bits: 64}.bytes())})},
		{name: "a microcontroller's firmware is no program", layers: layers([]file{exe("usr/bin/avr", header{machine: 83, bits: 32}.bytes()), exe("usr/bin/xtensa", header{machine: 94, bits: 32}.bytes())})},
		{name: "a firmware folder holds no programs", layers: layers([]file{exe("lib/firmware/x.elf", amd64), exe("usr/lib/firmware/a/b.so", amd64)})},
		{name: "the firmware folder does not hide an entrypoint", config: entrypoint("/firmware/app"), layers: layers([]file{exe("firmware/app", amd64)}), want: []string{"error /firmware/app"}},
		{name: "allowed by its path", layers: layers([]file{exe("usr/bin/jq", amd64)}), allow: []string{"/usr/bin/jq"}},
		{name: "allowed by a glob", layers: layers([]file{exe("opt/a/b/c", amd64), exe("opt/d", amd64)}), allow: []string{"/opt/a/**"}, want: []string{"warning /opt/d"}},
		{name: "allowed by its name", layers: layers([]file{exe("opt/a/x.bin", amd64)}), allow: []string{"*.bin"}},
		{name: "allowed by its folder", layers: layers([]file{exe("opt/a/x", amd64), exe("opt/ab", amd64)}), allow: []string{"/opt/a"}, want: []string{"warning /opt/ab"}},
		{name: "an image without layers is fine"},
	})
}

func TestWhatTheImageStarts(t *testing.T) {
	runRows(t, []row{
		{name: "found in PATH", config: command("srv"), layers: layers([]file{exe("sbin/srv", amd64)}), want: []string{"error /sbin/srv"}},
		{name: "found in the working folder", config: v1.ConfigFile{Config: v1.Config{Cmd: []string{"./srv"}, WorkingDir: "/app"}},
			layers: layers([]file{exe("app/srv", amd64)}), want: []string{"error /app/srv"}},
		{name: "the command behind an entrypoint", config: v1.ConfigFile{Config: v1.Config{Entrypoint: []string{"/start.sh"}, Cmd: []string{"/app/srv"}}},
			layers: layers([]file{script("start.sh", "/bin/sh"), exe("app/srv", amd64)}), want: []string{"error /app/srv"}},
		{name: "arguments are data", config: entrypoint("/usr/bin/emulate", "/guest/app"),
			layers: layers([]file{exe("usr/bin/emulate", arm64), exe("guest/app", amd64)}), want: []string{"warning /guest/app"}},
		{name: "behind an init program", config: entrypoint("/tini", "-g", "--", "/app/srv"),
			layers: layers([]file{exe("tini", arm64), exe("app/srv", amd64)}), want: []string{"error /app/srv"}},
		{name: "in a shell line", config: command("/bin/sh", "-c", "exec /app/srv --port 80"),
			layers: layers([]file{exe("app/srv", amd64)}), want: []string{"error /app/srv"}},
		{name: "a shell line that needs a shell to read says nothing", config: command("/bin/sh", "-c", "$APP"),
			layers: layers([]file{exe("app/srv", amd64)}), want: []string{"warning /app/srv"}},
		{name: "over a link", config: entrypoint("/run-it"), layers: layers([]file{exe("app/v1/srv", amd64), symlink("app/now", "v1"), symlink("run-it", "/app/now/srv")}), want: []string{"error /app/v1/srv"}},
		{name: "over a link that climbs out of the root", config: entrypoint("/run-it"), layers: layers([]file{exe("app/srv", amd64), symlink("run-it", "../../../app/srv")}), want: []string{"error /app/srv"}},
		{name: "links that go round end", config: entrypoint("/a"), layers: layers([]file{symlink("a", "b"), symlink("b", "a"), symlink("c", "c/c")})},
		{name: "over a hard link", config: entrypoint("/b"), layers: layers([]file{exe("opt/a", amd64), hardlink("b", "opt/a")}), want: []string{"error /b", "warning /opt/a"}},
		{name: "a script's interpreter, when it was added", config: entrypoint("/start"),
			layers: layers([]file{script("start", "/opt/py/python3 -u"), exe("opt/py/python3", amd64)}), want: []string{"error /opt/py/python3"}},
		{name: "a script's interpreter by env", config: entrypoint("/start"),
			layers: layers([]file{script("start", "/usr/bin/env -S node --x"), exe("usr/local/bin/node", amd64)}), want: []string{"error /usr/local/bin/node"}},
		{name: "a script's interpreter of the base is the base's matter", config: entrypoint("/start"), base: 1,
			layers: layers([]file{exe("bin/sh", amd64)}, []file{script("start", "/bin/sh")})},
		{name: "scripts that start one another end", config: entrypoint("/a"), layers: layers([]file{script("a", "/b"), script("b", "/a")})},
		{name: "one that does not exist is not our matter", config: entrypoint("/nothing"), layers: layers([]file{data("etc/x", nil)})},
		{name: "an added link into the base is followed", config: entrypoint("/start"), base: 1,
			layers: layers([]file{exe("bin/busybox", amd64)}, []file{symlink("start", "/bin/busybox")}), want: []string{"error /bin/busybox"}},
		{name: "a link of the base to an added program", config: entrypoint("/app/now/srv"), base: 1,
			layers: layers([]file{dir("app/v1"), symlink("app/now", "v1")}, []file{exe("app/v1/srv", amd64)}), want: []string{"error /app/v1/srv"}},
		{name: "a link of the base to a program of the base is the base's matter", config: entrypoint("/start"), base: 1,
			layers: layers([]file{exe("x", amd64), symlink("start", "/x")}, []file{exe("opt/y", amd64)}), want: []string{"warning /opt/y"}},
	})
}

func TestLayersOnTopOfOneAnother(t *testing.T) {
	runRows(t, []row{
		{name: "the base is not looked at", base: 1, layers: layers([]file{exe("usr/bin/old", amd64)}, []file{exe("usr/bin/new", arm64)})},
		{name: "without a base all is looked at", layers: layers([]file{exe("usr/bin/old", amd64)}, []file{exe("usr/bin/new", arm64)}), want: []string{"error /usr/bin/old"}},
		{name: "a later layer replaces a file", layers: layers([]file{exe("usr/bin/a", amd64)}, []file{exe("usr/bin/a", arm64)})},
		{name: "a later layer can make it worse", layers: layers([]file{exe("usr/bin/a", arm64)}, []file{exe("usr/bin/a", amd64)}), want: []string{"error /usr/bin/a"}},
		{name: "text replaces a program", layers: layers([]file{exe("usr/bin/a", amd64)}, []file{data("usr/bin/a", []byte("text"))})},
		{name: "a whiteout removes a file", layers: layers([]file{exe("usr/bin/a", amd64)}, []file{whiteout("usr/bin/.wh.a")})},
		{name: "a whiteout removes a folder", layers: layers([]file{exe("opt/a/b/c", amd64)}, []file{whiteout("opt/.wh.a")})},
		{name: "a whiteout is about lower layers only", layers: layers([]file{exe("opt/a", arm64)}, []file{exe("opt/a", amd64), whiteout("opt/.wh.a")}), want: []string{"warning /opt/a"}},
		{name: "an opaque folder hides what was in it", layers: layers([]file{exe("opt/a/x", amd64)}, []file{exe("opt/a/y", amd64), whiteout("opt/a/.wh..wh..opq")}), want: []string{"warning /opt/a/y"}},
		{name: "a whiteout of a whiteout's file, then the file again", layers: layers([]file{exe("a", amd64)}, []file{whiteout(".wh.a")}, []file{exe("a", amd64)}), want: []string{"warning /a"}},
		{name: "a file over a folder removes what was in it", layers: layers([]file{exe("opt/a/x", amd64)}, []file{data("opt/a", nil)})},
		{name: "a folder over a file", layers: layers([]file{exe("opt/a", amd64)}, []file{dir("opt/a")})},
		{name: "a path through a file makes it a folder", layers: layers([]file{exe("opt/a", amd64)}, []file{exe("opt/a/b/c", amd64)}), want: []string{"warning /opt/a/b/c"}},
		{name: "a folder over a folder keeps what is in it", layers: layers([]file{exe("opt/a/x", amd64)}, []file{dir("opt/a")}), want: []string{"warning /opt/a/x"}},
		{name: "a file unpacked through a link lies where the link leads", layers: layers([]file{dir("usr/bin"), symlink("bin", "usr/bin")}, []file{exe("bin/a", amd64)}), want: []string{"error /usr/bin/a"}},
		{name: "a file unpacked through a link to nowhere and back", layers: layers([]file{symlink("l", "none/../usr/bin")}, []file{exe("l/a", amd64)}), want: []string{"error /usr/bin/a"}},
		{name: "a hard link to a file of a lower layer", layers: layers([]file{exe("opt/a", amd64)}, []file{hardlink("usr/bin/b", "opt/a")}), want: []string{"error /usr/bin/b", "warning /opt/a"}},
		{name: "a hard link to a file that is not there", layers: layers([]file{hardlink("usr/bin/b", "opt/a")})},
		{name: "names that climb out of the root stay in it", layers: layers([]file{exe("../../usr/bin/a", amd64), exe("./usr//bin/./b", amd64)}), want: []string{"error /usr/bin/a", "error /usr/bin/b"}},
		{name: "devices and pipes are no files", layers: layers([]file{{name: "dev/null", kind: '3', mode: 0o777}, {name: "run/pipe", kind: '6', mode: 0o777}})},
		{name: "bookkeeping of AUFS is not looked at", layers: layers([]file{exe(".wh..wh.plnk/1.2", amd64), exe(".wh..wh.orph", amd64)}), want: []string{"warning /.wh..wh.plnk/1.2"}},
	})
}

func TestWhatAPlatformRuns(t *testing.T) {
	at := func(body []byte) [][]file { return layers([]file{exe("usr/bin/x", body)}) }
	bad, doubt := []string{"error /usr/bin/x"}, []string{"warning /usr/bin/x"}
	runRows(t, []row{
		{name: "386 runs on amd64", label: "linux/amd64", layers: at(i386)},
		{name: "amd64 does not run on 386", label: "linux/386", layers: at(amd64), want: bad},
		{name: "x32 runs on some amd64", label: "linux/amd64", layers: at(header{machine: 62, bits: 32}.bytes()), want: doubt},
		{name: "arm does not run on arm64", layers: at(elfFor("linux/arm/v7")), want: bad},
		{name: "big-endian arm64 is another machine", layers: at(header{machine: 183, bits: 64, big: true}.bytes()), want: bad},
		{name: "s390x runs on s390x", label: "linux/s390x", layers: at(s390x)},
		{name: "31-bit code runs on some s390x", label: "linux/s390x", layers: at(header{machine: 22, bits: 32, big: true}.bytes()), want: doubt},
		{name: "ppc64le runs on ppc64le", label: "linux/ppc64le", layers: at(ppc64le)},
		{name: "big-endian ppc64 does not run on ppc64le", label: "linux/ppc64le", layers: at(header{machine: 21, bits: 64, big: true}.bytes()), want: bad},
		{name: "amd64/v2 runs amd64", label: "linux/amd64/v2", layers: at(amd64)},
		{name: "FreeBSD's mark leaves a doubt", label: "linux/amd64", layers: at(header{machine: 62, bits: 64, system: 9}.bytes()), want: doubt},
		{name: "ARMv6 runs on v7", label: "linux/arm/v7", layers: at(armELF(6, 0, true, 0))},
		{name: "ARMv7 runs on v7", label: "linux/arm/v7", layers: at(armELF(10, 'A', true, 1<<20))},
		{name: "ARMv7 does not run on v6", label: "linux/arm/v6", layers: at(armELF(10, 'A', true, 1<<20)), want: bad},
		{name: "ARMv8 in 32 bits does not run on v7", label: "linux/arm/v7", layers: at(armELF(14, 'A', true, 0)), want: bad},
		{name: "soft float runs on v7", label: "linux/arm/v7", layers: at(armELF(4, 0, false, 0))},
		{name: "hard float does not run on v5", label: "linux/arm/v5", layers: at(header{machine: 40, bits: 32, flags: 0x5000400}.bytes()), want: bad},
		{name: "a Cortex-M file is no program", label: "linux/arm/v6", layers: at(armELF(13, 'M', false, 0))},
		{name: "a library marked v7 leaves a doubt on v6", label: "linux/arm/v6", layers: layers([]file{data("usr/lib/libc.so", armELF(10, 'A', true, 0))}), want: []string{"warning /usr/lib/libc.so"}},
		{name: "a Windows program does not run on Linux", label: "linux/amd64", layers: at(pe(0x8664, 3, false)), want: bad},
		{name: "a .NET assembly runs everywhere", layers: at(pe(0x14c, 3, true))},
		{name: "an EFI program is no program of the image", layers: at(pe(0x8664, 10, false))},
		{name: "an actually portable executable runs on Linux", layers: at(append([]byte("MZqFpD"), make([]byte, 600)...))},
		{name: "a Mac program does not run on Linux", layers: at(machO(0x0100000c)), want: bad},
		{name: "a Java class is no Mac program", layers: at([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x34abcdefghijklmn"))},
		{name: "a Mac universal program does not run on Linux", layers: at([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x02abcdefghijklmn")), want: bad},
	})
}

func TestWindows(t *testing.T) {
	at := func(name string, body []byte) [][]file {
		return layers([]file{dir("Files"), dir("Hives"), {name: "Files/" + name, mode: 0o777, body: body}, exe("Hives/x.exe", amd64)})
	}
	runRows(t, []row{
		{name: "its own programs run", label: "windows/amd64", config: entrypoint(`C:\app\srv.exe`), layers: at("app/srv.exe", pe(0x8664, 3, false))},
		{name: "32-bit programs run on amd64", label: "windows/amd64", layers: at("app/srv.exe", pe(0x14c, 3, false))},
		{name: "a foreign entrypoint, whatever its case", label: "windows/amd64", config: entrypoint(`c:\App\SRV`), layers: at("app/srv.exe", pe(0xaa64, 3, false)), want: []string{"error /app/srv.exe"}},
		{name: "amd64 programs run on some arm64", label: "windows/arm64", config: entrypoint(`C:\app\srv.exe`), layers: at("app/srv.exe", pe(0x8664, 3, false)), want: []string{"warning /app/srv.exe"}},
		{name: "Linux programs there are data", label: "windows/amd64", layers: at("app/tool", amd64)},
	})
}

func TestLabel(t *testing.T) {
	config := func(os, arch, variant string) v1.ConfigFile {
		return v1.ConfigFile{OS: os, Architecture: arch, Variant: variant}
	}
	runRows(t, []row{
		{name: "the config says another architecture", config: config("linux", "amd64", ""), want: []string{"error linux/amd64 in the image config"}},
		{name: "the config says another system", config: config("windows", "arm64", ""), want: []string{"error windows/arm64 in the image config"}},
		{name: "the config spells arm64 with its variant", config: config("linux", "arm64", "v8")},
		{name: "the config asks for more than the label has", label: "linux/arm/v6", config: config("linux", "arm", "v7"), want: []string{"error linux/arm/v7 in the image config"}},
		{name: "the config asks for less than the label has", label: "linux/arm/v7", config: config("linux", "arm", "v6")},
		{name: "the config names no variant", label: "linux/arm/v6", config: config("linux", "arm", ""), want: []string{"warning linux/arm/v7 in the image config"}},
		{name: "386 in the config is not amd64", label: "linux/amd64", config: config("linux", "386", ""), want: []string{"error linux/386 in the image config"}},
		{name: "the label cannot be allowed away", config: config("linux", "amd64", ""), allow: []string{"**"}, want: []string{"error linux/amd64 in the image config"}},
	})
}
