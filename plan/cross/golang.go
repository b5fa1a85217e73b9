package cross

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The recipe for Go: go compiles for any target by itself when cgo is off. The settings
// stand before exactly those commands that make what leaves; all others, go mod
// download, go generate, go test among them, work for the machine that they run on.

// product is a go command that writes programs.
type product struct {
	stage   int
	line    int
	install bool
	command *command
	// programs are the names that it writes, every one when any is set.
	programs []string
	any      bool
	// leaves tells that a program of it leaves the stage, taken are the paths by which.
	leaves bool
	taken  []string
	// runs tells that a program of it is run in the stage.
	runs bool
	// gobin is the line at which GOBIN was set, or 0, and folder what it says.
	gobin  int
	folder string
	// sources is the folder of the context that is compiled, undecided why cgo may be on.
	sources   string
	seen      bool
	undecided string
	// linked tells that the C linker is told something.
	linked bool
}

// manyProducts is more than any sensible stage has.
const manyProducts = 300

var goCommands = map[string]handler{
	"go": goCommand,
	// These read sources and print, or write them anew.
	"gofmt": goTool, "goimports": goTool, "golangci-lint": goTool, "staticcheck": goTool,
	"protoc": goTool, "buf": goTool,
}

func goTool(w *walk, c *command) {}

// generators are tools whose output is the same on every machine.
var generators = set(`stringer protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway protoc-gen-openapiv2 mockgen sqlc templ swag wire goimports
	golangci-lint staticcheck gofumpt enumer easyjson gqlgen oapi-codegen controller-gen deepcopy-gen client-gen buf go-bindata statik goyacc ent moq mockery
	counterfeiter gotestsum gosec govulncheck errcheck revive go-enum jsonenums msgp ffjson packr packr2 rice esc go-licenses addlicense`)

// run notes that a program of the product is run.
func (p *product) run(w *walk, c *command) {
	name := path.Base(c.name)
	switch {
	case !p.install:
		w.stay(RunsTargetCode, c.line, "%s is run, which go built at line %d", c.name, p.line)
	case p.any || !generators[name]:
		w.stay(ToolRuns, p.line, "%s is installed by go and run at line %d", name, c.line)
	default:
		p.runs = true
	}
}

// names tells whether the product writes a program of some name.
func (p *product) names(name string) bool { return slices.Contains(p.programs, name) }

// goCommand is go itself.
func goCommand(w *walk, c *command) {
	w.used["go"] = true
	if len(c.args) == 0 || c.args[0].loose {
		w.stay(UnknownCommand, c.line, "what go is to do is not known")
		return
	}
	verb := c.args[0].text
	rest := *c
	rest.args = c.args[1:]
	switch verb {
	case "build", "install":
		goBuild(w, c, &rest, verb == "install")
	case "test":
		goTest(w, c, &rest)
	case "run":
		w.stay(RunsTargetCode, c.line, "go run runs code of the author's")
	case "generate":
		w.stay(ScriptNotSeen, c.line, "go generate runs what the sources say")
	case "env":
		goEnv(w, &rest)
	case "version":
		if c.kept && len(rest.operands("")) == 0 {
			w.stay(ArchAsked, c.line, "go version tells the machine")
		}
	case "list":
		if c.kept && !rest.has("-m") {
			w.stay(ArchAsked, c.line, "go list tells what is compiled on the machine")
		}
		w.goOptions(&rest)
	case "vet":
		w.goOptions(&rest)
	case "mod", "get", "clean", "fmt", "work", "help", "doc", "telemetry":
		for _, name := range []string{"GOMODCACHE", "GOPATH"} {
			if v, ok := c.vars.env(name); ok && known(v.text) && v.line > 0 {
				w.fact(fact{path: path.Join(v.text, map[string]string{"GOPATH": "pkg"}[name]), native: true, kind: OutputNotRecipe})
			}
		}
	default:
		w.stay(UnknownCommand, c.line, "%s is not known", c.text())
	}
}

// goEnv is go env, which tells settings and keeps them.
func goEnv(w *walk, c *command) {
	args := c.operands("")
	if c.has("-w", "-u") {
		for _, arg := range args {
			name, text, _ := strings.Cut(arg.text, "=")
			w.judge(name, text, c.line)
			switch name {
			case "GOPROXY", "GOPRIVATE", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB", "GONOPROXY", "GOINSECURE", "GO111MODULE", "GOTOOLCHAIN", "GOOS", "GOFLAGS":
			case "CGO_ENABLED":
				w.stay(CgoUndecided, c.line, "go env -w sets CGO_ENABLED")
			default:
				w.stay(AuthorDecided, c.line, "go env -w sets %s", name)
			}
		}
		return
	}
	harmless := []string{"GOPATH", "GOMODCACHE", "GOCACHE", "GOROOT", "GOPROXY", "GOVERSION", "GOMOD", "GOBIN", "GOOS", "GOFLAGS", "GOPRIVATE"}
	whole := len(args) == 0 || slices.ContainsFunc(args, func(a word) bool { return !slices.Contains(harmless, a.text) })
	if c.kept && whole {
		w.stay(ArchAsked, c.line, "go env tells the machine")
	}
}

// goTest runs the tests on the machine that the stage runs on; what they print goes to the log.
func goTest(w *walk, c, rest *command) {
	w.goOptions(rest)
	if c.kept {
		w.stay(RunsTargetCode, c.line, "what go test prints goes on")
	}
	for _, name := range []string{"-coverprofile", "-cpuprofile", "-memprofile", "-blockprofile", "-mutexprofile", "-trace", "-outputdir", "-o", "--coverprofile"} {
		file, ok := rest.option(name)
		if !ok {
			continue
		}
		if to := c.vars.abs(file); name == "-o" && to != "" {
			p := &product{stage: w.stage, line: c.line, command: c}
			w.products = append(w.products, p)
			w.fact(fact{path: to, made: p, native: true, kind: RunsTargetCode})
		} else {
			w.fact(fact{path: to, native: true, kind: RunsTargetCode})
		}
	}
	if rest.has("-exec") || rest.mentions("-exec=") || rest.mentions("-toolexec") {
		w.stay(UnknownCommand, c.line, "go test runs another command")
	}
}

// goBuild is go build and go install.
func goBuild(w *walk, c, rest *command, install bool) {
	packages, output := w.goOptions(rest)
	p := &product{stage: w.stage, line: c.line, install: install, command: c}
	p.linked = rest.mentions("-extld") || rest.mentions("-linkmode")
	if c.kept && c.inner {
		w.stay(UnknownCommand, c.line, "what go %s prints goes on", c.first())
	}
	p.undecided = w.decideCgo(c)
	if p.undecided == "on" {
		p.undecided = ""
		w.stay(CgoOn, c.line, "CGO_ENABLED=1")
	}
	if config := "/root/.config/go/env"; len(exact(w.facts, config)) > 0 || w.copied(config) {
		w.stay(AuthorDecided, c.line, "go is configured by %s", config)
	}
	p.sources, p.seen = w.facts.context(c.vars.dir)
	for _, pkg := range packages {
		name, any := programName(pkg.text)
		if any {
			p.any = true
			continue
		}
		p.programs = append(p.programs, name)
	}
	if len(packages) == 0 || slices.ContainsFunc(packages, func(a word) bool { return a.text == "." }) {
		p.any = true
	}
	w.products = append(w.products, p)
	if len(w.products) > manyProducts {
		w.stay(UnknownCommand, c.line, "go builds too often to be looked at")
		w.products = w.products[:manyProducts]
		return
	}
	switch {
	case install:
		w.installed(c, p)
	case output == nil:
		w.fact(fact{path: c.vars.dir, made: nil})
		for _, name := range p.programs {
			w.fact(fact{path: c.vars.abs(name), made: p})
		}
		if p.any {
			w.fact(fact{path: c.vars.dir, made: p, seen: p.seen, context: p.sources})
		}
	default:
		w.built(c, p, output.text)
	}
}

// built notes where go build -o writes.
func (w *walk) built(c *command, p *product, output string) {
	to := c.vars.abs(output)
	switch {
	case to == "":
		w.stay(OutputNotRecipe, c.line, "%s: where it writes to is not known", c.text())
	case to == "/dev/null":
	case slices.Contains(commandFolders, to) || strings.HasSuffix(output, "/") && isSystem(to):
		for _, name := range p.programs {
			w.fact(fact{path: path.Join(to, name), made: p})
		}
	default:
		w.fact(fact{path: to, made: p})
	}
}

// installed notes where go install writes.
func (w *walk) installed(c *command, p *product) {
	if v, ok := c.vars.env("GOBIN"); ok && v.text != "" {
		p.gobin, p.folder = max(v.line, 1), c.vars.abs(v.text)
		for _, name := range p.programs {
			w.fact(fact{path: path.Join(c.vars.abs(v.text), name), made: p})
		}
		if p.any {
			w.fact(fact{path: c.vars.abs(v.text), made: p})
		}
		return
	}
	gopath := ""
	if v, ok := c.vars.env("GOPATH"); ok {
		gopath = c.vars.abs(v.text)
	} else if home, ok := c.vars.env("HOME"); ok && w.official {
		gopath = path.Join(home.text, "go")
	}
	if gopath == "" || strings.Contains(gopath, ":") {
		return // a path that leaves will not be known
	}
	for _, name := range p.programs {
		w.fact(fact{path: path.Join(gopath, "bin", name), made: p})
	}
	if p.any {
		w.fact(fact{path: path.Join(gopath, "bin"), made: p})
	}
}

// major matches the last part of a module's path that is its version.
var major = regexp.MustCompile(`^v[0-9]+$`)

// programName is the name of the program that a package becomes; any tells that it
// is not known.
func programName(pkg string) (name string, any bool) {
	if !known(pkg) || strings.Contains(pkg, "...") || strings.HasSuffix(pkg, ".go") {
		return "", true
	}
	pkg, _, _ = strings.Cut(pkg, "@")
	name = path.Base(path.Clean(pkg))
	if major.MatchString(name) {
		name = path.Base(path.Dir(path.Clean(pkg)))
	}
	return name, name == "." || name == ".." || name == "/"
}

// decideCgo tells why cgo may be on for a command: empty when it is off, "on" when
// it is in as many words.
func (w *walk) decideCgo(c *command) string {
	if v, ok := c.vars.env("CGO_ENABLED"); ok && v.text != "" {
		switch v.text {
		case "0":
			return ""
		case "1":
			return "on"
		}
		return "the value of CGO_ENABLED is not known"
	}
	if w.golang != "" && w.alpine && !w.compiler && goVersion(w.golang) >= 20 {
		return "" // off natively as well, for want of a compiler
	}
	return "nothing says CGO_ENABLED=0"
}

// goVersion is the minor version in the tag of a golang image; a tag without one is
// the newest.
func goVersion(tag string) int {
	parts := strings.FieldsFunc(tag, func(r rune) bool { return r == '.' || r == '-' })
	if len(parts) == 0 || parts[0] != "1" {
		if len(parts) > 0 && (parts[0] == "alpine" || parts[0] == "latest") {
			return 1000
		}
		return 0
	}
	if len(parts) == 1 || parts[1] == "alpine" {
		return 1000
	}
	n, err := strconv.Atoi(strings.SplitN(strings.SplitN(parts[1], "rc", 2)[0], "beta", 2)[0])
	if err != nil {
		return 0
	}
	return n
}

// copied tells whether a file of the stage is one of the context.
func (w *walk) copied(name string) bool {
	from, seen := w.facts.context(name)
	return seen && w.isFile(from)
}
