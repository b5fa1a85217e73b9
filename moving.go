package archbuild

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/wrong"
)

// A rule that comes with the source can say that an image is taken from another registry than FROM
// names. That is shown in the plan, and done only when the user has said so: by --allow-move, or when asked
// on a terminal, which is remembered. Rules of --base are the user's own word.

// parseMoves reads --allow-move: FROM=TO, two registries.
func parseMoves(texts []string) (map[[2]string]bool, error) {
	allowed := map[[2]string]bool{}
	for _, text := range texts {
		from, to, _ := strings.Cut(text, "=")
		if !isRegistry(from) || !isRegistry(to) {
			return nil, &wrong.Usage{fmt.Errorf("--allow-move %s: these are no two registries", text), "name them as images do: --allow-move docker.io=registry.example:5000"}
		}
		allowed[[2]string{from, to}] = true
	}
	return allowed, nil
}

// isRegistry tells whether a word is what stands before the first slash of an image's full name.
func isRegistry(word string) bool {
	named, err := reference.ParseNormalizedNamed(word + "/x/x")
	return err == nil && reference.Domain(named) == word
}

// mayMove tells whether the user lets a move be, by now.
func (r run) mayMove(s service, m plan.Move) bool {
	return r.moves[[2]string{m.From, m.To}] || r.agreed[agreement{s.name, s.file, m}] || r.recallsMove(s, m)
}

// agreement is a yes in this run.
type agreement struct {
	name, file string
	move       plan.Move
}

// forbiddenMoves are the moves of a plan that nobody has allowed.
func (r run) forbiddenMoves(s service, p plan.Plan) []plan.Move {
	r = r.with(s)
	return slices.DeleteFunc(p.Moves(), func(m plan.Move) bool { return r.mayMove(s, m) })
}

// moveNotes tell of the moves that this very command does not allow, and whether a build asks about them.
func (r run) moveNotes(s service, p plan.Plan) []string {
	var notes []string
	for _, m := range p.Moves() {
		switch {
		case r.moves[[2]string{m.From, m.To}]:
		case r.mayMove(s, m):
			notes = append(notes, moveText(m)+", as you have allowed")
		default:
			notes = append(notes, moveText(m)+"; a build wants leave for that: --allow-move "+m.From+"="+m.To)
		}
	}
	return notes
}

func moveText(m plan.Move) string {
	return fmt.Sprintf("%s (%s) takes an image from the registry %s that is written as one of %s", m.At, m.Rule, m.To, m.From)
}

// askMoves asks about moves that are not allowed yet, all of a service at once. Where there is nobody to ask,
// and where the answer is no, each service has a *MoveError.
func (r run) askMoves(services []service, plans []plan.Plan) error {
	var failed []error
	for i, s := range services {
		moves := r.forbiddenMoves(s, plans[i])
		if len(moves) == 0 {
			continue
		}
		if !r.canAsk() || !r.agrees(s, moves) {
			failed = append(failed, &MoveError{File: s.file, Moves: moves})
			continue
		}
		r.rememberMoves(s, moves)
	}
	return errors.Join(failed...)
}

// canAsk tells whether there is a person, and nothing else to be read or shown there.
func (r run) canAsk() bool {
	quiet := r.progressMode() == "quiet" || r.progressMode() == "rawjson"
	return r.Terminal && !quiet && !slices.Contains(r.Paths, stdinName) && r.File != stdinName
}

// agrees puts the question. Anything but a yes is a no.
func (r run) agrees(s service, moves []plan.Move) bool {
	for _, m := range moves {
		fmt.Fprintf(r.Stderr, "archbuild: %s: %s\n", ui.Line(s.name), ui.Line(moveText(m)))
	}
	fmt.Fprint(r.Stderr, "archbuild: is that what you want? A yes is remembered for this folder. [y/N] ")
	line, err := bufio.NewReader(io.LimitReader(r.Stdin, 1<<10)).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return err == nil && (answer == "y" || answer == "yes")
}

// checkMoved is askMoves for a plan that is made when the work has begun: nobody is asked any more.
func (r run) checkMoved(s service, p plan.Plan) error {
	if moves := r.forbiddenMoves(s, p); len(moves) > 0 {
		return &MoveError{File: s.file, Moves: moves}
	}
	return nil
}

// MoveError says that rules which come with the source take images from other registries, and that the user has not
// allowed it.
type MoveError struct {
	// File is the template; the rules stand in it or beside it.
	File  string
	Moves []plan.Move
}

func (e *MoveError) Error() string {
	texts := make([]string, len(e.Moves))
	for i, m := range e.Moves {
		texts[i] = filepath.Join(filepath.Dir(e.File), moveText(m))
	}
	return strings.Join(texts, "; ")
}

// At is the place of the first rule, for those who show errors beside the code.
func (e *MoveError) At() (file string, line int) {
	at, _, _ := strings.Cut(e.Moves[0].At, ",")
	name, number, _ := strings.Cut(at, ":")
	line, err := strconv.Atoi(number)
	if err != nil {
		line = 0
	}
	return filepath.Join(filepath.Dir(e.File), name), line
}

// Hint names the flags that give leave.
func (e *MoveError) Hint() string {
	var flags []string
	for _, m := range e.Moves {
		if flag := "--allow-move " + m.From + "=" + m.To; !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	return "if you trust that, give " + strings.Join(flags, " ")
}
