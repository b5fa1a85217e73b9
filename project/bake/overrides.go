package bake

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
)

// override is what --set says of one key of a target.
type override struct {
	key, name string
	// values are those of a list; others have one.
	values []string
	add    bool
}

// overrides are those of each target, in the order of the command line.
type overrides map[string][]*override

// lists are the keys that take several values; named are those that need a name: args.NAME.
var (
	lists = []string{"output", "cache-to", "cache-from", "tags", "platform", "secrets", "ssh", "attest", "entitlements", "annotations", "policy", "no-cache-filter", "ulimits"}
	named = []string{"args", "contexts", "labels", "extra-hosts", "resources", "secret"}
	// plain are the keys that have one value.
	plain = []string{"context", "dockerfile", "target", "call", "no-cache", "pull", "push", "load", "network", "shm-size"}
)

// newOverrides reads the values of --set, and finds the targets that they are for.
func (d *Definition) newOverrides(set []string) (overrides, error) {
	all := overrides{}
	for _, text := range set {
		o, pattern, err := d.parseOverride(text)
		if err != nil {
			return nil, err
		}
		targets, err := d.matching(pattern, text)
		if err != nil {
			return nil, err
		}
		if o == nil {
			continue
		}
		for _, name := range targets {
			all.put(name, *o)
		}
	}
	return all, nil
}

// put remembers an override of a target. Of a list all values count, of another key the last.
func (all overrides) put(target string, o override) {
	for _, there := range all[target] {
		if there.key == o.key && there.name == o.name {
			if slices.Contains(lists, o.key) {
				o.values = append(slices.Clone(there.values), o.values...)
			}
			*there = o
			return
		}
	}
	all[target] = append(all[target], &o)
}

// parseOverride reads PATTERN.KEY[.NAME][+]=VALUE. What takes its value from an environment that
// has none is nil.
func (d *Definition) parseOverride(text string) (*override, string, error) {
	wrong := func(what string) (*override, string, error) {
		return nil, "", &Error{Text: "--set " + text + ": " + what, Help: "write --set TARGET.KEY=VALUE, for example --set '*.platform=linux/arm64'"}
	}
	left, value, has := strings.Cut(text, "=")
	left, add := strings.CutSuffix(left, "+")
	parts := strings.SplitN(left, ".", 3)
	if len(parts) < 2 {
		return wrong("there is no TARGET.KEY")
	}
	o := &override{key: parts[1], add: add, values: []string{value}}
	if len(parts) == 3 {
		o.name = parts[2]
	}
	all := slices.Concat(lists, named, plain)
	switch {
	case !slices.Contains(all, o.key):
		help := "keys that can be set: " + strings.Join(slices.Sorted(slices.Values(all)), ", ")
		if meant := nearest.Word(o.key, all); meant != "" {
			help = "write " + parts[0] + "." + meant
		}
		return nil, "", &Error{Text: "--set " + text + ": a target has no key " + o.key + " that can be set", Help: help}
	case slices.Contains(named, o.key) && o.name == "":
		return wrong(o.key + " needs a name, " + o.key + ".NAME=VALUE")
	case add && !slices.Contains(lists, o.key):
		return wrong(o.key + " is no list that += could add to")
	case !has && o.key == "args":
		// Where the environment gives no values, buildx takes the empty one.
		if o.values[0], has = d.options.env(o.name); !has {
			return nil, parts[0], nil
		}
		if d.options.flag(envNoLookup) {
			o.values[0] = ""
		}
	case !has && o.key == "no-cache":
		o.values[0] = "true"
	case !has:
		return wrong("it has no =VALUE")
	}
	return o, parts[0], nil
}

// matching are the targets that a pattern of --set is for.
func (d *Definition) matching(pattern, set string) ([]string, error) {
	if d.config.target(pattern) != nil {
		return []string{pattern}, nil
	}
	var found []string
	for _, name := range d.config.names() {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return nil, &Error{Text: "--set " + set + ": " + pattern + " is no pattern", Help: "write * for any letters, ? for one, [a-z] for one of several"}
		}
		if ok {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil, &Error{Text: "--set " + set + ": no target is called " + pattern, Help: d.meant(pattern, d.config.names())}
	}
	return found, nil
}

// apply lays overrides on a target. What pushes and loads comes last, for it goes by the outputs that there are.
func (t *target) apply(list []*override) error {
	for _, last := range []bool{false, true} {
		for _, o := range list {
			if (o.key == "push" || o.key == "load") != last {
				continue
			}
			if err := t.override(o); err != nil {
				return &Error{Text: "--set " + t.Name + "." + o.key + ": " + err.Error(), Help: "write the value as the flag of docker buildx build has it"}
			}
		}
	}
	return nil
}

func (t *target) override(o *override) error {
	value := o.values[len(o.values)-1]
	switch o.key {
	case "context":
		t.Context = &value
	case "dockerfile":
		t.Dockerfile = &value
	case "target":
		t.Target = &value
	case "call":
		t.Call = &value
	case "network":
		t.NetworkMode = &value
	case "shm-size":
		t.ShmSize = &value
	case "args":
		joinValues(&t.Args, map[string]*string{o.name: &value})
	case "labels":
		joinValues(&t.Labels, map[string]*string{o.name: &value})
	case "extra-hosts":
		joinValues(&t.ExtraHosts, map[string]*string{o.name: &value})
	case "contexts":
		t.joinContexts(&target{Contexts: map[string]string{o.name: value}})
	case "no-cache":
		return setFlag(&t.NoCache, value)
	case "pull":
		return setFlag(&t.Pull, value)
	case "resources":
		changed := (*resources)(nil).merge(&resources{})
		if err := changed.set(o.name, value); err != nil {
			return err
		}
		t.Resources = t.Resources.merge(changed)
	case "secret":
		return t.overrideSecret(o.name, value)
	case "push", "load":
		return t.overrideOutputs(o.key, value)
	default:
		return t.overrideList(o)
	}
	return nil
}

func setFlag(to **bool, value string) error {
	yes, err := strconv.ParseBool(value)
	if err != nil {
		return fmt.Errorf("%q is not true or false", value)
	}
	*to = &yes
	return nil
}

// overrideList replaces a list, or adds to it.
func (t *target) overrideList(o *override) (err error) {
	texts := func(to *[]string, add bool) {
		if add {
			*to = added(*to, o.values)
		} else {
			*to = o.values
		}
	}
	switch o.key {
	case "tags":
		texts(&t.Tags, o.add)
	case "platform":
		texts(&t.Platforms, o.add)
	case "no-cache-filter":
		texts(&t.NoCacheFilter, o.add)
	case "ulimits":
		texts(&t.Ulimits, o.add)
	case "annotations":
		texts(&t.Annotations, true)
	case "entitlements":
		texts(&t.Entitlements, true)
	case "cache-from":
		err = setList(&t.CacheFrom, o, unequal, parseCaches)
	case "cache-to":
		err = setList(&t.CacheTo, o, unequal, parseCaches)
	case "output":
		err = setList(&t.Outputs, o, unequal, one[outputs](parseOutput))
	case "attest":
		err = setList(&t.Attest, &override{values: o.values, add: true}, lastOfType, one[attests](parseAttest))
	case "secrets":
		err = setList(&t.Secrets, o, lastSecret, one[secrets](parseSecret))
	case "ssh":
		err = setList(&t.SSH, o, lastKey, func(text string) (sshKeys, error) { return sshKeys{parseKey(text)}, nil })
	case "policy":
		err = setList(&t.Policy, o, func(p policies) policies { return p }, one[policies](parsePolicy))
	}
	return err
}

// one makes a list of the one entry that a text is.
func one[S ~[]T, T any](parse func(string) (T, error)) func(string) (S, error) {
	return func(text string) (S, error) {
		e, err := parse(text)
		return S{e}, err
	}
}

func setList[S ~[]T, T any](to *S, o *override, rid func(S) S, parse func(string) (S, error)) error {
	found := S{}
	for _, text := range o.values {
		if text == "" {
			continue
		}
		more, err := parse(text)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	if o.add {
		found = joined(*to, found, rid)
	}
	*to = found
	return nil
}

// overrideSecret gives a secret that the target has another source.
func (t *target) overrideSecret(id, value string) error {
	i := slices.IndexFunc(t.Secrets, func(s secret) bool { return s.ID == id })
	if i < 0 {
		return fmt.Errorf("the target has no secret %q", id)
	}
	next, err := parseSecret(value)
	if err != nil {
		return err
	}
	if next.ID != "" && next.ID != id {
		return fmt.Errorf("the value is for the secret %q, not for %q", next.ID, id)
	}
	next.ID = id
	t.Secrets = slices.Clone(t.Secrets)
	t.Secrets[i] = next
	return nil
}

// overrideOutputs pushes or loads what is built, or not, by what its outputs are: who writes files wants neither.
func (t *target) overrideOutputs(key, value string) error {
	yes, err := strconv.ParseBool(value)
	if err != nil {
		return fmt.Errorf("%q is not true or false", value)
	}
	switch {
	case key == "load" && yes:
		t.load()
	case key == "push" && yes:
		t.push()
	case key == "push":
		t.keep()
	}
	return nil
}

func (t *target) load() {
	for _, o := range t.Outputs {
		switch {
		case o.typ == "docker" && o.dest == "":
			return
		case !slices.Contains([]string{"docker", "image", "registry", "oci"}, o.typ):
			return
		}
	}
	t.Outputs = append(slices.Clip(t.Outputs), entry{typ: "docker"})
}

func (t *target) push() {
	pushes := false
	for i, o := range t.Outputs {
		pushes = pushes || o.typ != "docker"
		if o.typ == "image" {
			t.Outputs[i] = o.with("push", "true")
		}
	}
	if !pushes {
		t.Outputs = append(slices.Clip(t.Outputs), entry{typ: "image", attrs: map[string]string{"push": "true"}})
	}
}

// keep pushes nothing. As with equal entries, the last one comes into the place of one that is dropped.
func (t *target) keep() {
	list := slices.Clone(t.Outputs)
	for i := 0; i < len(list); {
		if list[i].typ == "registry" {
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
			continue
		}
		if list[i].typ == "image" {
			list[i] = list[i].with("push", "false")
		}
		i++
	}
	t.Outputs = list
}

// with is the entry with another value of an attribute.
func (e entry) with(key, value string) entry {
	attrs := map[string]string{key: value}
	for k, v := range e.attrs {
		if k != key {
			attrs[k] = v
		}
	}
	e.attrs = attrs
	return e
}
