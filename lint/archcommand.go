package lint

import (
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
		if !c.Chosen && !c.Handled && looks[c.Name] {
			l.looked(c)
		}
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
				switch {
				case !strings.Contains(lineAround(w.Text, word), "://"):
				case fetching.MatchString(addresses.ReplaceAllString(w.Text, "")):
					return use{Error, c.Name + " downloads", false}, true
				default:
					return use{Info, "", false}, true
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

// fetching matches what programs call that fetch something, or let others do so.
var fetching = regexp.MustCompile(`(?i)retrieve|urlopen|urllib|request|https?x?\.|net::http|lwp|getstore|open-uri|uri\.open|file_get_contents|fetch|download|curl|wget|subprocess|system|popen|exec|check_call|pip|git|axios|\bgot\b`)

// addresses are what is fetched, which does not say that it is.
var addresses = regexp.MustCompile(`[a-z]+://[^\s"']+`)

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
		return use{Error, "it runs", false}, strings.Contains(c.First.Text, "/") || strings.ContainsAny(c.First.Text, "-_")
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

// looks are those of them that fail where there is no such file.
var looks = set("[ test ls")

// looked looks at the files that a command looks for.
func (l *looker) looked(c *script.Command) {
	if slices.ContainsFunc(c.Args, func(w script.Word) bool { return w.Text == "!" }) {
		return // it is made then
	}
	for n, w := range c.Args {
		if c.Name != "ls" && !slices.Contains([]string{"-e", "-f", "-d", "-s", "-r", "-x", "-L", "-h"}, before(c, n)) {
			continue
		}
		l.look(w, func(word arch.Word) (use, bool) {
			return use{Warning, c.Name + " looks for a path of", false}, isSystemPath(w.Text, word)
		})
	}
}

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
					return l.fetched(c, use{Error, name + " downloads", false}), true
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
	lists := slices.ContainsFunc(all, func(o script.Command) bool { return o.Pipe == c.Pipe && o.Name == "ls" })
	if !fetches && !lists || sums {
		return
	}
	for _, w := range c.Args {
		if !fetches && !l.fetchedAs(w) {
			continue
		}
		if strings.Contains(w.Text, "sub(") {
			continue
		}
		l.look(w, func(arch.Word) (use, bool) { return use{Error, c.Name + " picks", false}, true })
	}
}

// fetchedAs tells that a download of the stage has brought a file with a word's machine in
// its name, or with the one that is wanted.
func (l *looker) fetchedAs(w script.Word) bool {
	words := meant(w.Text)
	for _, in := range l.walked().Stages[l.stage].Instructions {
		for _, c := range in.Script.Commands {
			if downloads[c.Name] && slices.ContainsFunc(c.Args, func(a script.Word) bool { return a.Varying && strings.Contains(a.Text, "://") }) {
				return len(words) > 0
			}
		}
	}
	return len(words) > 0 && slices.ContainsFunc(l.found, func(m mention) bool {
		return strings.HasSuffix(m.does, " downloads") && m.word.Text == words[0].Text
	})
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
