//go:build linux && amd64

package faults_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/e2e/faults"
	"github.com/archbuild/archbuild/internal/registrytest"
)

// said looks at how an error is told: what failed, where, and what to do.
func (x *trial) said(ended faults.Ended, fault faults.Fault) []string {
	var wrong []string
	cause := "no space left on"
	if fault == faults.IOError {
		cause = "input/output error"
	}
	if !strings.Contains(ended.Stderr, cause) {
		wrong = append(wrong, "the error does not say: "+cause)
	}
	if !strings.Contains(ended.Stderr, "archbuild: error: ") || !strings.Contains(ended.Stderr, "archbuild: hint: ") {
		wrong = append(wrong, "no error with a hint")
	}
	names := []string{x.dir}
	for name := range x.after.below(work) {
		names = append(names, name, filepath.Dir(name))
	}
	if !slices.ContainsFunc(names, func(name string) bool { return name != "." && strings.Contains(ended.Stderr, name) }) {
		wrong = append(wrong, "the error names no file and no disk")
	}
	return wrong
}

// halves are the user's files that are neither what they were nor what they are to be.
func (x *trial) halves(t testing.TB, ended faults.Ended) []string {
	t.Helper()
	now := readTree(t, filepath.Join(x.dir, work))
	one := x.before.below(work)
	for name, f := range now {
		// A layout that is new begins as an empty one, which marks it as archbuild's.
		if _, there := one[name]; !there && filepath.Base(name) == "index.json" && strings.Contains(f.content, `"manifests":[]`) {
			one[name] = f
		}
	}
	return differences(now, one, x.after.below(work))
}

// differences are the files of now that are as in neither tree, and those of both that are missing; temporary files are another matter.
func differences(now, one, other tree) []string {
	var wrong []string
	for _, name := range now.names() {
		if f := now[name]; !isTemporary(name) && !f.mode.IsDir() && !f.is(one, name) && !f.is(other, name) {
			wrong = append(wrong, fmt.Sprintf("%s is neither old nor new: %v, %d bytes", name, f.mode, len(f.content)))
		}
	}
	for _, name := range one.names() {
		_, there := now[name]
		_, stays := other[name]
		if !there && (other == nil || stays) && !one[name].mode.IsDir() {
			wrong = append(wrong, name+" is gone")
		}
	}
	return wrong
}

// is says whether a file is that of a tree.
func (f file) is(tr tree, name string) bool {
	other, there := tr[name]
	return there && f.same(other, name)
}

// tagIsRight reads what the tag names, all of it.
func (x *trial) tagIsRight(t testing.TB) []string {
	t.Helper()
	if x.tag[0] == "" {
		return nil
	}
	var wrong []string
	if now := x.tagged(t); now != x.old && now != x.new {
		wrong = append(wrong, fmt.Sprintf("the tag names %s, neither %s nor %s", now, x.old, x.new))
	}
	_, lacks := registrytest.Read(x.world.hub, x.tag[0], x.tag[1])
	return append(wrong, lacks...)
}

// delivered compares an exit status with what was done: 0 is all of it.
func (x *trial) delivered(t testing.TB, ended faults.Ended) []string {
	t.Helper()
	if ended.Killed || ended.Code != 0 {
		return nil
	}
	wrong := differences(readTree(t, filepath.Join(x.dir, work)), x.after.below(work), nil)
	if x.tag[0] != "" && x.tagged(t) != x.new {
		wrong = append(wrong, "the tag is still the old one")
	}
	if len(wrong) > 0 {
		wrong = append(wrong, "yet the exit status is 0")
	}
	return wrong
}

// leftovers are temporary files of a run that was not killed. One that could not be removed is excused.
func (x *trial) leftovers(t testing.TB, ended faults.Ended) []string {
	t.Helper()
	if ended.Killed || strings.HasPrefix(ended.At.Name, "unlink") {
		return nil
	}
	return temporaries(readTree(t, x.dir))
}

func temporaries(tr tree) []string {
	var wrong []string
	for _, name := range tr.names() {
		if isTemporary(name) {
			wrong = append(wrong, "left over: "+name)
		}
	}
	return wrong
}

// isTemporary says whether a path is that of a file on its way.
func isTemporary(path string) bool {
	base := filepath.Base(path)
	return strings.HasPrefix(base, ".archbuild-") || strings.HasPrefix(base, ".new-") || strings.HasSuffix(base, ".tmp") || strings.HasSuffix(base, ".new") ||
		strings.Contains(path, "/ingest/") || strings.Contains(path, "/scratch/")
}

// again runs the verb once more, undisturbed, an hour later.
func (x *trial) again(t testing.TB, ended faults.Ended) []string {
	t.Helper()
	x.age(t)
	code, said := x.run(x.args...)
	if code != 0 {
		return []string{fmt.Sprintf("the next run ends with %d: %s", code, said)}
	}
	now := readTree(t, filepath.Join(x.dir, work))
	if f := now[x.appends]; x.appends != "" {
		// It may have been added once before.
		old, done := x.before.below(work)[x.appends].content, x.after.below(work)[x.appends]
		if added := strings.TrimPrefix(done.content, old); f.content == done.content+added {
			now[x.appends] = done
		}
	}
	wrong := differences(now, x.after.below(work), nil)
	if x.tagged(t) != x.new {
		wrong = append(wrong, "the tag is not moved")
	}
	// Caches keep theirs until they are trimmed, which a build does: TestWhatKilledRunsLeaveIsTrimmed.
	wrong = append(wrong, temporaries(readTree(t, x.dir).below(work))...)
	for i := range wrong {
		wrong[i] = "after the next run: " + wrong[i]
	}
	return wrong
}
