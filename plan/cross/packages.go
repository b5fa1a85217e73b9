package cross

import (
	"slices"
	"strings"
)

// plainPackages bring no C compiler; what is not among them may.
var plainPackages = set(`git ca-certificates ca-certificates-bundle tzdata make curl wget bash openssh-client openssh upx file jq tar unzip xz zip gzip
	gnupg coreutils findutils grep sed gawk rsync libcap sudo shadow su-exec tini dumb-init busybox protoc protobuf mercurial subversion
	go nodejs npm yarn python3 py3-pip libc6-compat musl openssl perl less vim nano tree zstd bzip2 patch diffutils libcap-utils`)

// bring notes packages that are installed.
func (w *walk) bring(list []word) {
	for _, p := range list {
		name, _, _ := strings.Cut(strings.TrimPrefix(p.text, "."), "=")
		name, _, _ = strings.Cut(name, "~")
		name, _, _ = strings.Cut(name, "@")
		if strings.HasPrefix(p.text, "/") || strings.HasSuffix(p.text, ".deb") || strings.HasSuffix(p.text, ".apk") || strings.HasSuffix(p.text, ".rpm") {
			if namesArchitecture(p.text) {
				w.stay(NamesArchitecture, w.line, "%s names an architecture", p.text)
			}
		}
		if !plainPackages[name] {
			w.compiler = true
		}
	}
}

func apt(w *walk, c *command) {
	for _, arg := range c.args {
		if strings.Contains(arg.text, "RootDir") || strings.Contains(arg.text, "Dir=") || strings.Contains(arg.text, "Dir::") || strings.HasPrefix(arg.text, "--print") {
			w.stay(TargetPackagesLeave, c.line, "%s: packages go elsewhere", c.text())
		}
		if strings.Contains(arg.text, "Architecture") || strings.Contains(arg.text, "--host-arch") {
			w.stay(AuthorDecided, c.line, "its author chooses the architecture of packages")
		}
	}
	args := c.operands("-o -t --target-release --option -c")
	if len(args) == 0 {
		return
	}
	switch args[0].text {
	case "update", "upgrade", "dist-upgrade", "full-upgrade", "clean", "autoclean", "autoremove", "purge", "remove":
	case "install", "build-dep", "reinstall":
		w.bring(args[1:])
	case "download", "source":
		w.stay(TargetPackagesLeave, c.line, "%s: packages of the machine are kept", c.text())
	default:
		w.stay(UnknownCommand, c.line, "%s is not known", c.text())
	}
}

func apk(w *walk, c *command) {
	if c.has("--print-arch") {
		w.stay(ArchAsked, c.line, "apk tells the machine")
	}
	for _, arg := range c.args {
		switch name, _, _ := strings.Cut(arg.text, "="); name {
		case "--root", "-p", "--initdb", "--initramfs-diskless-boot":
			w.stay(TargetPackagesLeave, c.line, "%s: packages go elsewhere", c.text())
		case "--arch":
			w.stay(AuthorDecided, c.line, "its author chooses the architecture of packages")
		}
	}
	args := c.operands("-t --virtual -X --repository --keys-dir --repositories-file --cache-dir --cache-max-age --wait --progress-fd")
	if len(args) == 0 {
		return
	}
	switch args[0].text {
	case "add":
		w.bring(args[1:])
	case "update", "upgrade", "del", "cache", "fix":
	default:
		if c.kept || args[0].text == "fetch" {
			w.stay(UnknownCommand, c.line, "%s is not known", c.text())
		}
	}
}

func dnf(w *walk, c *command) {
	for _, arg := range c.args {
		if strings.HasPrefix(arg.text, "--installroot") || strings.HasPrefix(arg.text, "--root") || arg.text == "-R" || strings.HasPrefix(arg.text, "--downloaddir") {
			w.stay(TargetPackagesLeave, c.line, "%s: packages go elsewhere", c.text())
		}
		if strings.HasPrefix(arg.text, "--forcearch") {
			w.stay(AuthorDecided, c.line, "its author chooses the architecture of packages")
		}
	}
	args := c.operands("--setopt --enablerepo --disablerepo -x --exclude --releasever")
	if len(args) == 0 {
		return
	}
	allowed := []string{
		"install", "in", "update", "upgrade", "clean", "remove", "erase", "autoremove", "makecache", "module", "groupinstall", "refresh", "ref",
		"localinstall", "reinstall", "config-manager", "check-update", "--refresh",
	}
	if !slices.Contains(allowed, args[0].text) {
		w.stay(UnknownCommand, c.line, "%s is not known", c.text())
	}
	w.compiler = true
}

func dpkg(w *walk, c *command) {
	switch {
	case c.has("--print-architecture", "--print-foreign-architectures"):
		w.stay(ArchAsked, c.line, "dpkg tells the machine")
	case c.has("--add-architecture"):
		w.stay(AuthorDecided, c.line, "its author chooses the architecture of packages")
	case c.has("-i", "--install"):
		w.bring(c.operands(""))
		w.compiler = true
	case c.has("-x", "-X", "--extract", "--vextract"), slices.ContainsFunc(c.args, func(a word) bool {
		return strings.HasPrefix(a.text, "--root") || strings.HasPrefix(a.text, "--instdir")
	}):
		w.stay(TargetPackagesLeave, c.line, "%s: a package is unpacked elsewhere", c.text())
	case c.kept:
		w.stay(ArchAsked, c.line, "%s tells the machine", c.text())
	}
}

// pip installs into folders of the system; those that it is told stay.
func pip(w *walk, c *command) {
	args := c.operands("-r --requirement -c --constraint -i --index-url --extra-index-url --trusted-host")
	for _, arg := range c.args {
		for _, name := range []string{"--prefix", "--target", "-t", "--root", "--user", "-d", "--dest", "-w", "--wheel-dir"} {
			if arg.text == name || strings.HasPrefix(arg.text, name+"=") {
				w.stay(RecipeNotThereYet, c.line, "%s: there is no recipe for Python yet", c.text())
			}
		}
		if strings.HasPrefix(arg.text, "--platform") {
			w.stay(AuthorDecided, c.line, "its author chooses the platform of wheels")
		}
	}
	if len(args) == 0 || args[0].text != "install" && args[0].text != "uninstall" {
		w.stay(RecipeNotThereYet, c.line, "%s: there is no recipe for Python yet", c.text())
		return
	}
	if slices.ContainsFunc(args[1:], func(a word) bool { return strings.HasPrefix(a.text, ".") || strings.HasPrefix(a.text, "/") }) {
		w.stay(RecipeNotThereYet, c.line, "%s: there is no recipe for Python yet", c.text())
	}
}
