package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// data matches paths of files that are the same for every machine.
var data = regexp.MustCompile(`(?i)(?:^|/)(?:etc|share|include|src|certs?|ca-certificates|zoneinfo|licen[cs]es?|locale|i18n|doc|docs|html|www|templates|static|public|config|conf|fonts|man)(?:/|$)` +
	`|\.(?:crt|pem|key|jar|war|ear|conf|cfg|ini|toml|ya?ml|json|xml|html?|css|js|mjs|map|txt|md|sh|bash|py|rb|php|pl|ttf|woff2?|png|svg|tar|gz|tgz|zip|xz|bz2|wasm|sql|proto|bin|dat|img|ko|dll|pdb|class|properties|repo|list|gpg|asc|pub|patch|service)$`)

// system are the folders in which a distribution has programs and libraries.
var system = []string{"/", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/opt"}

// isSystem tells whether a path is one of a distribution's programs and libraries.
func isSystem(name string) bool {
	return name == "/" || slices.ContainsFunc(system[1:], func(folder string) bool { return below(name, folder) })
}

// system tells of folders that the stage's image and packages fill.
func (l *leaks) system(stage int, m *making, name string) (why string, severity Severity, fix string) {
	at, _ := unglobbed(name)
	untouched := !m.ran && slices.Contains(strings.Split(at, "/"), "bin") && !isData(at) // as its image has it
	switch {
	case !untouched && !m.ofSystem(name) || m.carved && m.aware:
		return "", "", ""
	case strings.Contains(at, "-packages") || strings.Contains(at, "/bundle") || strings.Contains(at, "node_modules"):
		return "its packages may hold programs for that machine", Warning, "install them in a stage of the target: without --platform=$BUILDPLATFORM, or in the final one"
	}
	return "what lies there is for the machine that builds", Error,
		fmt.Sprintf("install it in the final stage, or leave --platform=%s out of the stage that it comes from", l.flagOf(stage))
}

// ofSystem tells whether a path is one that the stage's image or its packages fill with
// programs. What commands name, or a COPY has brought, was put there by them; and scripts
// put things into /opt and /usr/local.
func (m *making) ofSystem(name string) bool {
	at, _ := unglobbed(name)
	switch {
	case isData(name) || !isSystem(at) || owned(at):
		return false
	case below(at, m.dir) && m.dir != "/" && !slices.Contains(system, m.dir):
		return false
	case m.carved && (below(at, "/opt") || below(at, "/usr/local")):
		return false
	}
	return !slices.ContainsFunc(m.named, func(n string) bool { return mayWrite(n, at) })
}

// isData tells whether a path is that of files that are the same for every machine.
func isData(name string) bool {
	at, _ := unglobbed(name)
	return data.MatchString(name) || scripts.MatchString(at)
}

// scripts are commands and tools of images that are text or classes, whatever machine runs them.
var scripts = regexp.MustCompile(`/(?:composer|docker-php-[a-z-]+|docker-entrypoint|entrypoint|wait-for(?:-it)?|mvn|maven|gradle|ant|sbt|yarn[^/]*|npm|npx|corepack|phpunit|wp|drush|hugo-themes)(?:/|$)`)

// flagOf is the --platform of a stage, or of the one that it starts from.
func (l *leaks) flagOf(stage int) string {
	for _, one := range l.chainOf(l.Template, stage) {
		if flag := l.Template.Stages[one].PlatformFlag; flag != "" {
			return flag
		}
	}
	return "$BUILDPLATFORM"
}

// owned tells whether a path lies in a folder that the author has made or works in.
func owned(name string) bool {
	first := strings.Split(strings.Trim(name, "/"), "/")
	if len(first) < 2 || first[0] != "opt" && !(len(first) > 2 && first[0] == "usr" && first[1] == "local") && first[0] != "usr" {
		return false
	}
	return slices.Contains([]string{"app", "application", "src", "code", "project", "workspace"}, first[1]) ||
		len(first) > 2 && slices.Contains([]string{"app", "src"}, first[2])
}

// mayWrite tells whether a command that names one path may have written the other: the same
// one, one below it, or a folder that holds it and is none of the distribution's.
func mayWrite(named, name string) bool {
	named, _ = unglobbed(named)
	switch {
	case named == name:
		return true
	case below(name, named):
		return !slices.Contains(system, named) && named != "/usr/lib" && named != "/usr/local" || slices.Contains([]string{"/usr/local/bin", "/usr/local/lib", "/opt"}, named)
	}
	return below(named, name) && !slices.Contains(system, name) && name != "/usr/lib" && name != "/usr/bin"
}
