package cross

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/template"
)

// Where nothing says that cgo is off, a static base may: a program that is linked
// dynamically would not start there, so one that works has no C in it.

// cgoModules are known for cgo, or for being something else without it.
var cgoModules = []string{
	"github.com/mattn/go-sqlite3", "github.com/confluentinc/confluent-kafka-go", "github.com/mattn/go-oci8", "github.com/godror/godror",
	"github.com/marcboeker/go-duckdb", "github.com/duckdb/duckdb-go", "gocv.io/x/gocv", "github.com/go-gl/", "github.com/veandco/go-sdl2", "fyne.io/fyne", "github.com/gotk3/gotk3",
	"github.com/diamondburned/gotk4", "github.com/tecbot/gorocksdb", "github.com/linxGnu/grocksdb", "github.com/libgit2/git2go", "github.com/miekg/pkcs11",
	"github.com/google/gopacket", "github.com/gopacket/gopacket", "github.com/davidbyttow/govips", "github.com/h2non/bimg", "gopkg.in/gographics/imagick", "github.com/valyala/gozstd",
	"github.com/DataDog/zstd", "github.com/spacemonkeygo/openssl", "github.com/golang-fips/", "github.com/NVIDIA/go-nvml", "github.com/bytecodealliance/wasmtime-go",
	"github.com/wasmerio/wasmer-go", "rogchap.com/v8go", "github.com/pebbe/zmq4", "github.com/hajimehoshi/ebiten", "github.com/hajimehoshi/oto", "github.com/mutecomm/go-sqlcipher", "github.com/chai2010/webp",
	"github.com/containers/storage", "github.com/proglottis/gpgme", "github.com/coreos/go-systemd", "github.com/opencontainers/runc", "github.com/seccomp/libseccomp-golang",
	"github.com/aquasecurity/libbpfgo", "github.com/ebitengine/purego", "libvirt.org/go/libvirt", "github.com/ceph/go-ceph", "github.com/supranational/blst", "github.com/herumi/", "github.com/ethereum/c-kzg-4844",
	"github.com/smacker/go-tree-sitter", "github.com/tree-sitter/", "github.com/yalue/onnxruntime_go", "github.com/sbinet/go-python", "github.com/ianlancetaylor/cgosymbolizer", "github.com/CosmWasm/wasmvm",
}

// cgo judges the go commands of a stage that make what leaves, once it is known what does.
func (a *analysis) cgo(stage int) {
	w := a.walks[stage]
	for _, p := range w.products {
		if p.stage != stage || p.undecided == "" || !p.crossed() {
			continue
		}
		if a.static() && !p.linked && p.leaves && a.pure(p) {
			continue
		}
		w.stay(CgoUndecided, p.line, "%s", p.undecided)
	}
}

// crossed tells whether the settings for the target belong before a command.
func (p *product) crossed() bool { return !p.install || p.leaves }

// tools judges the programs that go installs once it is known which of them leave.
func (a *analysis) tools(stage int) {
	w := a.walks[stage]
	for _, p := range w.products {
		if p.stage != stage {
			continue
		}
		switch {
		case p.install && p.leaves && p.runs:
			w.stay(ToolRuns, p.line, "a program that go installs is run in the stage, and leaves it")
		case p.gobin > 0 && (p.leaves || slices.ContainsFunc(w.leaves, func(name string) bool { return p.folder == "" || below(name, p.folder) })):
			w.stay(InstallPath, w.lineOf(p.gobin), "GOBIN is set, and go installs no program of another machine there")
		}
		if p.crossed() && a.moves(stage) && !w.editable(p) {
			w.stay(ShellNotParsed, p.line, "there is no place for the settings of the target")
		}
	}
}

// lineOf is the line of an instruction of this stage, or of its FROM for one that stands before.
func (w *walk) lineOf(line int) int { return max(line, w.firstLine) }

// static tells whether everything that takes a program starts from a static base into
// which no other root is copied.
func (a *analysis) static() bool {
	for _, stage := range a.needed {
		if a.moves(stage) {
			continue
		}
		takes := slices.ContainsFunc(a.Template.Stages[stage].Copies, func(c template.Copy) bool { return c.From != "" })
		if stage != a.final && !takes {
			continue
		}
		if !a.isStatic(stage) {
			return false
		}
	}
	return true
}

// isStatic looks at one stage.
func (a *analysis) isStatic(stage int) bool {
	s := &a.Template.Stages[stage]
	if s.Run > 0 && stage != a.final {
		return false
	}
	use := &a.uses[s.Base]
	switch use.Kind {
	case template.StageKind:
		if a.moves(use.Target) || !a.isStatic(use.Target) {
			return false
		}
	case template.External:
		name := strings.SplitN(strings.TrimPrefix(use.Image, "docker.io/"), ":", 2)[0]
		if !strings.HasPrefix(name, "gcr.io/distroless/static") && name != "cgr.dev/chainguard/static" {
			return false
		}
	case template.Scratch:
	default:
		return false
	}
	from, to := a.Template.ReferencesIn(stage)
	for i := from + 1; i < to; i++ {
		if u := &a.uses[i]; u.Kind != template.StageKind || !a.moves(u.Target) {
			return false
		}
	}
	for _, c := range s.Copies {
		for _, source := range c.Sources {
			root := path.Clean("/"+source) == "/" && c.From != ""
			if root || c.Instruction == "ADD" || belowAny(path.Clean("/"+source), []string{"/lib", "/lib64", "/usr/lib"}) || strings.Contains(source, ".so") {
				return false
			}
		}
	}
	return true
}

// importsC matches the import of cgo, asksCgo a build constraint that takes a file in
// by whether cgo is on, though no C be in it.
var (
	importsC = regexp.MustCompile(`(?m)^\s*(import\s+)?(\(\s*)?"C"`)
	asksCgo  = regexp.MustCompile(`(?m)^//\s*(go:build|\+build)\b.*\bcgo\b`)
)

// pure tells whether the context holds no sign of cgo for a command.
func (a *analysis) pure(p *product) bool {
	if a.Files == nil || !p.seen || a.walks[p.stage].writesGo(p) || slices.ContainsFunc(p.command.args, func(w word) bool { return strings.Contains(w.text, "@") }) {
		return false
	}
	dir := path.Clean(p.sources)
	for !a.isModule(dir) {
		if dir == "." || dir == "/" {
			return false
		}
		dir = path.Dir(dir)
	}
	text, _ := a.Files.Read(path.Join(dir, "go.mod"))
	for _, name := range cgoModules {
		if strings.Contains(string(text), name) {
			return false
		}
	}
	budget := 20000
	return !a.usesC(dir, &budget)
}

// writesGo tells whether the stage may have written Go files where a command compiles.
func (w *walk) writesGo(p *product) bool {
	for name := range p.command.vars.vars {
		if strings.HasPrefix(name, "CGO_") && name != "CGO_ENABLED" {
			return true
		}
	}
	if v, ok := p.command.vars.env("GOFLAGS"); ok && (strings.Contains(v.text, "extld") || strings.Contains(v.text, "linkmode")) {
		return true
	}
	return slices.ContainsFunc(w.facts, func(f fact) bool {
		ext := path.Ext(f.path)
		return below(f.path, p.command.vars.dir) && !f.seen && !f.empty && f.made == nil && (ext == ".go" || ext == "")
	})
}

func (a *analysis) isModule(dir string) bool {
	_, ok := a.Files.Read(path.Join(dir, "go.mod"))
	return ok
}

// usesC tells whether a Go file below a folder of the context uses cgo, or whether it
// has too many files to tell.
func (a *analysis) usesC(dir string, budget *int) bool {
	if done, ok := a.looked[dir]; ok {
		return !done
	}
	names, _ := a.Files.List(dir)
	for _, name := range names {
		if *budget--; *budget < 0 {
			return true
		}
		switch {
		case strings.HasSuffix(name, "/"):
			if a.usesC(path.Join(dir, strings.TrimSuffix(name, "/")), budget) {
				return true
			}
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			text, ok := a.Files.Read(path.Join(dir, name))
			if !ok || importsC.Match(text) || asksCgo.Match(text) {
				return true
			}
		}
	}
	a.looked[dir] = true
	return false
}
