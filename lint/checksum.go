package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/template"
)

// download is a file that was fetched, as far as its checksum is concerned.
type download struct {
	url script.Word
	// file is the name that it got.
	file string
	// varying tells that its URL depends on the platform, literal that it names one machine.
	varying, literal bool
	chosen           bool
}

// checksums reports one checksum for a file that differs by architecture.
func (s *subject) checksums() {
	for i, stage := range s.walked().Stages {
		place := s.placeOf(i)
		if place.chosen || stage.Windows {
			continue
		}
		k := &checker{subject: s, place: place}
		for n := range stage.Instructions {
			in := &stage.Instructions[n]
			switch in.Name {
			case "ADD":
				k.add(in)
			case "RUN":
				for i := range in.Script.Commands {
					k.command(&in.Script.Commands[i], in.Script.Commands, i)
				}
			}
		}
	}
}

// checker walks over a stage.
type checker struct {
	*subject
	place     place
	downloads []download
}

// add is an ADD, which may have its checksum beside it.
func (k *checker) add(in *script.Instruction) {
	c, ok := in.Command.(*instructions.AddCommand)
	if !ok {
		return
	}
	for _, w := range in.Words[:max(0, len(in.Words)-1)] {
		if !strings.Contains(w.Text, "://") {
			continue
		}
		d := k.fetched(w, in.Words[len(in.Words)-1].Text)
		k.downloads = append(k.downloads, d)
		if c.Checksum == "" {
			continue
		}
		for _, flag := range in.Flags {
			if _, sum, ok := strings.Cut(flag.Text, "--checksum="); ok {
				_, hex, _ := strings.Cut(sum, ":")
				if isChecksum(hex) {
					k.report(flag, len(flag.Text)-len(hex), len(flag.Text), d)
				}
			}
		}
	}
}

// fetched notes a download.
func (k *checker) fetched(url script.Word, file string) download {
	d := download{url: url, file: file, varying: url.Varying}
	words := meant(url.Text)
	d.literal = !url.Varying && len(words) > 0 && !several(words) && len(k.harms(words[0].Arch)) > 0 && k.mentioned(url.Text)
	return d
}

// mentioned tells that a URL is no part of a list that its author made for several machines.
func (k *checker) mentioned(url string) bool {
	return slices.ContainsFunc(k.allMentions(), func(m mention) bool { return m.text == url })
}

// command is one of a RUN.
func (k *checker) command(c *script.Command, all []script.Command, i int) {
	if downloads[c.Name] {
		k.download(c)
	}
	if c.Chosen {
		return
	}
	switch {
	case strings.HasSuffix(c.Name, "sum") || c.Name == "shasum" || c.Name == "openssl":
		for _, w := range c.Input {
			k.lines(w)
		}
	case c.Name == "echo" || c.Name == "printf":
		if checked(c, all, i) {
			k.printed(c)
		}
	case isTest(c.Name), strings.HasSuffix(c.Name, "grep"):
		if summed(all, i) {
			for _, w := range c.Args {
				if hex := strings.TrimSpace(w.Text); isChecksum(hex) {
					at := strings.Index(w.Text, hex)
					k.judge(w, at, at+len(hex), k.summedFile(all, i))
				}
			}
		}
	}
}

// download notes what a command fetches.
func (k *checker) download(c *script.Command) {
	file := ""
	for n, w := range c.Args {
		if isOutput(c, n) {
			file = w.Text
		}
	}
	if len(c.Into) > 0 {
		file = c.Into[0].Text
	}
	for _, w := range c.Args {
		if strings.Contains(w.Text, "://") || strings.HasPrefix(w.Text, "${") && strings.Contains(w.Text, "/") {
			d := k.fetched(w, file)
			if file == "" {
				d.file = path.Base(strings.SplitN(w.Text, "?", 2)[0])
			}
			d.chosen = c.Chosen
			k.downloads = append(k.downloads, d)
		}
	}
}

// checked tells that what a command prints goes to sha256sum -c, by a pipe or a file.
func checked(c *script.Command, all []script.Command, i int) bool {
	for _, other := range all[i+1:] {
		if c.Pipe > 0 && other.Pipe == c.Pipe && (strings.HasSuffix(other.Name, "sum") || other.Name == "openssl") {
			return true
		}
		if len(c.Into) > 0 && strings.HasSuffix(other.Name, "sum") {
			for _, w := range other.Args {
				if w.Text == c.Into[0].Text || path.Base(w.Text) == path.Base(c.Into[0].Text) {
					return true
				}
			}
		}
	}
	return false
}

// printed looks at the checksums that echo or printf print.
func (k *checker) printed(c *script.Command) {
	for n, w := range c.Args {
		if text := strings.TrimSpace(w.Text); isChecksum(text) { // echo HEX file
			name := ""
			if n+1 < len(c.Args) {
				name = strings.TrimPrefix(c.Args[n+1].Text, "*")
			}
			at := strings.Index(w.Text, text)
			k.judge(w, at, at+len(text), name)
			continue
		}
		k.lines(w)
	}
}

// lines looks at lines of checksums and names.
func (k *checker) lines(w script.Word) {
	at := 0
	for _, line := range strings.SplitAfter(strings.ReplaceAll(w.Text, `\n`, " \n"), "\n") {
		words := strings.Fields(line)
		if len(words) > 0 && isChecksum(words[0]) {
			from := at + strings.Index(line, words[0])
			name := ""
			if len(words) > 1 {
				name = strings.TrimPrefix(words[1], "*")
			}
			k.judge(w, from, from+len(words[0]), name)
		}
		at += len(line)
	}
}

// summed tells that a checksum was made just before a comparison.
func summed(all []script.Command, i int) bool {
	for n := i - 1; n >= 0 && n >= i-6; n-- {
		if strings.HasSuffix(all[n].Name, "sum") || all[n].Name == "openssl" {
			return true
		}
	}
	return false
}

// summedFile is the file whose checksum was made.
func (k *checker) summedFile(all []script.Command, i int) string {
	for n := i - 1; n >= 0 && n >= i-6; n-- {
		if strings.HasSuffix(all[n].Name, "sum") && len(all[n].Args) > 0 {
			return all[n].Args[len(all[n].Args)-1].Text
		}
	}
	return ""
}

// judge finds the download that a checksum is for.
func (k *checker) judge(w script.Word, from, to int, file string) {
	name := path.Base(file)
	for i := len(k.downloads) - 1; i >= 0; i-- {
		d := k.downloads[i]
		if file != "" && file != "-" && (d.file == file || path.Base(d.file) == name || path.Base(d.url.Text) == name) {
			k.report(w, from, to, d)
			return
		}
	}
	if len(k.downloads) > 0 && (file == "" || file == "-" || strings.Contains(file, "$")) {
		k.report(w, from, to, k.downloads[len(k.downloads)-1])
	}
}

// report adds a finding when the file differs.
func (k *checker) report(w script.Word, from, to int, d download) {
	low := strings.ToLower(d.url.Text)
	for _, end := range []string{".asc", ".sig", ".jar", ".war", ".sha256", ".sha512", ".md5", ".sum"} {
		if strings.HasSuffix(low, end) {
			return
		}
	}
	if d.chosen || !d.varying && !d.literal || strings.Contains(low, "noarch") {
		return
	}
	at, ok := w.Origin(from, to)
	if !ok {
		return
	}
	f := Finding{ID: "checksum-one-arch", Severity: Error, Line: k.lineOf(at)}
	if start, end, ok := w.Place(from, to); ok {
		f.Spans = []template.Span{{Start: start, End: end}}
	}
	f.Message = "one checksum is written out for a file that differs by architecture: the others fail the check"
	f.Fix = "choose the checksum where the file is chosen: case \"$TARGETARCH\" in amd64) sum=… ;; arm64) sum=… ;; esac"
	if !d.varying {
		word := arch.Find(d.url.Text)[0]
		f.Severity, f.Platforms = Warning, k.harms(word.Arch)
		f.Message = fmt.Sprintf("the checksum is that of the %s file: it has to be chosen when the file is, for %s", word.Text, join(f.Platforms))
	}
	if k.place.unneeded {
		f.Severity = Info
	}
	k.subject.add(f)
}
