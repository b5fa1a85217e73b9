package manifest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/platform"
)

// TagState says what pushing did to a tag.
type TagState string

const (
	// TagMoved means that the tag was made, or names this image now.
	TagMoved TagState = "moved"
	// TagUnchanged means that the tag named this image before and nothing was written.
	TagUnchanged TagState = "unchanged"
	// TagFailed means that the tag could not be written.
	TagFailed TagState = "failed"
	// TagKept means that the tag names what it named before, because another failed.
	TagKept TagState = "kept"
	// TagLost means that it is not known what the tag names: moving it back failed.
	TagLost TagState = "lost"
)

// Tag is what became of one name.
type Tag struct {
	// Name in full: docker.io/library/app:1.2.
	Name  string   `json:"name"`
	State TagState `json:"state"`
	// Before is the digest that it named before, empty if it was new.
	Before digest.Digest `json:"before,omitempty"`
}

// undoing is how long moving tags back may take.
const undoing = time.Minute

// move is a tag on its way.
type move struct {
	name string
	item item

	// was is what the tag named when it was read for being added to; empty means that
	// it was new, nil that it does not matter.
	was *digest.Digest
	// match is PushOptions.Was of the tag, if that has it.
	match *digest.Digest

	before ocispec.Descriptor
	state  TagState
}

// moves lists the tags of the root, and those of its children by the pattern.
func (s shipment) moves(tags []string, pattern string) ([]*move, error) {
	var list []*move
	for _, tag := range tags {
		if pattern != "" {
			children, err := s.childTags(tag, pattern)
			if err != nil {
				return nil, err
			}
			list = append(list, children...)
		}
		m := &move{name: tag, item: s.root()}
		if tag == s.appended.name {
			m.was = &s.appended.digest
		}
		list = append(list, m)
	}
	seen := map[string]bool{}
	for _, m := range list {
		if seen[m.name] {
			return nil, &ChildTagError{pattern, m.name + " would name two images", "put {arch}{variant} into the pattern, and {os} where that differs"}
		}
		seen[m.name] = true
	}
	return list, nil
}

func (s shipment) childTags(tag, pattern string) ([]*move, error) {
	var list []*move
	for _, child := range s.children {
		name, err := ChildTag(pattern, tag, *child.Platform)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(s.items, func(i item) bool { return i.Digest == child.Digest })
		list = append(list, &move{name: name, item: s.items[at]})
	}
	return list, nil
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// ChildTag is the tag that the image of one platform gets beside the index, from
// a pattern such as {tag}-{arch}{variant}: app:1.2-armv7. It keeps jobs that
// remove untagged manifests from removing the children of an index. A pattern
// that gives no tag is a *ChildTagError.
func ChildTag(pattern, name string, p ocispec.Platform) (string, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", &NameError{name, err.Error()}
	}
	tag := "latest"
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	short := platform.FromOCI(p)
	var unknown string
	text := placeholder.ReplaceAllStringFunc(pattern, func(field string) string {
		switch field {
		case "{tag}":
			return tag
		case "{os}":
			return short.OS
		case "{arch}":
			return short.Arch
		case "{variant}":
			return short.Variant
		case "{platform}":
			return short.Suffix()
		}
		unknown = field
		return field
	})
	if unknown != "" {
		return "", &ChildTagError{pattern, "there is no " + unknown, "the fields are {tag} {os} {arch} {variant} {platform}"}
	}
	child, err := reference.WithTag(reference.TrimNamed(named), text)
	if err != nil {
		return "", &ChildTagError{pattern, fmt.Sprintf("%q is no tag", text), "a tag holds letters, digits, _ . and -, 128 at most"}
	}
	return child.String(), nil
}

// tagger moves tags.
type tagger struct {
	registry *registry.Client
	ifMatch  digest.Digest
}

// all lets all tags name their images, or none. Registries know no transactions:
// the tags are looked at, moved, and read back; when one fails, those that moved
// are moved back.
func (t tagger) all(ctx context.Context, moves []*move) error {
	err := each(moves, func(m *move) error { return t.look(ctx, m) })
	if err != nil {
		return err
	}
	if err = t.move(ctx, moves); err != nil {
		// Also after ^C: half a release is worse than a second of waiting.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoing)
		defer cancel()
		err = errors.Join(err, each(moves, func(m *move) error { return t.undo(ctx, m) }))
	}
	return err
}

// told is what became of the tags.
func told(moves []*move) []Tag {
	tags := []Tag{}
	for _, m := range moves {
		state := m.state
		if state == "" {
			state = TagKept
		}
		tags = append(tags, Tag{Name: m.name, State: state, Before: m.before.Digest})
	}
	return tags
}

// each does something for all tags at once and joins the errors.
func each(moves []*move, do func(*move) error) error {
	failed := make([]error, len(moves))
	var group errgroup.Group
	group.SetLimit(requests)
	for i, m := range moves {
		group.Go(func() error { failed[i] = do(m); return nil })
	}
	_ = group.Wait() // The errors are in failed.
	return errors.Join(failed...)
}

// look asks what a tag names.
func (t tagger) look(ctx context.Context, m *move) error {
	m.state, m.before = "", ocispec.Descriptor{}
	now, _, err := t.names(ctx, m)
	switch {
	case notFound(err):
		now = ocispec.Descriptor{}
	case err != nil:
		m.state = TagFailed
		return fmt.Errorf("moving tag %s: %w", m.name, err)
	}
	m.before = now
	switch {
	case now.Digest == m.item.Digest:
		m.state = TagUnchanged
	case m.was != nil && now.Digest != *m.was:
		m.state = TagFailed
		return &AppendError{Tag: m.name, Was: *m.was, Now: now.Digest}
	case m.match != nil && now.Digest != *m.match:
		m.state = TagFailed
		return &AppendError{Tag: m.name, Was: *m.match, Now: now.Digest}
	case now.Digest == "":
	case t.ifMatch != "" && now.Digest != t.ifMatch:
		m.state = TagFailed
		return &MatchError{Tag: m.name, Want: t.ifMatch, Got: now.Digest}
	}
	return nil
}

// move writes the tags, those of one repository one after the other: registries
// trip over the same manifest coming under two names at once. Then it looks
// whether they stayed: another push may have come after.
func (t tagger) move(ctx context.Context, moves []*move) error {
	var group errgroup.Group
	byRepository := map[string][]*move{}
	for _, m := range moves {
		if m.state == TagUnchanged {
			continue
		}
		repo, err := repositoryOf(m.name)
		if err != nil {
			return err
		}
		byRepository[repo] = append(byRepository[repo], m)
	}
	for _, list := range byRepository {
		group.Go(func() error {
			for _, m := range list {
				if err := t.write(ctx, m); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := linger(ctx, moves); err != nil {
		return err
	}
	return each(moves, func(m *move) error { return t.readBack(ctx, m) })
}

// overlap is how long another push may take between looking at a tag and writing
// it: one that has looked before we wrote writes over what we added.
const overlap = time.Second

// linger waits for such pushes, if something was added to a tag.
func linger(ctx context.Context, moves []*move) error {
	if !slices.ContainsFunc(moves, func(m *move) bool { return m.was != nil && m.state == TagMoved }) {
		return nil
	}
	select {
	case <-time.After(overlap):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t tagger) write(ctx context.Context, m *move) error {
	m.state = TagFailed
	body, _, err := m.item.read(ctx)
	if err != nil {
		return err
	}
	if err := t.put(ctx, m.name, body, m.item.MediaType); err != nil {
		return fmt.Errorf("moving tag %s: %w", m.name, err)
	}
	m.state = TagMoved
	return nil
}

// passes: the registry has just taken everything else of the same user, so that
// whatever it says of a tag now may pass, but for a plain no.
func passes(e *registry.Error) bool {
	return e.Kind == registry.Unauthorized || e.Kind == registry.Unreachable || e.Kind == registry.Limited
}

func (t tagger) put(ctx context.Context, name string, body []byte, mediaType string) error {
	return settle(ctx, func() error { return put(ctx, t.registry, name, body, mediaType) }, passes)
}

func (t tagger) head(ctx context.Context, name string) (now ocispec.Descriptor, err error) {
	err = settle(ctx, func() error {
		now, err = t.registry.Head(ctx, name)
		return err
	}, passes)
	return now, err
}

// names tells what a tag names. The answer to a HEAD is a word; where it is not the word that is wanted, the manifest itself has
// to prove it. What cannot be read is not proven.
func (t tagger) names(ctx context.Context, m *move) (now ocispec.Descriptor, proven bool, err error) {
	now, err = t.head(ctx, m.name)
	if err != nil || now.Digest == m.item.Digest {
		return now, true, err
	}
	err = settle(ctx, func() error {
		read, _, err := t.registry.Fetch(ctx, m.name)
		if err == nil {
			now, proven = read, true
		}
		return err
	}, passes)
	if notFound(err) {
		return now, true, err
	}
	return now, proven, nil
}

func (t tagger) readBack(ctx context.Context, m *move) error {
	if m.state == TagUnchanged {
		return nil
	}
	now, _, err := t.names(ctx, m)
	if err != nil {
		m.state = TagFailed
		return fmt.Errorf("reading tag %s back: %w", m.name, err)
	}
	if now.Digest != m.item.Digest {
		m.state = TagFailed
		return &TagError{Tag: m.name, Want: m.item.Digest, Got: now.Digest}
	}
	return nil
}

// undo lets a tag name again what it named before. A write whose answer was lost
// may have arrived, so what counts is what the tag names now.
func (t tagger) undo(ctx context.Context, m *move) error {
	if m.state == TagUnchanged || m.state == "" {
		return nil
	}
	failed := m.state
	now, proven, err := t.names(ctx, m)
	switch {
	case notFound(err) && m.before.Digest == "", err == nil && proven && now.Digest != m.item.Digest:
		// It was never written, or somebody else has moved it.
		if failed == TagMoved {
			m.state = TagKept
		}
		return nil
	case err != nil:
		m.state = TagLost
		return &LostError{m.name, err}
	}
	if err := t.restore(ctx, m); err != nil {
		m.state = TagLost
		if known := (*registry.Error)(nil); errors.As(err, &known) && known.Kind == registry.Unsupported {
			m.state = TagMoved // It is new, and stays.
		}
		return &UndoError{Tag: m.name, Before: m.before.Digest, Err: err}
	}
	if failed == TagMoved {
		m.state = TagKept
	}
	return nil
}

func (t tagger) restore(ctx context.Context, m *move) error {
	if m.before.Digest == "" {
		return t.registry.DeleteTag(ctx, m.name)
	}
	repo, err := repositoryOf(m.name)
	if err != nil {
		return err
	}
	before, body, err := t.registry.Fetch(ctx, at(repo, m.before.Digest))
	if err != nil {
		return err
	}
	return t.put(ctx, m.name, body, before.MediaType)
}
