package lint

import (
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/template"
)

// mention is a place that names one architecture.
type mention struct {
	severity Severity
	word     arch.Word
	// text is what the word stands in, evaluated: a URL, a path.
	text string
	// does says what becomes of it, for the message: "curl downloads".
	does string
	// at is where the word is written, and span its bytes if it is written in one piece.
	at   int
	span template.Span
	// skeleton is the text without its architectures: places that differ in nothing
	// else are a list that the author has made.
	skeleton string
	// link tells that it is the target of a symbolic link, tool that what it names is for the
	// machine that builds, and quotedByShell that it stands between single quotes.
	link, tool, quotedByShell bool
	// stage that does it.
	stage int
}

// looker collects the mentions of one stage.
type looker struct {
	*subject
	stage int
	place place
	// copied are the paths that other stages take out of this one.
	copied []string
	// prefix goes before skeletons: the name of the variable in hand.
	prefix string
	found  []mention
}

// use is what an instruction or a command does with a word.
type use struct {
	severity Severity
	does     string
	link     bool
}

// found are the mentions of the whole file, lists of several architectures left out.
func (s *subject) allMentions() []mention {
	if s.mentions != nil {
		return *s.mentions
	}
	var list []mention
	s.own = map[string]bool{}
	file := s.walked()
	head := &looker{subject: s}
	head.preamble(file)
	list = append(list, head.found...)
	for i := range file.Stages {
		l := &looker{subject: s, stage: i, place: s.placeOf(i), copied: s.copiedFrom(i)}
		if l.place.chosen || file.Stages[i].Windows {
			continue
		}
		for n := range file.Stages[i].Instructions {
			l.instruction(&file.Stages[i].Instructions[n])
		}
		list = append(list, l.found...)
	}
	list = s.withoutLists(list)
	s.mentions = &list
	return list
}

// copiedFrom are the paths that COPY --from takes out of a stage.
func (s *subject) copiedFrom(stage int) []string {
	var list []string
	for i, ref := range s.Template.References {
		if ref.Kind != template.StageKind || ref.Target != stage || i == s.Template.Stages[ref.Stage].Base {
			continue
		}
		for _, c := range s.Template.Stages[ref.Stage].Copies {
			if c.Line <= ref.Line && ref.Where == "COPY --from" && c.From == ref.Text {
				list = append(list, c.Sources...)
			}
		}
	}
	return list
}

// withoutLists leaves out mentions whose sisters name other architectures in their place.
func (s *subject) withoutLists(list []mention) []mention {
	families := map[string]map[string]bool{}
	for _, m := range list {
		if families[m.skeleton] == nil {
			families[m.skeleton] = map[string]bool{}
		}
		families[m.skeleton][machineFamily(m.word.Arch)] = true
	}
	kept := list[:0]
	for _, m := range list {
		if len(families[m.skeleton]) < 2 {
			kept = append(kept, m)
		}
	}
	return kept
}

// look finds the architectures of a word and notes what judge says of each.
func (l *looker) look(w script.Word, judge func(arch.Word) (use, bool)) {
	words := meant(w.Text)
	if several(words) {
		return
	}
	for _, word := range words {
		if isNumber(w.Text, word) && !strings.Contains(strings.ToUpper(l.prefix), "ARCH") {
			continue
		}
		u, ok := judge(word)
		if !ok || len(l.harms(word.Arch)) == 0 {
			continue
		}
		l.note(w, word, u)
	}
}

// isNumber tells that a text is a word that may mean something else when it stands alone.
func isNumber(text string, word arch.Word) bool {
	return len(text) == len(word.Text) && (text == "386" || text == "arm")
}

// note notes one mention.
func (l *looker) note(w script.Word, word arch.Word, u use) {
	at, ok := w.Origin(word.At, word.End)
	if !ok {
		return
	}
	if l.place.unneeded {
		u.severity = Info
	}
	m := mention{severity: u.severity, word: word, text: w.Text, does: u.does, at: at, skeleton: l.prefix + skeleton(w.Text, word), link: u.link, quotedByShell: w.Quote == '\'', stage: l.stage}
	m.tool = l.place.ofBuild && !l.place.final && u.severity == Warning
	if start, end, ok := w.Place(word.At, word.End); ok {
		m.span = template.Span{Start: start, End: end}
	}
	l.found = append(l.found, m)
}

// meant are the words of a text that name a machine of the image: none of another
// system's, none of a cross compiler's name, none of a browser's.
func meant(text string) []arch.Word {
	var list []arch.Word
	for _, w := range arch.Find(text) {
		if w.OS != "" && w.OS != "linux" || strings.Contains(text, `:\`) || isTool(text, w) || isBrowser(text, w) {
			continue
		}
		list = append(list, w)
	}
	return list
}

// several tells that words name machines that are not the same: a list.
func several(words []arch.Word) bool {
	for _, w := range words {
		if machineFamily(w.Arch) != machineFamily(words[0].Arch) {
			return true
		}
	}
	return false
}

// isBrowser tells that a word is part of what browsers say of themselves.
func isBrowser(text string, w arch.Word) bool {
	before := text[:w.At]
	return strings.HasSuffix(before, "X11; Linux ") || strings.HasSuffix(before, "X11; U; Linux ") || strings.HasSuffix(before, "Win64; ") || strings.HasSuffix(before, "WOW64; ")
}

// token is the part of a text around a word, without blanks and quotes.
func token(text string, w arch.Word) (string, int) {
	const ends = " \t\n\r\"'`;|()<>,"
	from := strings.LastIndexAny(text[:w.At], ends) + 1
	to := len(text)
	if n := strings.IndexAny(text[w.End:], ends); n >= 0 {
		to = w.End + n
	}
	return text[from:to], from
}

// isTool tells that a word stands in the name of a cross compiler, an emulator or
// firmware: it names the machine that it works for, and many of them can be there.
func isTool(text string, w arch.Word) bool {
	name, from := token(text, w)
	low := strings.ToLower(name)
	last := low[strings.LastIndexByte(low, '/')+1:]
	if n := strings.LastIndexByte(last, '='); n >= 0 {
		last = last[n+1:]
	}
	for _, prefix := range []string{"qemu", "grub-", "grub2-", "gcc-", "g++-", "cpp-", "gfortran-", "gdb-", "binutils-", "crossbuild-essential-", "libstdc++-", "libgcc-", "linux-libc-dev-", "clang-cross", "gobjc-", "gnat-", "gccgo-", "pkg-config-", "edk2-", "ovmf-", "shim-", "u-boot", "syslinux", "ipxe", "mingw", "musl-cross", "efibootmgr", "syslinux"} {
		if strings.HasPrefix(last, prefix) && (prefix == "qemu" || !strings.Contains(low, "://")) {
			return !(prefix == "libstdc++-" || prefix == "libgcc-" || prefix == "gcc-" || prefix == "g++-" || prefix == "cpp-") || isTripletOf(w) || strings.Contains(last, "-linux-gnu")
		}
	}
	rest := text[min(from+len(name), w.End) : from+len(name)]
	if !isTripletOf(w) && !strings.HasPrefix(rest, "-linux") && !strings.HasPrefix(rest, "-elf") && !strings.HasPrefix(rest, "-none") && !strings.HasPrefix(rest, "-w64") {
		return strings.HasSuffix(last, "-cross") || strings.HasPrefix(rest, "-efi")
	}
	for _, tool := range []string{"gcc", "g++", "cpp", "cc", "c++", "ld", "ar", "as", "strip", "objcopy", "objdump", "ranlib", "nm", "clang", "clang++", "gfortran", "pkg-config", "readelf", "gnatmake", "gdb"} {
		if after, ok := strings.CutPrefix(rest, "-"+tool); ok && (after == "" || after[0] == '-' || after[0] == ':' || after[0] >= '0' && after[0] <= '9') {
			return true
		}
	}
	return rest == "-" || strings.HasPrefix(rest, "-elf") || strings.HasPrefix(rest, "-none") || strings.HasPrefix(rest, "-w64")
}

// isTripletOf tells that a word is a GNU triplet.
func isTripletOf(w arch.Word) bool {
	return strings.Contains(w.Text, "-linux-gnu") || strings.Contains(w.Text, "-linux-musl") || strings.Contains(w.Text, "-linux-")
}

// skeleton is a text, or the line of it that a word stands in, without architectures.
func skeleton(text string, w arch.Word) string {
	from := strings.LastIndexByte(text[:w.At], '\n') + 1
	to := len(text)
	if n := strings.IndexByte(text[w.End:], '\n'); n >= 0 {
		to = w.End + n
	}
	line := text[from:to]
	var b strings.Builder
	at := 0
	for _, word := range arch.Find(line) {
		b.WriteString(line[at:word.At] + "\x00")
		at = word.End
	}
	b.WriteString(line[at:])
	return b.String()
}
