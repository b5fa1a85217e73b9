package archbuild

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/wrong"
)

// A target of a project's file says what flags say, of one image. What the command line says
// of all of them is laid over it, as `docker buildx bake --set '*.KEY=VALUE'` would:
//
//	flag                                  and the same in the file
//	--platform, --target, --network,      the flag's is taken
//	--shm-size, --cache-from, --cache-to
//	-t, -o                                the flag's is taken; {name} in it is the target's name
//	--push, --load                        added to what the file delivers to; a file's own push is not doubled
//	--build-arg, --label, --annotation,   added; the flag wins where both name the same
//	--build-context, --secret, --ssh,
//	--add-host, --ulimit
//	--no-cache-filter                     added
//	--no-cache, --pull                    either says so
//	--provenance, --sbom, --attest        the flag's is taken for the kinds that it names
//	--allow                               the command line's alone: what a file asks for has to be among it
//	--call                                the command line's alone: a file's own is refused unless --call says what is meant
//	--iidfile                             the command line's, for each target with {name} in it
//
// All other flags are about the run, and hold for every target.

// layOver gives the options of one target: the file's, with those of the command line laid over them.
func (o Options) layOver(t project.Target) Options {
	own := o
	own.of, own.inline = &t, t.Inline
	own.Paths, own.File = []string{cmp.Or(t.Context, ".")}, ""
	if o.found.origin != nil {
		own.File = fetchedTarget{Target: t}.file()
	} else {
		own.File = fileOf(t)
	}
	if len(o.Platforms) == 0 && len(t.Platforms) > 0 {
		own.Platforms, own.platformsFrom = t.Platforms, t.Place("platforms").String()
	}
	own.Target = cmp.Or(o.Target, t.Stage)
	own.Network, own.ShmSize = cmp.Or(o.Network, t.Network), cmp.Or(o.ShmSize, t.ShmSize)
	own.CacheFrom, own.CacheTo = instead(o.CacheFrom, t.CacheFrom), instead(o.CacheTo, t.CacheTo)
	own.BuildArgs, own.saidArgs = slices.Concat(keyValues(t.Args), o.BuildArgs), o.BuildArgs
	own.Labels = slices.Concat(keyValues(t.Labels), o.Labels)
	own.Annotations = slices.Concat(t.Annotations, o.Annotations)
	own.BuildContexts = slices.Concat(contextsOf(t), o.BuildContexts)
	own.Secrets = slices.Concat(withoutIDs(t.Secrets, o.Secrets), o.Secrets)
	own.SSH = slices.Concat(t.SSH, o.SSH)
	own.AddHosts, own.Ulimits = slices.Concat(t.ExtraHosts, o.AddHosts), slices.Concat(t.Ulimits, o.Ulimits)
	own.NoCache, own.Pull = o.NoCache || t.NoCache, o.Pull || t.Pull
	own.NoCacheFilter = slices.Concat(t.NoCacheFilter, o.NoCacheFilter)
	if own.NoCache {
		own.NoCacheFilter = o.NoCacheFilter
	}
	own.Attests = slices.Concat(o.Attests, o.attestsOf(t))
	own.Tags = instead(o.Tags, t.Tags)
	if len(own.Tags) == 0 && o.Load && t.Image != "" {
		own.Tags = []string{t.Image} // what docker compose calls it, where it is looked for
	}
	if own.deliverTo(t); !o.found.wants(t.Name) {
		own.Tags = t.Tags
		own.aside, own.Outputs, own.Push, own.Load = true, []string{"type=cacheonly"}, false, false
	}
	return own
}

// deliverTo lays the outputs of the command line over those of a target.
func (o *Options) deliverTo(t project.Target) {
	if o.Push && len(o.Tags) == 0 && t.Image != "" { // one of compose's that has no name to be pushed under
		o.Push, o.unpushed = false, true
	}
	if len(o.Outputs) > 0 {
		return
	}
	for _, text := range t.Outputs {
		if isPush := strings.Contains(text, "type=image") || strings.Contains(text, "type=registry"); !o.Push || !isPush {
			o.Outputs = append(o.Outputs, text)
		}
	}
}

func instead(flag, file []string) []string {
	if len(flag) > 0 {
		return flag
	}
	return file
}

// keyValues are KEY=VALUE by key, and KEY alone where there is no value.
func keyValues(values map[string]*string) []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if value := values[key]; value != nil {
			key += "=" + *value
		}
		list = append(list, key)
	}
	return list
}

// withoutIDs are those of a file's secrets that the command line does not name.
func withoutIDs(file, flags []string) []string {
	given, _ := parseSecrets(flags)
	return slices.DeleteFunc(slices.Clone(file), func(text string) bool {
		one, err := parseSecrets([]string{text})
		return err == nil && slices.ContainsFunc(given, func(s builder.Secret) bool { return s.ID == one[0].ID })
	})
}

// attestsOf are the attestations of a target that no flag says something else of.
func (o Options) attestsOf(t project.Target) []string {
	return slices.DeleteFunc(slices.Clone(t.Attests), func(text string) bool {
		a, err := parseAttest("--attest", text)
		return err == nil && (a.kind == provenanceKind && o.Provenance != "" || a.kind == sbomKind && o.SBOM != "")
	})
}

// targetOf is the target of the project that a named context stands for, or "".
func targetOf(value string) string {
	for _, scheme := range []string{"target:", "service:"} {
		if name, ok := strings.CutPrefix(value, scheme); ok {
			return name
		}
	}
	return ""
}

// contextsOf are the named contexts of a target that are no other targets.
func contextsOf(t project.Target) []string {
	var list []string
	for _, c := range t.Contexts {
		if targetOf(c.Value) == "" {
			list = append(list, c.Name+"="+c.Value)
		}
	}
	return list
}

// fileOf is the Dockerfile of a target as --file has it; empty is the usual name.
func fileOf(t project.Target) string {
	if t.Dockerfile == "" || t.Inline != "" || filepath.IsAbs(t.Dockerfile) {
		return t.Dockerfile
	}
	context := cmp.Or(t.Context, ".")
	if info, err := os.Stat(context); err == nil && !info.IsDir() || err != nil && builder.IsRemote(context) {
		return t.Dockerfile // in an archive, or where the node finds it
	}
	return filepath.Join(context, t.Dockerfile)
}

// TargetError says that a build which stands in a project's file cannot be.
type TargetError struct {
	// Name of the target, and where it stands.
	Name  string
	Place project.Place
	Err   error
}

func (e *TargetError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Place, e.Name, e.Err) }

// Unwrap gives the cause.
func (e *TargetError) Unwrap() error { return e.Err }

// At is the place, for those who show errors beside the code.
func (e *TargetError) At() (file string, line int) { return e.Place.File, e.Place.Line }

// Hint is the cause's own.
func (e *TargetError) Hint() string { return cmp.Or(wrong.Hint(e.Err), "change it there") }

// ExitStatus is 1: the command line is not what is wrong.
func (e *TargetError) ExitStatus() int { return 1 }

// inTarget says of each of some errors which target it is about.
func inTarget(t project.Target, key string, err error) error {
	if err == nil {
		return nil
	}
	var each []error
	for _, e := range leaves(err) {
		each = append(each, &TargetError{Name: t.Name, Place: t.Place(key), Err: e})
	}
	return errors.Join(each...)
}

// forTarget reads the options of one target.
func (r run) forTarget(t project.Target) (run, error) {
	near := r.found.origin == nil // and so the file is one of the user's own
	if !near {
		var err error
		if t, err = r.adapted(t); err != nil {
			return run{}, err
		}
	}
	o := r.layOver(t)
	missing, err := r.notBuilt(t)
	o.BuildContexts = slices.Concat(missing, o.BuildContexts)
	failed := []error{err, r.checkCall(t), r.checkLeave(t)}
	if near {
		failed = append(failed, r.checkWritten(t))
	}
	if o.Untrusted {
		state := o.State
		o, err = o.distrusting()
		o.State = state
		failed = append(failed, inTarget(t, "", err))
	}
	if o.Untrusted && near {
		failed = append(failed, r.checkReach(t))
	}
	own, err := o.checkFlags()
	failed = append(failed, inTarget(t, "", err))
	own = r.with(service{self: &own})
	own.single = false
	return own, errors.Join(failed...)
}

// checkLeave looks whether the command line gives a target the privileges that it asks for.
func (o Options) checkLeave(t project.Target) error {
	if o.DryRun { // which gives nothing to anybody
		return nil
	}
	asked := slices.Clone(t.Allow)
	if t.Network == "host" && o.Network == "" && !slices.Contains(asked, networkHost) {
		asked = append(asked, networkHost)
	}
	var failed []error
	for _, name := range asked {
		if !slices.Contains(o.Allow, name) {
			err := fmt.Errorf("it asks for %s, and a file is not leave enough", name)
			failed = append(failed, &TargetError{t.Name, t.Place("allow"), &wrong.File{err, "--allow " + name + " lets it, if you trust what it builds and runs"}})
		}
	}
	return errors.Join(failed...)
}
