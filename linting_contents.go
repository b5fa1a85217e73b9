package archbuild

import (
	"context"
	"fmt"
	"os"
	"path"

	"github.com/moby/patternmatcher"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/lint"
	looked "github.com/archbuild/archbuild/lint/contents"
	"github.com/archbuild/archbuild/verify"
	"github.com/archbuild/archbuild/wrong"
)

// lintContents looks at the files that the Dockerfile takes out of its context.
func (r run) lintContents(ctx context.Context, s service, _ detect.HostFacts, facts *lint.Facts) ([]string, error) {
	copies := lint.Copies(*facts)
	if len(copies) == 0 {
		return nil, nil
	}
	allowed, err := verify.Allows(r.allowed(s))
	if err != nil {
		return nil, err
	}
	facts.Allowed = allowed
	s.source = s.of(facts.Targets[0].Platform)
	files, err := openContext(s)
	if err != nil {
		return nil, &wrong.Read{What: "the context", Err: err}
	}
	defer files.end()
	tree := files.tree
	if s.context.tree == nil {
		// A Look follows links itself, so no name that it opens has one in its way. What guards
		// against that opens each folder on the way anew, for each of thousands of files: a third of the time.
		tree = os.DirFS(s.context.Folder)
	}
	facts.Contents, err = looked.Look(ctx, tree, files.seen(), copies)
	return contentNotes(facts), err
}

// mostNotes of files are worth reading one by one.
const mostNotes = 3

// contentNotes tell of files that were not looked into.
func contentNotes(facts *lint.Facts) []string {
	var notes []string
	list := facts.Contents.Notes
	for i, n := range list {
		if i == mostNotes {
			return append(notes, fmt.Sprintf("%s: %d more files of the context were not looked into", facts.Template.File, len(list)-i))
		}
		notes = append(notes, fmt.Sprintf("%s: %s of the context was not looked into, or not wholly: %s", facts.Template.File, n.Path, n.Why))
	}
	return notes
}

// seen gives the function that tells what a build does not see, for one who walks from folder to
// file: what the patterns said of a folder is remembered, so that each path is matched once.
func (f *contextFiles) seen() func(name string, dir bool) bool {
	type verdict struct {
		out  bool
		info patternmatcher.MatchInfo
	}
	known := map[string]verdict{}
	var of func(name string, dir bool) verdict
	of = func(name string, dir bool) verdict {
		if v, ok := known[name]; ok {
			return v
		}
		var v, parent verdict
		if up := path.Dir(name); up != "." {
			parent = of(up, true)
		}
		var err error
		v.out, v.info, err = f.ignore.MatchesUsingParentResults(name, parent.info)
		v.out = v.out || err != nil || f.isHidden(name)
		if dir {
			known[name] = v
		}
		return v
	}
	return func(name string, dir bool) bool {
		out := of(name, dir).out
		return out && (!dir || f.isHidden(name) || !f.ignore.Exclusions())
	}
}
