package compose

import (
	"path/filepath"
	"slices"
	"strings"
)

// maxExtends bounds how many services one starts from.
const maxExtends = 100

// extension reads extends:, in its short or long form.
func (r *reader) extension(s *service, e pair) *extension {
	v, ok := r.value(s.traces, e.value, e.at, "extends", "extends")
	if !ok {
		return nil
	}
	x := &extension{at: e.at}
	switch v := v.(type) {
	case string:
		x.service = v
	case map[string]any:
		x.service, x.file = one(v["service"]), one(v["file"])
	}
	if x.service == "" {
		r.files.fail(e.at, "write extends: {service: NAME}", "extends of service %s names no service", s.name)
		return nil
	}
	return x
}

// extended gives a service laid over the one that it extends, which is looked for among those of m.
// The chain is how it was come by: each service before, and its file.
func (r *reader) extended(m *model, s *service, chain []string) *service {
	if s.extends == nil {
		return s
	}
	x, link := s.extends, s.name+" in "+r.tree.file
	s.extends = nil
	switch {
	case slices.Contains(chain, link):
		r.files.fail(x.at, "take one of them out", "extends cycle: %s", strings.Join(append(slices.Clone(chain), link), " extends "))
		return s
	case len(chain) >= maxExtends:
		if !r.files.full {
			r.files.full = true
			r.files.fail(x.at, "extend fewer services one through the other", "extends leads over more than %d services", maxExtends)
		}
		return s
	}
	from, others := r, m
	if x.file != "" {
		if from, others = r.elsewhere(x); from == nil {
			return s
		}
	}
	base, known := others.services[x.service]
	if !known {
		r.files.fail(x.at, "name a service that the file has", "service %s extends %s, which %s does not have", s.name, x.service, from.tree.file)
		return s
	}
	// Until it is done it is still one that extends: that is how a cycle is met again.
	s.extends = x
	base = from.extended(others, base, append(slices.Clone(chain), link))
	done := r.files.over(base, s)
	done.extends = nil
	if m.services[s.name] == s {
		m.services[s.name] = done
	}
	return done
}

// elsewhere reads the services of the file that an extends: names; its includes are not looked at, as in compose.
func (r *reader) elsewhere(x *extension) (*reader, *model) {
	if strings.Contains(x.file, "://") || strings.HasPrefix(x.file, "git@") {
		r.files.fail(x.at, "fetch it, and name the file that you have", "extends of %s: only files are read", x.file)
		return nil, nil
	}
	path := r.local(x.file)
	if !r.files.allowed(path, x.at, "the file "+x.file) {
		return nil, nil
	}
	key := path + "\x00" + r.dir
	if found, done := r.files.extended[key]; done {
		return found.reader, found.model
	}
	docs, err := r.files.read(path, x.at)
	if err != nil {
		r.files.add(err)
		return nil, nil
	}
	from, m := &reader{files: r.files, tree: &tree{file: path}, setting: setting{dir: filepath.Dir(path), env: r.env}}, newModel()
	for _, doc := range docs {
		each := &reader{files: r.files, tree: doc, setting: from.setting}
		of := newModel()
		for _, p := range each.pairs(doc.root) {
			if p.key == "services" {
				each.services(of, p)
			}
		}
		r.files.lay(m, of)
	}
	r.files.extended[key] = elsewhere{from, m}
	return from, m
}

// elsewhere is a file whose services are extended by those of another one.
type elsewhere struct {
	reader *reader
	model  *model
}
