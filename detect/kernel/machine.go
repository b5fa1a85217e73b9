package kernel

import (
	"os"
	"path"
	"strings"

	"github.com/archbuild/archbuild/detect"
)

// machine is all that was read, before it is judged.
type machine struct {
	o       detect.Options
	release string

	config   config
	configAt string

	// builtin and loadable are modules by name; listsAt is where they are listed,
	// empty when they are not.
	builtin, loadable map[string]bool
	listsAt           string
	loaded            map[string]bool
	// modular says that this kernel can have modules at all.
	modular bool
	// sealed says that none is loaded any more until the next start.
	sealed bool
	// barred are modules that the command line forbids.
	barred []string

	filesystems  map[string]bool
	cmdline      []string
	distribution detect.Distribution
	// virtual is a name for machines that have no kernel package to install: WSL,
	// gVisor; else empty.
	virtual string
	groups  groups
	tried   trials
}

// look reads everything that files tell.
func look(o detect.Options) machine {
	m := machine{
		o: o, release: readLine(o.ProcPath("sys/kernel/osrelease")),
		cmdline:      strings.Fields(string(read(o.ProcPath("cmdline")))),
		distribution: detect.ReadDistribution(o),
		sealed:       readLine(o.ProcPath("sys/kernel/modules_disabled")) == "1",
		filesystems:  lastWords(read(o.ProcPath("filesystems"))),
	}
	m.config, m.configAt = readConfig(o, m.release)
	m.readModules()
	m.virtual = m.readVirtual()
	m.groups = readGroups(o)
	for _, word := range m.cmdline {
		if list, ok := strings.CutPrefix(word, "module_blacklist="); ok {
			m.barred = append(m.barred, strings.Split(moduleName(list), ",")...)
		}
	}
	return m
}

func (m *machine) readModules() {
	_, err := os.Stat(m.o.ProcPath("modules"))
	m.modular = err == nil
	m.loaded = map[string]bool{}
	for line := range strings.Lines(string(read(m.o.ProcPath("modules")))) {
		name, _, _ := strings.Cut(line, " ")
		m.loaded[name] = true
	}
	for _, dir := range []string{"/lib/modules", "/usr/lib/modules"} {
		dir = path.Join(dir, m.release)
		dep := read(m.o.Path(path.Join(dir, "modules.dep")))
		builtin := read(m.o.Path(path.Join(dir, "modules.builtin")))
		if len(dep) == 0 {
			dep = m.flat(dir)
		}
		if m.release != "" && len(dep)+len(builtin) > 0 {
			m.loadable, m.builtin, m.listsAt = moduleList(dep), moduleList(builtin), dir
			return
		}
	}
}

// flat lists the modules of systems that keep no modules.dep and put all in one
// folder, as OpenWrt does.
func (m *machine) flat(dir string) []byte {
	var list []string
	files, _ := os.ReadDir(m.o.Path(dir))
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".ko") {
			list = append(list, f.Name())
		}
	}
	return []byte(strings.Join(list, "\n"))
}

// moduleList reads modules.dep or modules.builtin: a path a line, and after a
// colon what it needs.
func moduleList(data []byte) map[string]bool {
	list := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		file, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, _, _ := strings.Cut(path.Base(file), ".ko")
		list[moduleName(name)] = true
	}
	return list
}

// moduleName spells a module as the kernel does once it is loaded.
func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }

// lastWords are the last words of lines: the types in /proc/filesystems.
func lastWords(data []byte) map[string]bool {
	list := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			list[fields[len(fields)-1]] = true
		}
	}
	return list
}

func (m *machine) readVirtual() string {
	switch version := strings.ToLower(readLine(m.o.ProcPath("version"))); {
	case strings.Contains(strings.ToLower(m.release), "microsoft"):
		return "WSL"
	case strings.Contains(version, "gvisor"):
		return "gVisor"
	}
	return ""
}

func (m *machine) exists(file string) bool {
	full := m.o.Path(file)
	if inProc, ok := strings.CutPrefix(file, "/proc/"); ok {
		full = m.o.ProcPath(inProc)
	}
	_, err := os.Lstat(full)
	return err == nil
}

// before says whether the kernel is older than a version. One that cannot be
// read is not.
func (m *machine) before(major, minor int) bool {
	return m.release != "" && !detect.KernelAtLeast(m.release, major, minor)
}
