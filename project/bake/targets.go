package bake

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/project"
)

// target is a resolved target in the words of a project: lists of objects in the form of their flags.
func (d *Definition) target(t *target) (project.Target, error) {
	if d.options.Tree != nil {
		if err := t.staysAway(); err != nil {
			return project.Target{}, err
		}
	}
	if err := t.printed(Options{}); err != nil {
		return project.Target{}, err
	}
	for _, p := range t.Policy {
		if len(p.Files) > 0 && !p.Disabled {
			return project.Target{}, &Error{Place: t.at, Text: "target " + t.Name + " has a policy (" + p.Files[0].Filename + "), and archbuild evaluates none", Help: "take it out of the target, or build this target with docker buildx bake"}
		}
	}
	made := project.Target{
		Name: t.Name, Description: t.Description, At: t.at, Places: t.places,
		Context: d.path(*t.Context), Inline: value(t.DockerfileInline), Stage: value(t.Target),
		Args: t.Args, Labels: t.Labels, Tags: t.Tags, Platforms: t.Platforms,
		CacheFrom: texts(d.placed(t.CacheFrom)), CacheTo: texts(d.placed(t.CacheTo)), Outputs: texts(d.placed(t.Outputs)), Attests: texts(t.Attest),
		Annotations: t.Annotations, NoCacheFilter: t.NoCacheFilter, Allow: t.Entitlements, Ulimits: t.Ulimits,
		Network: value(t.NetworkMode), ShmSize: value(t.ShmSize), Call: value(t.Call),
		NoCache: t.NoCache != nil && *t.NoCache, Pull: t.Pull != nil && *t.Pull,
	}
	if *t.Dockerfile != "Dockerfile" {
		made.Dockerfile = d.dockerfile(*t.Dockerfile)
	}
	for _, s := range t.Secrets {
		s.Path = d.path(s.Path)
		made.Secrets = append(made.Secrets, s.String())
	}
	for _, k := range t.SSH {
		k.Paths = slices.Clone(k.Paths)
		for i, p := range k.Paths {
			k.Paths[i] = d.path(p)
		}
		made.SSH = append(made.SSH, k.String())
	}
	for _, host := range slices.Sorted(maps.Keys(t.ExtraHosts)) {
		made.ExtraHosts = append(made.ExtraHosts, host+"="+value(t.ExtraHosts[host]))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Contexts)) {
		c := project.NamedContext{Name: name, Value: d.context(t.Contexts[name]), At: t.contextsAt[name]}
		if c.At.File == "" {
			c.At = t.at
		}
		made.Contexts = append(made.Contexts, c)
	}
	return made, nil
}

// path is a path of the file, relative to the working directory.
func (d *Definition) path(p string) string {
	if d.options.Dir == "" || p == "" || p == "-" || filepath.IsAbs(p) || strings.HasPrefix(p, "~") || !isPath(p) {
		return p
	}
	return filepath.Join(d.options.Dir, p)
}

// context is the value of a named context as --build-context takes it.
func (d *Definition) context(value string) string {
	if rest, ok := strings.CutPrefix(value, "oci-layout://"); ok {
		return "oci-layout://" + d.path(rest)
	}
	rest, _ := strings.CutPrefix(value, "cwd://")
	if rest != value {
		rest = filepath.Clean(rest)
	}
	return d.path(rest)
}

// dockerfile is the name of a Dockerfile, which is relative to the context; with cwd:// it is relative to the working directory.
func (d *Definition) dockerfile(name string) string {
	rest, ok := strings.CutPrefix(name, "cwd://")
	if !ok {
		return name
	}
	if full, err := filepath.Abs(d.path(rest)); err == nil {
		return full
	}
	return rest
}

// placed makes the folders of caches and outputs relative to the working directory.
func (d *Definition) placed(list []entry) []entry {
	list = slices.Clone(list)
	for i, e := range list {
		list[i].dest = d.path(e.dest)
		for _, key := range []string{"src", "dest"} {
			if p, ok := e.attrs[key]; ok && e.typ == "local" {
				list[i] = list[i].with(key, d.path(p))
			}
		}
	}
	return list
}

func texts(list []entry) []string {
	var made []string
	for _, e := range list {
		made = append(made, e.String())
	}
	return made
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
