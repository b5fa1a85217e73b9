// Package guard stands between a node and what a session could give it.
//
// A session is a server on this machine that a BuildKit node asks: for credentials
// of registries, for files, secrets, signatures of ssh keys, blobs. BuildKit's own
// services answer whatever is asked, for they trust the node. Here a node gets what the
// plan needs of it and nothing else: each service is wrapped, the wrapper holds the
// list, and everything beside it is refused and written into a Book, so that a user
// learns of a node that asks for more.
//
// What each wrapper refuses:
//
//	Auth      hosts and repositories that the plan does not name; realms that are not the registry's
//	Files     folders that are not offered; whatever the ignore file leaves out
//	Secrets   ids that were not given; SSH the same
//	Results   blobs that this session has not written; removal of any
package guard

import (
	"cmp"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Kind is what a node asked for.
type Kind string

// What there is to ask for.
const (
	Credentials Kind = "credentials"
	Files       Kind = "files"
	Secret      Kind = "secret"
	SSH         Kind = "ssh"
	Content     Kind = "content"
)

// Refusal is something that a node asked for and did not get.
type Refusal struct {
	Kind Kind `json:"kind"`
	// What was asked for, as the node wrote it: hostile text.
	What string `json:"what"`
	// Times counts how often.
	Times int `json:"times"`
}

// Book holds the refusals of one node's sessions. The zero value is empty and ready; it is
// safe for concurrent use.
type Book struct {
	mu    sync.Mutex
	times map[Refusal]int
	total int
	// passwords are registries of the plan whose password was asked for in vain.
	passwords []string
}

// Different refusals beyond so many are counted and not kept, and longer texts are cut:
// a node decides how much it asks.
const (
	mostRefusals = 256
	longestWhat  = 256
)

// Total is how often something was refused.
func (b *Book) Total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// Refusals by kind and text.
func (b *Book) Refusals() []Refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Refusal, 0, len(b.times))
	for r, n := range b.times {
		r.Times = n
		list = append(list, r)
	}
	slices.SortFunc(list, func(x, y Refusal) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.What, y.What))
	})
	return list
}

// Passwords are the registries of the plan whose password was asked for and not given to a node of another machine: a
// build that failed may have failed for that.
func (b *Book) Passwords() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.passwords)
}

func (b *Book) keep(registry string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.passwords, registry) {
		b.passwords = append(b.passwords, registry)
		slices.Sort(b.passwords)
	}
}

// Refuse writes it down and gives the error for the node.
func (b *Book) Refuse(kind Kind, what string) error {
	b.note(kind, what)
	return status.Errorf(codes.PermissionDenied, "archbuild: no %s for this: the plan does not name it", kind)
}

func (b *Book) note(kind Kind, what string) {
	if len(what) > longestWhat {
		what = what[:longestWhat] + "…"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total++
	if b.times == nil {
		b.times = map[Refusal]int{}
	}
	key := Refusal{Kind: kind, What: what}
	if _, known := b.times[key]; !known && len(b.times) >= mostRefusals {
		key = Refusal{Kind: kind, What: "others"}
	}
	b.times[key]++
}
