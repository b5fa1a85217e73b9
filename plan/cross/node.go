package cross

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/template"
)

// The recipe for Node: bundlers make text of text. Their own programs (esbuild, swc)
// are the machine's that the stage runs on and stay behind in node_modules. The scripts
// of package.json are read like those of a RUN.

var nodeCommands = map[string]handler{
	"npm": npm, "yarn": yarn, "pnpm": pnpm, "npx": npx, "pnpx": npx, "node": node, "nodejs": node,
}

// manifest is what is read of a package.json.
type manifest struct {
	Gypfile    bool              `json:"gypfile"`
	Scripts    map[string]string `json:"scripts"`
	Workspaces any               `json:"workspaces"`
}

// manifest finds the package.json of a folder of the stage.
func (w *walk) manifest(c *command, dir string) (manifest, bool) {
	var m manifest
	name, ok := "", false
	if dir != "" && w.Files != nil {
		name, ok = w.facts.context(path.Join(dir, "package.json"))
	}
	var text []byte
	if ok {
		text, ok = w.Files.Read(name)
	}
	if !ok || json.Unmarshal(text, &m) != nil {
		w.stay(ScriptNotSeen, c.line, "%s: its package.json was not read", c.text())
		return m, false
	}
	if _, gyp := w.Files.Read(path.Join(path.Dir(name), "binding.gyp")); gyp || m.Gypfile {
		w.stay(NativeAddon, c.line, "%s: the package has a native add-on", c.text())
	}
	if m.Workspaces != nil {
		w.stay(ScriptNotSeen, c.line, "%s: workspaces are not looked into", c.text())
	}
	if _, pnpm := w.Files.Read(path.Join(path.Dir(name), "pnpm-workspace.yaml")); pnpm && c.name == "pnpm" {
		w.stay(ScriptNotSeen, c.line, "%s: workspaces are not looked into", c.text())
	}
	return m, true
}

// nodeOptions of package managers that are followed by a value.
const nodeOptions = `--prefix --cwd --dir -C --registry --network-timeout --cache --cache-folder --modules-folder --loglevel --omit --include --store-dir
	--fetch-retries --fetch-timeout --network-concurrency --mutex --store --userconfig`

// package is what package managers share: it gives the folder they work in and their
// operands.
func (w *walk) packages(c *command) (dir string, args []word) {
	w.used["node"] = true
	dir = c.vars.dir
	if to, ok := c.option("--prefix", "--cwd", "--dir", "-C"); ok {
		dir = c.vars.abs(to)
	}
	for _, arg := range c.args {
		name, _, _ := strings.Cut(arg.text, "=")
		switch name {
		case "--cpu", "--os", "--libc", "--arch", "--platform", "--target_arch", "--target-arch", "--target_platform":
			w.stay(AuthorDecided, c.line, "its author chooses a machine: %s", name)
		case "-w", "--workspace", "--workspaces", "-ws", "--filter", "-F", "-r", "--recursive", "-W":
			w.stay(ScriptNotSeen, c.line, "workspaces are not looked into")
		case "--modules-folder", "--virtual-store-dir", "--global-dir", "--script-shell":
			w.stay(UnknownCommand, c.line, "%s is not looked into", name)
		}
		if arg.loose {
			w.stay(UnknownCommand, c.line, "options of %s are in a variable whose value is not known", c.name)
		}
	}
	return dir, c.operands(nodeOptions)
}

// installsModules notes node_modules, and runs the scripts of the package itself.
func (w *walk) installsModules(c *command, dir string) {
	if c.has("-g", "--global", "--location=global") {
		return // into folders of the system
	}
	if dir == "" {
		w.stay(UnknownCommand, c.line, "%s: the folder is not known", c.text())
		return
	}
	for _, name := range []string{"node_modules", ".yarn/unplugged", ".yarn/cache", ".pnp.cjs"} {
		if name == "node_modules" || c.name == "yarn" {
			w.fact(fact{path: path.Join(dir, name), native: true, kind: NodeModulesLeave})
		}
	}
	m, ok := w.manifest(c, dir)
	if !ok || c.has("--ignore-scripts") {
		return
	}
	for _, name := range []string{"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"} {
		w.script(c, dir, m, name)
	}
}

// runsScript runs a script of package.json with those before and after it.
func (w *walk) runsScript(c *command, dir, name string) {
	m, ok := w.manifest(c, dir)
	if !ok {
		return
	}
	if m.Scripts[name] == "" {
		w.stay(ScriptNotSeen, c.line, "%s: package.json has no such script", c.text())
	}
	for _, name := range []string{"pre" + name, name, "post" + name} {
		w.script(c, dir, m, name)
	}
}

// deepest is how far scripts that run scripts are followed.
const deepest = 8

// script looks at one script of package.json.
func (w *walk) script(c *command, dir string, m manifest, name string) {
	text := m.Scripts[name]
	if text == "" {
		return
	}
	if w.depth++; w.depth > deepest || len(text) > longestScript {
		w.depth--
		w.stay(ScriptNotSeen, c.line, "script %s is too long to be looked into", name)
		return
	}
	defer func() { w.depth-- }()
	nested := strings.Count(text, "(") + strings.Count(text, "{") + strings.Count(text, "`")
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), "")
	if err != nil || nested > mostNested {
		w.stay(ShellNotParsed, c.line, "script %s of package.json is none that can be read", name)
		return
	}
	s := c.vars.clone()
	s.dir = dir
	x := &shell{walk: w, script: template.Script{Text: text}, kept: c.kept}
	x.stmts(file.Stmts, s)
}

func npm(w *walk, c *command) {
	dir, args := w.packages(c)
	if len(args) == 0 {
		return
	}
	verb, rest := args[0].text, texts(args[1:])
	switch verb {
	case "ci", "install", "i", "add", "clean-install", "install-clean", "in":
		w.installsModules(c, dir)
	case "run", "run-script", "rum", "urn":
		if len(rest) > 0 {
			w.runsScript(c, dir, rest[0])
		}
	case "test", "t", "tst":
		w.runsScript(c, dir, "test")
	case "exec", "x":
		w.tool(c, rest)
	case "cache", "config", "set", "audit", "ping", "version", "prune", "dedupe", "ddp", "rebuild", "view", "whoami", "fund", "help", "pkg", "uninstall", "update", "outdated":
	default:
		w.stay(UnknownCommand, c.line, "%s is not known", c.text())
	}
}

func yarn(w *walk, c *command) {
	dir, args := w.packages(c)
	if len(args) == 0 {
		if !c.has("--version", "-v") {
			w.installsModules(c, dir)
		}
		return
	}
	verb, rest := args[0].text, texts(args[1:])
	switch verb {
	case "install", "add":
		w.installsModules(c, dir)
	case "run":
		if len(rest) > 0 {
			w.scriptOrTool(c, dir, rest)
		}
	case "dlx", "exec":
		w.tool(c, rest)
	case "cache", "config", "set", "global", "audit", "plugin", "policies", "version", "info":
	default:
		w.scriptOrTool(c, dir, texts(args))
	}
}

func pnpm(w *walk, c *command) {
	dir, args := w.packages(c)
	if len(args) == 0 {
		return
	}
	verb, rest := args[0].text, texts(args[1:])
	switch verb {
	case "install", "i", "add", "fetch", "ci":
		w.installsModules(c, dir)
	case "run":
		if len(rest) > 0 {
			w.runsScript(c, dir, rest[0])
		}
	case "test", "t":
		w.runsScript(c, dir, "test")
	case "dlx", "exec":
		w.tool(c, rest)
	case "store", "config", "set", "audit", "prune", "rebuild", "setup", "env":
	case "deploy":
		w.stay(NodeModulesLeave, c.line, "pnpm deploy copies modules")
	default:
		w.scriptOrTool(c, dir, texts(args))
	}
}

// scriptOrTool is yarn NAME: a script of package.json, else a program of a module.
func (w *walk) scriptOrTool(c *command, dir string, words []string) {
	m, ok := w.manifest(c, dir)
	if !ok {
		return
	}
	if m.Scripts[words[0]] == "" {
		w.tool(c, words)
		return
	}
	w.runsScript(c, dir, words[0])
}

func npx(w *walk, c *command) {
	w.used["node"] = true
	for len(c.args) > 0 && strings.HasPrefix(c.args[0].text, "-") {
		if c.args[0].text != "-y" && c.args[0].text != "--yes" && c.args[0].text != "--no-install" {
			w.stay(UnknownCommand, c.line, "%s is not known", c.text())
		}
		c.args = c.args[1:]
	}
	if len(c.args) > 0 {
		w.tool(c, texts(c.args))
	}
}

// node runs code of the author's.
func node(w *walk, c *command) {
	w.used["node"] = true
	if len(c.args) == 1 && !c.kept && c.has("--version", "-v") {
		return
	}
	w.stay(UnknownCommand, c.line, "%s runs code that may ask for the machine", c.text())
}

// Programs of modules, by the first word after them where only some are known.
var (
	nodeTools = map[string]string{
		"vite": "build optimize", "webpack": "", "webpack-cli": "", "rollup": "", "parcel": "build", "esbuild": "", "tsc": "", "tsup": "", "swc": "", "babel": "",
		"react-scripts": "build test", "craco": "build test", "vue-cli-service": "build lint", "ng": "build lint", "next": "build lint export telemetry",
		"nuxt": "build generate prepare", "nuxi": "build generate prepare", "astro": "build check sync telemetry", "gatsby": "build telemetry", "svelte-kit": "sync",
		"svelte-check": "", "vue-tsc": "", "eslint": "", "prettier": "", "stylelint": "", "jest": "", "vitest": "", "mocha": "", "ava": "", "c8": "", "nyc": "", "tap": "",
		"rimraf": "", "mkdirp": "", "cpx": "", "copyfiles": "", "shx": "", "tailwindcss": "", "postcss": "", "sass": "", "lessc": "", "stylus": "",
		"build-storybook": "", "storybook": "build", "typedoc": "", "docusaurus": "build", "vuepress": "build", "vitepress": "build", "eleventy": "", "hexo": "generate",
		"husky": "", "is-ci": "", "patch-package": "", "ngcc": "", "svgo": "", "update-browserslist-db": "", "graphql-codegen": "", "react-router": "build typegen", "remix": "build vite:build",
		"ember": "build", "preact": "build", "stencil": "build", "terser": "", "uglifyjs": "", "html-minifier": "", "tsc-alias": "", "lint-staged": "", "only-allow": "",
		"openapi-typescript": "", "del-cli": "", "del": "", "cpy": "", "ncp": "", "microbundle": "", "unbuild": "", "snowpack": "build", "poi": "build", "quasar": "build prepare", "umi": "build", "max": "build setup",
	}
	addonTools  = set("node-gyp node-pre-gyp prebuild prebuildify prebuild-install node-gyp-build cmake-js napi neon electron-rebuild")
	nativeTools = set("pkg @yao-pkg/pkg nexe caxa electron-builder electron-packager electron-forge boxednode")
	runnerTools = set("run-s run-p npm-run-all npm-run-all2 concurrently")
)

// versioned matches the version behind the name of a package.
var versioned = regexp.MustCompile(`(.)@[^/]*$`)

// tool is a program that a module brings.
func (w *walk) tool(c *command, words []string) {
	w.used["node"] = true
	if len(words) == 0 {
		return
	}
	name, rest := versioned.ReplaceAllString(words[0], "$1"), words[1:]
	verbs, ok := nodeTools[name]
	switch {
	case addonTools[name]:
		w.stay(NativeAddon, c.line, "%s makes or fetches programs of its machine", name)
	case nativeTools[name]:
		w.stay(MakesNativePrograms, c.line, "%s makes programs for its machine", name)
	case name == "cross-env" || name == "cross-env-shell" || name == "dotenv":
		w.withEnv(c, rest)
	case runnerTools[name]:
		for _, script := range rest {
			if strings.ContainsAny(script, "* :") && !strings.Contains(script, ":") || strings.HasPrefix(script, "npm:") || strings.Contains(script, "*") || strings.Contains(script, " ") {
				w.stay(ScriptNotSeen, c.line, "%s: patterns of scripts are not looked into", c.text())
			} else if !strings.HasPrefix(script, "-") {
				w.runsScript(c, c.vars.dir, script)
			}
		}
	case !ok:
		w.stay(UnknownCommand, c.line, "%s is no program whose effect is known", name)
	case verbs != "" && (len(rest) == 0 || !slices.Contains(strings.Fields(verbs), rest[0])):
		w.stay(UnknownCommand, c.line, "%s: what it does is not known", c.text())
	default:
		w.bundles(c, rest)
	}
}

// withEnv is cross-env NAME=VALUE COMMAND.
func (w *walk) withEnv(c *command, words []string) {
	inner := *c
	inner.copyVars()
	for len(words) > 0 {
		name, text, given := strings.Cut(words[0], "=")
		if !given || !syntax.ValidName(name) {
			break
		}
		w.judge(name, text, c.line)
		inner.vars.vars[name] = value{text: text, exported: true, line: c.line}
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	inner.name, inner.args = words[0], nil
	for _, text := range words[1:] {
		inner.args = append(inner.args, word{text: text})
	}
	w.command(&inner)
}

// outputs are the options by which bundlers are told where to write.
var outputs = []string{"--outDir", "--out-dir", "--outdir", "--output-path", "--dist-dir", "--dest", "--outfile", "--output", "-o", "-d", "--out"}

// bundles notes what a bundler writes when it is told where to; else it is in the
// working directory.
func (w *walk) bundles(c *command, words []string) {
	inner := *c
	inner.args = nil
	for _, text := range words {
		inner.args = append(inner.args, word{text: text})
	}
	if to, ok := inner.option(outputs...); ok {
		w.wrote(c.vars.abs(to))
	}
}
