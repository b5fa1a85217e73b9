package spec_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/manifest/spec"
)

func TestErrorsSayWhereAndWhatToDo(t *testing.T) {
	for _, c := range []struct{ problem, source, want, hint string }{
		{"an empty file", "", "app.yaml: the file holds no spec", "a spec has image: and manifests:"},
		{"comments only", "# image: a\n---\n", "app.yaml: the file holds no spec", "a spec has image: and manifests:"},
		{"no image", "manifests: [{image: a}]", "app.yaml:1:1: image: is missing", "name the index: image: registry.example/app:1.0"},
		{"an image left out", "image:\nmanifests: [{image: a}]", "app.yaml:1:1: image: is missing", "name the index: image: registry.example/app:1.0"},
		{"no manifests", "\nimage: a:1", "app.yaml:2:1: manifests: is missing", "name what the index is made of: manifests: [{image: registry.example/app:1.0-amd64}]"},
		{"an empty list of manifests", "image: a:1\nmanifests: []", "app.yaml:2:12: manifests: names no image", "name what the index is made of: manifests: [{image: registry.example/app:1.0-amd64}]"},
		{"an entry without an image", "image: a:1\nmanifests:\n- platform: {os: linux}", "app.yaml:3:3: image: is missing", "name the image of this platform: image: registry.example/app:1.0-amd64"},
		{"an entry that is a name", "image: a:1\nmanifests:\n- b:1", "app.yaml:3:3: expected a mapping (key: value)", "write image: before it"},
		{"a list of specs", "- image: a:1", "app.yaml:1:1: expected a mapping (key: value)", "write one spec for each document, with --- between them"},
		{"a text", "hello", "app.yaml:1:1: expected a mapping (key: value)", "a spec has image: and manifests:"},
		{"a platform in one word", "image: a:1\nmanifests:\n- image: b\n  platform: linux/arm/v6", "app.yaml:4:13: expected a mapping (key: value)", "write platform: {os: linux, architecture: arm, variant: v6}"},
		{"one tag without a list", one("tags: 1.0"), "app.yaml:3:7: expected a list", `write ["1.0"]`},
		{"a mapping of tags", one("tags: {a: b}"), "app.yaml:3:7: expected a list", "write [a, b], or a line with - for each"},
		{"a list of annotations", one("annotations: [a=b]"), "app.yaml:3:14: expected a mapping (key: value)", "write KEY: VALUE, one a line, indented below it"},
		{"a list for a value", one("annotations: {a: [b]}"), "app.yaml:3:18: expected a single value", "write one value, without [ ] or { }"},
		{"a key twice", one("tags: [a]", "tags: [b]"), `app.yaml:4:1: "tags" is given twice, first on line 3`, "keep one of them"},
		{"an unknown key twice", one("x: a", "x: b"), `app.yaml:4:1: "x" is given twice, first on line 3`, "keep one of them"},
		{"a platform's key twice", platform("os: a\n    os: b"), `app.yaml:6:5: "os" is given twice, first on line 5`, "keep one of them"},
		{"a tag with a repository", one("tags: [a/b:1]"), `app.yaml:3:8: "a/b:1" is no tag`, "write the tag alone, without a repository: letters, digits, _ . and -"},
		{"an empty tag", one(`tags: [""]`), `app.yaml:3:8: "" is no tag`, "write the tag alone, without a repository: letters, digits, _ . and -"},
		{"an image in capitals", "image: a:1\nmanifests: [{image: B}]", `app.yaml:2:21: "B" names no image: invalid reference format: repository name (library/B) must be lowercase`, "write [REGISTRY/]REPOSITORY[:TAG], in lower case"},
		{"an empty image", "image: a:1\nmanifests: [{image: ''}]", `app.yaml:2:21: the name of an image is empty`, "write [REGISTRY/]REPOSITORY[:TAG]"},
		{"a target without any tag", "image: r.example/a\nmanifests: [{image: b}]", `app.yaml:1:8: image "r.example/a" has no tag, and there are no further tags`, "write r.example/a:latest, if that is meant"},
		{"a target that a variable names", "image: r.example/a${EMPTY}\nmanifests: [{image: b}]", `app.yaml:1:8: image "r.example/a${EMPTY}" has no tag, and there are no further tags`, "write REPOSITORY:TAG"},
		{"a target by digest", "image: a@sha256:" + strings.Repeat("a", 64) + "\nmanifests: [{image: b}]", `app.yaml:1:8: image "a@sha256:` + strings.Repeat("a", 64) + `" has a digest, which is only known when the index is made`, "name a tag: a:1.0"},
		{"a variable that is not set", one("annotations:\n  a: ${NOPE}"), "app.yaml:4:6: the variable NOPE is not set", "set NOPE in the environment (empty will do), or write $${NOPE} for the text itself"},
		{"a default value", one("annotations:\n  a: ${NOPE:-x}"), `app.yaml:4:6: "${NOPE:-x}" is no variable`, "write ${NAME} for a variable of the environment, $${ for the text ${"},
		{"an open brace", one("annotations:\n  a: ${NOPE"), `app.yaml:4:6: "${NOPE" is no variable`, "write ${NAME} for a variable of the environment, $${ for the text ${"},
		{"a value that a variable makes bad is not shown", "image: a:1\nmanifests: [{image: \"B${VERSION}\"}]", `app.yaml:2:21: "B${VERSION}" names no image`, "write [REGISTRY/]REPOSITORY[:TAG], in lower case"},
		{"a merge of a text", "image: a:1\nmanifests: [{image: b, <<: c}]", "app.yaml:2:28: << merges mappings only", "write <<: *NAME, where &NAME is before a mapping"},
		{"a merge of itself", "image: a:1\nmanifests: [&a {image: b, <<: *a}]", "app.yaml:2:31: a mapping merges itself", "write the keys out"},
		{"a list of itself", "image: a:1\nmanifests: &a [*a]", "app.yaml:2:16: expected a mapping (key: value)", "write KEY: VALUE, one a line, indented below it"},
		{"a tag that does not fit", one("tags: [!!int x]"), "app.yaml:3:8: cannot decode !!str `x` as a !!int", "remove the tag (!!…), or write a value that fits it"},
		{"an anchor that is not there", "image: *x", "app.yaml: no valid YAML: unknown anchor 'x' referenced", syntaxHint},
		{"a tab", "image: a:1\nmanifests:\n\t- image: b", "app.yaml:3: no valid YAML: found character that cannot start any token", syntaxHint},
		{"an open bracket", "image: a:1\ntags: [a, b\nmanifests: []\n", "app.yaml:2: no valid YAML: did not find expected ',' or ']'", syntaxHint},
		{"a colon too many, on the first line", "image: a: b", "app.yaml:1: no valid YAML: mapping values are not allowed in this context", syntaxHint},
		{"a later document", one() + "---\nimage: b:1\n", "app.yaml:5:1: manifests: is missing", "name what the index is made of: manifests: [{image: registry.example/app:1.0-amd64}]"},
	} {
		specs, _, err := parse(c.source)
		if err == nil || specs != nil {
			t.Errorf("%s: no error", c.problem)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.problem, err, c.want)
		}
		var known *spec.Error
		if !errors.As(err, &known) || known.Hint() != c.hint {
			t.Errorf("%s: hint %q, want %q", c.problem, known.Hint(), c.hint)
		}
	}
}

const syntaxHint = "look at this line and the next: indent with spaces only, close every bracket and quote, quote what begins with @ % * & or {"

func TestAllErrorsAreTold(t *testing.T) {
	_, _, err := parse("image: A\ntags: [a/b]\nmanifests: [{}, {image: C}]\n")
	if got := strings.Count(err.Error(), "\n") + 1; got != 4 {
		t.Errorf("%d errors: %v", got, err)
	}
	_, _, err = spec.Parse(nil, spec.Options{Name: "-"})
	if err == nil || err.Error() != "standard input: the file holds no spec" {
		t.Error(err)
	}
	_, _, err = spec.Parse([]byte(one("tags: [\"${X}\"]")), spec.Options{})
	if err == nil || !strings.Contains(err.Error(), "the variable X is not set") {
		t.Errorf("without an environment: %v", err)
	}
}

func TestHostileFilesCostLittle(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	huge := func(name string) (string, bool) { return strings.Repeat("x", 1<<20), true }
	for _, c := range []struct{ attack, source, want string }{
		{"a large file", one() + many("#", 1<<20), "the file is larger than 1 MB"},
		{"deep lists", many("[", 1<<20), "exceeded max depth"},
		{"deep lists in lines", many("- ", 1<<19), "exceeded max depth"},
		{"deep mappings", "image: a:1\nmanifests: " + many("{a: ", 1<<17), "exceeded max depth"},
		{"many errors", "image: a:1\nmanifests: [" + many("{},", 300_000) + "]", "image: is missing"},
		{"many keys twice", many("a: b\n", 200_000), "is given twice"},
		{"lists of aliases", "image: a:1\nx: &x {image: b}\nmanifests: [" + many("*x,", 300_000) + "]", "more than 200000 values"},
		{"merges of merges", "image: a:1\na: &a {image: x}\nb: &b {<<: [" + many("*a,", 1000) + "]}\nc: &c {<<: [" + many("*b,", 1000) + "]}\nmanifests: [{<<: [" + many("*c,", 1000) + "]}]", "more than 200000 values"},
		{"a long text many times", "image: a:1\nmanifests: [{image: b}]\nannotations:\n  x: &x " + many("x", 500_000) + "\n" + annotationsOf("*x", 5000), "more than 8 MB of text"},
		{"a long variable many times", one("annotations: {a: \"" + many("${X}", 10_000) + "\"}"), "more than 8 MB of text"},
		{"many documents", many("--- a\n", 170_000), "expected a mapping"},
		{"many comments", one() + many("x: # a\n# b\n", 20_000), "is given twice"},
	} {
		begin := time.Now()
		_, warnings, err := spec.Parse([]byte(c.source), spec.Options{Name: "app.yaml", Env: huge})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.200v, want %s", c.attack, err, c.want)
		}
		if spent := time.Since(begin); spent > 5*time.Second {
			t.Errorf("%s: took %v", c.attack, spent)
		}
		if err != nil && len(err.Error())+len(warnings) > 50_000 {
			t.Errorf("%s: %d bytes of errors, %d warnings", c.attack, len(err.Error()), len(warnings))
		}
	}
	_, warnings, err := parse(one(many("os.version: \n", 1)) + distinct(50_000))
	if err != nil || len(warnings) > 50 {
		t.Errorf("many unknown keys: %d warnings, %v", len(warnings), err)
	}
}

func annotationsOf(value string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("  k" + strings.Repeat("i", i%7) + string(rune('a'+i%26)) + time.Duration(i).String() + ": " + value + "\n")
	}
	return b.String()
}

func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("k" + time.Duration(i).String() + ": x\n")
	}
	return b.String()
}
