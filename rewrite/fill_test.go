package rewrite_test

import (
	"bytes"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

func TestEditsOfAFilledTemplateAccountForEveryByte(t *testing.T) {
	const source = "ARG X=%%BALENA_ARCH%%\nFROM balenalib/%%BALENA_ARCH%%-debian AS a\r\nRUN get %%BALENA_ARCH%% %%BALENA_ARCH%%\n" +
		"# %%BALENA_ARCH%%\nFROM debian\nCOPY --from=a --chown=%%BALENA_ARCH%% /%%BALENA_ARCH%% \\\n /\nFROM debian\nENV A=%%BALENA_ARCH%%"
	parsed, err := template.Parse("Dockerfile.template", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	env := template.Env{Target: platform.MustParse("arm64"), Build: platform.MustParse("amd64")}
	out, err := rewrite.Template(parsed, parsed.Fillings(env), []rewrite.Replacement{
		{Reference: 0, New: "balenalib/aarch64-debian", Rule: "placeholder"},
		{Reference: 3, New: "arm64v8/debian", Rule: "rule"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	at := 0
	for _, e := range out.Edits {
		if got := source[e.Span.Start:e.Span.End]; got != e.Old {
			t.Errorf("%+v replaces %q", e, got)
		}
		if line := 1 + bytes.Count([]byte(source[:e.Span.Start]), []byte("\n")); line != e.Line {
			t.Errorf("%+v is in line %d", e, line)
		}
		want = append(append(want, source[at:e.Span.Start]...), e.New...)
		at = e.Span.End
	}
	want = append(want, source[at:]...)
	if !bytes.Equal(want, out.Bytes) || len(out.Edits) != 8 || bytes.Count(out.Bytes, []byte("%%")) != 2 {
		t.Errorf("%d edits account for\n%s\nand the result is\n%s", len(out.Edits), want, out.Bytes)
	}
	same, err := rewrite.Template(parsed, nil, nil)
	if err != nil || string(same.Bytes) != source {
		t.Errorf("%s, %v", same.Bytes, err)
	}
}
