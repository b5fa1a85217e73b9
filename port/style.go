package port

import (
	"regexp"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// style is how a RUN is written.
type style struct {
	newline, indent string
	// leads says that && stands at the begin of a line, else it stands at the end.
	leads bool
	// joint is && or ;.
	joint string
	// heredoc says that lines end by themselves.
	heredoc bool
}

var (
	joined   = regexp.MustCompile(`(?m)(&&|;)[ \t]*\\[ \t]*\r?$`)
	leading  = regexp.MustCompile(`(?m)^[ \t]*&&`)
	indented = regexp.MustCompile(`\\[ \t]*\r?\n([ \t]*)[^ \t#\r\n]`)
	// settings are commands that say how the shell behaves, at the begin of a script.
	settings = regexp.MustCompile(`^(set( +[-+][A-Za-z]+| +[-+]o +[a-z]+)+ *(;|&&|\n)\s*)+`)
)

// styleOf looks how the lines of an instruction are continued.
func styleOf(text string, script template.Script) style {
	s := style{newline: "\n", indent: "    ", leads: true, joint: "&&", heredoc: script.Heredoc}
	if strings.Contains(text, "\r\n") {
		s.newline = "\r\n"
	}
	if m := indented.FindStringSubmatch(text); m != nil {
		s.indent = m[1]
	}
	if !leading.MatchString(text) && joined.MatchString(text) {
		s.leads = false
	}
	if strings.Contains(script.Text, ";") && !strings.Contains(script.Text, "&&") {
		s.joint, s.leads = ";", false
	}
	return s
}

// end is what follows the inserted command: the way to the rest of the script.
func (s style) end() string {
	switch {
	case s.heredoc:
		return s.newline
	case s.joint == ";":
		return `; \` + s.newline + s.indent
	case s.leads:
		return ` \` + s.newline + s.indent + "&& "
	}
	return ` && \` + s.newline + s.indent
}

// named is a variable and its values.
type named struct {
	name   string
	values choice
}

// longLine is how long a case in one line may be.
const longLine = 130

// chooses writes a case that sets variables by the platform.
func (s style) chooses(prefix string, vars []named, platforms []platform.Platform, about string) string {
	on, pattern := "$"+prefix+"ARCH", func(p platform.Platform) string { return p.Arch }
	if variants(platforms) {
		on, pattern = "$"+prefix+"ARCH$"+prefix+"VARIANT", func(p platform.Platform) string { return p.Arch + p.Variant }
	}
	lines := []string{`case "` + on + `" in`}
	long := false
	for i, p := range platforms {
		var sets []string
		for _, v := range vars {
			if v.values[i].none {
				sets = nil
				break
			}
			long = long || v.values[i].missing != ""
			sets = append(sets, v.name+"="+v.values[i].quoted())
		}
		if len(sets) > 0 {
			lines = append(lines, pattern(p)+") "+strings.Join(sets, "; ")+" ;;")
		}
	}
	lines = append(lines, `*) echo "no `+about+` for `+on+`" >&2; exit 1 ;;`, "esac")
	if text := strings.Join(lines, " "); len(text) <= longLine && !long {
		return text
	}
	next := s.newline
	if s.heredoc {
		s.indent = ""
	} else {
		next = ` \` + s.newline
	}
	text := lines[0] + next
	for _, line := range lines[1 : len(lines)-1] {
		text += s.indent + "  " + line + next
	}
	return text + s.indent + "esac"
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:+-]+$`)

// quoted is a value as a shell reads it. One that is missing ends the script and says so.
func (v value) quoted() string {
	switch {
	case v.missing != "":
		return `"` + missingMark + v.missing + `}"`
	case plain.MatchString(v.text):
		return v.text
	}
	return `"` + v.text + `"`
}

// missingMark begins a value that is to be filled in.
const missingMark = "${MISSING:?"

// variants says whether architectures alone do not tell the platforms apart.
func variants(platforms []platform.Platform) bool {
	seen := map[string]bool{}
	for _, p := range platforms {
		if seen[p.Arch] {
			return true
		}
		seen[p.Arch] = true
	}
	return false
}
