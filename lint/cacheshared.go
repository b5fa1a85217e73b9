package lint

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// BuildKit finds a cache mount by its id, and without one by its target: builds for all
// platforms on one node write into the same folder. archbuild keeps those without an
// id apart (plan.IDFor); other builders do not.

// cacheShared finds cache mounts whose content is of one architecture.
func cacheShared(s *subject) {
	for _, m := range s.Template.CacheMounts() {
		var on []platform.Platform
		for _, v := range s.views() {
			if v.onTarget(s.Template, m.Stage) && !slices.Contains(on, v.Platform) {
				on = append(on, v.Platform)
			}
		}
		if len(on) < 2 || s.keptApart(m) || s.namesPlatform(m.Stage, m.ID+" "+m.Target) {
			continue
		}
		line := m.Line
		if m.Span != (template.Span{}) {
			line = s.lineOf(m.Span.Start)
		}
		name := m.ID
		if name == "" {
			name = strings.Trim(path.Base(path.Clean("/"+m.Target)), "./")
			if parent := path.Base(path.Dir(path.Clean("/" + m.Target))); slices.Contains([]string{"target", "build", "cache", "tmp"}, name) && len(parent) > 1 && !strings.Contains(parent, "$") {
				name = parent + "-" + name
			}
		}
		if strings.Contains(name, "$") || name == "" {
			name = "cache"
		}
		id, args := "$TARGETARCH", "TARGETARCH"
		if variants(on) {
			id, args = "$TARGETARCH$TARGETVARIANT", "TARGETARCH TARGETVARIANT"
		}
		fix := fmt.Sprintf("write id=%s-%s into the mount", name, id)
		if !s.declares(m.Stage, "TARGETARCH") {
			fix += ", and ARG " + args + " in the stage before it"
		}
		s.add(Finding{
			ID: "cache-shared", Severity: Warning, Line: line, Spans: spansOf(m.Span), Platforms: on, Fix: fix,
			Message: fmt.Sprintf("the cache of %s is one for %s, and what is kept there is of one architecture", m.Target, join(on)),
		})
	}
}

// variants says whether architectures alone do not tell platforms apart.
func variants(platforms []platform.Platform) bool {
	for i, p := range platforms {
		if slices.ContainsFunc(platforms[:i], func(other platform.Platform) bool { return other.Arch == p.Arch }) {
			return true
		}
	}
	return false
}

// spansOf is a list of one span, or of none.
func spansOf(span template.Span) []template.Span {
	if span == (template.Span{}) {
		return nil
	}
	return []template.Span{span}
}

// apart are the caches of tools that keep architectures apart by themselves, or whose
// files are the same for all of them: by the path that they have.
var apart = regexp.MustCompile(`(?i)(?:` + strings.Join([]string{
	`/pkg/mod\b`, `/go(?:/pkg)?$`, `go-build`, `go-?mod`, `go-?cache`, `/cache/(?:pip|npm|apt|apk|uv)$`, `/mod(?:-?cache)?$`, `golangci-lint`,
	`\.npm\b`, `npm-cache`, `_cacache`, `/npm$`, `yarn`, `pnpm`, `\.bun\b`, `/deno`,
	`/pip(?:-cache)?\b`, `pypoetry`, `/poetry`, `/uv(?:-cache)?$`, `/pdm$`, `/pipenv$`,
	`/\.?m2\b`, `\.gradle`, `/gradle$`, `/\.ivy2?\b`, `/\.sbt\b`, `coursier`, `/\.lein\b`, `maven`,
	`composer`, `nuget`, `/registry(?:/|$)`, `cargo/?$`, `cargo/git`, `/git/db$`,
	`/var/cache/(?:apt|apk|dnf|yum|libdnf5|zypp|pacman|tdnf|microdnf|debconf)\b`, `/var/lib/(?:apt|dnf|dpkg|yum|rpm)\b`, `/etc/apk/cache`, `/apk$`, `/apt(?:/|$)`, `/var/log\b`, `/var/cache$`,
	`bundle/cache`, `vendor/cache`, `/\.hex\b`, `/\.mix\b`, `rebar3`, `/\.pub-cache`, `huggingface`, `/\.conda/pkgs`, `/conda/pkgs`, `/pkgs$`,
	`\.next/cache`, `\.angular`, `node_modules/\.`, `\.parcel-cache`, `\.turbo`, `\.nx\b`, `\.vite`, `\.eslintcache`, `\.docusaurus`,
}, "|") + `)`)

// cacheVariables are those by which such tools are told where their cache is.
var cacheVariables = regexp.MustCompile(`(?i)^(?:GOCACHE|GOMODCACHE|GOLANGCI_LINT_CACHE|PIP_CACHE_DIR|UV_CACHE_DIR|POETRY_CACHE_DIR|PDM_CACHE_DIR|NPM_CONFIG_(?:CACHE|STORE_DIR)|YARN_CACHE_FOLDER|YARN_GLOBAL_FOLDER|PNPM_HOME|BUN_INSTALL_CACHE_DIR|CARGO_HOME|GRADLE_USER_HOME|COMPOSER_CACHE_DIR|COMPOSER_HOME|NUGET_PACKAGES|DENO_DIR|MAVEN_REPO_LOCAL|HF_HOME)$`)

// fetchers are commands whose caches hold what they fetch, wherever they are.
var fetchers = []string{"composer", "pip", "pip3", "npm", "yarn", "pnpm", "apt-get", "apt", "apk", "dnf", "yum", "mvn", "mvnw", "gradle", "gradlew", "curl", "wget", "git", "", "set", "cd", "mkdir", "echo", "true", "rm", "ls", "export", "exit"}

// installs are the folders that they fill with what they install.
var installs = regexp.MustCompile(`(?:^|/)(?:node_modules|\.?venv|env|target|build|out|dist|vendor|bin|lib|\.tox|site-packages|obj)/?$`)

// keptApart tells whether nothing is lost where all platforms share a mount.
func (s *subject) keptApart(m template.CacheMount) bool {
	if keepsApart(m.Target) {
		return true
	}
	names := names(m.Target)
	target := strings.TrimSuffix(m.Target, "/")
	for _, in := range s.walked().Stages[m.Stage].Instructions {
		for _, name := range in.Vars.Names() {
			value, known := in.Vars.Value(name)
			if cacheVariables.MatchString(name) && (slices.Contains(names, name) || known && strings.TrimSuffix(value, "/") == target) {
				return true
			}
			if slices.Contains(names, name) && known && keepsApart(variableText.ReplaceAllLiteralString(m.Target, value)) {
				return true
			}
		}
		if in.Line == m.Line && !installs.MatchString(target) && len(in.Script.Commands) > 0 {
			return !slices.ContainsFunc(in.Script.Commands, func(c script.Command) bool { return !slices.Contains(fetchers, c.Name) })
		}
	}
	return len(names) == 1 && cacheVariables.MatchString(names[0])
}

// inCache matches the folders of ~/.cache, and binds the first name in it.
var inCache = regexp.MustCompile(`/\.cache(?:/([^/]+))?(?:/|$)`)

// programsKept are the folders of ~/.cache in which tools keep programs or what they compiled.
var programsKept = []string{"ccache", "sccache", "cypress", "ms-playwright", "puppeteer", "pre-commit", "bazel", "_bazel_root", "cabal", "nix", "zig", "meson", "cmake", "vcpkg", "conan"}

// keepsApart tells whether nothing is lost where all platforms share a cache.
func keepsApart(target string) bool {
	at := path.Clean("/" + strings.Trim(target, `"'`))
	if m := inCache.FindStringSubmatch(at); m != nil {
		return !slices.Contains(programsKept, strings.ToLower(m[1]))
	}
	return apart.MatchString(at)
}

// variable matches a variable in a text and binds its name.
var variable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// ofTarget are the variables that BuildKit sets for the platform.
var ofTarget = []string{"TARGETPLATFORM", "TARGETARCH", "TARGETVARIANT", "TARGETOS"}

// namesPlatform tells whether a text of a stage says for which platform it is, directly
// or by variables.
func (s *subject) namesPlatform(stage int, text string) bool {
	if len(arch.Find(text)) > 0 {
		return true
	}
	return s.followsTarget(stage, text, map[string]bool{})
}

// followsTarget tells whether a variable of a text has another value for each platform.
// seen are those that were looked at.
func (s *subject) followsTarget(stage int, text string, seen map[string]bool) bool {
	for _, name := range names(text) {
		if slices.Contains(ofTarget[:3], name) || s.differs(name) {
			return true
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		if slices.ContainsFunc(s.assigned(stage, name), func(value string) bool { return s.followsTarget(stage, value, seen) || len(arch.Find(value)) > 0 }) {
			return true
		}
	}
	return false
}

// differs tells whether a build argument has several values.
func (s *subject) differs(name string) bool {
	views := s.views()
	return slices.ContainsFunc(views, func(v view) bool { return v.Args[name] != views[0].Args[name] })
}

// assigned are the values that ENV and ARG give a variable in a stage and those that it
// starts from, and before the first FROM.
func (s *subject) assigned(stage int, name string) []string {
	var list []string
	for _, d := range s.Template.Declared() {
		if d.Name == name && d.HasDefault {
			list = append(list, d.Default)
		}
	}
	s.eachAssignment(stage, func(key string, value *string, _ bool) {
		if key == name && value != nil {
			list = append(list, *value)
		}
	})
	return list
}

// declares tells whether a stage, or one that it starts from, has an ARG or ENV of a name.
func (s *subject) declares(stage int, name string) bool {
	found := false
	s.eachAssignment(stage, func(key string, _ *string, _ bool) { found = found || key == name })
	return found
}

// eachAssignment goes over the ARGs and ENVs of a stage and of those that it starts from.
func (s *subject) eachAssignment(stage int, do func(key string, value *string, env bool)) {
	views := s.views()
	if len(views) == 0 {
		return
	}
	for _, one := range views[0].chainOf(s.Template, stage) {
		for _, step := range s.steps(one) {
			switch c := step.Command.(type) {
			case *instructions.EnvCommand:
				for _, kv := range c.Env {
					do(kv.Key, &kv.Value, true)
				}
			case *instructions.ArgCommand:
				for _, arg := range c.Args {
					do(arg.Key, arg.Value, false)
				}
			}
		}
	}
}
