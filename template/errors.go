package template

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says that BuildKit's parser does not accept the file, and where.
type SyntaxError struct {
	File string
	// Line counts from 1; 0 when no line can be blamed.
	Line int
	// Text is that line as written.
	Text string
	// Err is what BuildKit says.
	Err error
	// Syntax is the frontend that the file asks for, if any: another one may accept it.
	Syntax string
	// early tells that the line stands before any FROM.
	early bool
}

func (e *SyntaxError) Error() string { return located(e.File, e.Line, e.Err.Error(), e.Text) }

func (e *SyntaxError) Unwrap() error { return e.Err }

// At is the place, for those who show errors beside the code.
func (e *SyntaxError) At() (file string, line int) { return e.File, e.Line }

// Hint says what to do about the line.
func (e *SyntaxError) Hint() string {
	if e.Syntax != "" && !strings.Contains(e.Syntax, "docker/dockerfile") {
		return fmt.Sprintf("archbuild cannot read what is written for the frontend %s: build the file with docker buildx build, or name a Dockerfile with -f", printable(e.Syntax))
	}
	switch {
	case e.Line == 0:
		return "a Dockerfile needs at least one FROM"
	case e.early:
		return fmt.Sprintf("begin with FROM: line %d stands before any", e.Line)
	}
	return fmt.Sprintf("correct line %d: BuildKit refuses it as well", e.Line)
}

// LimitError says that a file is larger than archbuild reads. It is found
// before anything is parsed.
type LimitError struct {
	File string
	// Line where the limit was passed, or 0.
	Line int
	// What has the limit: "bytes", "instructions", "bytes in one line".
	What  string
	Limit int
}

func (e *LimitError) Error() string {
	return located(e.File, e.Line, fmt.Sprintf("more than %d %s", e.Limit, e.What), "")
}

// At is the place, for those who show errors beside the code.
func (e *LimitError) At() (file string, line int) { return e.File, e.Line }

// Hint says how to stay below.
func (e *LimitError) Hint() string {
	if e.What == lineBytes {
		return "break the line with continuations: BuildKit reads no longer ones"
	}
	const generated = "a Dockerfile of this size is most likely generated: split it"
	switch e.What {
	case "bytes":
		return generated + ", or raise the limit: --max-bytes"
	case "instructions":
		return generated + ", or raise the limit: --max-instructions"
	}
	return generated
}

// MismatchError says that archbuild's scanner and BuildKit's parser read the
// file differently. Rewriting it would be a guess, so it is refused.
type MismatchError struct {
	File   string
	Line   int
	Detail string
}

func (e *MismatchError) Error() string {
	return located(e.File, e.Line, "archbuild and BuildKit read this instruction differently: "+e.Detail, "")
}

// At is the place, for those who show errors beside the code.
func (e *MismatchError) At() (file string, line int) { return e.File, e.Line }

// Hint asks for a bug report.
func (e *MismatchError) Hint() string {
	return "this is a bug in archbuild; please report it together with the Dockerfile"
}

// TargetError says that --target names no stage.
type TargetError struct {
	File, Target string
	// Stages are the names there are.
	Stages []string
}

func (e *TargetError) Error() string {
	return fmt.Sprintf("%s: no stage %q", e.File, e.Target)
}

// Hint lists the stages that have names.
func (e *TargetError) Hint() string {
	if len(e.Stages) == 0 {
		return "no stage of this file has a name: leave --target out"
	}
	return "its stages are " + strings.Join(e.Stages, ", ")
}

// Problem is why one reference cannot be evaluated. A build must stop at it;
// a rewrite can leave that reference alone and say so.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Message string `json:"message"`
	Advice  string `json:"advice"`
	// Text is the line as written.
	Text string `json:"text"`
}

func (p *Problem) Error() string { return located(p.File, p.Line, p.Message, p.Text) }

// At is the place, for those who show errors beside the code.
func (p *Problem) At() (file string, line int) { return p.File, p.Line }

// Hint is the one thing to do.
func (p *Problem) Hint() string { return p.Advice }

// Refused says whether BuildKit refuses the file because of a use's Problem. It
// reads the references of all stages, also of those that the target does not
// need, but for what waits under ONBUILD.
func (t *Template) Refused(use Use) bool {
	waits := strings.HasPrefix(t.References[use.Reference].Where, onbuild)
	return use.Problem != nil && (use.Needed || !waits)
}

// located puts file and line before a message and the line's text below it.
func located(file string, line int, message, text string) string {
	s := printable(file)
	if line > 0 {
		s = fmt.Sprintf("%s:%d", s, line)
	}
	s += ": " + printable(message)
	if text = strings.TrimSpace(text); text != "" {
		s += "\n    " + printable(text)
	}
	return s
}

// printable makes text from a file safe for a terminal and short enough to read.
func printable(text string) string {
	const most = 200
	var b strings.Builder
	for i, r := range text {
		if b.Len() > most {
			return b.String() + "…"
		}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\t':
			b.WriteByte(' ')
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
