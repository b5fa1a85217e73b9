package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
)

// script looks at the commands of a RUN.
func (l *looker) script(in *script.Instruction) {
	commands := in.Script.Commands
	added := addedMachines(l.walked())
	for i := range commands {
		c := &commands[i]
		if c.Chosen || c.Condition && c.Name != "" && (isTest(c.Name) || strings.HasSuffix(c.Name, "grep")) {
			continue
		}
		for _, a := range c.Assigns {
			if a.Name != "GOARCH" || !l.isOtherSystem(c.Assigns, c.Vars) {
				l.assignment(a, c.Name != "" && !severalIn(c.Args))
			}
		}
		if listed(c) {
			continue
		}
		l.command(c, commands, i, added)
		l.into(c)
	}
}

func isTest(name string) bool { return name == "[" || name == "test" || name == "expr" }

// listed tells that a command names several machines: the author's list.
func listed(c *script.Command) bool {
	return severalIn(c.Args) && c.Name != "apt-get" && c.Name != "apt"
}

// addedMachines are those that dpkg --add-architecture adds anywhere: packages of them are
// for a cross compiler.
func addedMachines(file *script.File) []string {
	var list []string
	for _, stage := range file.Stages {
		for _, in := range stage.Instructions {
			for _, c := range in.Script.Commands {
				for i, w := range c.Args {
					if c.Name == "dpkg" && w.Text == "--add-architecture" && i+1 < len(c.Args) {
						list = append(list, c.Args[i+1].Text)
					}
				}
			}
		}
	}
	return list
}

// told are variables that choose a machine in whatever they are given to.
var told = regexp.MustCompile(`(?i)(?:^|_)(?:arch|architecture|machine|platform|target|triplet|cpu)$`)

// assignment is NAME=VALUE of the shell, given to a command or for what follows. Others than
// settings count where they are used.
func (l *looker) assignment(a script.Assign, given bool) {
	l.prefix = skeletonOf(a.Name) + "="
	l.look(a.Value, func(word arch.Word) (use, bool) {
		switch {
		case settings.MatchString(a.Name) && !strings.HasSuffix(a.Name, "FLAGS"), settings.MatchString(a.Name) && isMarch(a.Value.Text, word):
			return use{Error, a.Name + " makes what is compiled or installed be", false}, true
		case a.Exported && isSystemPath(a.Value.Text, word), a.Exported && a.Name == "PATH":
			return use{Warning, a.Name + " names a path of", false}, true
		case given && told.MatchString(a.Name):
			return use{Error, a.Name + " makes what the command does be", false}, true
		}
		return use{}, false
	})
	l.prefix = ""
}

// into looks at the names of files that output goes to, and at texts that come in.
func (l *looker) into(c *script.Command) {
	for _, w := range c.Into {
		if c.Name == "" || downloads[c.Name] || unpacks[c.Name] {
			continue
		}
		l.look(w, func(word arch.Word) (use, bool) {
			if isSystemPath(w.Text, word) {
				return use{Warning, c.Name + " writes to a file of", false}, true
			}
			return use{Info, "", false}, true
		})
	}
	for _, w := range c.Input {
		if isProgram(c.Name) {
			l.look(w, func(word arch.Word) (use, bool) {
				if strings.Contains(lineAround(w.Text, word), "://") {
					return use{Error, c.Name + " downloads", false}, true
				}
				return use{Warning, c.Name + " uses", false}, true
			})
			continue
		}
		if strings.HasSuffix(c.Name, "sum") || isShellName(c.Name) {
			continue
		}
		dest := ""
		if len(c.Into) > 0 {
			dest = c.Into[0].Text
		} else if c.Name == "tee" && len(c.Args) > 0 {
			dest = c.Args[len(c.Args)-1].Text
		}
		l.look(w, func(word arch.Word) (use, bool) { return l.inFile(w.Text, word, dest) })
	}
}

func isShellName(name string) bool { return name == "sh" || name == "bash" || name == "ash" }

// isProgram tells that a command runs a program that it is given as text.
func isProgram(name string) bool {
	return strings.HasPrefix(name, "python") || name == "node" || name == "perl" || name == "ruby" || name == "php"
}

// command looks at the words of one command.
func (l *looker) command(c *script.Command, all []script.Command, i int, added []string) {
	switch {
	case c.Name == "":
		return
	case silent[c.Name], removes(c), runsTool(c):
		return
	case c.Name == "ln":
		l.link(c)
		return
	case c.Name == "echo" || c.Name == "printf":
		l.printed(c, all, i)
		return
	case filters[c.Name]:
		l.filter(c, all)
		return
	}
	l.look(c.First, func(word arch.Word) (use, bool) {
		if isTool(c.First.Text, word) || isSystemPath(c.First.Text, word) {
			return use{Warning, "it runs a program of", false}, !isTool(c.First.Text, word)
		}
		return use{Error, "it runs the program for", false}, strings.Contains(c.First.Text, "/") || strings.ContainsAny(c.First.Text, "-_")
	})
	for n, w := range c.Args {
		l.flags(w, c.Name)
		l.look(w, func(word arch.Word) (use, bool) { return l.argument(c, n, w, word, added) })
	}
}

// runsTool tells that a command is a cross compiler or an emulator, by its name.
func runsTool(c *script.Command) bool {
	return slices.ContainsFunc(arch.Find(c.First.Text), func(w arch.Word) bool { return isTool(c.First.Text, w) })
}

// silent are commands that only look, or translate one name into another.
var silent = set("[ test expr sed tr rm rmdir unlink ls find file which type command case set unset true false : readlink realpath basename dirname stat du df strings ldd shred apt-mark exit return uname arch dpkg-query dpkg-divert help man whereis cut sort uniq head tail wc useradd adduser groupadd addgroup usermod userdel git-lfs gpg gpgv")

// filters pick something out of what a pipe brings.
var filters = set("grep egrep fgrep awk gawk mawk jq rg yq")

// downloads fetch files; unpacks take archives apart.
var (
	downloads  = set("curl wget aria2c axel http https fetch lwp-download wget2 gh hub glab gsutil svn git hg ftp lftp rsync scp s3cmd aws gcloud az skopeo crane oras docker podman buildah nerdctl regctl")
	unpacks    = set("tar unzip gunzip gzip zcat xzcat bsdtar 7z 7za 7zr unxz xz bzip2 bunzip2 bzcat cpio ar zstd unzstd unrar lzma unlzma")
	installers = set("apt apt-get aptitude apk yum dnf microdnf zypper tdnf pacman rpm dpkg gdebi conda mamba micromamba pip pip2 pip3 npm yarn pnpm gem brew snap flatpak install_packages clean-install apt-install add-apt-repository yum-config-manager pipx uv poetry opkg swupd emerge xbps-install")
	moves      = set("mv cp install chmod chown cd pushd strip upx setcap patchelf cat touch source . sh bash ash python python3 rename chgrp objcopy cmp readelf exec")
)

func set(text string) map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(text) {
		words[w] = true
	}
	return words
}

// removes tells that a command takes away, or only lists.
func removes(c *script.Command) bool {
	verbs := []string{"purge", "remove", "autoremove", "erase", "uninstall", "clean", "autoclean", "mark", "search", "info", "show", "list", "del", "hold", "--purge", "-r", "--remove", "-e", "--erase", "-P", "-L", "-l", "-S", "-s", "-q", "-qa", "-c", "--contents"}
	switch c.Name {
	case "apt", "apt-get", "aptitude", "apk", "yum", "dnf", "microdnf", "zypper", "rpm", "dpkg", "pip", "npm", "conda":
		for i, w := range c.Args {
			if !strings.HasPrefix(w.Text, "-") || i == 0 {
				if slices.Contains(verbs, w.Text) {
					return true
				}
			}
			if !strings.HasPrefix(w.Text, "-") {
				return false
			}
		}
	case "git":
		return len(c.Args) > 0 && c.Args[0].Text != "clone" && c.Args[0].Text != "submodule"
	case "rustup":
		return slices.ContainsFunc(c.Args, func(w script.Word) bool { return w.Text == "remove" || w.Text == "uninstall" })
	}
	return false
}

// argument judges one word of a command.
func (l *looker) argument(c *script.Command, n int, w script.Word, word arch.Word, added []string) (use, bool) {
	if before := before(c, n); slices.Contains([]string{"-A", "-U", "--user-agent", "--exclude", "-x", "--name", "-H", "--header", "--referer", "--exclude-from"}, before) && !strings.Contains(w.Text, "://") &&
		!strings.HasPrefix(c.Name, "dpkg") {
		return use{}, false
	}
	if strings.HasPrefix(w.Text, "--exclude=") || strings.HasPrefix(w.Text, "--user-agent=") {
		return use{}, false
	}
	name, _ := token(w.Text, word)
	if l.isOwnFolder(c, w) {
		return use{}, false
	}
	if c.Name == "git" {
		return use{Info, "", false}, true // sources, that are about a machine
	}
	isURL := strings.Contains(name, "://") || strings.HasPrefix(name, "${") && strings.Contains(name, "/") && downloads[c.Name]
	switch {
	case installers[c.Name]:
		return l.installed(c, n, w, word, added)
	case c.Name == "rustup", c.Name == "cargo", c.Name == "cross", c.Name == "dotnet", c.Name == "make", c.Name == "go", c.Name == "gcc", c.Name == "cc", c.Name == "clang", c.Name == "g++", c.Name == "clang++", c.Name == "c++":
		return l.compiled(c, n, w, word)
	case isURL && c.Name != "git":
		return l.fetched(c, use{Error, c.Name + " downloads", false}, word), true
	case isSystemPath(w.Text, word):
		return use{Warning, c.Name + " uses a path of", false}, true
	case downloads[c.Name]:
		if isOutput(c, n) && hasURL(c) {
			return l.output(c, w)
		}
		if c.Name == "git" {
			return use{}, false // a repository of sources
		}
		return l.fetched(c, use{Error, c.Name + " downloads", false}, word), true
	case unpacks[c.Name]:
		if creates(c) {
			return use{Info, "", false}, true
		}
		return l.fetched(c, use{Error, c.Name + " unpacks", false}, word), true
	case moves[c.Name]:
		return l.moved(c, n, w, word)
	case c.Name == "mkdir", c.Name == "touch", c.Name == "tee", c.Name == "zip", c.Name == "nfpm", c.Name == "fpm", c.Name == "sha256sum", c.Name == "md5sum", c.Name == "sha512sum", c.Name == "sha1sum", c.Name == "shasum":
		return use{Info, "", false}, c.Name != "mkdir" && !strings.HasSuffix(c.Name, "sum")
	}
	return l.other(c, n, w, word)
}

// isOwnFolder tells that a path goes into a folder that a mkdir of the file makes under
// that name: the author's own.
func (l *looker) isOwnFolder(c *script.Command, w script.Word) bool {
	if c.Name != "cd" && c.Name != "pushd" && c.Name != "chown" && c.Name != "chmod" {
		return false
	}
	folder := strings.TrimSuffix(w.Text, "/")
	for _, in := range l.walked().Stages[l.stage].Instructions {
		for _, other := range in.Script.Commands {
			if other.Name == "mkdir" && slices.ContainsFunc(other.Args, func(a script.Word) bool { return strings.TrimSuffix(a.Text, "/") == folder }) {
				return true
			}
		}
	}
	return false
}

// other judges a word of a command that is not known.
func (l *looker) other(c *script.Command, n int, w script.Word, word arch.Word) (use, bool) {
	prose := strings.ContainsAny(strings.TrimSpace(w.Text), " \n")
	name, _ := token(w.Text, word)
	low := strings.ToLower(name)
	switch {
	case strings.Contains(name, "-m64") || strings.Contains(name, "-m32"):
		return use{Warning, c.Name + " is told", false}, true
	case isProgram(c.Name) && strings.Contains(w.Text, "://"):
		return l.fetched(c, use{Error, c.Name + " downloads", false}, word), true
	case prose && !strings.Contains(low, "=") && !strings.Contains(name, "://"):
		return use{Info, "", false}, true
	case isOutput(c, n):
		return l.output(c, w)
	}
	return use{Error, c.Name + " is told", false}, true
}

// output judges a name that the author's own output gets.
func (l *looker) output(c *script.Command, w script.Word) (use, bool) {
	if !downloads[c.Name] || !slices.ContainsFunc(c.Args, func(a script.Word) bool { return strings.Contains(a.Text, "://") && len(meant(a.Text)) > 0 }) {
		l.own[path.Base(w.Text)] = true
	}
	return use{Info, "", false}, true
}

// before is the option before an argument.
func before(c *script.Command, n int) string {
	if n == 0 {
		return ""
	}
	return c.Args[n-1].Text
}

// isOutput tells that an argument is a name that output gets.
func isOutput(c *script.Command, n int) bool {
	if option := before(c, n); option == "-o" || option == "-O" || option == "--output" || option == "--output-document" || option == "--out" || option == "--outfile" || option == "--outdir" || option == "-fsSLo" {
		return true
	} else if strings.HasPrefix(option, "-") && !strings.HasPrefix(option, "--") && (c.Name == "curl" && strings.HasSuffix(option, "o") || c.Name == "wget" && strings.HasSuffix(option, "O")) {
		return true
	}
	return strings.HasPrefix(c.Args[n].Text, "--output=") || strings.HasPrefix(c.Args[n].Text, "--out=") || strings.HasPrefix(c.Args[n].Text, "-o=")
}

// hasURL tells that a command names a URL.
func hasURL(c *script.Command) bool {
	return slices.ContainsFunc(c.Args, func(w script.Word) bool {
		return strings.Contains(w.Text, "://") || strings.HasPrefix(w.Text, "${")
	})
}

// creates tells that a command makes an archive.
func creates(c *script.Command) bool {
	if c.Name != "tar" && c.Name != "bsdtar" && c.Name != "ar" && c.Name != "7z" && c.Name != "7za" && c.Name != "gzip" && c.Name != "xz" && c.Name != "zstd" && c.Name != "bzip2" {
		return false
	}
	for i, w := range c.Args {
		switch {
		case w.Text == "--create":
			return true
		case i == 0 && !strings.HasPrefix(w.Text, "-") && (c.Name == "tar" || c.Name == "bsdtar"):
			return strings.Contains(w.Text, "c") && !strings.Contains(w.Text, "x") && !strings.ContainsAny(w.Text, "./")
		case strings.HasPrefix(w.Text, "-") && !strings.HasPrefix(w.Text, "--") && (c.Name == "tar" || c.Name == "bsdtar"):
			if strings.Contains(w.Text, "c") && !strings.Contains(w.Text, "x") && !strings.Contains(w.Text, "C") {
				return true
			}
			if strings.ContainsAny(w.Text, "xt") {
				return false
			}
		case c.Name == "gzip" || c.Name == "xz" || c.Name == "zstd" || c.Name == "bzip2":
			if strings.HasPrefix(w.Text, "-") && strings.ContainsAny(w.Text, "dc") {
				return false
			}
		case c.Name == "7z" || c.Name == "7za":
			return w.Text == "a"
		}
	}
	return c.Name == "gzip" || c.Name == "xz" || c.Name == "zstd" || c.Name == "bzip2"
}

// fetched lowers what is fetched for the machine that builds, in a stage of that machine
// from which nobody takes it.
func (l *looker) fetched(c *script.Command, u use, word arch.Word) use {
	if !l.place.ofBuild || l.place.final {
		return u
	}
	for _, source := range l.copied {
		if source == "/" || source == "." || source == "./" {
			return u
		}
		for _, w := range slices.Concat(c.Args, c.Into) {
			if target := strings.TrimSuffix(w.Text, "/"); strings.HasPrefix(target, "/") && target != "" && (target == source || strings.HasPrefix(target, strings.TrimSuffix(source, "/")+"/") || strings.HasPrefix(source, target+"/")) {
				return u
			}
		}
		if len(arch.Find(source)) > 0 {
			return u
		}
	}
	u.severity = Warning
	return u
}

// installed judges a word of a package manager.
func (l *looker) installed(c *script.Command, n int, w script.Word, word arch.Word, added []string) (use, bool) {
	text := w.Text
	switch {
	case before(c, n) == "--add-architecture":
		if text == "i386" {
			return use{Warning, "it adds packages of", false}, true
		}
		return use{}, false
	case strings.HasPrefix(text, "deb ") || strings.HasPrefix(text, "deb ["):
		return use{Error, "the packages come from a source of", false}, true
	case strings.HasSuffix(text, ":"+word.Text) && word.Text != "i386" && slices.Contains(added, word.Text):
		return use{}, false
	case strings.HasPrefix(text, "libc6-") || strings.HasPrefix(text, "lib32") || strings.HasPrefix(text, "lib64"):
		return use{Warning, "it installs a package of", false}, true
	case isSystemPath(text, word):
		return use{Warning, c.Name + " uses a path of", false}, true
	}
	return l.fetched(c, use{Error, c.Name + " installs", false}, word), true
}

// compiled judges a word of a compiler or of what runs one.
func (l *looker) compiled(c *script.Command, n int, w script.Word, word arch.Word) (use, bool) {
	switch {
	case strings.Contains(w.Text, "://"):
		return l.fetched(c, use{Error, c.Name + " downloads", false}, word), true
	case isSystemPath(w.Text, word):
		return use{Warning, c.Name + " uses a path of", false}, true
	case isOutput(c, n):
		return l.output(c, w)
	case c.Name == "rustup" && !slices.ContainsFunc(c.Args, func(a script.Word) bool {
		return a.Text == "add" || a.Text == "install" || a.Text == "default" || a.Text == "set"
	}):
		return use{}, false
	}
	return use{Error, c.Name + " makes what is", false}, true
}

// moved judges a word of a command that uses files.
func (l *looker) moved(c *script.Command, n int, w script.Word, word arch.Word) (use, bool) {
	last := n == len(c.Args)-1 && n > 0
	if l.own[path.Base(w.Text)] {
		return use{Info, "", false}, true
	}
	if (c.Name == "mv" || c.Name == "cp" || c.Name == "install") && last {
		named := slices.ContainsFunc(c.Args[:n], func(a script.Word) bool { return len(meant(a.Text)) > 0 })
		return use{Info, "", false}, !named
	}
	if c.Name == "install" && slices.ContainsFunc(c.Args, func(a script.Word) bool { return a.Text == "-d" }) || c.Name == "touch" {
		return use{}, false
	}
	if isProgram(c.Name) && strings.ContainsAny(w.Text, " \n") {
		return l.other(c, n, w, word)
	}
	return l.fetched(c, use{Error, c.Name + " uses", false}, word), true
}

// printed looks at what echo and printf print.
func (l *looker) printed(c *script.Command, all []script.Command, i int) {
	dest := ""
	if len(c.Into) > 0 {
		dest = c.Into[0].Text
	}
	var next []string
	for _, other := range all[i+1:] {
		if c.Pipe == 0 || other.Pipe != c.Pipe || other.Inner != c.Inner {
			break
		}
		next = append(next, other.Name)
		if other.Name == "tee" && len(other.Args) > 0 {
			dest = other.Args[len(other.Args)-1].Text
		}
	}
	for _, name := range next {
		if strings.HasSuffix(name, "sum") || name == "sed" || name == "tr" || name == "awk" || name == "grep" {
			return
		}
	}
	for _, w := range c.Args {
		l.look(w, func(word arch.Word) (use, bool) {
			for _, name := range next {
				if downloads[name] || name == "xargs" || installers[name] {
					return l.fetched(c, use{Error, name + " downloads", false}, word), true
				}
			}
			if isChecksumLine(w.Text) {
				return use{}, false
			}
			return l.inFile(w.Text, word, dest)
		})
	}
}

// isChecksumLine tells that a text begins with a checksum, as sha256sum -c wants it.
func isChecksumLine(text string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return isChecksum(first)
}

// filter looks at what picks one of several files out of what was downloaded.
func (l *looker) filter(c *script.Command, all []script.Command) {
	if c.Pipe == 0 || slices.ContainsFunc(c.Args, func(w script.Word) bool {
		return strings.HasPrefix(w.Text, "-") && !strings.HasPrefix(w.Text, "--") && strings.Contains(w.Text, "v") || w.Text == "--invert-match"
	}) {
		return
	}
	fetches := slices.ContainsFunc(all, func(o script.Command) bool { return o.Pipe == c.Pipe && (o.Name == "curl" || o.Name == "wget") })
	sums := slices.ContainsFunc(all, func(o script.Command) bool { return o.Pipe == c.Pipe && strings.HasSuffix(o.Name, "sum") })
	if !fetches || sums {
		return
	}
	for _, w := range c.Args {
		if strings.Contains(w.Text, "sub(") {
			continue
		}
		l.look(w, func(arch.Word) (use, bool) { return use{Error, c.Name + " picks", false}, true })
	}
}

// link looks at ln -s: such lines are arch-link's.
func (l *looker) link(c *script.Command) {
	var operands []script.Word
	symbolic := false
	for _, w := range c.Args {
		if strings.HasPrefix(w.Text, "-") {
			symbolic = symbolic || w.Text == "--symbolic" || !strings.HasPrefix(w.Text, "--") && strings.Contains(w.Text, "s")
			continue
		}
		operands = append(operands, w)
	}
	if len(operands) == 0 {
		return
	}
	for i, w := range operands {
		l.look(w, func(word arch.Word) (use, bool) {
			target := i < len(operands)-1 || len(operands) == 1
			return use{Warning, "ln uses a path of", symbolic}, target || isSystemPath(w.Text, word)
		})
	}
}
