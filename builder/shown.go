package builder

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// Limits bound what is shown of the output of steps, in bytes; 0 is the usual, below 0 is
// none. A BuildKit server has limits of its own; one that has none, or lies, is held to these.
type Limits struct {
	// Step is how much of one step is shown, Rate how much of it in each second beyond its
	// first MiB, Run how much of all steps of a run.
	Step, Rate, Run int64
}

// The usual limits. BuildKit's own are 2 MiB and 200 KiB a second for each of a step's two
// streams: who has not raised them never meets these.
const (
	usualStepBytes = 4 << 20
	usualRate      = 512 << 10
	usualRunBytes  = 64 << 20
	atOnce         = 1 << 20
)

// Variables by which a BuildKit server is told its limits. Whoever raised them there can raise
// archbuild's by the same words.
const (
	stepBytesVariable = "BUILDKIT_STEP_LOG_MAX_SIZE"
	rateVariable      = "BUILDKIT_STEP_LOG_MAX_SPEED"
)

// LimitsFrom are the limits that the environment sets: -1 is none.
func LimitsFrom(getenv func(string) string) Limits {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(getenv(name), 10, 64) // as BuildKit does, which passes over what is none
		return n
	}
	l := Limits{Step: number(stepBytesVariable), Rate: number(rateVariable)}
	if l.Step < 0 || l.Step > usualRunBytes {
		l.Run = -1
	}
	return l
}

// limit is a limit in force.
func limit(set, usual int64) int64 {
	switch {
	case set < 0:
		return 1 << 62
	case set == 0:
		return usual
	}
	return set
}

// Bounds of what else a node says of one job. No build comes near them; a node that sends
// without end takes no memory beyond.
const (
	mostSteps    = 2_000
	mostChanges  = 500 // of one step: BuildKit sends a handful
	mostStatuses = 4_000
	mostUpdates  = 1_000_000
	mostWarnings = 1_000
	mostInputs   = 1_000
	mostSources  = 8 << 20 // bytes of the files that warnings speak of
	longestName  = 4 << 10
	longestID    = 1 << 10
	longestError = 64 << 10
)

// shown makes what a node says of a job fit to be shown: harmless, and bounded. It is used by
// one goroutine.
type shown struct {
	limits Limits
	// run is what all jobs together have shown.
	run      *atomic.Int64
	now      func() time.Time
	steps    map[digest.Digest]*shownStep
	statuses map[string]bool
	updates  int
	warnings int
	sources  int
}

// shownStep is what has been shown of a step.
type shownStep struct {
	changes int
	// ended says that it changed too often and has ended: nothing of it counts any longer.
	ended bool
	out   [3]output
	bytes int64
	left  int64
	since time.Time
	told  bool
}

func newShown(limits Limits, run *atomic.Int64) *shown {
	return &shown{limits: limits, run: run, now: time.Now, steps: map[digest.Digest]*shownStep{}, statuses: map[string]bool{}}
}

// step is nil for one too many.
func (s *shown) step(d digest.Digest) *shownStep {
	if at, known := s.steps[d]; known {
		return at
	}
	if len(s.steps) == mostSteps || len(d) > longestID {
		return nil
	}
	s.steps[d] = &shownStep{}
	return s.steps[d]
}

// status is what may be shown of a status. The status itself stays as it is.
func (s *shown) status(status *client.SolveStatus) *client.SolveStatus {
	out := &client.SolveStatus{}
	for _, l := range status.Logs {
		if at := s.step(l.Vertex); at != nil {
			s.log(out, at, l)
		}
	}
	for _, v := range status.Vertexes {
		at := s.step(v.Digest)
		if at == nil {
			continue
		}
		if at.changes++; at.changes > mostChanges && (at.ended || v.Completed == nil) {
			continue
		}
		if v.Completed != nil {
			at.ended = at.changes > mostChanges
			s.end(out, at, v)
		}
		out.Vertexes = append(out.Vertexes, vertex(v))
	}
	for _, one := range status.Statuses {
		if s.step(one.Vertex) != nil && s.known(one) {
			c := *one
			c.ID, c.Name = oneLine(one.ID, longestID), oneLine(one.Name, longestID)
			out.Statuses = append(out.Statuses, &c)
		}
	}
	for _, w := range status.Warnings {
		if s.warnings++; s.warnings <= mostWarnings {
			out.Warnings = append(out.Warnings, s.warning(w))
		}
	}
	return out
}

// known says whether a status is one of those that are shown.
func (s *shown) known(one *client.VertexStatus) bool {
	key := string(one.Vertex) + cut(one.ID, longestID)
	if s.updates++; s.updates > mostUpdates {
		return false
	}
	if !s.statuses[key] && len(s.statuses) == mostStatuses {
		return false
	}
	s.statuses[key] = true
	return true
}

func vertex(v *client.Vertex) *client.Vertex {
	c := *v
	c.Name = oneLine(v.Name, longestName)
	c.Error = strings.ReplaceAll(ui.Harmless(ui.Clean(cut(v.Error, longestError))), "\n", "\n  ") // no line of it looks like one of archbuild's
	c.Inputs = v.Inputs[:min(len(v.Inputs), mostInputs)]
	if v.ProgressGroup != nil {
		c.ProgressGroup = v.ProgressGroup.CloneVT()
		c.ProgressGroup.Name = oneLine(c.ProgressGroup.Name, longestName)
		c.ProgressGroup.Id = cut(c.ProgressGroup.Id, longestID)
	}
	return &c
}

// warning is one without what it does not need to have: what it says is a line, its details are a few.
func (s *shown) warning(w *client.VertexWarning) *client.VertexWarning {
	c := *w
	c.Range = w.Range[:min(len(w.Range), mostInputs)]
	if s.sources += w.SourceInfo.SizeVT(); s.sources > mostSources {
		c.SourceInfo = nil
	}
	c.Short = []byte(oneLine(string(w.Short), longestName))
	c.Detail = nil
	for _, line := range w.Detail[:min(len(w.Detail), mostInputs)] {
		c.Detail = append(c.Detail, []byte(oneLine(string(line), longestName)))
	}
	c.URL = oneLine(w.URL, longestID)
	return &c
}

func oneLine(text string, most int) string { return ui.Harmless(ui.Line(cut(text, most))) }

// cut shortens a text that nobody would read to its end.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// log adds what a step has printed, as far as it is shown.
func (s *shown) log(out *client.SolveStatus, at *shownStep, l *client.VertexLog) {
	if at.since.IsZero() {
		at.since = s.now()
	}
	stream := &at.out[min(max(l.Stream, 0), 2)]
	room := max(0, min(s.room(at), int64(len(l.Data))))
	at.bytes += room
	s.run.Add(room)
	text := stream.add(nil, l.Data[:room], l.Timestamp)
	if left := int64(len(l.Data)) - room; left > 0 {
		at.left += left
		if !at.told {
			at.told = true
			text = append(stream.end(text), "\n[archbuild] more output of this step is left out\n"...)
		}
	}
	if len(text) > 0 {
		c := *l
		c.Data = text
		out.Logs = append(out.Logs, &c)
	}
}

// room is how much of a step's output may be shown now.
func (s *shown) room(at *shownStep) int64 {
	room := min(limit(s.limits.Step, usualStepBytes)-at.bytes, limit(s.limits.Run, usualRunBytes)-s.run.Load())
	if s.limits.Rate < 0 {
		return room
	}
	return min(room, atOnce+int64(s.now().Sub(at.since).Seconds()*float64(limit(s.limits.Rate, usualRate)))-at.bytes)
}

// end adds what is still waited for of a step that has ended, and how much was left out.
func (s *shown) end(out *client.SolveStatus, at *shownStep, v *client.Vertex) {
	var text []byte
	for i := range at.out {
		text = at.out[i].end(text)
	}
	if at.left > 0 {
		text = fmt.Appendf(text, "\n[archbuild] %s of output left out; RUN … > FILE keeps all of it\n", ui.Size(at.left))
		at.left = 0
	}
	if len(text) > 0 {
		out.Logs = append(out.Logs, &client.VertexLog{Vertex: v.Digest, Stream: 1, Data: text, Timestamp: *v.Completed})
	}
}

// output is what a step prints on one of its streams: harmless, and in lines. A progress bar goes back to
// the beginning of its line again and again: of its states one a second is shown, and the last.
type output struct {
	cleaner ui.Cleaner
	// returned says that the line is written over from here, over what it would say then.
	returned bool
	over     []byte
	shownAt  time.Time
	inLine   bool
}

// betweenStates is the time from one state of a progress bar to the next that is shown.
const betweenStates = time.Second

// longestState is how much of a line that is written over is kept.
const longestState = 4 << 10

// add appends what there is to be shown of a part of the output.
func (o *output) add(text, part []byte, at time.Time) []byte {
	text = slices.Grow(text, len(part)+64)
	for len(part) > 0 {
		i := bytes.IndexByte(part, '\r')
		if !o.returned { // All up to the line that is written over.
			whole := bytes.LastIndexByte(part[:max(i, 0)], '\n') + 1
			if i < 0 {
				whole = len(part)
			}
			if whole > 0 {
				text = o.cleaner.Append(text, part[:whole])
				o.inLine = part[whole-1] != '\n'
				part = part[whole:]
				continue
			}
		}
		if i = bytes.IndexAny(part, "\r\n"); i < 0 {
			return o.put(text, part)
		}
		text = o.put(text, part[:i])
		if part[i] == '\n' {
			text = o.line(text)
		} else {
			text = o.back(text, at)
		}
		part = part[i+1:]
	}
	return text
}

// put takes what stands on a line.
func (o *output) put(text, part []byte) []byte {
	if !o.returned {
		before := len(text)
		text = o.cleaner.Append(text, part)
		o.inLine = o.inLine || len(text) > before
		return text
	}
	if len(o.over) < longestState {
		o.over = o.cleaner.Append(o.over, part)
	}
	return text
}

// line ends a line.
func (o *output) line(text []byte) []byte {
	text = append(o.state(o.rest(text)), '\n')
	o.returned, o.inLine = false, false
	return text
}

// back goes to the beginning of the line.
func (o *output) back(text []byte, at time.Time) []byte {
	text = o.rest(text)
	if !o.returned && !o.inLine {
		return text // where it is already
	}
	if o.returned && at.Sub(o.shownAt) >= betweenStates {
		text = o.state(text)
		o.shownAt = at
	}
	o.over = o.over[:0]
	if !o.returned {
		o.shownAt = at
	}
	o.returned = true
	return text
}

// state shows what stands on a line that was written over.
func (o *output) state(text []byte) []byte {
	if state := bytes.TrimRight(o.over, " \t"); o.returned && len(state) > 0 {
		if o.inLine {
			text = append(text, '\n')
		}
		text = append(text, state...)
		o.inLine = true
	}
	o.over = o.over[:0]
	return text
}

// lines are the lines of a whole output, as they would be shown at its end.
func lines(raw []byte) []string {
	var o output
	text := strings.TrimSpace(string(o.end(o.add(nil, raw, time.Time{}))))
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// rest takes what waited for its other half: a line's end ends sequences.
func (o *output) rest(text []byte) []byte {
	if o.returned {
		o.over = o.cleaner.End(o.over)
		return text
	}
	return o.cleaner.End(text)
}

// end ends the output.
func (o *output) end(text []byte) []byte {
	text = o.state(o.rest(text))
	o.returned = false
	return text
}
