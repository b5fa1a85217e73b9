package rewrite_test

import (
	"errors"
	"os"
	"testing"

	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
	"github.com/google/go-cmp/cmp"
)

func TestIDsAreGivenToCacheMountsAndNothingElseChanges(t *testing.T) {
	for _, row := range []struct {
		name, source, want string
	}{
		{"behind the type", "FROM a\nRUN --mount=type=cache,target=/c x\n", "FROM a\nRUN --mount=type=cache,id=ID,target=/c x\n"},
		{"at the end", "FROM a\nRUN --mount=target=/c,type=cache x", "FROM a\nRUN --mount=target=/c,type=cache,id=ID x"},
		{"in the place of an empty id", "FROM a\nRUN --mount=type=cache,ID=,target=/c x\n", "FROM a\nRUN --mount=type=cache,ID=ID,target=/c x\n"},
		{"inside quotes", "FROM a\nRUN --mount=\"type=cache,target=/c\" x\n", "FROM a\nRUN --mount=\"type=cache,id=ID,target=/c\" x\n"},
		{"in any case of letters", "from a\nrun --mount=TYPE=Cache,dst=/c x\n", "from a\nrun --mount=TYPE=Cache,id=ID,dst=/c x\n"},
		{"on continued lines", "FROM a\r\nRUN --mount=type=cache,target=/c \\\r\n # c\r\n  --mount=type=cache,\\\r\ntarget=/d x\r\n", "FROM a\r\nRUN --mount=type=cache,id=ID,target=/c \\\r\n # c\r\n  --mount=type=cache,id=ID,\\\r\ntarget=/d x\r\n"},
		{"beside another escape character and a heredoc", "# escape=`\nFROM a\nRUN --mount=type=cache,target=/c <<E `\n y\nRUN --mount=type=cache,target=/c\nE\n", "# escape=`\nFROM a\nRUN --mount=type=cache,id=ID,target=/c <<E `\n y\nRUN --mount=type=cache,target=/c\nE\n"},
		{"beside a reference", "FROM a\nRUN --mount=from=b,target=/b --mount=type=cache,from=b,target=/c x\n", "FROM a\nRUN --mount=from=new,target=/b --mount=type=cache,id=ID,from=new,target=/c x\n"},
		{"to the mount whose last type is cache", "FROM a\nRUN --mount=type=bind,type=cache,target=/c --mount=type=cache,type=tmpfs,target=/d x\n", "FROM a\nRUN --mount=type=bind,type=cache,id=ID,target=/c --mount=type=cache,type=tmpfs,target=/d x\n"},
		{"not to one in the command", "FROM a\nRUN x --mount=type=cache,target=/c\n", "FROM a\nRUN x --mount=type=cache,target=/c\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			parsed := parse(t, row.source)
			var list []rewrite.Replacement
			for _, r := range parsed.References {
				if r.Text == "b" {
					list = append(list, rewrite.Replacement{Reference: len(list) + 1, New: "new"})
				}
			}
			out, err := rewrite.Dockerfile(parsed, list)
			if err != nil {
				t.Fatal(err)
			}
			out, err = rewrite.CacheIDs(parsed, out, idsFor(parsed))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, string(out.Bytes)); diff != "" {
				t.Error(diff)
			}
			account(t, []byte(row.source), out)
		})
	}
}

func TestAnIDThatWouldMeanSomethingElseIsRefused(t *testing.T) {
	for _, id := range []string{"a b", "a,target=/x", "a\nRUN b", `"`, "x\\"} {
		parsed := parse(t, "FROM a\nRUN --mount=type=cache,target=/c x\n")
		out, _ := rewrite.Dockerfile(parsed, nil)
		var failed *rewrite.ProofError
		if out, err := rewrite.CacheIDs(parsed, out, []rewrite.CacheID{{ID: id}}); !errors.As(err, &failed) {
			t.Errorf("%q becomes %q, %v", id, out.Bytes, err)
		}
	}
}

func TestMountsThatCannotBeEditedSaySo(t *testing.T) {
	parsed := parse(t, "FROM a\nRUN --mount=type=ca\\\nche,target=/c x\nRUN --mount='\"type=cache\",target=/d' x\nONBUILD RUN --mount=type=cache,target=/e x\n")
	var got []bool
	for _, m := range parsed.CacheMounts() {
		got = append(got, m.Span == template.Span{} || m.Onbuild)
	}
	if diff := cmp.Diff([]bool{true, true, true}, got); diff != "" {
		t.Error(diff)
	}
}

// idsFor gives an id to every mount that has none.
func idsFor(t *template.Template) []rewrite.CacheID {
	var ids []rewrite.CacheID
	for i, m := range t.CacheMounts() {
		if m.ID == "" && m.Span != (template.Span{}) && !m.Onbuild {
			ids = append(ids, rewrite.CacheID{Mount: i, ID: "ID"})
		}
	}
	return ids
}

// FuzzCacheIDs holds that a mount which says where an id can be put takes one, and
// that a second pass finds nothing to do.
func FuzzCacheIDs(f *testing.F) {
	for _, seed := range append(seeds,
		"FROM a\nRUN --mount=type=cache,target=/c --mount='TYPE=cache,\"dst=/d\",id=' x\n",
		"FROM a\nRUN --mount=\"type=cache\"\\\n,target=/c --mount=type=ca'ch'e,target=/c,id=x\"\" x\n",
	) {
		f.Add([]byte(seed))
	}
	os.Stderr, _ = os.Open(os.DevNull)
	f.Fuzz(func(t *testing.T, source []byte) {
		parsed, err := template.Parse("Dockerfile", source)
		if err != nil {
			return
		}
		same, err := rewrite.Dockerfile(parsed, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := rewrite.CacheIDs(parsed, same, idsFor(parsed))
		if err != nil {
			var limit *template.LimitError
			if !errors.As(err, &limit) {
				t.Fatal(err)
			}
			return
		}
		account(t, source, out)
		if again := parse(t, string(out.Bytes)); len(idsFor(again)) > 0 {
			t.Fatalf("%q takes more ids", out.Bytes)
		}
	})
}
