package lint_test

import (
	"strings"
	"testing"

	"github.com/archbuild/archbuild/lint"
)

// TestMistypedComments: a comment that is meant to suppress a rule and does not is told.
func TestMistypedComments(t *testing.T) {
	for _, row := range []struct{ name, comment, want string }{
		{"a rule", "# archbuild ignore=arch-literal served to clients", ""},
		{"several rules", "# archbuild ignore=arch-literal,arch-asked", ""},
		{"a blank after the comma", "# archbuild ignore=arch-literal, arch-asked", ""},
		{"words after a comma", "# archbuild ignore=arch-literal, because clients want it", ""},
		{"a mistyped rule", "# archbuild ignore=arch-litteral", "Dockerfile:2: ignore=arch-litteral: there is no such rule; did you mean arch-literal?"},
		{"a mistyped rule after a blank", "# archbuild global ignore=arch-asked, arch-litteral", "Dockerfile:2: ignore=arch-litteral: there is no such rule; did you mean arch-literal?"},
		{"no rule at all", "# archbuild ignore=everything", "Dockerfile:2: ignore=everything: there is no such rule"},
		{"a blank for the equals sign", "# archbuild ignore arch-literal", "Dockerfile:2: the comment suppresses nothing; write # archbuild ignore=arch-literal"},
		{"a colon for it", "# archbuild global ignore: arch-asked", "Dockerfile:2: the comment suppresses nothing; write # archbuild global ignore=arch-asked"},
		{"prose", "# archbuild ignores what is below, and so does ignore=x", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			facts := factsOf(t, "FROM a\n"+row.comment+"\nRUN curl -LO https://e.com/x-amd64\n")
			if got := strings.Join(lint.Mistyped(facts.Template), "\n"); got != row.want {
				t.Errorf("%q, not %q", got, row.want)
			}
		})
	}
}
