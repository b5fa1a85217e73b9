package doctor

import (
	"errors"
	"fmt"

	"github.com/archbuild/archbuild/internal/registry"
)

// Registry is what came of asking one registry.
type Registry struct {
	// Host as references name it.
	Host string
	// Ref is the image that was asked for: one of those that are there. Push says that
	// it is to be written.
	Ref    string
	Push   bool
	Access registry.Access
	Source registry.Source
	// Err is why the registry did not let us in, or did not answer in time.
	Err error
}

// OfRegistry judges one registry. Credentials are told by where they are, never by
// what they are.
func OfRegistry(r Registry) []Check {
	answers := Check{ID: "registry-answers", Group: Network, Subject: r.Host, Status: OK, Detail: "answers"}
	login := Check{ID: "registry-login", Group: Network, Subject: r.Host, Status: OK, Detail: r.credentials()}
	if r.Push {
		login.ID, login.Subject = "registry-push", r.Ref
		login.Detail = "lets us in, with " + r.credentials()
	}
	if r.Access.Mirror != "" {
		answers.Detail = "answers, by its mirror " + r.Access.Mirror
	}
	answers.Brief = r.Host + " (" + r.short() + ")"
	if r.Err == nil && r.Push && r.Access.Anonymous && r.Access.Asks {
		login.Status, login.Detail = Degraded, "lets us in as it does everybody: there are no credentials for it, and a push needs some as a rule"
		login.Affects, login.Fix, login.Command = "the push of "+r.Ref+", at the end of a build", "docker login "+r.Host, true
	}
	if r.Err == nil {
		return []Check{answers, login}
	}
	login.Status, login.Affects = Missing, "every build that needs "+r.Ref
	if r.Push {
		login.Affects = "the push of " + r.Ref + ", at the end of a build"
	}
	failed := new(registry.Error)
	if !errors.As(r.Err, &failed) || failed.Kind == registry.Unreachable {
		return []Check{r.silent(answers, failed)}
	}
	login.Fix = failed.Hint()
	switch failed.Kind {
	case registry.Limited:
		answers.Status, answers.Detail = Degraded, "answers no more requests for now"
		answers.Affects, answers.Fix = "builds, until it counts anew", failed.Hint()
		return []Check{answers}
	case registry.Unauthorized:
		login.Detail = fmt.Sprintf("refuses %s with %s: %v", r.Ref, r.credentials(), failed.Err)
		if r.Access.Anonymous {
			login.Detail = fmt.Sprintf("refuses %s without a login (or there is no such image): %v", r.Ref, failed.Err)
		}
		login.Fix, login.Command = "docker login "+r.Host, true
		return []Check{answers, login}
	}
	login.Detail = failed.Err.Error()
	if r.Source.NoHelper {
		login.Detail = fmt.Sprintf("its credentials are kept by %s, which is not on PATH", r.Source.Helper)
		login.Fix = fmt.Sprintf("install %s, or take it out of %s", r.Source.Helper, r.Source.File)
		return []Check{login}
	}
	if r.Source.Helper != "" {
		login.Detail = fmt.Sprintf("%s (named in %s) does not give its credentials: %v", r.Source.Helper, r.Source.File, failed.Err)
		login.Fix, login.Command = fmt.Sprintf("echo %s | %s get", r.Host, r.Source.Helper), true
	}
	return []Check{answers, login}
}

// silent says of a registry that it could not be reached.
func (r Registry) silent(c Check, failed *registry.Error) Check {
	c.Status, c.Affects = Missing, "every build that needs an image from there"
	c.Detail = fmt.Sprintf("not reachable: %v", r.Err)
	c.Fix = "check the name and the network, or wait longer: --wait 10s"
	if failed.Err != nil {
		c.Detail, c.Fix = fmt.Sprintf("not reachable: %v", failed.Err), failed.Hint()
	}
	return c
}

// credentials says where they are.
func (r Registry) credentials() string {
	of := ""
	if r.Access.Mirror != "" {
		of = " for its mirror " + r.Access.Mirror
	}
	switch {
	case r.Access.Anonymous && r.Source.Err != nil:
		return "no credentials" + of + ": " + r.Source.Err.Error()
	case r.Access.Anonymous:
		return "no credentials" + of + " (anonymous)"
	case r.Source.Helper != "":
		return fmt.Sprintf("credentials%s from %s (named in %s)", of, r.Source.Helper, r.Source.File)
	case r.Source.File != "":
		return "credentials" + of + " from " + r.Source.File
	}
	return "credentials" + of
}

func (r Registry) short() string {
	switch {
	case r.Access.Anonymous:
		return "anonymous"
	case r.Source.Helper != "":
		return r.Source.Helper
	}
	return "credentials found"
}
