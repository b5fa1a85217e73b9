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
	"fmt"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/internal/ui"
)

// Log is the log of a step. The zero of it, nil, is no log of GitHub's: its
// methods do nothing. It may be used by several goroutines.
type Log struct {
	out    *ui.Stream
	secret func() string

	mu sync.Mutex
	// stopped is the word that lets commands be obeyed again, or empty.
	stopped string
	grouped bool
}

// New is a log on out. Secret gives a word that nobody can guess, another at each call.
func New(out *ui.Stream, secret func() string) *Log { return &Log{out: out, secret: secret} }

// Write passes on what is harmless.
func (l *Log) Write(p []byte) (int, error) { return l.out.Write(p) }

// Terminal says that somebody looks at the log.
func (l *Log) Terminal() bool { return l.out.Terminal() }

// Flush ends the group that is open, and lets commands be obeyed again. It is called when the
// program ends.
func (l *Log) Flush() error {
	if l == nil {
		return nil
	}
	l.EndGroup()
	return l.out.Flush()
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
	if len(properties) > 0 {
		word += " " + strings.Join(properties, ",")
	}
	_ = l.out.Own(fmt.Sprintf("::%s::%s\n", word, escape(message)))
}

// escape keeps a message on its line.
func escape(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(ui.Harmless(ui.Clean(text)))
}

// property is escape for the value of a property, which ends at a comma or a colon.
func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escape(text))
}
