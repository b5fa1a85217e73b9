package cross

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// fact is what is known of a path of a stage: of the file, or of the folder and
// all below it, for which no other fact is known.
type fact struct {
	path string
	// native tells that it is of the machine that the stage runs on; kind is what is
	// wrong when it leaves.
	native bool
	kind   Kind
	// made is the go command that writes programs there, or nil.
	made *product
	// empty tells that it is a folder that was made with nothing in it.
	empty bool
	// seen tells that it is a copy of the path context of the build context.
	seen    bool
	context string
}

// facts are those of one stage, the oldest first.
type facts []fact

// manyFacts is more than any sensible stage has.
const manyFacts = 1500

// below tells whether a path is another one, or inside of it.
func below(name, dir string) bool {
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}

// at gives the facts that say most about a path: those of the longest path above it.
func (f facts) at(name string) []fact {
	var list []fact
	for _, one := range f {
		if !below(name, one.path) {
			continue
		}
		if len(list) > 0 && len(one.path) != len(list[0].path) {
			if len(one.path) < len(list[0].path) {
				continue
			}
			list = list[:0]
		}
		list = append(list, one)
	}
	return list
}

// under gives the facts below a path, that of the path itself left out.
func (f facts) under(name string) []fact {
	var list []fact
	for _, one := range f {
		if one.path != name && below(one.path, name) {
			list = append(list, one)
		}
	}
	return list
}

// context finds what a path of the stage is a copy of.
func (f facts) context(name string) (string, bool) {
	at := f.at(name)
	if len(at) == 0 {
		return "", false
	}
	last := at[len(at)-1]
	if !last.seen || last.native {
		return "", false
	}
	return path.Join(last.context, strings.TrimPrefix(strings.TrimPrefix(name, last.path), "/")), true
}

// Folders that a base image fills, and those in them that it leaves to others.
var (
	systemFolders = []string{
		"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr", "/var",
		"/opt/java", "/opt/maven", "/opt/gradle", "/opt/sbt", "/opt/yarn", "/nix", "/go/pkg",
		"/root/.cache", "/root/.cargo", "/root/.rustup", "/root/.npm", "/root/.nvm", "/root/.m2", "/root/.gradle", "/root/.sdkman",
	}
	freeFolders = []string{"/usr/src", "/usr/local/src", "/usr/app", "/var/www", "/var/app", "/var/tmp"}
	// sameFiles are the same on every platform, though the system brings them.
	sameFiles = []string{
		"/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/share/zoneinfo", "/etc/passwd", "/etc/group",
		"/usr/local/go/lib/time/zoneinfo.zip",
	}
	// readable may be read by a command that keeps what it says.
	readable = []string{"/etc/os-release", "/usr/lib/os-release", "/etc/hosts", "/etc/resolv.conf", "/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/urandom", "/dev/random", "/run/secrets"}
)

func belowAny(name string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return below(name, dir) })
}

// isSystem tells whether a path is the base image's or a package's, or holds
// such.
func isSystem(name string) bool {
	if slices.Contains(freeFolders, name) {
		return false
	}
	if belowAny(name, freeFolders) {
		return false
	}
	return belowAny(name, systemFolders) || slices.ContainsFunc(systemFolders, func(dir string) bool { return below(dir, name) })
}

// isSame tells whether a path is the same on every platform.
func isSame(name string) bool { return belowAny(name, sameFiles) }

// architectures matches a word that names one.
var architectures = regexp.MustCompile(`(?i)(^|[^a-z0-9])(amd64|x86[-_]?64|x64|i[3-6]86|arm64|aarch64|armv[5-8][a-z]*|armhf|armel|arm32v[5-7]|arm64v8|ppc64(le|el)?|s390x|riscv64|loong64|mips(64)?(le|el)?|linux[-_]?(32|64|arm|386))($|[^a-z0-9])`)

// namesArchitecture tells whether a text does.
func namesArchitecture(text string) bool { return architectures.MatchString(text) }
