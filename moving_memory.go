package archbuild

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
)

// movesFile, in the state folder, holds what the user has answered about moves. It is bounded: the oldest
// answers are forgotten first.
const (
	movesFile    = "moves.json"
	mostMoves    = 1000
	maxMovesFile = 4 << 20
)

// allowedMove is one answer: it holds for a rule of a project, word by word, and for where it led.
type allowedMove struct {
	// Project is the folder of the file, or the address that it was fetched from.
	Project string `json:"project"`
	Rule    string `json:"rule"`
	From    string `json:"from"`
	To      string `json:"to"`
}

// project is what answers are bound to; empty is a source that has no name of its own: standard input, an archive.
func (s service) project() string {
	switch {
	case s.beside.tree != nil && s.context.Fetched != nil:
		return s.context.from
	case s.beside.tree != nil:
		return ""
	}
	folder, err := filepath.Abs(filepath.Dir(s.file))
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		return real
	}
	return folder
}

func (s service) allowing(m plan.Move) allowedMove {
	return allowedMove{Project: s.project(), Rule: m.Rule, From: m.From, To: m.To}
}

// recallsMove tells whether the user has allowed a move in a former run.
func (r run) recallsMove(s service, m plan.Move) bool {
	return s.project() != "" && slices.Contains(r.allowedMoves(), s.allowing(m))
}

// allowedMoves are those that are remembered; a memory that is missing or broken allows nothing.
func (r run) allowedMoves() []allowedMove {
	f, err := os.Open(filepath.Join(r.stateDir(), movesFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	var list []allowedMove
	if err := json.NewDecoder(io.LimitReader(f, maxMovesFile)).Decode(&list); err != nil {
		return nil
	}
	return list
}

// rememberMoves keeps a yes. In this run it holds in any case; who cannot write is asked again in the next one.
func (r run) rememberMoves(s service, moves []plan.Move) {
	list := r.allowedMoves()
	for _, m := range moves {
		r.agreed[agreement{s.name, s.file, m}] = true
		list = append(slices.DeleteFunc(list, func(old allowedMove) bool { return old == s.allowing(m) }), s.allowing(m))
	}
	list = list[max(0, len(list)-mostMoves):]
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil || s.project() == "" || os.MkdirAll(r.stateDir(), 0o700) != nil {
		return
	}
	_ = outside.WriteWhole(filepath.Join(r.stateDir(), movesFile), append(data, '\n')) // see above
}
