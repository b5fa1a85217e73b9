package detect

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/archbuild/archbuild/internal/run"
	"github.com/archbuild/archbuild/platform"
)

// Binfmt is the kernel's registry of emulators as this process sees it.
type Binfmt struct {
	// Supported says that the running kernel has binfmt_misc now.
	Supported bool `json:"supported"`
	// Mounted is where it is mounted, empty when nowhere in this mount
	// namespace. Entries work wherever they are mounted.
	Mounted string `json:"mounted,omitempty"`
	// Known says that Entries are all there are: read from the mount, or, for
	// root without one, from the kernel directly. When false there may be
	// entries that another mount namespace shows.
	Known bool `json:"known"`
	// Enabled is the switch for all entries.
	Enabled bool `json:"enabled"`
	// Entries are those that serve a platform, by name.
	Entries []Emulator `json:"entries"`
	// Private says that an engine of a plain user can have a registry of its own
	// and register in it whatever is installed. Told if Options.Rootless.
	Private bool `json:"private,omitempty"`
	// Notes are what a reader should know beside: sentences without full stop.
	Notes []string `json:"notes,omitempty"`
}

// Emulator is one entry of binfmt_misc that serves at least one platform.
type Emulator struct {
	Name string `json:"name"`
	// Platforms whose programs its magic and mask match, sorted.
	Platforms   []platform.Platform `json:"platforms"`
	Interpreter string              `json:"interpreter"`
	// Flags as the kernel prints them: F opened at registration, P keeps
	// argv[0], O passes the program open, C takes its credentials.
	Flags   string `json:"flags"`
	Enabled bool   `json:"enabled"`
	// Private says that the entry is not there yet: a plain user's engine makes
	// it in its own namespace.
	Private bool `json:"private,omitempty"`
	// Version of the interpreter, empty when it does not say or is not seen.
	Version string `json:"version,omitempty"`
	// Containers says whether it works inside a container that holds only its
	// image; Reason says why not, or on what that rests.
	Containers bool   `json:"containers"`
	Reason     string `json:"reason,omitempty"`
}

// serves compares architectures: qemu's user-mode emulators run every variant.
func (e Emulator) serves(p platform.Platform) bool {
	return slices.ContainsFunc(e.Platforms, func(q platform.Platform) bool { return q.OS == p.OS && q.Arch == p.Arch })
}

// Emulators reads binfmt_misc, and asks each interpreter for its version. The
// absence of everything is a fact, no error; an error is that of ctx.
func Emulators(ctx context.Context, o Options) (Binfmt, error) {
	b := readBinfmt(o)
	if o.Rootless {
		b = b.asSeenBy(privateEmulators(ctx, o, b))
	}
	var said map[string]string
	if !o.Quick {
		said = versions(ctx, o, b.Entries)
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		path := o.Path(e.Interpreter)
		e.Containers, e.Reason = worksInContainers(*e, path)
		e.Version = said[path]
		if strings.Contains(e.Flags, "C") {
			b.Notes = append(b.Notes, fmt.Sprintf("%s has the flag C: a set-user-ID program of an image runs the emulator as root", e.Name))
		}
	}
	return b, ctx.Err()
}

// versions asks the interpreters of the entries, each file once and all at a
// time. The keys are Options.path's.
func versions(ctx context.Context, o Options, entries []Emulator) map[string]string {
	var paths []string
	for _, e := range entries {
		if slices.ContainsFunc(e.Platforms, func(p platform.Platform) bool { return o.asks(p.Arch) }) {
			paths = append(paths, o.Path(e.Interpreter))
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	found := make([]string, len(paths))
	var asked sync.WaitGroup
	for i, path := range paths {
		asked.Go(func() { found[i] = version(ctx, path) })
	}
	asked.Wait()
	said := map[string]string{}
	for i, path := range paths {
		said[path] = found[i]
	}
	return said
}

// readBinfmt reads the entries alone and runs nothing.
func readBinfmt(o Options) Binfmt {
	b := Binfmt{Supported: hasFilesystem(o, "binfmt_misc"), Entries: []Emulator{}}
	if dir := binfmtMount(o); dir != "" {
		b.Mounted, b.Supported = shown(o, dir), true
		b.load(dir)
		return b
	}
	switch closePeek, dir := peekBinfmt(o, b.Supported); {
	case dir != "":
		b.load(dir)
		closePeek()
		if len(b.Entries) > 0 {
			b.Notes = append(b.Notes, "binfmt_misc is not mounted here but in another mount namespace; its entries work all the same")
		}
	case b.Supported:
		b.Notes = append(b.Notes, "binfmt_misc is not mounted here; another mount namespace may have entries that work here too")
	}
	return b
}

// shown is the path as the tree itself names it.
func shown(o Options, dir string) string {
	if rel, err := filepath.Rel(o.root(), dir); err == nil && !strings.HasPrefix(rel, "..") {
		return "/" + rel
	}
	return dir
}

// binfmtMount finds the mount by its file status. Reading below an automount
// of systemd mounts it, as any look would.
func binfmtMount(o Options) string {
	dirs := []string{o.ProcPath("sys/fs/binfmt_misc")}
	for _, m := range Mounts(o, "binfmt_misc") {
		dirs = append(dirs, filepath.Join(o.root(), m))
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "status")); err == nil {
			return dir
		}
	}
	return ""
}

// load reads the entries of a mount. It is Known what there is only if the
// folder could be listed.
func (b *Binfmt) load(dir string) {
	b.Enabled = readLine(filepath.Join(dir, "status")) == "enabled"
	files, err := os.ReadDir(dir)
	b.Known = err == nil
	for _, f := range files { // sorted by name
		if f.Name() == "status" || f.Name() == "register" {
			continue
		}
		if e := parseEntry(readFile(filepath.Join(dir, f.Name()), 64<<10)); len(e.Platforms) > 0 {
			e.Name = f.Name()
			b.Entries = append(b.Entries, e)
		}
	}
}

// parseEntry reads an entry as the kernel prints it. One that goes by file
// name extension matches no platform.
func parseEntry(text string) Emulator {
	var e Emulator
	var magic, mask []byte
	offset := 0
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "enabled":
			e.Enabled = true
		case "interpreter":
			e.Interpreter = value
		case "flags:":
			e.Flags = value
		case "offset":
			offset, _ = strconv.Atoi(value)
		case "magic":
			magic, _ = hex.DecodeString(value)
		case "mask":
			mask, _ = hex.DecodeString(value)
		}
	}
	for _, p := range platform.All() {
		if p.OS == "linux" && (matches(magic, mask, offset, elfHeader(p, 2)) || matches(magic, mask, offset, elfHeader(p, 3))) {
			e.Platforms = append(e.Platforms, p)
		}
	}
	e.Platforms = sorted(e.Platforms)
	return e
}

// matches is the kernel's comparison. A magic that looks beyond the header
// (an offset, another length) is not one for a whole platform.
func matches(magic, mask []byte, offset int, header []byte) bool {
	if len(magic) < headerSize || offset != 0 || (len(mask) != 0 && len(mask) != len(magic)) {
		return false
	}
	for i, want := range header {
		bits := byte(0xff)
		if len(mask) != 0 {
			bits = mask[i]
		}
		if (want^magic[i])&bits != 0 {
			return false
		}
	}
	return true
}

// worksInContainers judges an entry. A container's root holds neither the
// interpreter nor its shared libraries.
func worksInContainers(e Emulator, path string) (bool, string) {
	opened := strings.Contains(e.Flags, "F")
	program, err := readELF(path)
	switch {
	case !opened:
		return false, fmt.Sprintf("the flag F is missing: only images that hold a static %s can use it", e.Interpreter)
	case err == nil && !program.static:
		return false, "the interpreter needs shared libraries, which images do not hold"
	case err != nil:
		return true, "the kernel holds the interpreter open; its file is not seen here"
	}
	return true, ""
}

var qemuVersion = regexp.MustCompile(`version (\d[0-9A-Za-z.+~-]*)`)

// version asks a qemu for its version. The links are followed first: by the
// name of Debian's entries (aarch64-binfmt-P) qemu takes its arguments
// otherwise. Other interpreters are not run; they may be anything.
func version(ctx context.Context, path string) string {
	path, err := filepath.EvalSymlinks(path)
	if err != nil || !strings.HasPrefix(filepath.Base(path), "qemu-") {
		return ""
	}
	result, err := run.Command(ctx, run.Options{Path: path, Args: []string{"--version"}, Timeout: 5 * time.Second, MaxOutput: 64 << 10})
	if err != nil {
		return ""
	}
	if m := qemuVersion.FindSubmatch(result.Stdout); m != nil {
		return string(m[1])
	}
	return ""
}
