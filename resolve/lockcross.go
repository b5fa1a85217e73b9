package resolve

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// CrossFailure is a stage that did not do on the build platform what it does on
// the target's, for one text of a Dockerfile: it is left emulated until that
// changes. A base has nothing to do with it; it stands in the lock because that is
// the file which remembers, beside the source, how a build was done.
type CrossFailure struct {
	// Dockerfile is the file's name, Digest that of its text: "sha256:…".
	Dockerfile string            `json:"dockerfile"`
	Digest     string            `json:"digest"`
	Stage      string            `json:"stage"`
	Platform   platform.Platform `json:"platform"`
	// Reason is what went wrong, one line.
	Reason string `json:"reason"`
}

func compareCrossed(a, b CrossFailure) int {
	return cmp.Or(cmp.Compare(a.Dockerfile, b.Dockerfile), cmp.Compare(a.Stage, b.Stage), a.Platform.Compare(b.Platform))
}

// WithCrossed is the lock with further failures, each in the place of what was
// known of its stage and platform.
func (l Lock) WithCrossed(list []CrossFailure) Lock {
	all := slices.Clone(list)
	for _, known := range l.Crossed {
		if !slices.ContainsFunc(all, func(f CrossFailure) bool { return compareCrossed(f, known) == 0 }) {
			all = append(all, known)
		}
	}
	slices.SortFunc(all, compareCrossed)
	l.Crossed = all
	return l
}

// formatCrossed writes the failures as a list of which each line is one.
func (l Lock) formatCrossed(b *bytes.Buffer) {
	if len(l.Crossed) == 0 {
		return
	}
	b.WriteString(crossComment + "\ncross:\n")
	for _, f := range slices.SortedFunc(slices.Values(l.Crossed), compareCrossed) {
		b.WriteString("  - " + f.summed() + "\n")
	}
}

// summed is the line of a failure: with the sum of the same line without it.
func (f CrossFailure) summed() string {
	type summed struct {
		CrossFailure
		Sum string `json:"sum,omitempty"`
	}
	return encoded(summed{f, lockSum(encoded(summed{f, ""}))})
}

// encoded is JSON on one line.
func encoded(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // texts can always be written
	return strings.TrimSuffix(b.String(), "\n")
}

// crossed reads one line of the list.
func (p *lockParser) crossed(body string) error {
	text, ok := strings.CutPrefix(body, "- ")
	var read struct {
		CrossFailure
		Sum *string `json:"sum"`
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); !ok || err != nil || decoder.More() {
		return p.fail("cannot read %.60q", body)
	}
	f := read.CrossFailure
	switch {
	case p.summed && text != f.summed():
		return p.fail("the failure of stage %.60q is not as it was written: it has another sum", f.Stage)
	case !p.summed && read.Sum != nil:
		return p.fail("a sum in a file without sums")
	case !lockDigest.MatchString(f.Digest):
		return p.fail("%.80q is no sha256 digest", f.Digest)
	case f.Dockerfile == "" || f.Stage == "" || f.Platform == platform.Platform{}:
		return p.fail("it does not say which stage of which Dockerfile failed for which platform")
	case len(p.lock.Crossed) == maxLockImages:
		return p.fail("the file holds more than %d failures", maxLockImages)
	case slices.ContainsFunc(p.lock.Crossed, func(known CrossFailure) bool { return compareCrossed(f, known) == 0 }):
		return p.fail("stage %s of %s is there twice for %s", f.Stage, f.Dockerfile, f.Platform)
	}
	p.lock.Crossed = append(p.lock.Crossed, f)
	return nil
}
