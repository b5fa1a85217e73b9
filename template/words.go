package template

// Preamble lists the ARGs before the first FROM.
func (t *Template) Preamble() []Step {
	if len(t.from) == 0 {
		return nil
	}
	return t.steps(0, t.from[0])
}

// Joined gives the text of an instruction, its name and flags included, with
// continuations and the comments between them gone, and without heredocs. Place tells
// where its bytes stand in the file.
func (t *Template) Joined(s Step) Script {
	if s.index < 0 || s.index >= len(t.instructions) {
		return Script{}
	}
	in := &t.instructions[s.index]
	return Script{Text: in.text, pieces: in.pieces}
}

// Escape is the escape character of the file: a backslash, or what # escape= says.
func (t *Template) Escape() byte { return t.escape }
