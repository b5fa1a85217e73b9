package archbuild

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// checkServices looks at what only shows when the services are known: a build
// of minutes must not end in a mistake that could be seen before.
func (r run) checkServices(services []service) error {
	var outputs []manifest.Output
	var failed []error
	for _, s := range services {
		r := r.with(s)
		of := r.outputsOf(s)
		outputs = append(outputs, of...)
		var platforms []platform.Platform
		for _, target := range s.targets {
			platforms = append(platforms, target.Platform)
			failed = append(failed, s.checkLinux(target.Platform), s.checkMissing(target))
			failed = append(failed, r.checkEpoch(s, target))
		}
		failed = append(failed, wrong.AsUsage(r.ofPlatforms(platforms).Check(platforms)), r.checkTags(s, of), r.checkLoads(s, of), checkDocker(of, platforms), r.checkOffline())
	}
	if err := r.checkSame(services); err != nil {
		return err
	}
	if err := r.checkShared(services); err != nil {
		return joinedOnce(append(failed, err))
	}
	failed = append(failed, wrong.AsUsage(manifest.CheckOutputs(outputs)))
	for _, out := range outputs {
		if out.Stdout() {
			failed = append(failed, r.checkStdout(out))
		} else {
			failed = append(failed, checkDest(out))
		}
	}
	return joinedOnce(failed)
}

// checkLinux refuses what no image is built for.
func (s service) checkLinux(p platform.Platform) error {
	if p.OS == "linux" {
		return nil
	}
	err := fmt.Errorf("%s: %s: archbuild builds images for Linux only", s.platformsFrom, p)
	const hint = "name platforms that begin with linux/; `archbuild rewrite` writes Dockerfiles for others"
	if s.platformsFrom == "archbuild.yaml" {
		return &wrong.File{err, hint}
	}
	return &wrong.Usage{err, hint}
}

// checkTags looks whether the image can have its names, and a push goes somewhere.
func (r run) checkTags(s service, outputs []manifest.Output) error {
	r = r.with(s)
	tags := r.tagsOf(s)
	if len(tags) > 0 {
		if err := manifest.CheckNames(tags, false); err != nil {
			return wrong.AsUsage(err)
		}
	}
	for _, out := range outputs {
		if out.Type != manifest.TypeImage {
			continue
		}
		if err := manifest.CheckNames(out.Named(tags), out.ByDigest); err != nil {
			return wrong.AsUsage(fmt.Errorf("-o %s: %w", out, err))
		}
	}
	return nil
}

// checkSame finds what two folders of one name would both write.
func (r run) checkSame(services []service) error {
	seen := map[string]bool{}
	for _, s := range services {
		if seen[s.name] {
			return &wrong.Usage{fmt.Errorf("two of the folders are called %s: what is made of one would replace the other's", s.name), "build them one after the other, under names of their own"}
		}
		seen[s.name] = true
	}
	return nil
}

// checkDest finds a file where a folder is to be written, or the other way round, and
// a folder of somebody else's.
func checkDest(out manifest.Output) error {
	info, err := os.Stat(out.Dest)
	if out.Dest == "" || err != nil {
		return nil
	}
	folder := out.Folder || out.Type == manifest.TypeLocal
	switch {
	case folder && !info.IsDir():
		return &wrong.Usage{fmt.Errorf("-o %s: %s is a file, and a folder is to be written", out, out.Dest), "name another dest=FOLDER"}
	case out.Folder:
		return wrong.AsUsage(manifest.CheckLayout(out.Dest))
	case !folder && info.IsDir():
		return &wrong.Usage{fmt.Errorf("-o %s: %s is a folder, and a file is to be written", out, out.Dest), "name a file below it: dest=" + out.Dest + "/image.tar"}
	}
	return nil
}

// checkStdout refuses an archive where something else is shown.
func (r run) checkStdout(out manifest.Output) error {
	switch {
	case isTerminal(r.Stdout):
		return &wrong.Usage{fmt.Errorf("-o %s would send an archive to the terminal", out), "write dest=FILE, or redirect standard output"}
	case r.StdoutUse != "":
		return &wrong.Usage{fmt.Errorf("-o %s and %s both write to standard output", out, r.StdoutUse), "write dest=FILE, or leave " + r.StdoutUse + " out"}
	}
	return nil
}

const sourceDateEpoch = "SOURCE_DATE_EPOCH"

// checkEpoch takes what BuildKit takes: seconds, or the name of something that has a time: the context, a named one, or a stage.
func (r run) checkEpoch(s service, target plan.Target) error {
	r = r.with(s)
	text := target.Args[sourceDateEpoch]
	if _, err := strconv.ParseInt(text, 10, 64); err == nil || text == "" || text == "context" {
		return nil
	}
	if slices.Contains(r.contextKeys(), text) {
		return nil
	}
	if t := s.of(target.Platform).template; t != nil {
		if _, ok := t.Stage(text); ok {
			return nil
		}
	}
	return &wrong.Usage{fmt.Errorf("SOURCE_DATE_EPOCH %q is no number of seconds", text), "take the last commit's: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"}
}
