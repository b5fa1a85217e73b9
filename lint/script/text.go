package script

// text is a text whose bytes know where they are written: the offset in
// Template.Source, or -1.
type text struct {
	s  string
	at []int32
}

// longestText is more than any sensible value has; what is longer is cut.
const longestText = 2048

// builder puts a text together.
type builder struct {
	b  []byte
	at []int32
}

func (t *builder) add(other text) {
	n := min(len(other.s), longestText-len(t.b))
	t.b = append(t.b, other.s[:n]...)
	t.at = append(t.at, other.at[:n]...)
}

// put adds one byte.
func (t *builder) put(b byte, at int32) {
	if len(t.b) < longestText {
		t.b, t.at = append(t.b, b), append(t.at, at)
	}
}

// phrase adds bytes that stand for something that is written at a place.
func (t *builder) phrase(s string, at int32) {
	for i := range len(s) {
		t.put(s[i], at)
	}
}

func (t *builder) text() text { return text{string(t.b), t.at} }

// phrase is a text that stands for something that is written at a place.
func phrase(s string, at int32) text {
	var b builder
	b.phrase(s, at)
	return b.text()
}

func (t text) cut(from, to int) text { return text{t.s[from:to], t.at[from:to]} }

// Word is one word of a command or an instruction.
type Word struct {
	// Text is the word evaluated: quotes are gone, variables are filled in as far as
	// they are known, others stand there as ${NAME}, and what a command prints as $().
	Text string
	// Raw is the word as it is written, without continuations.
	Raw string
	// At and End are its bytes in Template.Source.
	At, End int
	// Quote is the quote that surrounds the whole of it, or 0.
	Quote byte
	// Vars are the variables that it names.
	Vars []string
	// Varying tells that a part of it comes from the architecture by a variable or a command.
	Varying bool
	places  []int32
}

// Place tells where a part of Text is written: in the word itself, or in the ENV, ARG or
// assignment that a variable of it has its value from. It reports false where the part
// is not written in one piece.
func (w Word) Place(from, to int) (at, end int, ok bool) {
	if from < 0 || from >= to || to > len(w.places) || w.places[from] < 0 {
		return 0, 0, false
	}
	for i := from + 1; i < to; i++ {
		if w.places[i] != w.places[i-1]+1 {
			return 0, 0, false
		}
	}
	return int(w.places[from]), int(w.places[to-1]) + 1, true
}

// Origin is where the first byte of a part is written that is written at all.
func (w Word) Origin(from, to int) (at int, ok bool) {
	for i := max(from, 0); i < min(to, len(w.places)); i++ {
		if w.places[i] >= 0 {
			return int(w.places[i]), true
		}
	}
	return 0, false
}

// Inside tells that a part of Text is written in the word itself.
func (w Word) Inside(from, to int) bool {
	at, ok := w.Origin(from, to)
	return ok && at >= w.At && at < w.End
}

// Cut is a part of a word as a word of its own: what follows the = of --flag=value.
func (w Word) Cut(from, to int) Word {
	part := w
	part.Text, part.places = w.Text[from:to], w.places[from:to]
	return part
}

func (w *Word) fill(t text) { w.Text, w.places = t.s, t.at }

func (w Word) text() text { return text{w.Text, w.places} }

// Written is a word whose bytes are written as they are from an offset in Template.Source on.
func Written(s string, at int) Word {
	places := make([]int32, len(s))
	for i := range places {
		places[i] = int32(at + i)
	}
	return Word{Text: s, Raw: s, At: at, End: at + len(s), places: places}
}
