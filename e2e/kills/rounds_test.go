package kills_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// group is how many rounds there are between two looks at a lane whose engine was stopped.
	group = 10
	// emptied is how many there are between two that empty it.
	emptied = 50
)

// run is all rounds of a lane.
func (l *lane) run() {
	l.prepare()
	for n := 0; l.hunt.goesOn() && !l.Failed(); n++ {
		l.round(draw(l.random, n, l.rootless))
		if n%group == group-1 {
			l.wantNothing()
		}
		if n%emptied == emptied-1 && !l.Failed() {
			l.empty()
		}
	}
	if !l.Failed() {
		l.wantNothing()
		l.empty()
	}
}

// prepare builds undisturbed, to see how long that takes.
func (l *lane) prepare() {
	undisturbed := func(number int, cold bool) profile {
		r := round{number: number}
		l.write(filepath.Join(l.context, "changed"), l.tag(r))
		ran := l.must(newWatch(order(cold)), l.build(r)...)
		if len(ran.profile) != len(order(cold)) {
			l.Fatalf("a run has %d phases: %v\n%s", len(ran.profile), ran.profile, ran.watch.text())
		}
		l.latest = l.named("app", "latest")
		l.wantWhole("app", l.tag(r), r)
		return ran.profile
	}
	undisturbed(-1, true) // It fetches the base image.
	l.warm = undisturbed(-2, false)
	l.mustStop()
	l.plant()
	l.cold = undisturbed(-3, true)
	l.assembly = l.must(newWatch([]phase{assembly}), l.assemble(round{number: -3})...).profile
	l.wantNothing()
	l.empty()
	l.Logf("undisturbed: %v, without an engine %v, manifest create %v", l.warm, l.cold, l.assembly)
}

// plant leaves files as a run and an engine do that are killed in the moment between making a file and giving it its name. These moments are
// so short that few kills would meet one; whether the next run removes what they leave is seen all the same.
func (l *lane) plant() {
	l.Helper()
	worker, err := filepath.Glob(l.state + "/buildkit-*/runc-*")
	recipes, err2 := filepath.Glob(l.state + "/results/*")
	answers, err3 := filepath.Glob(l.state + "/registry/*")
	if err := errors.Join(err, err2, err3); err != nil || len(worker) != 1 || len(recipes) == 0 || len(answers) == 0 {
		l.Fatalf("the state folder is not as it was: %q, %q, %q, %v", worker, recipes, answers, err)
	}
	for _, file := range []string{
		l.state + "/run/engine.json.new", l.state + "/run/tmp/buildkit-mount1/left",
		l.state + "/store/blobs/sha256/.new-1", l.state + "/store/ingest/1/data", l.state + "/store/scratch/caches-1/left",
		l.state + "/files/.new-1", l.state + "/verdicts/.new-1", l.state + "/times/.archbuild-1",
		recipes[0] + "/.new-1", answers[0] + "/.new-1",
		worker[0] + "/executor/hosts.abc", worker[0] + "/executor/resolv.conf.tmp", worker[0] + "/executor/abc/config.json",
		worker[0] + "/content/ingest/abc/data", worker[0] + "/content/.fsverity-check-1/integrity", worker[0] + "/cachemounts/buildkit1/left",
		worker[0] + "/snapshots/snapshots/new-1/fs/left", worker[0] + "/snapshots/userxattr-check/1/left",
		filepath.Dir(worker[0]) + "/multiple-lowerdir-check1/left",
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			l.Fatal(err)
		}
		l.write(file, "half")
	}
	l.give(l.state)
}

// round is a run with a kill, and the same without.
func (l *lane) round(r round) {
	l.write(filepath.Join(l.context, "changed"), l.tag(r))
	if r.cold {
		l.mustStop()
	}
	repo, args, phases, p := "app", l.build(r), order(r.cold), l.warm
	switch {
	case r.assembles:
		l.must(newWatch(order(false)), args...)
		l.latest = l.named("app", "latest")
		repo, args, phases, p = "joined", l.assemble(r), []phase{assembly}, l.assembly
	case r.cold:
		p = l.cold
	}
	first := l.disturbed(r, newWatch(phases), p, args)
	if err := l.registry.start(); err != nil {
		l.Fatalf("%s: %v", r, err)
	}
	tag, latest := l.named(repo, l.tag(r)), l.named("app", "latest")
	again := l.must(newWatch(phases), args...)
	now := l.named(repo, l.tag(r))
	l.wantWhole(repo, l.tag(r), r)
	l.judge(r, first, tag, latest, now)
	if !r.assembles {
		l.latest = l.named("app", "latest")
		if l.latest != now {
			l.Errorf("%s: after the build that passed, latest names %s, %s names %s", r, l.latest, l.tag(r), now)
		}
	}
	l.wantOutputs(r)
	l.wantQuiet(r)
	l.hunt.tally.note(func() {
		l.hunt.tally.recoveries++
		l.hunt.tally.longest = max(l.hunt.tally.longest, again.took())
	})
	if l.Failed() {
		l.Logf("%s: the run that was disturbed: exit status %d after %s\n%s\n%s", r, first.code, first.took(), tail(first.watch.text()), l.engineLog())
	}
}

// judge looks at what the run with the kill has left under its tags: what was there before, or what the run without a kill makes as well.
func (l *lane) judge(r round, first *ran, tag, latest, now string) {
	l.Helper()
	seen := "old"
	if tag == now {
		seen = "new"
	}
	if tag != "" && tag != now || latest != l.latest && (latest != now || r.assembles) {
		l.Errorf("%s: its tag named %q, latest named %q; want nothing and %q, or %q", r, tag, latest, l.latest, now)
	}
	ended := map[int]string{-1: "killed", 0: "passed", 1: "failed"}[first.code]
	killed := len(r.victims) > 0 && r.victims[0] == client
	switch {
	case ended == "" || ended == "killed" && !killed:
		l.Errorf("%s: exit status %d after %s", r, first.code, first.took())
	case ended == "failed" && !strings.Contains(first.watch.text(), "archbuild: error: "):
		l.Errorf("%s: it failed without a word", r)
	case ended == "passed" && (tag != now || !r.assembles && latest != now):
		l.Errorf("%s: it passed, and its tags name %q and %q", r, tag, latest)
	}
	l.hunt.tally.note(func() { l.hunt.tally.ended[ended]++; l.hunt.tally.tags[seen]++ })
}

// disturbed is a run of which something is killed.
func (l *lane) disturbed(r round, w *watch, p profile, args []string) *ran {
	cmd, ran, over := l.start(w, args...)
	var back sync.WaitGroup
	defer back.Wait()
	noted := l.noteContainers(over)
	defer func() { <-noted }()
	defer func() { <-over }()
	if !w.wait(r, p, over) {
		l.hunt.tally.note(func() { l.hunt.tally.rounds++; l.hunt.tally.missed++ })
		return ran
	}
	during, signals := w.now(), 0
	for _, v := range r.victims {
		switch v {
		case client:
			if cmd.Process.Signal(syscall.SIGKILL) == nil {
				signals++
			}
		case hub:
			l.registry.kill()
			signals++
			back.Go(func() {
				time.Sleep(r.back)
				if err := l.registry.start(); err != nil {
					l.Errorf("%s: %v", r, err)
				}
			})
		default:
			signals += l.strike(v, r.inContainer, over)
		}
	}
	l.hunt.tally.note(func() {
		y := l.hunt.tally
		y.rounds++
		if y.signals += signals; signals == 0 {
			y.missed++
			return
		}
		if y.killed[joined(r.victims)] == nil {
			y.killed[joined(r.victims)] = map[phase]int{}
		}
		y.killed[joined(r.victims)][during]++
	})
	return ran
}

// strike kills the engine, its keeper or a process in a container, and gives the number of signals. One that is not there yet is waited for
// a little.
func (l *lane) strike(v victim, which int, over <-chan struct{}) int {
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; time.Sleep(time.Millisecond) {
		var found []process
		for _, p := range l.processes() {
			if p.is(v) {
				found = append(found, p)
			}
		}
		if len(found) > 0 && found[which%len(found)].kill() {
			return 1
		}
		select {
		case <-over:
			return 0
		default:
		}
	}
	return 0
}

// noteContainers writes down the ids of the containers that there are while a run lasts.
func (l *lane) noteContainers(over <-chan struct{}) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			bundles, _ := filepath.Glob(l.state + "/buildkit-*/*/executor/*")
			for _, b := range bundles {
				if info, err := os.Stat(b); err == nil && info.IsDir() {
					l.containers[filepath.Base(b)] = true
				}
			}
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return done
}

// empty has the lane keep as little as it can, and measures that. What is left are databases, which do not shrink: each has the size that it had
// when it held most. So they are largest after the first rounds, and grow no further.
func (l *lane) empty() {
	l.Helper()
	var held []string
	for range 2 { // Layers are removed in the background: an engine that ends leaves some to the next one.
		l.must(newWatch([]phase{""}), "engine", "prune", "--all")
		l.mustStop()
		if held = l.held(); len(held) == 0 {
			break
		}
	}
	for _, path := range held {
		l.Errorf("emptied, it holds %s", path)
	}
	size := l.size()
	l.hunt.tally.note(func() {
		sizes := append(l.hunt.tally.disk[l.name], size)
		if l.hunt.tally.disk[l.name] = sizes; len(sizes) > 3 && size > sizes[2]*3/2 {
			l.Errorf("it grows: emptied, it keeps %d bytes", sizes)
		}
	})
}

// held are the images, notes, blobs and layers of the state folder.
func (l *lane) held() (list []string) {
	for _, pattern := range []string{"store/blobs/sha256/*", "results/*/*", "buildkit-*/*/content/blobs/sha256/*", "buildkit-*/*/snapshots/snapshots/*"} {
		found, _ := filepath.Glob(filepath.Join(l.state, pattern))
		list = append(list, found...)
	}
	return list
}

// size is what the state folder takes on disk.
func (l *lane) size() int64 {
	var size int64
	out, err := exec.Command("du", "-s", "--block-size=1", l.state).Output()
	if err != nil {
		l.Fatal(err)
	}
	for _, digit := range strings.Fields(string(out))[0] {
		size = size*10 + int64(digit-'0')
	}
	return size
}
