package config

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/goccy/go-yaml/ast"
)

// argName is what Dockerfiles accept as the name of an ARG.
var argName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// platform reads a platform; ok is false after an error.
func (r *reader) platform(s text, ok bool) (platform.Platform, bool) {
	if !ok {
		return platform.Platform{}, false
	}
	p, err := platform.Parse(s.text)
	if err != nil {
		r.wrap(s, err)
		return p, false
	}
	return p, true
}

func (r *reader) platforms(node ast.Node) (list []platform.Platform, lines []int) {
	if empty, ok := r.follow(node).(*ast.SequenceNode); ok && len(empty.Values) == 0 {
		r.fail(place(node), "the list of platforms is empty", "name one, or leave platforms out")
	}
	seen := once[platform.Platform]{}
	for _, item := range r.sequence(node) {
		if p, ok := r.platform(item, true); ok && seen.first(r, p, item) {
			list, lines = append(list, p), append(lines, item.line)
		}
	}
	return list, lines
}

func (r *reader) bases(file string, node ast.Node) []Base {
	var bases []Base
	for _, e := range r.mapping(node, nil) {
		for _, v := range r.perPlatform(e.value) {
			b := Base{Old: e.key.text, New: v.text.text, Platform: v.on, Line: v.line, Column: v.column}
			if err := b.rule(file).Check(); err != nil {
				r.wrap(blame(e.key, v.text, err), err)
				continue
			}
			bases = append(bases, b)
		}
	}
	return bases
}

func (r *reader) args(node ast.Node) []Arg {
	var args []Arg
	seen := once[Arg]{}
	add := func(key, value text, on platform.Platform) {
		switch {
		case !argName.MatchString(key.text):
			r.fail(key, fmt.Sprintf("%q cannot be the name of a build argument", key.text), "letters, digits and _, for example VERSION; or a platform with a mapping of its own")
		case seen.first(r, Arg{Key: key.text, Platform: on}, key):
			args = append(args, Arg{Key: key.text, Value: value.text, Platform: on, Line: value.line})
		}
	}
	for _, e := range r.mapping(node, nil) {
		if !isMapping(r.follow(e.value)) {
			if value, ok := r.scalar(e.value); ok {
				add(e.key, value, platform.Platform{})
			}
			continue
		}
		on, ok := r.platform(e.key, true)
		if !ok {
			continue
		}
		for _, inner := range r.mapping(e.value, nil) {
			if value, good := r.scalar(inner.value); good {
				add(inner.key, value, on)
			}
		}
	}
	return args
}

func (r *reader) targets(node ast.Node) []Target {
	var targets []Target
	for _, v := range r.perPlatform(node) {
		targets = append(targets, Target{Name: v.text.text, Platform: v.on, Line: v.line})
	}
	return targets
}

func (r *reader) verify(node ast.Node) Verify {
	var v Verify
	for _, e := range r.mapping(node, within(Source, "verify")) {
		if e.key.text == "allow" {
			v.Allow = r.globs(e.value)
			continue
		}
		mode, ok := r.scalar(e.value)
		if !ok {
			continue
		}
		switch mode.text {
		case "fail", "warn", "off":
			v.Mode, v.Line = mode.text, mode.line
		default:
			r.fail(mode, fmt.Sprintf("unknown verify mode %q", mode.text), "one of fail, warn, off")
		}
	}
	return v
}

func (r *reader) globs(node ast.Node) []string {
	var globs []string
	for _, item := range r.sequence(node) {
		if _, err := path.Match(item.text, ""); err != nil {
			r.fail(item, fmt.Sprintf("%q is no glob: %v", item.text, err), "close the bracket, or escape it with a backslash")
			continue
		}
		globs = append(globs, item.text)
	}
	return globs
}

func (r *reader) dockerfiles(node ast.Node) []Dockerfile {
	var files []Dockerfile
	seen := once[platform.Platform]{}
	for _, e := range r.mapping(node, nil) {
		on, ok := r.platform(e.key, true)
		file, good := r.scalar(e.value)
		switch {
		case !ok || !good || !seen.first(r, on, e.key):
		case !filepath.IsLocal(file.text):
			r.fail(file, fmt.Sprintf("%q is not below the folder of %s", file.text, r.file), "name a file in the folder: Dockerfile."+on.Suffix())
		default:
			files = append(files, Dockerfile{Platform: on, Path: file.text, Line: file.line})
		}
	}
	return files
}

// cross reads either one word for all stages, or a mapping from stage (or "default")
// to word. Stages are told apart as BuildKit does, without regard to case.
func (r *reader) cross(node ast.Node) []Cross {
	var list []Cross
	seen := once[string]{}
	add := func(stage, mode text) {
		switch mode.text {
		case "auto", "off", "require":
			list = append(list, Cross{Stage: stage.text, Mode: mode.text, Line: mode.line})
		default:
			r.fail(mode, fmt.Sprintf("unknown cross mode %q", mode.text), "one of auto, off, require")
		}
	}
	if !isMapping(r.follow(node)) {
		if mode, ok := r.scalar(node); ok {
			add(text{}, mode)
		}
		return list
	}
	for _, e := range r.mapping(node, nil) {
		mode, ok := r.scalar(e.value)
		if !ok || !seen.first(r, strings.ToLower(e.key.text), e.key) {
			continue
		}
		if e.key.text == "default" {
			e.key.text = ""
		}
		add(e.key, mode)
	}
	return list
}

// perPlatformValue is one value, for one platform or (zero) for all.
type perPlatformValue struct {
	text
	on platform.Platform
}

// fights reports bases that differ in writing but mean the same reference, and
// map it to different ones.
func (r *reader) fights(f File) {
	err := resolve.Rules{List: f.Rules()}.Check()
	var fight *resolve.FightError
	if !errors.As(err, &fight) {
		return
	}
	for _, b := range f.Bases {
		if b.rule(f.Name) == fight.Second {
			r.wrap(text{line: b.Line, column: b.Column}, err)
			return
		}
	}
}

// blame tells which side of a rule an error is about.
func blame(key, value text, err error) text {
	var bad *resolve.ReferenceError
	var side *resolve.RuleError
	if errors.As(err, &bad) && bad.Reference == key.text || errors.As(err, &side) && side.Side == key.text {
		return key
	}
	return value
}

// perPlatform reads either one value for all platforms, or a mapping from
// platform (or "default") to value.
func (r *reader) perPlatform(node ast.Node) []perPlatformValue {
	if !isMapping(r.follow(node)) {
		if value, ok := r.scalar(node); ok {
			return []perPlatformValue{{text: value}}
		}
		return nil
	}
	var list []perPlatformValue
	seen := once[platform.Platform]{}
	for _, e := range r.mapping(node, nil) {
		on, ok := platform.Platform{}, true
		if e.key.text != "default" {
			on, ok = r.platform(e.key, true)
		}
		value, good := r.scalar(e.value)
		if ok && good && seen.first(r, on, e.key) {
			list = append(list, perPlatformValue{text: value, on: on})
		}
	}
	return list
}
