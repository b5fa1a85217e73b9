// Package github speaks to GitHub's runner, which reads a job's log for commands
// and gives each step files to write to.
//
// A line of the log that begins with :: is a command: it opens a group, shows an
// error beside the line of a file, hides a word, sets a variable. Older ones are ##[…] anywhere in a
// line. A runner cannot tell who wrote a line, so what strangers write (Dockerfiles,
// build steps, registries) must not become one. Log sees to it: only what goes
// through its methods is a command.
//
// The package is pure: it writes to what it is handed.
//
// Source of the rules: docs.github.com, "Workflow commands for GitHub Actions".
package github

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
)

// Log is the log of a step. The zero of it, nil, is no log of GitHub's: its
// methods do nothing. It may be used by several goroutines.
type Log struct {
	out    io.Writer
	secret func() string

	mu      sync.Mutex
	partial []byte
	// stopped is the word that lets commands be obeyed again, or empty.
	stopped string
	grouped bool
}

// New is a log on out. Secret gives a word that nobody can guess, another at each call.
func New(out io.Writer, secret func() string) *Log { return &Log{out: out, secret: secret} }

// longest is how much of a line is waited for, in bytes; a longer one is cut in two.
const longest = 64 << 10

// Write passes on whole lines, with all that would be a command broken. Nothing is ever
// passed on before its line has ended: see Flush.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	end := bytes.LastIndexByte(l.partial, '\n') + 1
	if end == 0 && len(l.partial) < longest {
		return len(p), nil
	}
	whole := string(l.partial)
	if end > 0 {
		whole = whole[:end]
	} else {
		whole += "\n"
		end = len(l.partial)
	}
	l.partial = append(l.partial[:0], l.partial[end:]...)
	if _, err := io.WriteString(l.out, Harmless(whole)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is left of a line, ends the group that is open, and lets commands be obeyed
// again. It is called when the program ends.
func (l *Log) Flush() error {
	if l == nil {
		return nil
	}
	l.EndGroup()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endLine("")
}

// endLine writes what there is of a line, with this at its end.
func (l *Log) endLine(end string) error {
	if len(l.partial) == 0 {
		return nil
	}
	_, err := io.WriteString(l.out, Harmless(string(l.partial))+end)
	l.partial = l.partial[:0]
	return err
}

// Group begins a part of the log that is folded. No command is obeyed in it but those of
// this Log. An open group ends.
func (l *Log) Group(title string) {
	if l == nil {
		return
	}
	l.EndGroup()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.command("group", nil, title)
	l.stopped, l.grouped = l.secret(), true
	l.command("stop-commands", nil, l.stopped)
}

// EndGroup ends the group, if one is open.
func (l *Log) EndGroup() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.grouped {
		return
	}
	l.command(l.stopped, nil, "")
	l.command("endgroup", nil, "")
	l.stopped, l.grouped = "", false
}

// Annotation is a message of the run that GitHub shows beside the code.
type Annotation struct {
	// Level is error, warning or notice.
	Level string
	// File is relative to the repository's root, empty for none; Line counts from 1, 0 is none.
	File string
	Line int
	// Title is above the message. Both may be any text.
	Title, Message string
}

// Annotate writes an annotation.
func (l *Log) Annotate(a Annotation) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var properties []string
	add := func(key, value string) {
		if value != "" {
			properties = append(properties, key+"="+property(value))
		}
	}
	add("file", a.File)
	if a.File != "" && a.Line > 0 {
		add("line", fmt.Sprint(a.Line))
	}
	add("title", a.Title)
	again := l.stopped
	if again != "" { // For the moment of this one command.
		l.command(again, nil, "")
	}
	l.command(a.Level, properties, a.Message)
	if again != "" {
		l.stopped = l.secret()
		l.command("stop-commands", nil, l.stopped)
	}
}

// command writes a line of its own. That the log cannot be written to is found out by
// those who write to it.
func (l *Log) command(word string, properties []string, message string) {
	if l.endLine("\n") != nil {
		return
	}
	if len(properties) > 0 {
		word += " " + strings.Join(properties, ",")
	}
	fmt.Fprintf(l.out, "::%s::%s\n", word, escape(message))
}

// escape keeps a message on its line.
func escape(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(Harmless(text))
}

// property is escape for the value of a property, which ends at a comma or a colon.
func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escape(text))
}

// Harmless breaks all in a text that a runner would obey: "::" at the beginning of a
// line becomes ": :", and "##[" anywhere "## [". Characters that have no width count as
// not being there. Other lines stay as they are.
func Harmless(text string) string {
	if !strings.Contains(text, ":") && !strings.Contains(text, "#") {
		return text
	}
	var out strings.Builder
	for line := range strings.SplitAfterSeq(text, "\n") {
		for part := range strings.SplitAfterSeq(line, "\r") {
			out.WriteString(harmlessLine(part))
		}
	}
	return out.String()
}

func harmlessLine(line string) string {
	var out strings.Builder
	var before, last rune // the two that can be seen before c
	seen := 0
	for _, c := range line {
		if hidden(c) || seen == 0 && unicode.IsSpace(c) {
			out.WriteRune(c)
			continue
		}
		if c == ':' && last == ':' && seen == 1 || c == '[' && last == '#' && before == '#' {
			out.WriteByte(' ')
		}
		out.WriteRune(c)
		before, last, seen = last, c, seen+1
	}
	return out.String()
}

// hidden are characters that a comparison may pass over.
func hidden(c rune) bool {
	return unicode.IsControl(c) && !unicode.IsSpace(c) || unicode.In(c, unicode.Cf, unicode.Mn, unicode.Me, unicode.Variation_Selector)
}
