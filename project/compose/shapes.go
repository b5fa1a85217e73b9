package compose

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/project"
	"github.com/compose-spec/compose-go/v2/schema"
	"gopkg.in/yaml.v3"
)

// shape is what a value may be.
type shape int

const (
	scalar shape = 1 << iota
	list
	mapping
	// boolean is a scalar that says yes or no.
	boolean
	// number is a scalar that is a whole number.
	number
	// single is a scalar that stands for a list of it.
	single
	// words is a scalar that stands for a list of its words.
	words
	// local is a scalar that names a file or folder, relative to where its file lies.
	local
	// nullable keeps a null: it takes the environment's value.
	nullable
	// keyed is a list whose items are KEY=VALUE, and stands for a mapping.
	keyed
	// ignored means something elsewhere, and nothing here.
	ignored
)

// shapes are the keys of a service that are read; * is any key, [] an item. What is not here is not looked at.
var shapes = map[string]shape{
	"image": scalar, "platform": scalar, "profiles": list, "profiles[]": scalar, "build": scalar | mapping,
	"extends": scalar | mapping, "extends.service": scalar, "extends.file": scalar,

	"build.context": scalar | local, "build.dockerfile": scalar, "build.dockerfile_inline": scalar, "build.target": scalar,
	"build.args": mapping | list, "build.args.*": scalar | nullable, "build.args[]": scalar,
	"build.labels": mapping | list, "build.labels.*": scalar | nullable, "build.labels[]": scalar,
	"build.additional_contexts": mapping | keyed, "build.additional_contexts.*": scalar | local,
	"build.ssh": mapping | keyed, "build.ssh.*": scalar | local | nullable,
	"build.platforms": list, "build.platforms[]": scalar,
	"build.tags": single | list, "build.tags[]": scalar,
	"build.cache_from": single | list, "build.cache_from[]": scalar,
	"build.cache_to": single | list, "build.cache_to[]": scalar,
	"build.no_cache_filter": single | list, "build.no_cache_filter[]": scalar,
	"build.secrets": list, "build.secrets[]": scalar | mapping, "build.secrets[].source": scalar, "build.secrets[].target": scalar,
	"build.secrets[].uid": ignored, "build.secrets[].gid": ignored, "build.secrets[].mode": ignored,
	"build.entitlements": list, "build.entitlements[]": scalar,
	"build.extra_hosts": mapping | list, "build.extra_hosts.*": scalar | list, "build.extra_hosts.*[]": scalar, "build.extra_hosts[]": scalar,
	"build.ulimits": mapping, "build.ulimits.*": number | mapping, "build.ulimits.*.soft": number, "build.ulimits.*.hard": number,
	"build.network": scalar, "build.shm_size": scalar, "build.provenance": scalar, "build.sbom": scalar,
	"build.no_cache": boolean, "build.pull": boolean, "build.privileged": boolean, "build.isolation": ignored,

	"build.x-bake": mapping, "build.x-bake.contexts": mapping, "build.x-bake.contexts.*": scalar | local,
	"build.x-bake.pull": boolean, "build.x-bake.no-cache": boolean,
	"build.x-bake.tags": words | list, "build.x-bake.tags[]": scalar,
	"build.x-bake.cache-from": words | list, "build.x-bake.cache-from[]": scalar,
	"build.x-bake.cache-to": words | list, "build.x-bake.cache-to[]": scalar,
	"build.x-bake.secret": words | list, "build.x-bake.secret[]": scalar,
	"build.x-bake.ssh": words | list, "build.x-bake.ssh[]": scalar,
	"build.x-bake.platforms": words | list, "build.x-bake.platforms[]": scalar,
	"build.x-bake.output": words | list, "build.x-bake.output[]": scalar,
	"build.x-bake.no-cache-filter": words | list, "build.x-bake.no-cache-filter[]": scalar,

	// Those that say where a service runs.
	"deploy": mapping, "deploy.placement": mapping, "deploy.placement.constraints": list, "deploy.placement.constraints[]": scalar,
	"labels": mapping | list, "labels.*": scalar | nullable, "labels[]": scalar, "provider": ignored,

	// Those of the whole file, read in the same way.
	"name": scalar, "secret": mapping, "secret.file": scalar | local, "secret.environment": scalar, "secret.external": scalar | mapping, "secret.external.name": ignored,
	"include": list, "include[]": scalar | mapping, "include[].path": single | list, "include[].path[]": scalar,
	"include[].project_directory": scalar, "include[].env_file": single | list, "include[].env_file[]": scalar,
}

// runKeys are keys of a service that no build needs.
var runKeys = []string{"deploy", "labels", "provider"}

// serviceKeys are those that compose knows, as its schema has them.
func serviceKeys() []string {
	var s struct {
		Defs        map[string]struct{ Properties map[string]json.RawMessage } `json:"$defs"`
		Definitions map[string]struct{ Properties map[string]json.RawMessage }
	}
	if err := json.Unmarshal([]byte(schema.Schema), &s); err != nil {
		return nil
	}
	var keys []string
	for _, defs := range []map[string]struct{ Properties map[string]json.RawMessage }{s.Defs, s.Definitions} {
		for key := range defs["service"].Properties {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// reader takes values out of one document.
type reader struct {
	files *files
	tree  *tree
	setting
}

// setting is what values of a file depend on.
type setting struct {
	// dir is the folder that relative paths are relative to.
	dir string
	env map[string]string
}

// traces are where values come from, by their path: "build.tags[shop/web:1]", "build.args.VERSION".
type traces struct {
	of     string
	places map[string]project.Place
	// unset are variables without a value that a value asks for.
	unset map[string]string
	// required are errors of variables that have to be set and are not: they count where the value is needed.
	required map[string]*Error
	// drops are what !reset and !override take out of what lies below.
	drops []string
}

func newTraces(of string) *traces {
	return &traces{of: of, places: map[string]project.Place{}, unset: map[string]string{}, required: map[string]*Error{}}
}

// missing joins the errors of variables that have to be set, in the order of the files.
func (t *traces) missing() error {
	var list []error
	for _, path := range slices.SortedFunc(maps.Keys(t.required), func(a, b string) int {
		x, y := t.required[a], t.required[b]
		return cmp.Or(strings.Compare(x.File, y.File), x.Line-y.Line, strings.Compare(a, b))
	}) {
		list = append(list, t.required[path])
	}
	return errors.Join(list...)
}

// value reads a node whose shape stands under pattern; false means that there is none.
func (r *reader) value(t *traces, n *yaml.Node, at project.Place, path, pattern string) (any, bool) {
	n = follow(n)
	if !r.visit(n, strings.Count(pattern, ".")) {
		return nil, false
	}
	t.places[path] = at
	switch n.Tag {
	case "!reset":
		t.drops = append(t.drops, path)
		return nil, false
	case "!override":
		t.drops = append(t.drops, path)
	}
	want := shapes[pattern]
	switch {
	case want&ignored != 0:
		return nil, false
	case n.Kind == yaml.ScalarNode && isNull(n):
		return nil, want&nullable != 0
	case n.Kind == yaml.ScalarNode && want&(scalar|boolean|number|single|words) != 0:
		return r.scalar(t, n, at, path, want)
	case n.Kind == yaml.SequenceNode && want&(list|keyed) != 0:
		return r.list(t, n, path, pattern, want)
	case n.Kind == yaml.MappingNode && want&mapping != 0:
		return r.mapping(t, n, path, pattern)
	}
	r.files.fail(at, "write it as "+want.String(), "%s of %s is %s", path, t.of, describe(n))
	return nil, false
}

// String is what a value may be, for hints.
func (s shape) String() string {
	var ways []string
	for _, w := range []struct {
		shape
		text string
	}{{scalar, "one value"}, {boolean, "true or false"}, {number, "a whole number"}, {single, "one value"}, {list | keyed, "a list: [a, b]"}, {mapping, "a mapping: KEY: VALUE"}} {
		if s&w.shape != 0 {
			ways = append(ways, w.text)
		}
	}
	return strings.Join(ways, ", or as ")
}

func (r *reader) mapping(t *traces, n *yaml.Node, path, pattern string) (any, bool) {
	values := map[string]any{}
	for _, e := range r.pairs(n) {
		next := pattern + ".*"
		if _, any := shapes[next]; !any {
			next = pattern + "." + e.key
		}
		if _, known := shapes[next]; !known {
			if !strings.HasPrefix(e.key, "x-") {
				r.files.note(e.at, "%s.%s of %s is no key that a build has", path, e.key, t.of)
			}
			continue
		}
		if e.twice {
			r.files.fail(e.at, "keep one of them", "%s.%s of %s is given twice", path, e.key, t.of)
			continue
		}
		if v, ok := r.value(t, e.value, e.at, path+"."+e.key, next); ok {
			values[e.key] = v
		}
	}
	return values, true
}

func (r *reader) list(t *traces, n *yaml.Node, path, pattern string, want shape) (any, bool) {
	if want&keyed != 0 {
		return r.keyed(t, n, path, pattern)
	}
	items := []any{}
	for i, item := range n.Content {
		scratch := newTraces(t.of)
		v, ok := r.value(scratch, item, r.at(item), fmt.Sprintf("%s[%d]", path, i), pattern+"[]")
		maps.Copy(t.required, scratch.required)
		if !ok {
			continue
		}
		name := fmt.Sprintf("%s[%v]", path, v)
		if key, _, cut := strings.Cut(fmt.Sprint(v), "="); cut && shapes[pattern+".*"] != 0 {
			name = path + "." + key
		}
		t.places[name] = r.at(item)
		for _, variable := range scratch.unset {
			t.unset[name] = variable
		}
		items = append(items, v)
	}
	return items, true
}

// keyed reads a list of KEY=VALUE as the mapping that it stands for.
func (r *reader) keyed(t *traces, n *yaml.Node, path, pattern string) (any, bool) {
	values := map[string]any{}
	for _, item := range n.Content {
		item = follow(item)
		key, value, given := strings.Cut(item.Value, "=")
		if item.Kind != yaml.ScalarNode || key == "" || !given && shapes[pattern+".*"]&nullable == 0 {
			r.files.fail(r.at(item), "write it as KEY=VALUE", "%s of %s has %s", path, t.of, describe(item))
			continue
		}
		if !given {
			t.places[path+"."+key], values[key] = r.at(item), nil
			continue
		}
		part := *item
		part.Value, part.Tag = value, "!!str"
		if v, ok := r.value(t, &part, r.at(item), path+"."+key, pattern+".*"); ok {
			values[key] = v
		}
	}
	return values, true
}

// scalar reads one value as compose has it: numbers in their shortest form, variables filled in.
func (r *reader) scalar(t *traces, n *yaml.Node, at project.Place, path string, want shape) (any, bool) {
	text := n.Value
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool":
		var v any
		if n.Decode(&v) == nil {
			text = fmt.Sprint(v)
		}
		if text != n.Value && n.ShortTag() == "!!float" {
			r.files.note(at, "%s of %s is the number %s; in quotes it stays %s", path, t.of, text, n.Value)
		}
	default:
		filled, missing, err := fill(text, r.env, r.files.setVariable)
		if err != nil {
			e := wrong(at, err.hint, "%s of %s: %s", path, t.of, err.text)
			if err.required {
				t.required[path] = e
			} else {
				r.files.add(e)
			}
			return nil, false
		}
		if text = filled; len(missing) > 0 {
			t.unset[path] = missing[0]
			r.files.note(at, "the variable %s is not set: it is empty in %s of %s", strings.Join(missing, ", "), path, t.of)
		}
	}
	switch {
	case strings.ContainsRune(text, 0):
		r.files.fail(at, "write the value anew", "%s of %s holds a NUL byte", path, t.of)
		return nil, false
	case want&boolean != 0:
		return r.boolean(t, text, at, path)
	case want&number != 0:
		count, err := strconv.Atoi(text)
		if err != nil {
			r.files.fail(at, "write a whole number", "%s of %s is %q", path, t.of, text)
		}
		return count, err == nil
	case want&single != 0:
		return []any{text}, true
	case want&words != 0:
		var items []any
		for _, word := range strings.Fields(text) {
			items = append(items, word)
			t.places[path+"["+word+"]"] = at
		}
		return items, true
	case want&local != 0:
		return r.local(text), true
	}
	return text, true
}

func (r *reader) boolean(t *traces, text string, at project.Place, path string) (any, bool) {
	switch strings.ToLower(text) {
	case "true", "y", "yes", "on", "1":
		return true, true
	case "false", "n", "no", "off", "0", "":
		return false, true
	}
	r.files.fail(at, "write true or false", "%s of %s is %q", path, t.of, text)
	return nil, false
}
