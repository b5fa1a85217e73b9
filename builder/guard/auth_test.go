package guard_test

import (
	"context"
	"testing"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/moby/buildkit/session/auth"
)

// asked is a maker of tokens that remembers what for.
type asked struct {
	auth.UnimplementedAuthServer
	scopes []string
}

func (a *asked) FetchToken(_ context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	a.scopes = req.Scopes
	return &auth.FetchTokenResponse{Token: "t"}, nil
}

func TestScopesAreThoseOfThePlan(t *testing.T) {
	plan := guard.Access{Pull: []string{"app"}, Push: []string{"cache"}}
	mirror := guard.Access{Any: true}
	for _, row := range []struct {
		name, scope, want string
		access            guard.Access
	}{
		{"what is read", "repository:app:pull", "repository:app:pull", plan},
		{"what is written may be read", "repository:cache:pull,push", "repository:cache:pull,push", plan},
		{"no more than reading of what is read", "repository:app:pull,push", "repository:app:pull", plan},
		{"nothing else", "repository:other:pull", "", plan},
		{"no other kind", "registry:catalog:*", "", plan},
		{"no removal", "repository:cache:delete", "", plan},
		{"a mirror is read", "repository:hub/library/debian:pull", "repository:hub/library/debian:pull", mirror},
		{"and not written", "repository:x:push", "", mirror},
		{"two scopes in one", "repository:victim:pull,push,delete repository:x:pull", "", mirror},
		{"a scope in a name", "repository:a:push repository:b:pull", "", mirror},
		{"a tab", "repository:a\trepository:b:pull", "", mirror},
	} {
		from, book := &asked{}, &guard.Book{}
		a := &guard.Auth{From: from, Registries: map[string]guard.Access{"r.example": row.access}, Book: book}
		_, err := a.FetchToken(t.Context(), &auth.FetchTokenRequest{Host: "r.example", Scopes: []string{row.scope}})
		got := ""
		if len(from.scopes) > 0 {
			got = from.scopes[0]
		}
		if got != row.want || (err == nil) != (row.want != "") || (book.Total() == 0) != (row.want == row.scope) {
			t.Errorf("%s: asked for %q, error %v, %d refusals", row.name, got, err, book.Total())
		}
	}
}
