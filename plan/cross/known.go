package cross

import "regexp"

// Commands whose effect is known. What is in none of the tables keeps a stage where it is.

// quiet commands neither write files nor ask for the machine.
var quiet = set(`: true false test [ [[ echo printf sleep wait umask ulimit pwd date id whoami nproc seq expr
	basename dirname realpath readlink mktemp sync getent
	groupadd addgroup useradd adduser usermod groupmod deluser delgroup passwd chpasswd update-ca-certificates ldconfig
	locale-gen corepack type shopt`)

// notYet are compilers and the like, and what they are for.
var notYet = map[string]string{
	"cargo": "Rust", "rustc": "Rust", "rustup": "Rust", "cross": "Rust",
	"gcc": "C and C++", "cc": "C and C++", "g++": "C and C++", "c++": "C and C++", "clang": "C and C++", "clang++": "C and C++", "ld": "C and C++",
	"as": "C and C++", "ar": "C and C++", "ranlib": "C and C++", "libtool": "C and C++", "cmake": "C and C++", "ctest": "C and C++", "ninja": "C and C++",
	"meson": "C and C++", "autoreconf": "C and C++", "automake": "C and C++", "autoconf": "C and C++", "bazel": "Bazel", "bazelisk": "Bazel",
	"scons": "C and C++", "qmake": "C and C++", "dotnet": ".NET", "swift": "Swift", "ghc": "Haskell", "cabal": "Haskell", "stack": "Haskell",
	"zig": "Zig", "nim": "Nim", "crystal": "Crystal", "shards": "Crystal", "dub": "D", "ldc2": "D", "mix": "Elixir", "rebar3": "Erlang",
	"opam": "OCaml", "dune": "OCaml", "gem": "Ruby", "bundle": "Ruby", "python": "Python", "python3": "Python", "poetry": "Python", "uv": "Python",
	"pipenv": "Python", "conda": "Python", "mamba": "Python", "php": "PHP", "composer": "PHP", "tinygo": "TinyGo",
}

// compilers are those of a target or a version by name.
var compilers = regexp.MustCompile(`^([a-z0-9_]+-[a-z0-9_-]+-)?(gcc|g\+\+|clang|clang\+\+|ld)(-[0-9.]+)?$`)

// askers tell the machine, ownMachine are those that know only programs of it.
var (
	askers     = []string{"arch", "hostname", "hostnamectl", "lscpu", "lshw", "getconf", "machine", "dpkg-architecture", "rpm", "free", "lsb_release", "printenv", "sysctl", "dmesg"}
	ownMachine = []string{"strip", "ldd", "objcopy", "objdump", "readelf", "nm", "patchelf", "chrpath", "strings", "size", "execstack"}
	shells     = []string{"sh", "bash", "ash", "dash", "zsh", "ksh", "busybox"}
)

// set reads the words of a text.
func set(text string) map[string]bool {
	out := map[string]bool{}
	for _, name := range regexp.MustCompile(`\s+`).Split(text, -1) {
		out[name] = true
	}
	return out
}

// packageCommands install what the stage needs: programs of the machine that it runs on,
// into folders of the system.
var packageCommands = map[string]handler{
	"apt-get": apt, "apt": apt, "aptitude": apt, "apk": apk, "dnf": dnf, "yum": dnf, "microdnf": dnf, "tdnf": dnf, "zypper": dnf,
	"apt-key": func(*walk, *command) {}, "dpkg": dpkg, "pip": pip, "pip3": pip, "apt-mark": func(*walk, *command) {},
}

// fileCommands write files that are the same on every machine, if what they read is.
var fileCommands = map[string]handler{
	"mkdir": makesFolders, "touch": makes, "rmdir": makes, "truncate": makes, "chmod": changes, "chown": changes, "chgrp": changes, "rm": changes, "unlink": changes,
	"cp": copies, "mv": copies, "install": installs, "ln": links, "tee": makes, "tar": tar, "unzip": unzip, "zip": zip,
	"gzip": packs, "gunzip": packs, "bzip2": packs, "bunzip2": packs, "xz": packs, "unxz": packs, "zstd": packs,
	"sed": sed, "patch": patch, "git": git, "curl": download, "wget": download, "find": find, "gpg": func(*walk, *command) {},
	"upx": portable, "setcap": portable, "getcap": portable, "file": portable,
	"uname": uname, "make": makeCommand, "gmake": makeCommand, "just": makeCommand, "task": makeCommand, "which": locates, "command": locates, "whereis": locates,
}

// readCommands read files and print.
var readCommands = map[string]handler{
	"cat": reads, "head": reads, "tail": reads, "grep": reads, "egrep": reads, "fgrep": reads, "cut": reads, "tr": reads, "sort": reads, "uniq": reads,
	"wc": reads, "awk": awk, "gawk": awk, "mawk": awk, "jq": reads, "yq": reads, "base64": reads, "ls": reads, "stat": reads, "du": reads, "diff": reads, "cmp": reads,
	"md5sum": reads, "sha1sum": reads, "sha256sum": reads, "sha512sum": reads, "b2sum": reads, "shasum": reads, "rev": reads, "tac": reads, "nl": reads, "fold": reads,
	"envsubst": reads, "column": reads, "paste": reads, "xxd": reads, "od": reads, "dos2unix": reads, "tree": reads,
}
