package kills_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"
)

// watch sees from what a run says, and from the registry's log, in which phase it is.
type watch struct {
	phases []phase

	mu    sync.Mutex
	began []time.Time // of each phase that has begun
	// reached is closed when the phase begins.
	reached []chan struct{}
	// exports says of each platform that has one whether it has ended.
	exports map[string]bool
	line    []byte
	said    bytes.Buffer
}

// newWatch is called when the run begins.
func newWatch(phases []phase) *watch {
	w := &watch{phases: phases, exports: map[string]bool{}}
	for range phases {
		w.reached = append(w.reached, make(chan struct{}))
	}
	w.enter(0)
	return w
}

// enter says that a phase has begun, and so those before it. The lock is held, or there is no other who knows of it.
func (w *watch) enter(i int) {
	for len(w.began) <= i {
		close(w.reached[len(w.began)])
		w.began = append(w.began, time.Now())
	}
}

func (w *watch) now() phase {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.phases[len(w.began)-1]
}

// Write takes what the program says on its standard error: lines of --progress=rawjson among others.
func (w *watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said.Write(p)
	w.line = append(w.line, p...)
	for {
		at := bytes.IndexByte(w.line, '\n')
		if at < 0 {
			return len(p), nil
		}
		w.hear(string(w.line[:at]))
		w.line = w.line[at+1:]
	}
}

func (w *watch) hear(line string) {
	if len(w.phases) < len(order(true)) {
		return
	}
	_, name, isVertex := strings.Cut(line, `"name":"[linux/`)
	if !isVertex {
		return
	}
	w.enter(1)
	platform, _, _ := strings.Cut(name, " ")
	ended := strings.Contains(line, `"completed":`)
	switch {
	case strings.Contains(name, "COPY --from=build") && ended:
		w.enter(2)
	case strings.Contains(name, "exporting to oci"):
		w.enter(3)
		if w.exports[platform] = w.exports[platform] || ended; len(w.exports) == len(architectures) && !slices.Contains(values(w.exports), false) {
			w.enter(4)
		}
	}
}

func values(of map[string]bool) (list []bool) {
	for _, v := range of {
		list = append(list, v)
	}
	return list
}

// served hears a line of the registry's log.
func (w *watch) served(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.phases) == len(order(true)) && strings.Contains(line, `"PUT /v2/app/manifests/`) {
		w.enter(5)
	}
}

func (w *watch) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

// profile is how long each phase of an undisturbed run took.
type profile []time.Duration

func (w *watch) profile(ended time.Time) profile {
	w.mu.Lock()
	defer w.mu.Unlock()
	var p profile
	for i, began := range w.began {
		until := ended
		if i+1 < len(w.began) {
			until = w.began[i+1]
		}
		p = append(p, until.Sub(began))
	}
	return p
}

// moment says after which phase's begin, and how long after it, a kill is due.
func (p profile) moment(r round, phases []phase) (at int, after time.Duration) {
	if i := slices.Index(phases, r.phase); i >= 0 {
		return i, time.Duration(r.at * float64(p[i]))
	}
	var whole time.Duration
	for _, d := range p {
		whole += d
	}
	left := time.Duration(r.at * float64(whole))
	for i, d := range p {
		if left < d {
			return i, left
		}
		left -= d
	}
	return len(p) - 1, left
}

// wait waits for the moment of a round, and says whether it came before the run was over.
func (w *watch) wait(r round, p profile, over <-chan struct{}) bool {
	at, after := p.moment(r, w.phases)
	select {
	case <-w.reached[at]:
	case <-over:
		return false
	}
	select {
	case <-time.After(after):
		return true
	case <-over:
		return false
	}
}
