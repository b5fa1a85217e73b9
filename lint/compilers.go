package lint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/script"
)

// language is what a compiler is for: what it takes to compile for another machine
// depends on it.
type language string

const (
	golang  language = "go"
	rust    language = "rust"
	native  language = "c"
	java    language = "java"
	web     language = "web"
	dotnet  language = "dotnet"
	another language = "another"
)

// compile tells whether a command compiles, in what language, and how to call it: "go build".
func compile(c script.Command) (what string, l language, ok bool) {
	args := texts(c.Args)
	if asksOnly(args) {
		return "", "", false
	}
	verb := firstOperand(args)
	in := func(words ...string) bool { return slices.Contains(words, verb) }
	switch name := strings.TrimSuffix(c.Name, ".exe"); name {
	case "go", "tinygo", "garble":
		return name + " " + verb, golang, in("build", "install")
	case "goreleaser", "xgo", "gox":
		return name, golang, name != "goreleaser" || in("build", "release")
	case "cargo", "cross":
		return name + " " + verb, rust, in("build", "b", "install", "rustc", "zigbuild", "chef", "leptos", "auditable") && !(verb == "chef" && slices.Contains(args, "prepare")) && !(verb == "install" && len(args) == 1)
	case "rustc":
		return name, rust, true
	case "make", "gmake", "bmake", "ninja", "samu", "ninja-build":
		return name, native, compilesByMake(args)
	case "cmake":
		return name, native, !slices.ContainsFunc(args, func(a string) bool { return a == "-E" || a == "-P" || a == "--install" })
	case "meson":
		return name + " " + verb, native, in("compile", "install")
	case "scons", "javac", "kotlinc", "scalac", "ghc", "ldc2", "rollup", "webpack":
		return name, map[string]language{"scons": native, "ghc": another, "ldc2": another, "rollup": web, "webpack": web}[name].or(java), true
	case "bazel", "bazelisk", "buck2", "swift", "crystal", "shards", "dub", "zig", "stack", "cabal", "dune", "flutter", "vite", "ng", "next", "nuxt", "parcel":
		l := another
		if slices.Contains([]string{"vite", "ng", "next", "nuxt", "parcel"}, name) {
			l = web
		}
		return name + " " + verb, l, in("build", "build-exe", "install", "generate") && !(verb == "install" && l == web)
	case "ant", "mvn", "mvnw", "gradle", "gradlew", "sbt", "lein":
		return name, java, compilesJava(name, args)
	case "npm", "yarn", "pnpm", "bun", "npx", "pnpx", "bunx":
		return compilesWeb(name, args)
	case "dotnet", "msbuild":
		return strings.TrimSpace(name + " " + verb), dotnet, name == "msbuild" || in("build", "publish", "pack", "msbuild")
	default:
		return name, native, compilers.MatchString(name)
	}
}

// or is the language, or another one where there is none.
func (l language) or(other language) language {
	if l == "" {
		return other
	}
	return l
}

// compilers are those of C, of a target or a version by name too.
var compilers = regexp.MustCompile(`^(?:[a-z0-9_]+-[a-z0-9_-]+-|musl-|xx-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[0-9.]+)?$`)

// asksOnly tells whether a command is only asked what it is.
func asksOnly(args []string) bool {
	return len(args) > 0 && (slices.Contains([]string{"--version", "-v", "-V", "-version", "version", "--help", "help", "-h", "-dumpversion", "-dumpmachine", "-print-search-dirs"}, args[0]) && len(args) == 1 ||
		strings.HasPrefix(args[0], "-print-") || args[len(args)-1] == "--version")
}

// firstOperand is the first word that is no option: the verb of many commands.
func firstOperand(args []string) string {
	takes := []string{"-C", "--cwd", "--prefix", "--dir", "-f", "--file", "--manifest-path", "--filter", "-F", "-w", "--workspace"}
	for i := 0; i < len(args); i++ {
		switch {
		case slices.Contains(takes, args[i]):
			i++
		case !strings.HasPrefix(args[i], "-") && !strings.HasPrefix(args[i], "+"):
			return args[i]
		}
	}
	return ""
}

// idle are targets of make that compile nothing by their name.
var idle = regexp.MustCompile(`^(?:clean|distclean|mrproper|help|lint|fmt|format|deps|dependencies|vendor|docs?|html|man|version|print-.*|.*config|mod|tidy|download|fetch|setup|init|requirements|tools)$`)

func compilesByMake(args []string) bool {
	targets := 0
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case slices.Contains([]string{"-C", "-f", "-I", "-o", "-W", "--directory", "--file"}, a):
			i++
		case strings.HasPrefix(a, "-") || strings.Contains(a, "="):
		case !idle.MatchString(a) && strings.Trim(a, "0123456789") != "":
			return true
		case strings.Trim(a, "0123456789") != "":
			targets++
		}
	}
	return targets == 0
}

// compilesJava tells whether the tools of Java are told more than to fetch what they need.
func compilesJava(name string, args []string) bool {
	if name == "ant" {
		return true
	}
	for _, a := range args {
		a = strings.Trim(a, `"'`)
		switch {
		case strings.HasPrefix(a, "-"):
		case strings.HasPrefix(name, "mvn"):
			if slices.Contains([]string{"package", "install", "verify", "compile", "test", "test-compile", "deploy", "integration-test", "process-classes"}, a) ||
				strings.HasPrefix(a, "spring-boot:") || strings.HasPrefix(a, "quarkus:") || strings.HasPrefix(a, "compiler:") {
				return true
			}
		case strings.HasPrefix(name, "gradle"):
			task := strings.ToLower(a[strings.LastIndexByte(a, ':')+1:])
			if !slices.Contains([]string{"dependencies", "tasks", "help", "clean", "wrapper", "projects", "properties", "builddependents"}, task) && !strings.Contains(task, "download") && !strings.Contains(task, "resolve") {
				return true
			}
		case !slices.Contains([]string{"update", "clean", "deps", "reload", "about", "version"}, a):
			return true
		}
	}
	return false
}

// webScript matches the scripts of a package.json that bundle.
var webScript = regexp.MustCompile(`^(?:build|bundle|compile|dist|prod|production|webpack|tsc)(?:$|[:._-])|[:._-]build$`)

// webTools are bundlers and compilers that npx runs.
var webTools = []string{"webpack", "tsc", "rollup", "esbuild", "vite", "ng", "next", "nuxt", "parcel", "nx", "turbo", "gulp", "grunt", "vue-cli-service", "react-scripts", "nest", "gatsby", "swc", "babel"}

// compilesWeb is for npm and its like: run build, and what npx runs.
func compilesWeb(name string, args []string) (what string, l language, ok bool) {
	var words []string
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case slices.Contains([]string{"--prefix", "-C", "--cwd", "--dir", "--filter", "-F", "-w", "--workspace"}, a):
			i++
		case !strings.HasPrefix(a, "-"):
			words = append(words, a)
		}
	}
	if len(words) > 1 && words[0] == "workspace" {
		words = words[2:]
	}
	if len(words) > 0 && (words[0] == "exec" || words[0] == "dlx" || words[0] == "x") {
		name, words = "npx", words[1:]
	}
	if len(words) == 0 {
		return "", web, false
	}
	if strings.HasSuffix(name, "x") {
		return words[0], web, slices.Contains(webTools, words[0])
	}
	verb := words[0]
	if (verb == "run" || verb == "run-script" || verb == "rum") && len(words) > 1 {
		return name + " run " + words[1], web, webScript.MatchString(words[1])
	}
	return name + " " + verb, web, name != "npm" && webScript.MatchString(verb)
}

func texts(words []script.Word) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.Text
	}
	return list
}
