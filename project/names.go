package project

import (
	"strings"

	"github.com/distribution/reference"
)

// form is the one form of an image's name: docker.io/library/x:latest and x are the same.
// It is what plan.ContextKey makes of it. What is no name, or names its bytes by a digest,
// has none: an image that is still to be built has no digest.
func form(name string) (string, bool) {
	named, ok := parse(name)
	if !ok {
		return "", false
	}
	if _, digested := named.(reference.Digested); digested {
		return "", false
	}
	return strings.TrimSuffix(reference.FamiliarString(named), ":latest"), true
}

// repository of an image, without tag or digest.
func repository(name string) string {
	named, ok := parse(name)
	if !ok {
		return ""
	}
	return named.Name()
}

// parse reads the name of an image. BuildKit puts nothing in the place of scratch and context.
func parse(name string) (reference.Named, bool) {
	if name == "scratch" || name == "context" {
		return nil, false
	}
	named, err := reference.ParseNormalizedNamed(name)
	return named, err == nil
}

// spelt is the full spelling of an image's name, its digest included; that of what is no
// name is the text itself.
func spelt(name string) string {
	named, ok := parse(name)
	if !ok {
		return name
	}
	return reference.TagNameOnly(named).String()
}

// maker is a service that gives its image a name.
type maker struct {
	service int
	made    Made
}

// names knows which services make which names.
type names struct {
	// services by name.
	services map[string]int
	// images are the makers by the form of a name.
	images map[string][]maker
	// repositories are the makers by repository.
	repositories map[string][]maker
}

// bare is what a name's From says that is a service's own name, which others may have meant
// for an image elsewhere.
const bare = "name"

func newNames(services []Service) names {
	n := names{services: map[string]int{}, images: map[string][]maker{}, repositories: map[string][]maker{}}
	for i, s := range services {
		if _, twice := n.services[s.Name]; !twice {
			n.services[s.Name] = i
		}
		for _, made := range s.Made {
			if made.From != bare || made.Name != s.Name {
				n.add(i, made)
			}
		}
	}
	return n
}

// add notes a name; that a service makes it a second time says nothing new.
func (n names) add(service int, made Made) {
	name, ok := form(made.Name)
	if !ok {
		return
	}
	for _, m := range n.images[name] {
		if m.service == service {
			return
		}
	}
	m := maker{service, made}
	n.images[name] = append(n.images[name], m)
	repo := repository(made.Name)
	n.repositories[repo] = append(n.repositories[repo], m)
}
