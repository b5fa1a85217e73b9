package template_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
	"github.com/google/go-cmp/cmp"
)

func TestRulesInComments(t *testing.T) {
	for _, row := range []struct {
		name, source string
		want         []string
	}{
		{"dapper's comment is below its FROM", "FROM ubuntu:bionic\n# FROM arm64=arm64v8/ubuntu:bionic arm=skip\nRUN x\n",
			[]string{"0 linux/arm64=arm64v8/ubuntu:bionic, line 2 dapper", "0 linux/arm=skip, line 2 dapper"}},
		{"with CRLF and blank lines", "FROM a\r\n\r\n# FROM arm64=b\r\n", []string{"0 linux/arm64=b, line 3 dapper"}},
		{"each FROM has its own", "FROM a AS x\n# FROM arm64=b\nFROM c\nRUN y\n# FROM arm64=d\n", []string{"0 linux/arm64=b, line 2 dapper", "1 linux/arm64=d, line 5 dapper"}},
		{"only architectures of Go are keys", "FROM a\n# FROM --platform=linux/arm64 b AS c=d\n# FROM aarch64=b armhf=c\n", nil},
		{"a comment above the first FROM belongs to none", "# FROM arm64=b\nFROM a\n", nil},
		{"dapper wants it at the beginning of the line", "FROM a\n  # FROM arm64=b\n#FROM arm64=b\n", nil},
		{"comments in a continuation or a heredoc are none", "FROM a\nRUN x \\\n# FROM arm64=b\n y\nRUN <<E\n# FROM arm64=b\nE\n", nil},
		{"archbuild's comment is above its FROM", "FROM a AS x\n# archbuild: linux/arm64=b:1 linux/arm/v7=c s390x=skip\n\nFROM d\n",
			[]string{"1 linux/arm64=b:1, line 2 archbuild", "1 linux/arm/v7=c, line 2 archbuild", "1 linux/s390x=skip, line 2 archbuild"}},
		{"on the first line, below a directive, without a blank", "#archbuild: arm64=b\nFROM a\n", []string{"0 linux/arm64=b, line 1 archbuild"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, r := range mustParse(t, row.source).Rules {
				if r.Problem != nil {
					t.Error(r.Problem)
				}
				to := r.New
				if r.Skip {
					to = "skip"
				}
				got = append(got, fmt.Sprintf("%d %s=%s, line %d %s", r.Reference, r.Platform, to, r.Line, r.Source))
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRulesThatCannotBeUsed(t *testing.T) {
	for _, row := range []struct{ name, source, message, hint string }{
		{"a bad reference", "FROM a AS b\n# archbuild: linux/arm64=Debian:12\nFROM c\n", "Dockerfile:2: \"Debian:12\" names no image\n    # archbuild: linux/arm64=Debian:12", "name:tag, or skip"},
		{"an unknown platform", "# archbuild: linux/amr64=debian\nFROM c\n", "Dockerfile:1: unknown platform \"linux/amr64\"", "did you mean"},
		{"no rule at all", "# archbuild:\nFROM c\n", "Dockerfile:1: this comment has no rule", "linux/arm64=IMAGE"},
		{"a word that is no rule", "# archbuild: linux/arm64\nFROM c\n", `Dockerfile:1: "linux/arm64" is no rule`, "linux/arm64=IMAGE"},
		{"a comment far from its FROM", "# archbuild: linux/arm64=b\nARG X\nFROM c\n", "Dockerfile:1: no FROM follows this comment", "above its FROM"},
		{"a comment after the last FROM", "FROM c\n# archbuild: linux/arm64=b\n", "Dockerfile:2: no FROM follows", "above its FROM"},
		{"two rules that fight", "# archbuild: linux/arm64=a\n# archbuild: arm64=b\nFROM c\n", "Dockerfile:2: line 1 has another rule for linux/arm64", "keep one"},
		{"a stage's name", "FROM c AS d\n# archbuild: linux/arm64=b\nFROM d\n", "Dockerfile:2: the FROM below this comment names a stage", "FROM of that stage"},
		{"a bad reference of dapper", "FROM a\n# FROM arm64=$X\n", `Dockerfile:2: "$X" names no image`, "name:tag"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var found []error
			for _, r := range mustParse(t, row.source).Rules {
				if r.Problem != nil {
					found = append(found, r.Problem)
					if !strings.Contains(r.Problem.Hint(), row.hint) {
						t.Errorf("hint %q", r.Problem.Hint())
					}
				}
			}
			if err := errors.Join(found...); err == nil || !strings.Contains(err.Error(), row.message) {
				t.Errorf("%v lacks %q", err, row.message)
			}
		})
	}
}

func TestRulesDecideWhatAFromStandsFor(t *testing.T) {
	for _, row := range []struct{ name, source, want string }{
		{"another image", "FROM ubuntu:18.04\n# FROM arm64=arm64v8/ubuntu:18.04\n", "arm64v8/ubuntu:18.04 for ubuntu:18.04 by Dockerfile:2 comment"},
		{"the image that is there", "FROM ubuntu:18.04\n# FROM arm64=ubuntu:18.04\n", "ubuntu:18.04 by Dockerfile:2 comment"},
		{"another platform's rule", "FROM ubuntu:18.04\n# FROM arm=x\n", "ubuntu:18.04"},
		{"in place of an argument without a value", "ARG BASE\n# archbuild: linux/arm64=debian:12\nFROM ${BASE}\n", "debian:12 for ${BASE} by Dockerfile:2 comment"},
		{"in place of scratch", "# archbuild: linux/arm64=debian:12\nFROM scratch\n", "debian:12 for scratch by Dockerfile:1 comment"},
		{"for the platform that the FROM says", "# archbuild: linux/arm64=a linux/amd64=b\nFROM --platform=$BUILDPLATFORM debian\n", "b for debian by Dockerfile:1 comment"},
		{"the platform is left out", "FROM ubuntu:18.04\n# FROM arm64=skip\n", "skip ubuntu:18.04 by Dockerfile:2 comment"},
		{"a stage stays", "ARG S=s\nFROM debian AS s\nFROM $S\n# FROM arm64=x\n", "debian s"},
	} {
		uses, err := mustParse(t, row.source).Uses(envs[0])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range uses {
			text := u.Image
			if u.Skip {
				text = "skip " + text
			}
			if u.Written != "" {
				text += " for " + u.Written
			}
			if u.Rule != "" {
				text += " by " + u.Rule
			}
			if got = append(got, text); u.Problem != nil {
				t.Errorf("%s: %v", row.name, u.Problem)
			}
		}
		if diff := cmp.Diff(row.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

func TestRuleFor(t *testing.T) {
	parsed := mustParse(t, "# archbuild: linux/arm/v7=exact\nFROM a\n# FROM arm=any arm=second amd64=x\n")
	for name, want := range map[string]string{"linux/arm/v7": "exact", "linux/arm/v6": "any", "linux/amd64": "x", "linux/amd64/v3": "x", "windows/amd64": "", "linux/arm64": ""} {
		if rule, _ := parsed.RuleFor(0, platform.MustParse(name)); rule.New != want {
			t.Errorf("%s: %q, want %q", name, rule.New, want)
		}
	}
}

func TestPlaceholdersOfBalena(t *testing.T) {
	const file = `FROM --platform=$BUILDPLATFORM balenalib/%%BALENA_ARCH%%-golang AS b
RUN curl https://example.com/%%BALENA_ARCH%% %%OTHER%%
# %%BALENA_ARCH%%
FROM balenalib/%%RESIN_MACHINE_NAME%%-debian:%%V%%
COPY --from=x/%%BALENA_ARCH%% a \
  %%LAST%%
`
	parsed := mustParse(t, file)
	env := template.Env{Build: platform.MustParse("amd64"), Args: map[string]string{"V": "12"}}
	for name, want := range map[string]string{
		"arm64":        "balenalib/amd64-golang balenalib/aarch64-debian:12 guessed x/aarch64",
		"linux/arm/v7": "balenalib/amd64-golang balenalib/armv7hf-debian:12 guessed x/armv7hf",
		"linux/arm/v6": "balenalib/amd64-golang balenalib/rpi-debian:12 guessed x/rpi",
		"386":          "balenalib/amd64-golang balenalib/i386-debian:12 guessed x/i386",
	} {
		env.Target = platform.MustParse(name)
		var got []string
		uses, err := parsed.Uses(env)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range uses {
			if got = append(got, u.Image); u.Guessed {
				got = append(got, "guessed")
			}
			if u.Kind != template.External || u.Problem != nil || !strings.Contains(u.Written, "%%") {
				t.Errorf("%+v", u)
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Error(diff)
		}
	}
	env.Target = platform.MustParse("s390x")
	if uses, _ := parsed.Uses(env); uses[2].Problem == nil || uses[2].Problem.Line != 5 {
		t.Errorf("%+v", uses[2])
	}
	var got []string
	for _, p := range parsed.Placeholders {
		got = append(got, fmt.Sprintf("%d %s %s", p.Line, p.Where, p.Name))
	}
	want := []string{"2 RUN BALENA_ARCH", "2 RUN OTHER", "6 COPY LAST"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlaceholdersOutsideOfReferencesAreFilledIn(t *testing.T) {
	const base = "FROM balenalib/%%BALENA_ARCH%%-debian\n"
	for _, row := range []struct{ name, file, arg, source, want string }{
		{"in an instruction, of a file that has one in FROM", "Dockerfile", "", base + "RUN get-%%BALENA_ARCH%%\n", base + "RUN get-aarch64\n"},
		{"in a file of that name", "Dockerfile.template", "", "FROM a\nENV M=%%RESIN_MACHINE_NAME%% \\\n  A=\"%%RESIN_ARCH%%\"\n", "FROM a\nENV M=aarch64 \\\n  A=\"aarch64\"\n"},
		{"in a heredoc, its name as well", "x.template", "", "FROM a\nRUN <<%%BALENA_ARCH%%\n%%BALENA_ARCH%%x\n%%BALENA_ARCH%%\n", "FROM a\nRUN <<aarch64\naarch64x\naarch64\n"},
		{"with the value of a build argument", "x.template", "pi", "FROM a\nCMD [\"%%OTHER%%\"]\n", "FROM a\nCMD [\"pi\"]\n"},
		{"not in another file, where it may be meant", "Dockerfile", "", "FROM a\nRUN sed s/%%BALENA_ARCH%%/x/\n", "FROM a\nRUN sed s/%%BALENA_ARCH%%/x/\n"},
		{"not in comments", "x.template", "", "# %%BALENA_ARCH%%\nFROM a\n", "# %%BALENA_ARCH%%\nFROM a\n"},
		{"not without a value", "x.template", "", "FROM a\nRUN %%OTHER%%\n", "FROM a\nRUN %%OTHER%%\n"},
		{"not with a value that is no word", "x.template", "a b", "FROM a\nRUN %%OTHER%%\n", "FROM a\nRUN %%OTHER%%\n"},
	} {
		parsed, err := template.Parse(row.file, []byte(row.source))
		if err != nil {
			t.Fatal(err)
		}
		env := template.Env{Target: platform.MustParse("arm64"), Build: platform.MustParse("amd64")}
		if row.arg != "" {
			env.Args = map[string]string{"OTHER": row.arg}
		}
		filled, err := parsed.Fill(parsed.Fillings(env))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if diff := cmp.Diff(row.want, string(filled.Source)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

func TestAValueThatChangesMoreThanWordsIsRefused(t *testing.T) {
	for _, value := range []string{"a\nRUN b", "a b", "a\\\n", ""} {
		parsed := mustParse(t, "FROM a\nCOPY %%V%% b\n")
		f := template.Filling{Placeholder: template.Placeholder{Name: "V", Line: 2}, Span: template.Span{Start: 12, End: 17}, Value: value}
		if filled, err := parsed.Fill([]template.Filling{f}); err == nil {
			t.Errorf("%q gives %q", value, filled.Source)
		}
	}
}

func TestAPlaceholderInAnArgument(t *testing.T) {
	parsed := mustParse(t, "ARG BASE=balenalib/%%BALENA_ARCH%%\nFROM ${BASE}:1\n")
	uses, err := parsed.Uses(template.Env{Target: platform.MustParse("arm64"), Build: platform.MustParse("amd64")})
	if err != nil || uses[0].Image != "balenalib/aarch64:1" || uses[0].Written != "balenalib/%%BALENA_ARCH%%:1" {
		t.Errorf("%+v, %v", uses, err)
	}
}

func TestTheTriggersThatAStageLeavesBehind(t *testing.T) {
	parsed := mustParse(t, "FROM a AS first\nONBUILD COPY --from=x:1 a b\nFROM first\nRUN true\nonbuild   RUN --mount=from=y:1,target=/t \\\n  /t/x\nONBUILD ENV A=1\n")
	for stage, want := range [][]string{{"COPY --from=x:1 a b"}, {"RUN --mount=from=y:1,target=/t   /t/x", "ENV A=1"}} {
		if diff := cmp.Diff(want, parsed.Onbuild(stage)); diff != "" {
			t.Error(diff)
		}
	}
	if got := parsed.Triggers(parsed.Onbuild(1)); len(got) != 1 || got[0].Text != "y:1" {
		t.Errorf("read as %v", got)
	}
}

func TestTriggersOfABaseImage(t *testing.T) {
	parsed := mustParse(t, "FROM a AS Tools\nFROM node:onbuild\n")
	var got []string
	for _, r := range parsed.Triggers([]string{"COPY . /src", "RUN --mount=from=tools,target=/t /t/x", "copy --from=0 a b", "COPY --from=nginx:1 a b", "COPY --from=9 a b", "nonsense from", ""}) {
		got = append(got, fmt.Sprintf("%s %s %s %d", r.Where, r.Text, r.Kind, r.Target))
	}
	want := []string{"ONBUILD RUN --mount from tools stage 0", "ONBUILD COPY --from 0 stage 0", "ONBUILD COPY --from nginx:1 external -1", "ONBUILD COPY --from 9 variable -1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
