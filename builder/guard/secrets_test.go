package guard_test

import (
	"testing"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/moby/buildkit/session/secrets"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A node that fetches something asks for logins that nobody may have given: that is no sign, every other secret is one. A node
// that has nothing to fetch has no reason to ask.
func TestWhatBuildKitAsksForByItselfIsNoSign(t *testing.T) {
	for id, noted := range map[string]int{
		"GIT_AUTH_HEADER":                   0,
		"GIT_AUTH_TOKEN":                    0,
		"GIT_AUTH_TOKEN.git.example":        0,
		"HTTP_AUTH_HEADER_registry.example": 0,
		"npm":                               1,
		"MY_GIT_AUTH_TOKEN":                 1,
	} {
		for _, fetches := range []bool{true, false} {
			due := noted
			if !fetches {
				due = 1
			}
			book := &guard.Book{}
			_, err := (&guard.Secrets{IDs: []string{"given"}, Fetches: fetches, Book: book}).GetSecret(t.Context(), &secrets.GetSecretRequest{ID: id})
			if status.Code(err) != codes.NotFound || book.Total() != due {
				t.Errorf("%s, fetches %v: got %v, noted %d times; want that it is not found, and noted %d times", id, fetches, err, book.Total(), due)
			}
		}
	}
}
