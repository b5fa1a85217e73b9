package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
)

// preamble looks at the ARGs before the first FROM. Those that choose a base are
// for base-one-arch.
func (l *looker) preamble(file *script.File) {
	var uses []string
	for _, stage := range l.Template.Stages {
		uses = append(uses, stage.PlatformFlag)
	}
	for _, ref := range l.Template.References {
		uses = append(uses, ref.Text)
	}
	text := strings.Join(uses, " ")
	for i := len(file.Preamble) - 1; i >= 0; i-- {
		for _, pair := range file.Preamble[i].Pairs {
			if namesVariable(text, pair.Name) {
				text += " " + pair.Value.Raw
				continue
			}
			if l.given(pair.Name) {
				continue
			}
			l.variable(pair, false)
		}
	}
}

// namesVariable tells whether a text holds $NAME or ${NAME….
func namesVariable(text, name string) bool {
	for at := 0; ; {
		n := strings.Index(text[at:], name)
		if n < 0 {
			return false
		}
		from, to := at+n, at+n+len(name)
		if from > 0 && (text[from-1] == '$' || text[from-1] == '{') && (to == len(text) || !isNameByte(text[to])) {
			return true
		}
		at = to
	}
}

func isNameByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// instruction looks at one instruction of the stage.
func (l *looker) instruction(in *script.Instruction) {
	switch in.Name {
	case "ENV", "ARG":
		for _, pair := range in.Pairs {
			if pair.Name != "GOARCH" || !l.isOtherSystem(in.Pairs, in.Vars) {
				l.variable(pair, in.Name == "ARG")
			}
		}
	case "RUN":
		l.script(in)
	case "ADD", "COPY":
		l.copy(in)
	case "WORKDIR", "ENTRYPOINT", "CMD", "VOLUME", "HEALTHCHECK":
		if severalIn(in.Words) {
			return
		}
		for _, w := range in.Words {
			l.look(w, func(word arch.Word) (use, bool) {
				return use{Warning, in.Name + " names", false}, true
			})
		}
	}
}

// isOtherSystem tells that Go compiles for another system than Linux, so that its GOARCH
// is none of the image's.
func (l *looker) isOtherSystem(pairs []script.Assign, vars script.Variables) bool {
	for _, pair := range pairs {
		if pair.Name == "GOOS" {
			return pair.Value.Text != "linux" && !strings.Contains(pair.Value.Text, "$")
		}
	}
	goos, known := vars.Value("GOOS")
	return known && goos != "linux" && goos != ""
}

// severalIn tells that words name several machines: the author's list.
func severalIn(words []script.Word) bool {
	var all []arch.Word
	for _, w := range words {
		all = append(all, meant(w.Text)...)
	}
	return several(all)
}

// settings are variables by which compilers and package managers choose a machine.
var settings = regexp.MustCompile(`^(?:GOARCH|npm_config_(?:target_)?(?:arch|cpu)|CARGO_BUILD_TARGET|DOCKER_DEFAULT_PLATFORM|(?:RUST|CARGO)_?TARGET|RUSTFLAGS|C(?:PP|XX)?FLAGS|CGO_C(?:XX)?FLAGS|LDFLAGS|VCPKG_(?:DEFAULT|TARGET)_TRIPLET|CONDA_SUBDIR|ARCHFLAGS|NODE_ARCH|npm_config_target_arch)$`)

// variable looks at the value of an ENV or ARG for itself. What instructions make of it
// is seen where they are.
func (l *looker) variable(pair script.Assign, argument bool) {
	l.prefix = skeletonOf(pair.Name) + "="
	l.flags(pair.Value, pair.Name)
	l.look(pair.Value, func(word arch.Word) (use, bool) {
		if !pair.Value.Inside(word.At, word.End) {
			return use{}, false // it comes from another variable
		}
		if argument && l.given(pair.Name) {
			return use{}, false
		}
		return l.variableUse(pair, word, argument)
	})
	l.prefix = ""
}

// skeletonOf is a name without the architectures in it.
func skeletonOf(name string) string {
	words := arch.Find(name)
	if len(words) == 0 {
		return name
	}
	return skeleton(name, words[0])
}

func (l *looker) variableUse(pair script.Assign, word arch.Word, argument bool) (use, bool) {
	switch {
	case settings.MatchString(pair.Name):
		if strings.HasSuffix(pair.Name, "FLAGS") && !isMarch(pair.Value.Text, word) {
			if isSystemPath(pair.Value.Text, word) || isPath(pair.Value.Text, word) {
				return use{Warning, pair.Name + " names a folder of", false}, true
			}
			return use{Info, "", false}, true
		}
		return use{Error, pair.Name + " makes what is compiled or installed be", false}, true
	case argument && script.Automatic(pair.Name):
		return use{Error, hides + pair.Name + ", so it is", false}, true
	case isSystemPath(pair.Value.Text, word), isPath(pair.Value.Text, word) && !argument:
		return use{Warning, pair.Name + " names a path of", false}, true
	}
	return use{Info, "", false}, true
}

// wide matches compilers' flags for a PC's registers.
var wide = regexp.MustCompile(`(?:^|[\s='"])(-m(?:64|32))(?:$|[\s'"])`)

// flags looks for compilers' flags that only a PC's compiler has.
func (l *looker) flags(w script.Word, who string) {
	loc := wide.FindStringSubmatchIndex(w.Text)
	if loc == nil || len(l.harms("amd64")) == 0 {
		return
	}
	word := arch.Flag(w.Text, loc[2], loc[3])
	if at, ok := w.Origin(word.At, word.End); ok && at >= 0 {
		l.note(w, word, use{Warning, who + " is told", false})
	}
}

// isMarch tells that a word is what -march= or --target= chooses.
func isMarch(text string, w arch.Word) bool {
	name, from := token(text, w)
	before := name[:w.At-from]
	return strings.HasSuffix(before, "-march=") || strings.HasSuffix(before, "-mtune=") || strings.HasSuffix(before, "target=") || strings.HasSuffix(before, "target-cpu=") || strings.HasSuffix(before, "-mcpu=")
}

// writings are files that people read, or programs of every machine: no machine runs them.
var writings = regexp.MustCompile(`(?i)\.(?:md|txt|rst|html?|css|conf|cfg|ini|ya?ml|json|toml|xml|properties|patch|diff)$`)

// copy looks at COPY and ADD.
func (l *looker) copy(in *script.Instruction) {
	if len(in.Words) == 0 || severalIn(in.Words) {
		return
	}
	from := ""
	var documents []instructions.SourceContent
	switch c := in.Command.(type) {
	case *instructions.CopyCommand:
		from, documents = c.From, c.SourceContents
	case *instructions.AddCommand:
		documents = c.SourceContents
	}
	sources, dest := in.Words[:len(in.Words)-1], in.Words[len(in.Words)-1]
	named := false
	for _, w := range sources {
		named = named || len(meant(w.Text)) > 0
		l.look(w, func(word arch.Word) (use, bool) {
			switch {
			case strings.Contains(w.Text, "://"):
				return use{Error, in.Name + " downloads", false}, true
			case from != "":
				return use{Error, "COPY takes", false}, !l.own[path.Base(w.Text)]
			case writings.MatchString(w.Text):
				return use{Info, "", false}, true
			}
			return use{Error, in.Name + " takes", false}, true
		})
	}
	if !named {
		l.look(dest, func(word arch.Word) (use, bool) {
			if isSystemPath(dest.Text, word) {
				return use{Warning, in.Name + " writes to a folder of", false}, true
			}
			return use{Info, "", false}, true
		})
	}
	for _, d := range documents {
		l.document(in, d.Data, dest.Text)
	}
}

// document looks at a heredoc of COPY, by what its file is for.
func (l *looker) document(in *script.Instruction, text, dest string) {
	at := strings.Index(string(l.Template.Source[in.Span.Start:in.Span.End]), text)
	if at < 0 || text == "" {
		return
	}
	w := script.Written(text, in.Span.Start+at)
	l.look(w, func(word arch.Word) (use, bool) {
		return l.inFile(text, word, dest)
	})
}

// inFile tells what a word does that is written into a file.
func (l *looker) inFile(text string, word arch.Word, dest string) (use, bool) {
	line := lineAround(text, word)
	if comment := strings.TrimSpace(line); strings.HasPrefix(comment, "#") && !strings.HasPrefix(comment, "#!") {
		return use{}, false
	}
	switch {
	case isPackageSource(dest) || strings.HasPrefix(strings.TrimSpace(line), "deb "):
		return use{Error, "the packages come from a source of", false}, true
	case isSystemPath(line, arch.Word{At: strings.Index(line, word.Text), End: strings.Index(line, word.Text) + len(word.Text), Text: word.Text}):
		return use{Warning, "the file names a folder of", false}, true
	case isProfile(dest) && isPath(line, arch.Word{At: strings.Index(line, word.Text), End: strings.Index(line, word.Text) + len(word.Text)}):
		return use{Warning, "the file names a path of", false}, true
	case l.runs(dest) && (strings.Contains(line, "://") || strings.Contains(line, "GOARCH")):
		return use{Error, "the script downloads", false}, true
	}
	return use{Info, "", false}, true
}

// isProfile tells that a file sets the environment of those who log in, or of the loader.
func isProfile(dest string) bool {
	return strings.Contains(dest, "profile") || strings.HasSuffix(dest, "rc") || strings.HasSuffix(dest, "/environment") || strings.Contains(dest, "ld.so.conf")
}

// isPackageSource tells that a file says where packages come from.
func isPackageSource(dest string) bool {
	return strings.Contains(dest, "sources.list") || strings.HasSuffix(dest, ".repo") || strings.Contains(dest, "/yum.repos.d") || strings.HasSuffix(dest, "/repositories") || strings.HasSuffix(dest, ".sources") || strings.Contains(dest, "/zypp/repos.d") || strings.HasSuffix(dest, "pacman.conf")
}

// runs tells whether a RUN of the file runs a file that another instruction wrote.
func (l *looker) runs(dest string) bool {
	name := path.Base(dest)
	for _, stage := range l.walked().Stages {
		for _, in := range stage.Instructions {
			for _, c := range in.Script.Commands {
				if path.Base(c.First.Text) == name || len(c.Args) > 0 && slices.Contains([]string{"sh", "bash", "ash", ".", "source", "python3", "python"}, c.Name) && path.Base(c.Args[0].Text) == name {
					return true
				}
			}
		}
	}
	return false
}

// lineAround is the line of a text that a word stands in.
func lineAround(text string, w arch.Word) string {
	from := strings.LastIndexByte(text[:w.At], '\n') + 1
	to := len(text)
	if n := strings.IndexByte(text[w.End:], '\n'); n >= 0 {
		to = w.End + n
	}
	return text[from:to]
}

// systemFolders are those that hold a machine's own files.
var systemFolders = regexp.MustCompile(`(?:^|[=:,L'"\s]|-I)/(?:usr/)?(?:lib(?:32|64|x32)?|include|libexec)(?:/|$)|jre/lib/|/lib/jvm/|(?:^|/)lib/(?:amd64|i386|aarch64|arm64|x86_64)(?:/|$)|/targets/[a-z0-9_]+-linux|/usr/glibc-compat/|(?:^|[=:])/(?:etc|usr/share|usr/lib)/`)

// isSystemPath tells that a word names a folder or a file of a system for one machine.
func isSystemPath(text string, w arch.Word) bool {
	if w.At < 0 || w.End > len(text) {
		return false
	}
	name, from := token(text, w)
	if strings.Contains(name, "://") {
		return false
	}
	return systemFolders.MatchString(name) || strings.Contains(w.Text, ".so.") || isTripletOf(w) && strings.Contains(name[:max(0, w.At-from)], "lib/") ||
		strings.HasPrefix(name, "java-") && strings.Contains(name, "openjdk") || strings.Contains(name, "libc.musl-") || strings.Contains(name, "ld-musl-")
}

// isPath tells that a word stands in an absolute path.
func isPath(text string, w arch.Word) bool {
	name, _ := token(text, w)
	return !strings.Contains(name, "://") && (strings.HasPrefix(name, "/") || strings.Contains(name, ":/") || strings.Contains(name, "}/") || strings.Contains(name, "=/") || strings.HasPrefix(name, "-I/") || strings.HasPrefix(name, "-L/"))
}
