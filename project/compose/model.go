package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/project"
	"github.com/compose-spec/compose-go/v2/override"
)

// model is what one or several files say.
type model struct {
	order    []string
	services map[string]*service
	secrets  map[string]secret
}

// secret is one of the project's secrets: where its value is, never the value.
type secret struct {
	at                project.Place
	file, environment string
	external          bool
	// required is an error of a variable that has to be set, for those builds that use the secret.
	required error
}

// service is what files say of one service, as far as a build needs it.
type service struct {
	name   string
	at     project.Place
	values map[string]any
	*traces
	extends *extension
	// removed says that !reset takes the service away.
	removed bool
}

// extension is a service that another one starts from.
type extension struct {
	service, file string
	at            project.Place
}

func newModel() *model {
	return &model{services: map[string]*service{}, secrets: map[string]secret{}}
}

func (m *model) add(s *service) {
	if _, known := m.services[s.name]; !known {
		m.order = append(m.order, s.name)
	}
	m.services[s.name] = s
}

func (m *model) remove(name string) {
	delete(m.services, name)
	m.order = slices.DeleteFunc(m.order, func(n string) bool { return n == name })
}

// model reads the files that the user names.
func (l *files) model(in setting, names []string, stack []string) (*model, error) {
	m := l.readAll(in, names, project.Place{}, stack)
	return m, l.mistakes()
}

// readAll reads files, each laid over those before; at is where they are named.
func (l *files) readAll(in setting, names []string, at project.Place, stack []string) *model {
	m := newModel()
	for _, name := range names {
		docs, err := l.read(name, at)
		if err != nil {
			l.add(err)
			continue
		}
		for _, doc := range docs {
			r := &reader{files: l, tree: doc, setting: in}
			l.lay(m, r.document(append(slices.Clone(stack), name)))
		}
	}
	for _, s := range m.services {
		_, broken := s.unset["build.context"]
		if build, ok := s.values["build"].(map[string]any); ok && one(build["context"]) == "" && !broken {
			build["context"] = in.dir
		}
	}
	return m
}

// document reads what stands in a document, and what it includes.
func (r *reader) document(stack []string) *model {
	m, base := newModel(), newModel()
	if len(r.pairs(r.tree.root)) == 0 && len(r.tree.root.Content) > 0 {
		r.files.fail(r.at(r.tree.root), "is it a compose file?", "expected a mapping (services: …), found %s", describe(r.tree.root))
	}
	if r.files.running && len(stack) == 1 && r.first() {
		r.services(m, pair{at: r.at(r.tree.root), value: r.tree.root})
	}
	for _, p := range r.pairs(r.tree.root) {
		if p.twice && slices.Contains([]string{"services", "secrets", "include"}, p.key) {
			r.files.fail(p.at, "keep one of them", "%s is given twice", p.key)
			continue
		}
		switch p.key {
		case "services":
			r.services(m, p)
		case "secrets":
			r.secrets(m, p)
		case "include":
			r.includes(base, p, stack)
		}
	}
	r.files.lay(base, m)
	for _, name := range base.order {
		base.services[name] = r.extended(base, base.services[name], nil)
	}
	return base
}

func (r *reader) includes(m *model, p pair, stack []string) {
	t := newTraces("the project")
	found, _ := r.value(t, p.value, p.at, "include", "include")
	r.files.add(t.missing())
	items, _ := found.([]any)
	nodes := follow(p.value).Content
	for i, item := range items {
		at := p.at
		if i < len(nodes) && len(items) == len(nodes) {
			at = r.at(nodes[i])
		}
		r.files.lay(m, r.include(item, at, stack))
	}
}

func (r *reader) services(m *model, p pair) {
	pairs := r.pairs(p.value)
	if len(pairs) > maxServices {
		r.files.fail(pairs[maxServices].at, "divide the project", "more than %d services", maxServices)
		return
	}
	if n := follow(p.value); len(pairs) == 0 && !isNull(n) && len(n.Content) > 0 {
		r.files.fail(p.at, "write services: {NAME: {build: FOLDER}}", "services is %s", describe(n))
	}
	for _, each := range pairs {
		if each.twice {
			r.files.fail(each.at, "keep one of them", "service %s is given twice", each.key)
			continue
		}
		m.add(r.service(each))
	}
}

func (r *reader) service(p pair) *service {
	s := &service{name: p.key, at: p.at, values: map[string]any{}, traces: newTraces("service " + p.key)}
	n := follow(p.value)
	switch n.Tag {
	case "!reset":
		s.removed = true
		return s
	case "!override":
		s.drops = append(s.drops, "")
	}
	if !isNull(n) && len(r.pairs(n)) == 0 && (len(n.Content) > 0 || n.Value != "") {
		r.files.fail(p.at, "write it as a mapping: image: NAME, or build: FOLDER", "service %s is %s", s.name, describe(n))
	}
	for _, e := range r.pairs(n) {
		_, known := shapes[e.key]
		switch {
		case !known || e.key == "secret" || !r.files.running && slices.Contains(runKeys, e.key) || e.key == "name" || e.key == "include":
			r.unknown(s, e)
		case e.twice:
			r.files.fail(e.at, "keep one of them", "%s of service %s is given twice", e.key, s.name)
		case e.key == "extends":
			s.extends = r.extension(s, e)
		default:
			v, ok := r.value(s.traces, e.value, e.at, e.key, e.key)
			if text, short := v.(string); short && e.key == "build" {
				text = r.local(text)
				s.places["build.context"] = e.at
				if variable, is := s.unset["build"]; is {
					s.unset["build.context"] = variable
				}
				v = map[string]any{"context": text}
			}
			if ok {
				s.values[e.key] = v
			}
			if e.key == "build" && s.required["build"] != nil { // its short form
				s.required["build.context"] = s.required["build"]
				delete(s.required, "build")
			}
		}
	}
	return s
}

// unknown notes a key that compose does not have; those that it has mean nothing for a build.
func (r *reader) unknown(s *service, e pair) {
	if r.files.known == nil {
		r.files.known = serviceKeys()
	}
	if _, known := slices.BinarySearch(r.files.known, e.key); !known && !strings.HasPrefix(e.key, "x-") {
		r.files.note(e.at, "%s of service %s is no key that compose has", e.key, s.name)
	}
}

func (r *reader) secrets(m *model, p pair) {
	for _, each := range r.pairs(p.value) {
		t := newTraces("secret " + each.key)
		v, _ := r.value(t, each.value, each.at, each.key, "secret")
		values, _ := v.(map[string]any)
		external := one(values["external"]) == "true"
		if _, long := values["external"].(map[string]any); long {
			external = true
		}
		m.secrets[each.key] = secret{at: each.at, file: one(values["file"]), environment: one(values["environment"]), external: external, required: t.missing()}
	}
}

// lay puts the services and secrets of one file over those of others.
func (l *files) lay(base, over *model) {
	maps.Copy(base.secrets, over.secrets)
	for _, name := range over.order {
		s := over.services[name]
		if s.removed {
			base.remove(name)
			continue
		}
		if before, known := base.services[name]; known {
			at := before.at
			s = l.over(before, s)
			s.at = at
		}
		base.add(s)
		if len(base.order) > maxServices && !l.full {
			l.full = true
			l.fail(s.at, "divide the project", "more than %d services", maxServices)
		}
	}
}

// over lays what a file says of a service over what was said before, by compose's rules.
func (l *files) over(base, s *service) *service {
	values := clone(base.values).(map[string]any)
	for _, path := range s.drops {
		drop(values, path)
	}
	merged, err := override.ExtendService(values, clone(s.values).(map[string]any))
	if err != nil {
		l.fail(s.at, "write both in the same form", "service %s cannot be laid over the one at %s:%d: %v", s.name, base.at.File, base.at.Line, err)
		return s
	}
	t := newTraces(s.of)
	maps.Copy(t.places, base.places)
	for path, variable := range base.unset {
		if _, again := s.places[path]; !again {
			t.unset[path] = variable
		}
	}
	for path, e := range base.required {
		if _, again := s.places[path]; !again && !dropped(path, s.drops) {
			t.required[path] = e
		}
	}
	maps.Copy(t.places, s.places)
	maps.Copy(t.unset, s.unset)
	maps.Copy(t.required, s.required)
	return &service{name: s.name, at: s.at, values: merged, traces: t, extends: s.extends}
}

// drop takes what stands under a path out; the empty path is all.
func drop(values map[string]any, path string) {
	if path == "" {
		clear(values)
		return
	}
	key, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		delete(values, key)
		return
	}
	if below, ok := values[key].(map[string]any); ok {
		drop(below, rest)
	}
}

// dropped says whether what stands under a path is taken out by one of drops.
func dropped(path string, drops []string) bool {
	return slices.ContainsFunc(drops, func(d string) bool {
		rest, below := strings.CutPrefix(path, d)
		return below && (d == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		made := make(map[string]any, len(v))
		for key, value := range v {
			made[key] = clone(value)
		}
		return made
	case []any:
		made := make([]any, len(v))
		for i, value := range v {
			made[i] = clone(value)
		}
		return made
	}
	return v
}

// one is a single value as text; a list's is its first.
func one(v any) string {
	if all := texts(v); len(all) > 0 {
		return all[0]
	}
	return ""
}

// texts are the values of a list, or a single one.
func texts(v any) []string {
	switch v := v.(type) {
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, texts(item)...)
		}
		return all
	case nil, map[string]any:
		return nil
	}
	return []string{fmt.Sprint(v)}
}

func (s *service) text(key string) string    { return one(s.values[key]) }
func (s *service) texts(key string) []string { return texts(s.values[key]) }
func (s *service) has(key string) bool       { return s.values[key] != nil }
func (s *service) place(path string) project.Place {
	if at, known := s.places[path]; known {
		return at
	}
	return s.at
}
