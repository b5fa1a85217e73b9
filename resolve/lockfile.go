package resolve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/archbuild/archbuild/platform"
)

// The limits of an archbuild.lock: it comes with the source.
const (
	maxLockBytes  = 4 << 20
	maxLockImages = 10_000
	maxLockOffers = 1_000
)

// lockHead is how the file begins. A later shape has another number. Version 1 had no
// sums; it is read still, and becomes version 2 when the file is written the next time.
const lockHead = lockComment + `
version: 2
images:
`

// The comments of the file: in version 2 there are no others.
const (
	lockComment  = "# Written by archbuild lock. What each image was when it was locked."
	crossComment = "# What failed on the build platform, so that it stays emulated while the Dockerfile is what it was."
)

// Format writes the lock as a YAML file of which each line is one fact, sorted:
// what changes in it is what a diff shows.
//
//	debian:12:
//	  index: sha256:…          # "image:" for what is no index
//	  linux/amd64: sha256:…
//	  linux/amd64 onbuild: ["COPY . /app"]
//	  sum: 1f0c…               # of the lines above; see lockSum
//
// The stages that failed on the build platform follow, if there are some.
func (l Lock) Format() []byte {
	var b bytes.Buffer
	b.WriteString(lockHead)
	for _, image := range slices.SortedFunc(slices.Values(l.Images), compareImages) {
		what := "image"
		if image.Index {
			what = "index"
		}
		lines := []string{"  " + image.Ref + ":", "    " + what + ": " + image.Digest}
		for _, offer := range image.Offers {
			lines = append(lines, "    "+lockPlatform(offer.Platform)+": "+offer.Digest)
			if onbuild := image.Onbuild[offer.Digest]; len(onbuild) > 0 {
				lines = append(lines, "    "+lockPlatform(offer.Platform)+" onbuild: "+string(quoted(onbuild)))
			}
		}
		for _, line := range append(lines, "    sum: "+lockSum(lines...)) {
			b.WriteString(line + "\n")
		}
	}
	l.formatCrossed(&b)
	return b.Bytes()
}

// lockSum is what an entry has as its sum: sixteen digits of the sha256 of its lines. It finds what a slip of the
// hand, a bad disk or a merge has done; each entry has its own, so that a merge that is right needs no new one.
func lockSum(lines ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}

// quoted writes texts as JSON, which YAML holds too.
func quoted(texts []string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(texts) // strings can always be written
	return bytes.TrimSpace(b.Bytes())
}

// lockPlatform tells versions of Windows apart: windows(10.0.17763)/amd64.
func lockPlatform(p platform.Platform) string {
	if p.OSVersion == "" {
		return p.String()
	}
	return strings.Replace(p.String(), p.OS, p.OS+"("+p.OSVersion+")", 1)
}

// LockError is what is wrong with a lock file, and on which line.
type LockError struct {
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	Text string
}

func (e *LockError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// At is the place, for those who show errors beside the code.
func (e *LockError) At() (file string, line int) { return e.File, e.Line }

// Hint is the one thing to do.
func (e *LockError) Hint() string {
	return "the file is not changed by hand: take the last good one, or write it anew: archbuild lock PATH --update"
}

// ParseLock reads what Format writes; name is what errors, each a *LockError,
// call the file. Blank lines, CRLF and any order of the images are read too; in version 1 comments as well.
func ParseLock(name string, data []byte) (Lock, error) {
	p := &lockParser{file: name, seen: map[string]int{}}
	if len(data) > maxLockBytes {
		return Lock{}, p.fail("the file is larger than %d MB", maxLockBytes>>20)
	}
	if !utf8.Valid(data) {
		return Lock{}, p.fail("the file is no UTF-8 text")
	}
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		p.line++
		line = strings.TrimRight(line, "\r\n")
		if err := p.readLine(line); err != nil {
			return Lock{}, err
		}
	}
	p.line = 0
	if p.state < inImages {
		return Lock{}, p.fail(`"version: 2" and "images:" are missing`)
	}
	if err := p.complete(); err != nil {
		return Lock{}, err
	}
	slices.SortFunc(p.lock.Images, compareImages)
	slices.SortFunc(p.lock.Crossed, compareCrossed)
	return p.lock, nil
}

// lockState is what a lockParser has read so far.
type lockState int

const (
	atStart lockState = iota
	inVersion
	inImages
	inCross
)

// lockParser reads a lock file line by line.
type lockParser struct {
	file  string
	line  int
	state lockState
	lock  Lock
	seen  map[string]int // line of each reference
	// summed: every entry has its sum. lines are those of the image that is being read, without it.
	summed, closed bool
	lines          []string
	comments       []string
}

func (p *lockParser) fail(format string, args ...any) error {
	return &LockError{File: p.file, Line: p.line, Text: fmt.Sprintf(format, args...)}
}

// readLine looks at comments and spaces; the rest is for read.
func (p *lockParser) readLine(line string) error {
	bare := strings.Trim(line, " ")
	switch {
	case bare == "":
		return nil
	case bare[0] == '#' && p.state >= inVersion && p.summed && line != crossComment:
		return p.fail("a comment that archbuild does not write: %.60q", line)
	case bare[0] == '#':
		p.comments = append(p.comments, line)
		return nil
	case p.summed && line[len(line)-1] == ' ':
		return p.fail("a space at the end of %.60q", line)
	}
	return p.read(strings.TrimRight(line, " "))
}

func (p *lockParser) read(line string) error {
	body := strings.TrimLeft(line, " ")
	switch indent := len(line) - len(body); {
	case p.state == atStart && strings.HasPrefix(line, "version:"):
		return p.version(line)
	case p.state == inVersion && (line == "images:" || line == "images: {}"):
		p.state = inImages
		return nil
	case p.state == inImages && line == "cross:":
		p.state = inCross
		return nil
	case p.state == inCross && indent == 2:
		return p.crossed(body)
	case p.state == inImages && indent == 2:
		return p.image(body)
	case p.state == inImages && indent == 4 && len(p.lock.Images) > 0:
		return p.fact(body)
	}
	return p.fail("cannot read %.60q", line)
}

func (p *lockParser) version(line string) error {
	version := strings.TrimSpace(strings.TrimPrefix(line, "version:"))
	switch p.summed = line == "version: 2"; {
	case !p.summed && version != "1":
		return p.fail("version %.20q is not read by this archbuild", version)
	case p.summed && (len(p.comments) != 1 || p.comments[0] != lockComment):
		return p.fail("the one comment before it is not archbuild's")
	}
	p.state = inVersion
	return nil
}

// image reads the line that begins an image.
func (p *lockParser) image(body string) error {
	if err := p.complete(); err != nil {
		return err
	}
	p.lines, p.closed = []string{"  " + body}, false
	ref, ok := strings.CutSuffix(body, ":")
	if key, err := lockKey(ref); !ok || err != nil || key != ref {
		return p.fail("%.300q is no image reference with a tag or digest", ref)
	}
	if line, twice := p.seen[ref]; twice {
		return p.fail("%s is there twice, first on line %d", ref, line)
	}
	if len(p.lock.Images) == maxLockImages {
		return p.fail("the file holds more than %d images", maxLockImages)
	}
	p.seen[ref] = p.line
	p.lock.Images = append(p.lock.Images, lockedImage(ref, Image{}))
	return nil
}

// lockDigest is the one kind of digest that registries use.
var lockDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// fact reads one line of an image.
func (p *lockParser) fact(body string) error {
	image := &p.lock.Images[len(p.lock.Images)-1]
	key, value, ok := strings.Cut(body, ": ")
	if p.closed || !ok {
		return p.fail("cannot read %.60q", body)
	}
	if p.summed && key == "sum" {
		return p.sum(image.Ref, value)
	}
	p.lines = append(p.lines, "    "+body)
	if on, ok := strings.CutSuffix(key, " onbuild"); ok {
		return p.onbuild(image, on, value)
	}
	if !lockDigest.MatchString(value) {
		return p.fail("%.80q is no sha256 digest", value)
	}
	if key == "index" || key == "image" {
		if image.Digest != "" {
			return p.fail("%s has two digests", image.Ref)
		}
		image.Digest, image.Index = value, key == "index"
		return nil
	}
	on, err := platform.Parse(key)
	if err != nil {
		return p.fail("%.60q is no platform", key)
	}
	known := func(o Offer) bool { return o.Platform == on }
	switch {
	case image.Digest == "":
		return p.fail(`%s needs "index:" or "image:" first`, image.Ref)
	case slices.ContainsFunc(image.Offers, known):
		return p.fail("%s is there twice for %s", key, image.Ref)
	case len(image.Offers) == maxLockOffers:
		return p.fail("%s has more than %d platforms", image.Ref, maxLockOffers)
	}
	image.Offers = append(image.Offers, Offer{Platform: on, Digest: value})
	return nil
}

// sum holds the lines of an image against what they were when it was locked.
func (p *lockParser) sum(ref, value string) error {
	if p.closed || value != lockSum(p.lines...) {
		return p.fail("the lines of %s are not those that were written: it has another sum", ref)
	}
	p.closed = true
	return nil
}

// onbuild reads the instructions of the platform on the line before.
func (p *lockParser) onbuild(image *LockedImage, key, value string) error {
	last := len(image.Offers) - 1
	if last < 0 || lockPlatform(image.Offers[last].Platform) != key {
		return p.fail("onbuild stands under another line than its platform's")
	}
	var list []string
	if err := json.Unmarshal([]byte(value), &list); err != nil || len(list) == 0 {
		return p.fail("onbuild is no list of instructions")
	}
	digest := image.Offers[last].Digest
	if known := image.Onbuild[digest]; known != nil && !slices.Equal(known, list) {
		return p.fail("one image has onbuild twice")
	}
	image.Onbuild[digest] = list
	return nil
}

// complete checks the image that ends, and brings it into order.
func (p *lockParser) complete() error {
	if len(p.lock.Images) == 0 {
		return nil
	}
	image := &p.lock.Images[len(p.lock.Images)-1]
	n, err := parseName(image.Ref)
	switch {
	case p.summed && !p.closed:
		return p.fail("%s has no sum", image.Ref)
	case image.Digest == "":
		return p.fail("%s has no digest", image.Ref)
	case err == nil && n.pinned() && n.digest != image.Digest:
		return p.fail("%s has another digest than its name says", image.Ref)
	case !image.Index && (len(image.Offers) != 1 || image.Offers[0].Digest != image.Digest):
		return p.fail("%s is a single image, which has one platform and the same digest there", image.Ref)
	}
	slices.SortStableFunc(image.Offers, func(a, b Offer) int { return a.Platform.Compare(b.Platform) })
	return nil
}
