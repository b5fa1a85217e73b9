package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Kind says what went wrong, as far as the caller can act on it.
type Kind string

const (
	// NotFound means that the registry answered that there is no such thing.
	NotFound Kind = "not found"
	// Unauthorized means that it wants other credentials. Several registries also answer
	// so for repositories that do not exist.
	Unauthorized Kind = "unauthorized"
	// Unreachable means that there was no answer, or only server errors, after all repetitions.
	Unreachable Kind = "unreachable"
	// Limited means that it counts requests, and ours are used up for now.
	Limited Kind = "limited"
	// Invalid means that the reference or the answer breaks the rules.
	Invalid Kind = "invalid"
	// Damaged means that what came is not what its digest or its size says, also when asked for again.
	Damaged Kind = "damaged"
	// Unsupported means that the registry does not offer what was asked for.
	Unsupported Kind = "unsupported"
)

// Error is every error of this package but a cancelled context's.
type Error struct {
	Kind Kind
	// Ref is the reference asked for, Host the registry that references name.
	Ref, Host string
	// Err is the cause, free of credentials and control characters.
	Err error
	// Mirrors says what the mirrors answered, which were asked before.
	Mirrors []string
	// lacking: each of them has it not.
	lacking bool
	// plain: the other side seems to speak http, which is not allowed.
	plain bool
	// hint replaces what Kind has to say.
	hint string
	// itself: mirrors are no way out, since they are only read.
	itself bool
	// unsettled: it takes a manifest only when it knows of what the manifest names.
	unsettled bool
}

func (e *Error) Error() string {
	if len(e.Mirrors) > 0 {
		return fmt.Sprintf("%s (%s)", e.text(), strings.Join(e.Mirrors, "; "))
	}
	return e.text()
}

func (e *Error) text() string {
	switch e.Kind {
	case NotFound:
		return fmt.Sprintf("%s does not exist in %s", e.Ref, e.Host)
	case Unauthorized:
		return fmt.Sprintf("%s refuses access to %s: %v", e.Host, e.Ref, e.Err)
	case Limited:
		return fmt.Sprintf("%s answers no more requests for now, asked for %s: %v", e.Host, e.Ref, e.Err)
	case Unreachable:
		return fmt.Sprintf("cannot reach %s for %s: %v", e.Host, e.Ref, e.Err)
	}
	if e.Host == "" {
		return fmt.Sprintf("%s: %v", e.Ref, e.Err)
	}
	return fmt.Sprintf("%s in %s: %v", e.Ref, e.Host, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// NotFound tells whether the registry said that there is no such thing.
func (e *Error) NotFound() bool { return e.Kind == NotFound }

// MirrorsLackIt tells whether the mirrors, of which there are some, all said that
// there is no such thing, though the registry itself could not be asked: behind
// a wall, a mirror is all there is.
func (e *Error) MirrorsLackIt() bool { return e.lacking }

// Unauthorized tells whether other credentials are wanted.
func (e *Error) Unauthorized() bool { return e.Kind == Unauthorized }

// Unreachable tells whether there was no usable answer at all.
func (e *Error) Unreachable() bool { return e.Kind == Unreachable }

// Unsettled tells whether the registry does not know what the manifest that it
// was given names. If it has confirmed all of it, asking again is worth a try:
// some are not of one mind right away.
func (e *Error) Unsettled() bool { return e.unsettled }

// Hint is the one thing to do.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	switch e.Kind {
	case Damaged:
		return fmt.Sprintf("try again; if it stays so, %s or something on the way to it changes or cuts what it delivers", e.Host)
	case Unsupported:
		return fmt.Sprintf("%s has to allow it in its settings", e.Host)
	case NotFound:
		return "check the name and the tag"
	case Unauthorized:
		return fmt.Sprintf("check the name, or log in: docker login %s (or podman, skopeo login)", e.Host)
	case Limited:
		return fmt.Sprintf("log in to %s, or name a mirror for it in buildkitd.toml", e.Host)
	case Unreachable:
		if e.plain {
			return fmt.Sprintf("if it speaks plain http, say so in buildkitd.toml: [registry.%q] http = true", e.Host)
		}
		if e.itself {
			return "check the registry's name and the network, and repeat it: what has arrived is not sent again"
		}
		if len(e.Mirrors) > 0 {
			return "check the name, the mirrors in buildkitd.toml, and the network"
		}
		return fmt.Sprintf("check the network, or name a mirror in buildkitd.toml: [registry.%q] mirrors = [\"HOST\"]", e.Host)
	}
	return "check the reference"
}

// gaveUp marks an error of a request that was already repeated often enough.
type gaveUp struct{ error }

func (g gaveUp) Unwrap() error { return g.error }

// failure turns whatever go-containerregistry returned into an *Error. A
// context's error stays what it is.
func failure(ctx context.Context, ref, host string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	if ctx.Err() != nil {
		return fmt.Errorf("asking %s for %s: %w", host, ref, context.Cause(ctx))
	}
	made := &Error{Kind: kindOf(err), Ref: ref, Host: host, Err: errors.New(clean(err)), plain: speaksHTTP(err), unsettled: namesUnknown(err)}
	if hinted := new(forbidden); errors.As(err, &hinted) {
		made.hint = hinted.Hint()
	}
	if hinted := new(CredentialsError); errors.As(err, &hinted) {
		made.hint = hinted.Hint()
	}
	return made
}

func namesUnknown(err error) bool {
	var status *transport.Error
	return errors.As(err, &status) && slices.ContainsFunc(status.Errors, func(d transport.Diagnostic) bool {
		return d.Code == transport.ManifestBlobUnknownErrorCode || d.Code == transport.BlobUnknownErrorCode || status.Request != nil && status.Request.Method == http.MethodPut && d.Code == transport.ManifestUnknownErrorCode
	})
}

// itself marks an error of what only the registry itself can do: a push, and
// what goes with one.
func itself(err error) error {
	var known *Error
	if errors.As(err, &known) {
		known.itself = true
	}
	return err
}

// reason is a failure in few words.
func reason(err error) string {
	if kind := kindOf(err); kind != Invalid && kind != Unreachable {
		return string(kind)
	}
	return clean(err)
}

// denied is a refusal that is remembered.
type denied struct{ error }

func (d *denied) Unwrap() error { return d.error }

// lasting tells whether asking again in the same run is pointless.
func lasting(err error) bool {
	var known *Error
	return errors.As(err, new(*denied)) || errors.As(err, &known) && (known.Kind == NotFound || known.Kind == Unauthorized || known.Kind == Invalid)
}

func speaksHTTP(err error) bool {
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, new(*refusal))
}

func kindOf(err error) Kind {
	var known *Error
	if errors.As(err, &known) {
		return known.Kind
	}
	if errors.As(err, new(*damage)) {
		return Damaged
	}
	var status *transport.Error
	if errors.As(err, &status) {
		switch code := status.StatusCode; {
		case code == http.StatusNotFound:
			return NotFound
		case code == http.StatusUnauthorized, code == http.StatusForbidden:
			return Unauthorized
		case code == http.StatusTooManyRequests:
			return Limited
		case code >= 500, code == http.StatusRequestTimeout:
			return Unreachable
		}
		return Invalid
	}
	if errors.As(err, new(*forbidden)) || errors.Is(err, errTooLarge) {
		return Invalid
	}
	var gave gaveUp
	var netErr net.Error
	if errors.As(err, &gave) || errors.As(err, &netErr) || transient(err) || speaksHTTP(err) {
		return Unreachable
	}
	return Invalid
}

// credentials matches what must not be printed of a URL: user information and the query.
var credentials = regexp.MustCompile(`(//)[^/@\s"]+@|\?[^\s"]*`)

// helperSaid matches what a credential helper printed before it failed, which may be
// the very thing that it keeps.
var helperSaid = regexp.MustCompile("(?s), out: `.*`")

// clean is the text of an error for people: one line, bounded, and without the
// parts of URLs that may hold credentials (redirects to storage are signed).
func clean(err error) string {
	text := err.Error()
	var status *transport.Error
	var inURL *url.Error
	switch {
	case errors.As(err, &status):
		text = statusText(status)
	case errors.As(err, &inURL):
		text = inURL.Err.Error()
	}
	text = helperSaid.ReplaceAllString(text, "")
	text, _, _ = strings.Cut(text, "\n")
	text = credentials.ReplaceAllString(text, "$1")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}

func statusText(e *transport.Error) string {
	text := fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode))
	for _, d := range e.Errors {
		text += fmt.Sprintf(", %s %s", d.Code, d.Message)
	}
	return text
}
