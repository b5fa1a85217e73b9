package kills_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// phase is a part of a run.
type phase string

// The phases of a build in their order, and the only one of a run that puts an index together.
const (
	starting  phase = "engine"   // until the first step, where no engine runs yet
	planning  phase = "plan"     // until the first step, where one does
	solving   phase = "solve"    // until the last step of one platform has ended
	verifying phase = "verify"   // until the first export begins
	exporting phase = "export"   // until the last export has ended
	pushing   phase = "push"     // files are written, blobs are sent, until the first manifest was taken
	tagging   phase = "tag"      // until the end
	assembly  phase = "assemble" // manifest create
)

var phases = []phase{starting, planning, solving, verifying, exporting, pushing, tagging, assembly}

// order is the phases that one build has.
func order(cold bool) []phase {
	if cold {
		return append([]phase{starting}, phases[2:7]...)
	}
	return phases[1:7]
}

// victim is what is killed.
type victim string

const (
	client    victim = "client"
	server    victim = "engine"
	keeper    victim = "keeper" // of a rootless engine
	container victim = "container"
	hub       victim = "registry"
)

// round is what happens in one round.
type round struct {
	number  int
	victims []victim
	// phase is empty for a moment anywhere in the run; at is where in the phase, or in the run: 0 is its begin, 1 its end.
	phase phase
	at    float64
	// cold says that no engine runs before.
	cold bool
	// back is when the registry is started again after it was killed.
	back time.Duration
	// output is what is written beside the push.
	output string
	// assembles says that this round is about manifest create, and no build.
	assembles bool
	// inContainer chooses among runc and what it runs.
	inContainer int
}

func (r round) String() string {
	where := fmt.Sprintf("%.0f %% of the run", r.at*100)
	if r.phase != "" {
		where = fmt.Sprintf("%.0f %% of %s", r.at*100, r.phase)
	}
	return fmt.Sprintf("round %d, %s killed at %s", r.number, joined(r.victims), where)
}

func joined(victims []victim) string {
	var names []string
	for _, v := range victims {
		names = append(names, string(v))
	}
	return strings.Join(names, "+")
}

// outputs are those beside the push. Without one, tags are all that a run leaves.
var outputs = []string{"", "archive", "", "layout"}

// draw takes the same number of values for every round, so that each is drawn for itself.
func draw(random *rand.Rand, number int, rootless bool) round {
	r := round{number: number, at: random.Float64(), output: outputs[number%len(outputs)]}
	who, where, cold, other := random.IntN(100), random.IntN(100), random.IntN(100), random.IntN(2)
	r.inContainer = random.IntN(4)
	r.back = time.Duration(random.IntN(300)) * time.Millisecond
	engine := server
	if rootless && other == 0 {
		engine = keeper
	}
	for _, choice := range []struct {
		below   int
		victims []victim
	}{
		{32, []victim{client}},
		{60, []victim{engine}},
		{80, []victim{hub}},
		{88, []victim{container}},
		{92, []victim{client, engine}},
		{96, []victim{client, hub}},
		{100, []victim{engine, hub}},
	} {
		if who < choice.below {
			r.victims = choice.victims
			break
		}
	}
	r.cold = cold < 20
	if where < 70 { // the rest is spread over the whole run
		r.phase = phases[where/10]
		r.cold = r.phase == starting || r.cold && r.phase != planning
	}
	switch {
	case r.victims[0] == container: // only there are any
		r.phase = solving
	case number%10 == 9 && r.victims[0] != engine: // which has no part in it
		r.assembles, r.phase, r.cold, r.output = true, assembly, false, ""
	}
	return r
}
