package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/script"
)

// makes notes what compilers and package managers write, for which machine.
func (w *working) makes() {
	args := texts(w.Args)
	if asksOnly(args) {
		return
	}
	if strings.HasPrefix(w.Name, "xx-") {
		w.aware = true
	}
	switch w.Name {
	case "go", "tinygo", "xx-go", "goxx-go":
		w.goMakes()
	case "cargo", "cross", "xx-cargo":
		w.cargoMakes()
	case "npm", "yarn", "pnpm", "bun", "cnpm":
		w.webMakes()
	case "pip", "pip3", "python", "python3", "virtualenv", "uv", "poetry", "pipenv", "pdm":
		w.pythonMakes()
	case "make", "gmake", "ninja", "cmake", "configure":
		w.makeMakes()
	case "mvn", "mvnw", "gradle", "gradlew":
		w.nativeJava()
	case "apk", "dnf", "yum", "microdnf", "tdnf", "debootstrap", "dpkg", "dpkg-deb":
		w.rootMakes()
	case "npx", "pkg", "nexe", "bunx":
		w.packedWeb()
	default:
		if ownCompilers.MatchString(w.Name) {
			w.ccMakes()
			return
		}
		w.otherMakes()
	}
}

// nativeJava is for programs that GraalVM and Kotlin make of classes.
func (w *working) nativeJava() {
	all := strings.ToLower(strings.Join(texts(w.Args), " "))
	if strings.HasPrefix(w.Name, "mvn") && (strings.Contains(all, "native:") || strings.Contains(all, "-pnative") || strings.Contains(all, "-dnative")) {
		w.product(product{what: w.Name + " native", path: path.Join(w.dir, "target"), loose: true, targeted: w.varies()})
	}
	if strings.HasPrefix(w.Name, "gradle") && (strings.Contains(all, "nativecompile") || strings.Contains(all, "executablenative")) {
		for _, dir := range []string{"build/native", "build/bin"} {
			w.product(product{what: w.Name + " native", path: path.Join(w.dir, dir), targeted: w.varies()})
		}
	}
}

// rootMakes is for package managers that fill another root: with packages of their own
// machine, unless they are told.
func (w *working) rootMakes() {
	p := product{what: w.Name, targeted: w.aware || w.varies() || w.has("--arch", "--forcearch", "-a", "--foreign")}
	switch to, ok := w.option("--root", "-p", "--installroot"); {
	case strings.HasPrefix(w.Name, "dpkg"):
		if args := w.operands(); w.has("-x", "-X", "--extract", "--vextract") && len(args) > 1 {
			p.what, p.path = w.Name+" -x", w.abs(args[len(args)-1], w.dir)
			w.product(p)
		}
	case w.Name == "debootstrap":
		if args := w.operands("--arch", "--include", "--variant", "--components"); len(args) > 1 {
			p.path = w.abs(args[1], w.dir)
			w.product(p)
		}
	case ok && (w.has("add", "install") || w.Name != "apk"):
		p.path = w.abs(to, w.dir)
		w.product(p)
	}
}

// packedWeb is for tools that pack JavaScript and an interpreter into one program.
func (w *working) packedWeb() {
	what := w.Name
	if strings.HasSuffix(what, "x") {
		what = firstOperand(texts(w.Args))
		what, _, _ = strings.Cut(strings.TrimPrefix(what, "@yao-pkg/"), "@")
	}
	to, ok := w.option("--output", "-o", "--out-path")
	if ok && slices.Contains([]string{"pkg", "nexe", "caxa"}, what) {
		w.product(product{what: what, path: w.abs(to, w.dir), targeted: w.has("-t", "--target", "--targets") || w.varies()})
	}
}

// product notes something that the command has made.
func (w *working) product(p product) {
	p.line = w.Line
	if p.what == "" {
		p.what = w.Name
	}
	p.targeted = p.targeted || w.loose || w.Chosen
	w.keep(p)
}

// goMakes is for go.
func (w *working) goMakes() {
	if len(w.Args) == 0 {
		return
	}
	verb := w.Args[0].Text
	if verb != "build" && verb != "install" {
		if verb == "env" && w.has("-w") {
			w.goarch = w.goarch || w.has("GOARCH") || slices.ContainsFunc(w.Assigns, func(a script.Assign) bool { return a.Name == "GOARCH" })
		}
		return
	}
	static := w.value("CGO_ENABLED") == "0" && !w.has("-buildmode", "-linkshared", "-race")
	p := product{what: "go " + verb, static: static, targeted: w.Name != "go" && w.Name != "tinygo" || w.goarch || w.set("GOARCH") || w.wrapped && w.aware}
	names := w.operands("-o", "-ldflags", "-tags", "-gcflags", "-asmflags", "-mod", "-p", "-C", "-modfile", "-overlay", "-buildmode", "-pkgdir", "-toolexec")[1:]
	dir := w.dir
	if to, ok := w.option("-C"); ok {
		dir = w.abs(to, dir)
	}
	to, given := w.option("-o")
	switch {
	case verb == "install":
		bin := "/go/bin"
		if path := w.value("GOPATH"); path != "" {
			bin = w.abs(path+"/bin", "/")
		}
		if gobin := w.value("GOBIN"); gobin != "" {
			bin = w.abs(gobin, dir)
		}
		for _, name := range names {
			one := p
			name, _, _ = strings.Cut(name, "@")
			one.path = path.Join(bin, programName(name))
			if strings.HasSuffix(name, "...") || name == "." {
				one.path, one.loose = bin, true
			}
			w.product(one)
		}
	case given && to != "/dev/null":
		p.path = w.abs(to, dir)
		if strings.HasSuffix(to, "/") || slices.Contains(programFolders, p.path) {
			p.loose = true
		}
		w.product(p)
	case !given:
		p.path, p.loose = dir, true
		if len(names) == 1 && strings.Trim(names[0], "./") != "" && !strings.HasSuffix(names[0], "...") {
			p.path, p.loose = path.Join(dir, programName(names[0])), false
		}
		w.product(p)
	}
}

// majorVersion is the last part of a module's path from version 2 on.
var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// programName is what go calls the program of a package.
func programName(pkg string) string {
	pkg = path.Clean(strings.TrimSuffix(pkg, ".go"))
	if majorVersion.MatchString(path.Base(pkg)) {
		pkg = path.Dir(pkg)
	}
	return path.Base(pkg)
}

// cargoMakes is for cargo.
func (w *working) cargoMakes() {
	verb := firstOperand(texts(w.Args))
	if !slices.Contains([]string{"build", "b", "install", "rustc", "zigbuild", "chef", "auditable"}, verb) {
		return
	}
	triple, given := w.option("--target")
	if !given {
		triple = w.value("CARGO_BUILD_TARGET")
	}
	p := product{what: "cargo " + verb, static: strings.Contains(triple, "-musl") || strings.Contains(w.value("RUSTFLAGS"), "crt-static")}
	p.targeted = given || w.Name != "cargo" || w.varies() || w.set("CARGO_BUILD_TARGET") || slices.ContainsFunc(w.named, func(name string) bool { return strings.Contains(name, ".cargo/config") })
	if verb == "install" {
		root, ok := w.option("--root")
		if !ok {
			root = "/usr/local/cargo"
		}
		p.path, p.loose = w.abs(root, w.dir)+"/bin", true
		w.product(p)
		return
	}
	out, ok := w.option("--target-dir")
	if !ok {
		out = w.value("CARGO_TARGET_DIR")
	}
	if out == "" {
		out = "target"
	}
	p.path = w.abs(out, w.dir)
	w.product(p)
	if dir, ok := w.option("--out-dir", "--artifact-dir"); ok {
		p.path = w.abs(dir, w.dir)
		w.product(p)
	}
}

// ownCompilers are those of C that make programs for the machine that they run on.
var ownCompilers = regexp.MustCompile(`^(?:musl-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[0-9.]+)?$`)

// ccMakes is for a compiler of C.
func (w *working) ccMakes() {
	to, ok := w.option("-o")
	if !ok {
		to = "a.out"
	}
	w.product(product{path: w.abs(to, w.dir), static: w.has("-static"), targeted: w.has("-target", "--target", "--sysroot") || w.varies()})
}

// makeMakes is for what drives compilers of C: where it installs to is known if it is said.
func (w *working) makeMakes() {
	configure := w.Name == "configure"
	cross := w.has("--host", "--target", "-DCMAKE_TOOLCHAIN_FILE", "-DCMAKE_SYSTEM_PROCESSOR", "-DCMAKE_C_COMPILER", "CC", "CROSS_COMPILE", "ARCH", "GOARCH", "TARGET", "TARGETARCH", "PLATFORM", "-DCMAKE_SYSTEM_NAME")
	p := product{targeted: cross || w.aware || w.varies() || w.set("CC", "GOARCH", "CROSS_COMPILE", "CHOST", "CARGO_BUILD_TARGET"), bin: !configure && w.Name != "cmake"}
	if configure || w.Name == "cmake" {
		if to, ok := w.option("--prefix", "-DCMAKE_INSTALL_PREFIX"); ok && strings.Trim(to, "/") != "usr" {
			p.path = w.abs(to, w.dir)
			w.product(p)
		}
	}
	if to, ok := w.option("DESTDIR"); ok {
		p.path, p.bin = w.abs(to, w.dir), false
		w.product(p)
		return
	}
	if to, ok := w.option("-B", "--build"); ok && w.Name == "cmake" {
		p.path, p.bin = w.abs(to, w.dir), true
		w.product(p)
	}
	if p.bin && p.path == "" && (w.Name != "make" && w.Name != "gmake" || compilesByMake(texts(w.Args))) {
		p.path = w.dir
		if to, ok := w.option("-C", "--directory"); ok {
			p.path = w.abs(to, w.dir)
		}
		w.product(p)
	}
}

// webMakes is for npm and its like: modules may be programs.
func (w *working) webMakes() {
	args := texts(w.Args)
	if w.has("--compile") && w.Name == "bun" {
		to, _ := w.option("--outfile")
		w.product(product{what: "bun build", path: w.abs(to, w.dir), targeted: w.has("--target") || w.varies()})
		return
	}
	verb := firstOperand(args)
	installs := slices.Contains([]string{"ci", "install", "i", "add", "clean-install", "rebuild", "deploy"}, verb) || w.Name == "yarn" && verb == ""
	if !installs || w.has("-g", "--global", "--ignore-scripts", "--cpu", "--lockfile-only", "--package-lock-only") || w.set("npm_config_arch", "npm_config_cpu", "npm_config_target_arch", "npm_config_target_platform") {
		return
	}
	dir := w.dir
	if to, ok := w.option("--prefix", "--cwd", "-C", "--dir"); ok {
		dir = w.abs(to, dir)
	}
	w.product(product{what: w.Name + " " + verb, path: path.Join(dir, "node_modules"), modules: true})
}

// pythonMakes is for pip and its like: packages may be programs.
func (w *working) pythonMakes() {
	args := texts(w.Args)
	name := w.Name
	if strings.HasPrefix(name, "python") {
		i := slices.Index(args, "-m")
		if i < 0 || i+1 >= len(args) {
			return
		}
		name, args = args[i+1], args[i+2:]
	}
	p := product{what: name, modules: true, targeted: w.has("--platform", "--python-platform", "--no-binary")}
	verb := firstOperand(args)
	switch {
	case name == "venv" || name == "virtualenv" || name == "uv" && verb == "venv":
		folder := ".venv"
		for _, arg := range args {
			if !strings.HasPrefix(arg, "-") && arg != "venv" {
				folder = arg
			}
		}
		p.path = w.abs(folder, w.dir)
	case strings.HasPrefix(name, "pip") && name != "pipenv" || name == "uv" && verb == "pip":
		p.what = name + " install"
		if to, ok := w.option("--target", "-t", "--prefix", "--root", "--wheel-dir", "-w"); ok {
			p.path = w.abs(to, w.dir)
		} else if w.has("--user") {
			p.path = "/root/.local"
		} else {
			return
		}
	case name == "uv" && verb == "sync", name == "poetry" && verb == "install", name == "pdm", name == "pipenv" && (verb == "install" || verb == "sync"):
		p.path = path.Join(w.dir, ".venv")
	default:
		return
	}
	w.product(p)
}

// otherMakes is for tools that write programs for the machine that they run on, by
// the option that says where, and those by which another machine is named.
func (w *working) otherMakes() {
	one, known := writers[w.Name]
	if !known || one.verb != "" && firstOperand(texts(w.Args)) != one.verb {
		return
	}
	to, ok := w.option(one.out...)
	if !ok {
		to = one.folder
	}
	if to == "" {
		return
	}
	if w.Name == "dotnet" && !w.has("--self-contained", "-p:PublishSingleFile", "/p:PublishSingleFile", "-p:PublishAot", "/p:PublishAot", "--sc") {
		return // an assembly is for every machine
	}
	w.product(product{what: strings.TrimSpace(w.Name + " " + one.verb), path: w.abs(to, w.dir), targeted: w.has(one.target...) || w.varies()})
}

// writer is such a tool.
type writer struct {
	verb string
	// out are the options that say where it writes, folder is where it does without.
	out    []string
	folder string
	// target are the options that name another machine.
	target []string
}

var writers = map[string]writer{
	"jlink":        {out: []string{"--output"}, target: []string{"--module-path"}},
	"jpackage":     {out: []string{"--dest", "-d"}, folder: "."},
	"native-image": {out: []string{"-o"}},
	"deno":         {verb: "compile", out: []string{"-o", "--output"}, target: []string{"--target"}},
	"dart":         {verb: "compile", out: []string{"-o", "--output"}, target: []string{"--target-arch"}},
	"swift":        {verb: "build", out: []string{"--scratch-path", "--build-path"}, folder: ".build", target: []string{"--triple", "--swift-sdk", "--arch", "--destination"}},
	"crystal":      {verb: "build", out: []string{"-o"}, target: []string{"--cross-compile", "--target"}},
	"shards":       {verb: "build", folder: "bin", target: []string{"--cross-compile", "--target"}},
	"stack":        {verb: "install", out: []string{"--local-bin-path"}, folder: "/root/.local/bin"},
	"ghc":          {out: []string{"-o"}},
	"zig":          {verb: "build", out: []string{"--prefix", "-p"}, folder: "zig-out", target: []string{"-Dtarget", "-target"}},
	"nim":          {verb: "c", out: []string{"-o", "--out"}, target: []string{"--cpu"}},
	"mix":          {verb: "release", out: []string{"--path"}, folder: "_build"},
	"pyinstaller":  {out: []string{"--distpath"}, folder: "dist"},
	"rustc":        {out: []string{"-o"}, target: []string{"--target"}},
	"dotnet":       {verb: "publish", out: []string{"-o", "--output"}, folder: "bin", target: []string{"-r", "--runtime", "-a", "--arch", "--os"}},
}
