package rewrite_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

func parse(t *testing.T, source string) *template.Template {
	t.Helper()
	parsed, err := template.Parse("Dockerfile", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// external replaces every image reference by NEW.
func external(t *template.Template) (list []rewrite.Replacement) {
	for i, r := range t.References {
		if r.Kind == template.External || r.Kind == template.Variable {
			list = append(list, rewrite.Replacement{Reference: i, New: "new/x:9", Rule: "test"})
		}
	}
	return list
}

func TestDockerfile(t *testing.T) {
	for _, row := range []struct{ name, source, want string }{
		{"a plain FROM", "FROM debian:12 AS x\n", "FROM new/x:9 AS x\n"},
		{"everything else stays", "\ufeff# syntax=a\r\n from  debian\tas x \r\n\r\n# FROM y\nRUN caf\xe9\\\n\n # c\nz",
			"\ufeff# syntax=a\r\n from  new/x:9\tas x \r\n\r\n# FROM y\nRUN caf\xe9\\\n\n # c\nz"},
		{"quotes stay", "FROM \"debian\"\nCOPY --from='nginx' a b\nCOPY \"--from=c\" d\n", "FROM \"new/x:9\"\nCOPY --from='new/x:9' a b\nCOPY \"--from=c\" d\n"},
		{"quotes inside a FROM go", "FROM \"debian\":12 AS x\n", "FROM new/x:9 AS x\n"},
		{"quotes inside a flag are balanced", "FROM new/x:9\nCOPY --from=\"nginx\":1 a b\nCOPY --from=ng\"inx\" a b\nCOPY --\"from=ng\"'inx' a b\n",
			"FROM new/x:9\nCOPY --from=\"new/x:9\" a b\nCOPY --from=new/x:9\"\" a b\nCOPY --\"from=new/x:9\"'' a b\n"},
		{"line count stays", "FROM deb\\\r\n# c\r\n\r\nian AS x\r\nRUN y\r\n", "FROM \\\r\n# c\r\n\r\nnew/x:9 AS x\r\nRUN y\r\n"},
		{"line count stays at the end", "FROM \\\ndeb\\ \n\\\nian", "FROM \\\n\\ \n\\\nnew/x:9"},
		{"escape=`", "# escape=`\nFROM deb`\nian\n", "# escape=`\nFROM `\nnew/x:9\n"},
		{"mounts keep their form", "FROM new/x:9\nRUN --mount=from=b,target=/x --mount='type=bind,\"from=c\",target=/y' z\n",
			"FROM new/x:9\nRUN --mount=from=new/x:9,target=/x --mount='type=bind,\"from=new/x:9\",target=/y' z\n"},
		{"a continuation inside a mount", "FROM new/x:9\nRUN --mount=from=b\\\n:1,target=/x z\n", "FROM new/x:9\nRUN --mount=from=\\\nnew/x:9,target=/x z\n"},
		{"stages and numbers stay", "FROM maven AS maven\nFROM maven\nCOPY --from=0 a b\nCOPY --from=MAVEN a b\nRUN --mount=from=maven,target=/x y\n",
			"FROM new/x:9 AS maven\nFROM maven\nCOPY --from=0 a b\nCOPY --from=MAVEN a b\nRUN --mount=from=maven,target=/x y\n"},
		{"variables in FROM", "ARG V=1\nFROM a:${V:-x:1} AS b\nFROM \"$V\"\n", "ARG V=1\nFROM new/x:9 AS b\nFROM \"new/x:9\"\n"},
		{"heredocs stay", "FROM a\nRUN <<EOF\nFROM a\nEOF\n", "FROM new/x:9\nRUN <<EOF\nFROM a\nEOF\n"},
		{"ONBUILD", "FROM a\nONBUILD COPY --from=a b c\nonbuild run --mount=from=a,target=/x y\n",
			"FROM new/x:9\nONBUILD COPY --from=new/x:9 b c\nonbuild run --mount=from=new/x:9,target=/x y\n"},
		{"several in one instruction", "FROM a\nRUN --mount=from=b,target=/b --mount=target=/c,from=c:1 y\n",
			"FROM new/x:9\nRUN --mount=from=new/x:9,target=/b --mount=target=/c,from=new/x:9 y\n"},
		{"no final newline", "FROM a", "FROM new/x:9"},
	} {
		t.Run(row.name, func(t *testing.T) {
			parsed := parse(t, row.source)
			out, err := rewrite.Dockerfile(parsed, external(parsed))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, string(out.Bytes)); diff != "" {
				t.Error(diff)
			}
			again, err := rewrite.Dockerfile(parse(t, string(out.Bytes)), external(parsed))
			if err != nil || len(again.Edits) > 0 {
				t.Errorf("the second pass makes edits: %v %v", again.Edits, err)
			}
		})
	}
}

func TestEditsAreData(t *testing.T) {
	parsed := parse(t, "# c\nFROM debian:12\n")
	out, err := rewrite.Dockerfile(parsed, []rewrite.Replacement{{Reference: 0, New: "arm64v8/debian:12", Rule: "official prefix"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(out.Edits)
	want := `[{"line":2,"where":"FROM","old":"debian:12","new":"arm64v8/debian:12","rule":"official prefix","span":{"start":9,"end":18}}]`
	if err != nil || string(got) != want {
		t.Errorf("%s %v", got, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, row := range []struct {
		name, source string
		replacement  rewrite.Replacement
		want         string
	}{
		{"text that is no image", "FROM a\n", rewrite.Replacement{New: "a b"}, "invalid reference format"},
		{"a variable", "FROM a\n", rewrite.Replacement{New: "$X"}, "invalid reference format"},
		{"a second line", "FROM a\n", rewrite.Replacement{New: "a\nRUN x"}, "invalid reference format"},
		{"a stage", "FROM a AS x\nFROM x\n", rewrite.Replacement{Reference: 1, New: "b"}, "it names a stage"},
		{"an index that is none", "FROM a\n", rewrite.Replacement{Reference: 7, New: "b"}, "no reference 7"},
		{"an image named like a stage", "FROM a AS x\nFROM b\n", rewrite.Replacement{Reference: 1, New: "x"}, `"x" is the name of a stage`},
		{"an image that a later FROM would take for a stage number", "FROM a\nCOPY --from=b c d\n", rewrite.Replacement{Reference: 1, New: "0"}, `"0" is the name of a stage`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := rewrite.Dockerfile(parse(t, row.source), []rewrite.Replacement{row.replacement})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("%v lacks %q", err, row.want)
			}
			var hint interface{ Hint() string }
			if !errors.As(err, &hint) || hint.Hint() == "" {
				t.Errorf("no hint in %T", err)
			}
		})
	}
	twice := []rewrite.Replacement{{New: "b"}, {New: "c"}}
	if _, err := rewrite.Dockerfile(parse(t, "FROM a\n"), twice); err == nil || !strings.Contains(err.Error(), "replaced twice") {
		t.Errorf("replacing twice: %v", err)
	}
}

func TestALineMayNotGetTooLongForBuildKit(t *testing.T) {
	mount := "RUN --mount=from=b,target=/x "
	parsed := parse(t, "FROM a\n"+mount+strings.Repeat("x", 65535-len(mount))+"\n")
	if _, err := rewrite.Dockerfile(parsed, []rewrite.Replacement{{Reference: 1, New: "c"}}); err != nil {
		t.Error(err)
	}
	var proof *rewrite.ProofError
	if _, err := rewrite.Dockerfile(parsed, []rewrite.Replacement{{Reference: 1, New: "cc"}}); !errors.As(err, &proof) {
		t.Errorf("got %v", err)
	}
}

func TestNames(t *testing.T) {
	if got := rewrite.DockerignoreName(rewrite.Name("build/Dockerfile", "arm-v7")); got != "build/Dockerfile.arm-v7.dockerignore" {
		t.Error(got)
	}
}
