package template_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/template"
)

func TestErrorsShowTheLine(t *testing.T) {
	for _, row := range []struct{ name, source, want, hint string }{
		{"an unknown instruction", "FROM a\n\nRUNN x\r\n", "Dockerfile:3: unknown instruction: RUNN (did you mean RUN?)\n    RUNN x", "correct line 3"},
		{"an unknown flag", "FROM a\nCOPY --form=b \\\n c d\n", "Dockerfile:2: unknown flag: --form (did you mean from?)\n    COPY --form=b \\", "line 2"},
		{"ADD knows no --from", "FROM a\nADD --from=b c d\n", "Dockerfile:2: unknown flag: --from\n    ADD --from=b c d", "line 2"},
		{"a variable in a mount", "FROM a\nRUN --mount=from=$X,target=/x y\n", "'from' doesn't support variable expansion", "line 2"},
		{"no FROM", "ARG X\n", "no FROM", "at least one FROM"},
		{"an instruction before FROM", "RUN x\nFROM a\n", "Dockerfile:1: no build stage in current context\n    RUN x", "line 1"},
		{"an empty file", "", "file with no instructions", "at least one FROM"},
		{"only comments", "# a\n# b\n", "file with no instructions", ""},
		{"an unterminated heredoc", "FROM a\nRUN <<EOF\nx\n", "Dockerfile:2: unterminated heredoc\n    RUN <<EOF", "line 2"},
		{"a directive twice", "# escape=`\n# escape=`\nFROM a\n", "Dockerfile:2: only one escape parser directive can be used\n    # escape=`", "line 2"},
		{"a wrong escape", "# escape=x\nFROM a\n", "Dockerfile:1: invalid escape token", "line 1"},
		{"a bad stage name", "FROM a AS 1\n", "Dockerfile:1: invalid name for build stage", "line 1"},
		{"another frontend", "// syntax=mine/own:1\nfunc main() {}\n", "unknown instruction", "mine/own:1"},
		{"another frontend says what to do", "# syntax=hashicorp/packer:1\n{\n}\n", "Dockerfile:2: unknown instruction: {", "docker buildx build"},
		{"Docker's own frontend is no other", "# syntax=docker/dockerfile:1\nFROM a\nRUNN x\n", "unknown instruction", "correct line 3"},
		{"something else", "hello\n", "Dockerfile:1: unknown instruction", "begin with FROM"},
		{"no FROM but a RUN", "ARG X\nRUN x\n", "Dockerfile:2: no build stage", "begin with FROM: line 2"},
		{"control characters", "FROM a\n\x1b[31mRUN\n", `Dockerfile:2: unknown instruction: \u001b[31mRUN`, "line 2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := template.Parse("Dockerfile", []byte(row.source))
			var syntax *template.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%v is no *SyntaxError", err)
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("%q lacks %q", err, row.want)
			}
			if !strings.Contains(syntax.Hint(), row.hint) {
				t.Errorf("hint %q lacks %q", syntax.Hint(), row.hint)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	for _, row := range []struct {
		name, source string
		limits       template.Limits
		want         string
	}{
		{"5 MB", "FROM a\n" + strings.Repeat("#\n", 5<<19), template.Limits{}, "Dockerfile: more than 4194304 bytes"},
		{"10,001 instructions", strings.Repeat("FROM a\n", 10_001), template.Limits{}, "Dockerfile:10001: more than 10000 instructions"},
		{"more than a raised limit", strings.Repeat("FROM a\n", 12_001), template.Limits{Instructions: 12_000}, "Dockerfile:12001: more than 12000 instructions"},
		{"a line of 65,536 bytes", "FROM a\nRUN " + strings.Repeat("x", 65_532) + "\n", template.Limits{}, "Dockerfile:2: more than 65535 bytes in one line"},
		{"100,001 lines", "FROM a\nRUN x \\\n" + strings.Repeat("\\\n", 99_999) + "y\n", template.Limits{}, "Dockerfile:100001: more than 100000 lines"},
		{"lines in a heredoc", "FROM a\nRUN <<E\nx\nx\nE\n", template.Limits{Lines: 4}, "Dockerfile:5: more than 4 lines"},
		{"a comment of 65,536 bytes", "#" + strings.Repeat("x", 65_535), template.Limits{}, "Dockerfile:1: more than 65535 bytes in one line"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := template.ParseLimited("Dockerfile", []byte(row.source), row.limits)
			var limit *template.LimitError
			if !errors.As(err, &limit) || err.Error() != row.want || limit.Hint() == "" {
				t.Errorf("%v is not %q", err, row.want)
			}
		})
	}
	for name, source := range map[string]string{
		"a heredoc is one instruction":        "FROM a\nRUN <<E\n" + strings.Repeat("x\n", 20_000) + "E\n",
		"10,000 instructions":                 strings.Repeat("FROM a\n", 10_000),
		"a line of 65,535 bytes":              "FROM a\nRUN " + strings.Repeat("x", 65_531) + "\n",
		"a last line of 65,535 bytes":         "FROM a\nRUN " + strings.Repeat("x", 65_531),
		"a long instruction of short lines":   "FROM a\nRUN " + strings.Repeat(strings.Repeat("x", 60_000)+"\\\n", 50) + "y\n",
		"a line of 65,535 bytes and its CRLF": "FROM a\nRUN " + strings.Repeat("x", 65_530) + "\r\n",
	} {
		if _, err := template.Parse("Dockerfile", []byte(source)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
