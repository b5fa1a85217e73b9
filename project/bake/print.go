package bake

import (
	"encoding/json"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
)

// Print is what `docker buildx bake --print` prints: the groups and targets that were asked for, and the targets that
// these stand on, as JSON.
func (d *Definition) Print() ([]byte, error) {
	asked, err := d.selected()
	if err != nil {
		return nil, err
	}
	l := linking{d: d, found: map[string]*target{}, done: map[string]bool{}}
	var errs []error
	for _, name := range asked.targets {
		if l.found[name], err = d.resolve(name); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, name := range asked.targets {
		if err := l.follow(name, l.found[name], nil); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.found)) {
		if err := l.found[name].printed(d.options); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	text, err := json.MarshalIndent(struct {
		Group  map[string]*group  `json:"group,omitempty"`
		Target map[string]*target `json:"target"`
	}{d.printedGroups(asked), l.found}, "", "  ")
	return append(text, '\n'), err
}

// printedGroups are the groups that were asked for; default has all names that were, besides its own.
func (d *Definition) printedGroups(asked selection) map[string]*group {
	groups := map[string]*group{}
	for _, name := range asked.groups {
		g := *d.config.group(name)
		g.Targets = dedup(g.Targets)
		groups[name] = &g
	}
	for _, name := range asked.names {
		if groups["default"] != nil && name == "default" {
			continue
		}
		if groups["default"] == nil {
			groups["default"] = &group{Name: "default"}
		}
		groups["default"].Targets = append(groups["default"].Targets, name)
	}
	if g := groups["default"]; g != nil {
		g.Targets = dedup(g.Targets)
		slices.Sort(g.Targets)
	}
	return groups
}

// printed changes a target to how it is printed: its context as a path, and the time that the environment gives.
func (t *target) printed(o Options) error {
	for what, value := range map[string]*string{"context": t.Context, "dockerfile": t.Dockerfile} {
		if *value == "-" {
			return &Error{Place: t.at, Text: "target " + t.Name + " has its " + what + " from standard input", Help: "name a folder or file"}
		}
	}
	context := cleaned(*t.Context)
	t.Context = &context
	if epoch, _ := o.env(envEpoch); epoch != "" && t.Args[envEpoch] == nil {
		joinValues(&t.Args, map[string]*string{envEpoch: &epoch})
	}
	return nil
}

// cleaned is a context as a path: cwd:// is the working directory.
func cleaned(context string) string {
	if isRemote(context) {
		return context
	}
	if rest, ok := strings.CutPrefix(context, "cwd://"); ok {
		context = rest
	}
	return path.Clean(context)
}

// MarshalJSON writes a target so that it can be read as a bake file again: what would be a template is escaped.
func (t *target) MarshalJSON() ([]byte, error) {
	type plain target
	p := plain(*t)
	p.Annotations = slices.Clone(t.Annotations)
	for i, a := range p.Annotations {
		p.Annotations[i] = escaped(a)
	}
	if t.DockerfileInline != nil {
		text := escaped(*t.DockerfileInline)
		p.DockerfileInline = &text
	}
	p.Args, p.Labels, p.ExtraHosts = escapedValues(t.Args), escapedValues(t.Labels), escapedValues(t.ExtraHosts)
	return json.Marshal(p)
}

func escapedValues(values map[string]*string) map[string]*string {
	made := maps.Clone(values)
	for key, value := range values {
		if value != nil {
			text := escaped(*value)
			made[key] = &text
		}
	}
	return made
}

func escaped(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "${", "$${"), "%{", "%%{")
}
