package template

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// CacheMount is one RUN --mount=type=cache. Without an id BuildKit finds the cache
// by the path it is mounted at, whatever the platform of the stage.
type CacheMount struct {
	// Stage holds the mount (index in Stages).
	Stage int
	// Line of the RUN, counted from 1.
	Line int
	// ID and Target as written, variables not expanded; ID is empty without one.
	ID, Target string
	// Onbuild tells that the RUN stands under ONBUILD: it runs in stages that start
	// from this one, and its text is part of the image's config.
	Onbuild bool
	// Span of the bytes that an id can be put behind: "type=cache", or an "id="
	// that says nothing. It is empty where they do not stand in one piece.
	Span Span
	// instruction and flag are where it is, end the place in the flag's text that
	// the span ends at.
	instruction, flag, end int
	// bare tells that the span is that of an empty id=.
	bare bool
}

// CacheMounts lists the cache mounts of all stages, in the order of the file. A
// mount whose type is a variable is none of them.
func (t *Template) CacheMounts() []CacheMount {
	var list []CacheMount
	stage := -1
	for i, node := range t.nodes {
		if stage+1 < len(t.from) && t.from[stage+1] == i {
			stage++
		}
		text, offset, prefix := t.instructions[i].text, 0, false
		if strings.EqualFold(node.Value, "onbuild") && node.Next != nil && len(node.Next.Children) == 1 {
			outer := splitCommand(text, t.escape, nil)
			text, offset, prefix, node = text[outer.from:outer.to], outer.from, true, node.Next.Children[0]
		}
		if !strings.EqualFold(node.Value, "run") || len(node.Flags) == 0 {
			continue
		}
		for j, f := range splitCommand(text, t.escape, nil).flags {
			if m, ok := t.cacheMount(i, offset, text, f); ok {
				m.Stage, m.Line, m.Onbuild, m.instruction, m.flag = stage, t.instructions[i].first, prefix, i, j
				list = append(list, m)
			}
		}
	}
	return list
}

const (
	cacheType = "cache"
	mountFlag = "--mount="
)

// cacheMount reads one flag of the instruction at an index. As in BuildKit the
// last of several equal keys counts.
func (t *Template) cacheMount(index, offset int, text string, f flag) (m CacheMount, ok bool) {
	if !strings.HasPrefix(f.text, mountFlag) {
		return m, false
	}
	all := f.word(text, t.escape)
	var kind, id word
	for field := range all.cut(len(mountFlag), len(all.text)).fields {
		key, value, found := strings.Cut(field.text, "=")
		if !found { // readonly, and what BuildKit refuses when it builds
			continue
		}
		switch strings.ToLower(key) {
		case "type":
			kind, ok = field, strings.EqualFold(value, cacheType)
		case "id":
			id, m.ID = field, value
		case "target", "dst", "destination":
			m.Target = value
		}
	}
	if !ok {
		return m, false
	}
	if id.text != "" {
		kind, m.bare = id, true
	}
	in := &t.instructions[index]
	first, last := kind.mark(0), kind.mark(len(kind.text)-1)
	span := in.span(offset+int(first.from), offset+int(last.to))
	end := all.index(last) + 1
	quoted := all.text[end-len(kind.text)-1] == '"' // a field in quotes ends with them
	if string(t.Source[span.Start:span.End]) == kind.text && !quoted {
		m.Span, m.end = span, end
	}
	return m, true
}

// index is that of the byte in a word that a mark is of.
func (w word) index(of mark) int {
	return max(0, sort.Search(len(w.text), func(i int) bool { return w.mark(i).from >= of.from }))
}

// GiveID is what has to stand behind the span of a mount for it to have an id.
func (m CacheMount) GiveID(id string) string {
	if m.bare {
		return id
	}
	return ",id=" + id
}

// ProveIDs checks that result is this file with ids given to some of its cache
// mounts, by their index in CacheMounts, and nothing else.
func (t *Template) ProveIDs(result []byte, ids map[int]string) error {
	now, err := ParseLimited(t.File, result, Limits{Bytes: len(result), Instructions: len(t.instructions)})
	if err != nil {
		return err
	}
	edited := map[int][]int{}
	before, after := t.CacheMounts(), now.CacheMounts()
	if len(before) != len(after) || len(t.nodes) != len(now.nodes) {
		return errors.New("there are other mounts in it")
	}
	for i, m := range before {
		id, ok := ids[i]
		if !ok {
			continue
		}
		if after[i].ID != id || after[i].Target != m.Target {
			return fmt.Errorf("line %d: the id is not read there", m.Line)
		}
		if had := flagsOf(t.nodes[m.instruction])[m.flag]; flagsOf(now.nodes[m.instruction])[m.flag] != had[:m.end]+m.GiveID(id)+had[m.end:] {
			return fmt.Errorf("line %d: another option changes", m.Line)
		}
		edited[m.instruction] = append(edited[m.instruction], m.flag)
	}
	for i, node := range t.nodes {
		if err := sameNode(node, now.nodes[i], edited[i]); err != nil {
			return fmt.Errorf("line %d: %w", node.StartLine, err)
		}
	}
	return nil
}

// flagsOf are the flags of an instruction, or of the one below an ONBUILD.
func flagsOf(node *parser.Node) []string {
	if strings.EqualFold(node.Value, "onbuild") {
		node = node.Next.Children[0]
	}
	return slices.Clone(node.Flags)
}

// OfBuild tells which stages run on the build platform because the file says so
// (FROM --platform=$BUILDPLATFORM), whatever platform that is.
func (t *Template) OfBuild(env Env) ([]bool, error) {
	of := make([]bool, len(t.Stages))
	for i, build := range []platform.Platform{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm64"}} {
		env.Build = build
		uses, err := t.Uses(env)
		if err != nil {
			return nil, err
		}
		for j, s := range t.Stages {
			of[j] = (i == 0 || of[j]) && uses[s.Base].Platform == build
		}
	}
	return of, nil
}
