package lint

import (
	"path"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
)

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
		return l.fetched(c, use{Error, c.Name + " downloads", false}), true
	case isSystemPath(w.Text, word):
		return use{Warning, c.Name + " uses a path of", false}, true
	case downloads[c.Name]:
		if isOutput(c, n) && hasURL(c) {
			return l.output(c, w)
		}
		if c.Name == "git" {
			return use{}, false // a repository of sources
		}
		return l.fetched(c, use{Error, c.Name + " downloads", false}), true
	case unpacks[c.Name]:
		if creates(c) {
			return use{Info, "", false}, true
		}
		return l.fetched(c, use{Error, c.Name + " unpacks", false}), true
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
		return l.fetched(c, use{Error, c.Name + " downloads", false}), true
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
func (l *looker) fetched(c *script.Command, u use) use {
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
	return l.fetched(c, use{Error, c.Name + " installs", false}), true
}

// compiled judges a word of a compiler or of what runs one.
func (l *looker) compiled(c *script.Command, n int, w script.Word, word arch.Word) (use, bool) {
	switch {
	case strings.Contains(w.Text, "://"):
		return l.fetched(c, use{Error, c.Name + " downloads", false}), true
	case isSystemPath(w.Text, word):
		return use{Warning, c.Name + " uses a path of", false}, true
	case isOutput(c, n):
		return l.output(c, w)
	case c.Name == "rustup" && !slices.ContainsFunc(c.Args, func(a script.Word) bool {
		return a.Text == "add" || a.Text == "install" || a.Text == "default" || a.Text == "set"
	}):
		return use{}, false
	}
	if c.Name == "rustup" {
		return use{Error, "rustup is told", false}, true
	}
	return use{Error, c.Name + " compiles for", false}, true
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
	return l.fetched(c, use{Error, c.Name + " uses", false}), true
}
