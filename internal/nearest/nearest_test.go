package nearest_test

import (
	"testing"

	"github.com/archbuild/archbuild/internal/nearest"
)

func TestTheNearestWord(t *testing.T) {
	words := []string{"auto", "plain", "engine", "tty"}
	for name, tt := range map[string]struct{ word, want string }{
		"two letters in each other's place": {"plian", "plain"},
		"a letter too many":                 {"autoo", "auto"},
		"a letter too few":                  {"plin", "plain"},
		"something else":                    {"rawjson", ""},
		"nothing":                           {"", ""},
		"a word as short as the difference": {"xy", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := nearest.Word(tt.word, words); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
