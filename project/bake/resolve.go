package bake

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
)

// resolve is a target with all that it inherits, and with the overrides of the command line.
func (d *Definition) resolve(name string) (*target, error) {
	t, err := d.inherited(name, map[string]*target{})
	if err != nil {
		return nil, err
	}
	t.Inherits = nil
	if t.Context == nil {
		context := "."
		if t.bases.use && t.bases.file != nil {
			context = rebase(*t.bases.file, ".")
		}
		t.Context = &context
	}
	if t.Dockerfile == nil || *t.Dockerfile == "" {
		usual := "Dockerfile"
		t.Dockerfile = &usual
	}
	return t, nil
}

// inherited is a target on top of those it inherits from, each with its overrides. One that inherits from itself, through
// others, gets nothing of itself: so does buildx.
func (d *Definition) inherited(name string, seen map[string]*target) (*target, error) {
	if t, ok := seen[name]; ok {
		return t, nil
	}
	seen[name] = nil
	own := d.config.target(name)
	if own == nil {
		return nil, d.unknown(name)
	}
	t := &target{Name: name, at: own.at}
	for _, parent := range own.Inherits {
		if d.config.target(parent) == nil {
			return nil, &Error{Place: own.at, Text: fmt.Sprintf("target %s inherits from %s, which is no target", name, parent), Help: d.meant(parent, d.config.names())}
		}
		p, err := d.inherited(parent, seen)
		if err != nil {
			return nil, err
		}
		if p != nil {
			t.Merge(p)
		}
	}
	t.Merge(own)
	t.Name, t.at, t.notes = name, own.at, nil
	if err := t.apply(d.overrides[name]); err != nil {
		return nil, err
	}
	t.normalize()
	seen[name] = t
	return t, nil
}

// unknown says that a name is none of a target or group.
func (d *Definition) unknown(name string) error {
	files := strings.Join(d.files, ", ")
	if name == "default" {
		return &Error{Text: files + " has no group or target called default", Help: "name what is to be built: " + d.list()}
	}
	if isPattern(name) {
		return &Error{Text: "no target or group is called like " + name, Help: "name one that there is: " + d.list()}
	}
	return &Error{Unknown: name, Text: files + " has no group or target called " + name, Help: d.meant(name, append(d.config.names(), d.groups()...))}
}

// meant is a hint at a name that comes near, or at those that there are.
func (d *Definition) meant(name string, names []string) string {
	if near := nearest.Word(name, names); near != "" {
		return "write " + near
	}
	return "name one that there is: " + d.list()
}

// list are the names that can be built, the first ones. Those that begin with _ are there to be inherited from.
func (d *Definition) list() string {
	names := slices.DeleteFunc(dedup(append(d.groups(), d.config.names()...)), func(n string) bool { return strings.HasPrefix(n, "_") })
	switch {
	case len(names) == 0:
		return "the file has none"
	case len(names) > 12:
		return strings.Join(names[:12], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

func (d *Definition) groups() []string {
	var names []string
	for _, g := range d.config.Groups {
		names = append(names, g.Name)
	}
	return names
}

// selection is what the user asked for.
type selection struct {
	// names are groups and targets, patterns replaced; targets and groups those that they come to.
	names, targets, groups []string
}

// selected finds the targets that were asked for.
func (d *Definition) selected() (selection, error) {
	var s selection
	asked := d.options.Names
	if len(asked) == 0 {
		asked = []string{"default"}
	}
	for _, name := range asked {
		// A compose service may have a dot in its name, and buildx's targets have _ for it.
		names := d.named(strings.ReplaceAll(name, ".", "_"))
		if len(names) == 0 {
			return s, d.unknown(name)
		}
		s.names = append(s.names, names...)
	}
	s.names = dedup(s.names)
	for _, name := range s.names {
		if round := d.round(name, nil, map[string]bool{}); round != nil {
			return s, &Error{Place: d.config.group(round[0]).at, Text: "groups are in each other: " + strings.Join(round, " → "), Help: "take one of them out of the other"}
		}
		targets, groups := d.members(name, map[string][2][]string{})
		s.targets = append(s.targets, targets...)
		s.groups = append(s.groups, groups...)
	}
	s.targets, s.groups = dedup(s.targets), dedup(s.groups)
	return s, nil
}

// named are the groups and targets of a name, which may be a pattern.
func (d *Definition) named(name string) []string {
	if !isPattern(name) {
		if d.config.target(name) == nil && d.config.group(name) == nil {
			return nil
		}
		return []string{name}
	}
	var found []string
	for _, candidate := range append(d.groups(), d.config.names()...) {
		if ok, err := path.Match(name, candidate); ok && err == nil {
			found = append(found, candidate)
		}
	}
	return found
}

// isPattern says of a name that it may stand for several.
func isPattern(name string) bool { return strings.ContainsAny(name, "*?[]") }

// round is the way from a group back to itself, if there is one. A group may have its own name as
// a member where a target is called that as well. Clean are groups that have been looked at.
func (d *Definition) round(name string, path []string, clean map[string]bool) []string {
	if i := slices.Index(path, name); i >= 0 {
		if d.config.target(name) != nil {
			return nil
		}
		return append(path[i:], name)
	}
	g := d.config.group(name)
	if g == nil || clean[name] {
		return nil
	}
	for _, member := range g.Targets {
		if found := d.round(member, append(slices.Clip(path), name), clean); found != nil {
			return found
		}
	}
	clean[name] = true
	return nil
}

// members are the targets and groups below a name.
func (d *Definition) members(name string, seen map[string][2][]string) (targets, groups []string) {
	if m, ok := seen[name]; ok {
		return m[0], m[1]
	}
	g := d.config.group(name)
	if g == nil {
		return []string{name}, nil
	}
	seen[name] = [2][]string{}
	groups = []string{name}
	for _, member := range g.Targets {
		t, more := d.members(member, seen)
		if len(t) == 0 {
			t = []string{member}
		}
		targets, groups = append(targets, t...), append(groups, more...)
	}
	targets, groups = dedup(targets), dedup(groups)
	seen[name] = [2][]string{targets, groups}
	return targets, groups
}

// links checks what targets have as contexts: other targets, never themselves, and none for fewer platforms.
func (d *Definition) links(names []string) []error {
	var errs []error
	l := linking{d: d, found: map[string]*target{}, done: map[string]bool{}}
	for _, name := range names {
		if t, err := d.resolve(name); err == nil {
			l.found[name] = t
		}
	}
	for _, name := range names {
		if t := l.found[name]; t != nil {
			if err := l.follow(name, t, nil); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

// linking follows the contexts of targets to other targets.
type linking struct {
	d *Definition
	// found are the targets that were asked for, and those that they need.
	found map[string]*target
	done  map[string]bool
}

func (l *linking) follow(name string, t *target, path []string) error {
	if l.done[name] {
		return nil
	}
	path = append(path, name)
	for _, context := range slices.Sorted(maps.Keys(t.Contexts)) {
		base, ok := strings.CutPrefix(t.Contexts[context], "target:")
		if !ok {
			continue
		}
		where := t.contextsAt[context]
		if where.File == "" {
			where = t.at
		}
		if slices.Contains(path, base) {
			round := append(path[slices.Index(path, base):], base)
			return &Error{Place: where, Text: "targets stand on each other in a circle: " + strings.Join(round, " → "), Help: "take one of these contexts away"}
		}
		b := l.found[base]
		if b == nil {
			if l.d.config.target(base) == nil {
				return &Error{Place: where, Text: fmt.Sprintf("target %s has the context target:%s, which is no target", name, base), Help: l.d.meant(base, l.d.config.names())}
			}
			var err error
			if b, err = l.d.resolve(base); err != nil {
				return err
			}
			b.Outputs = outputs{{typ: "cacheonly"}}
			l.found[base] = b
		}
		if err := l.follow(base, b, path); err != nil {
			return err
		}
		for _, e := range b.Entitlements {
			if !slices.Contains(t.Entitlements, e) {
				t.Entitlements = append(t.Entitlements, e)
			}
		}
		if missing := without(t.Platforms, b.Platforms); len(missing) > 0 && len(t.Platforms) > 1 && len(b.Platforms) > 1 {
			return &Error{Place: where, Text: fmt.Sprintf("target %s is built for %s, and %s, which it stands on, is not (%s:%d)", name, strings.Join(missing, ", "), base, b.at.File, b.at.Line), Help: "add the platform to " + base + ", or take it from " + name}
		}
	}
	l.done[name] = true
	return nil
}

// without are the elements of a list that another one does not have.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}
