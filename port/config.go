package port

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// ConfigName is the file beside a Dockerfile that holds what cannot be said in it.
const ConfigName = "archbuild.yaml"

// ConfigError says that an archbuild.yaml is written in a way that no line can be added to.
type ConfigError struct{ Section string }

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: %s is written in a way that nothing can be added to", ConfigName, e.Section)
}

// Hint says what to write.
func (e *ConfigError) Hint() string {
	return fmt.Sprintf("write %s without braces, with a line for each key, and run port again", e.Section)
}

// extend adds what is needed to an archbuild.yaml; every byte that is there stays.
func extend(config []byte, platforms []platform.Platform, args []Arg, bases []Base) ([]byte, error) {
	d := &yaml{newline: "\n", text: string(config)}
	if strings.Contains(d.text, "\r\n") {
		d.newline = "\r\n"
	}
	if config == nil {
		d.text = "# What archbuild has to know of the Dockerfile: https://github.com/archbuild/archbuild/blob/main/docs/config.md" + d.newline
	}
	if _, ok := d.section("platforms"); !ok {
		var names []string
		for _, p := range platforms {
			names = append(names, p.String())
		}
		d.append("platforms: [" + strings.Join(names, ", ") + "]")
	}
	for _, b := range bases {
		match := func(key string) bool { return key == b.Old }
		if err := d.insert("bases", b.Old, match, b.Platform.String(), b.New); err != nil {
			return nil, err
		}
	}
	for _, a := range args {
		match := func(key string) bool {
			p, err := platform.Parse(key)
			return err == nil && p == a.Platform
		}
		if err := d.insert("args", a.Platform.String(), match, a.Name, scalar(a.Value)); err != nil {
			return nil, err
		}
	}
	return []byte(d.text), nil
}

var plainScalar = regexp.MustCompile(`^[A-Za-z0-9_/.][A-Za-z0-9_./:@+-]*$`)

// scalar writes a value of YAML.
func scalar(text string) string {
	if plainScalar.MatchString(text) && !strings.HasSuffix(text, ":") {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// yaml is a YAML file whose lines are looked at one by one.
type yaml struct{ text, newline string }

// entry is a key and what follows it: the lines [begin, end) of the document.
type entry struct {
	begin, end int
	indent     int
	key, rest  string
}

func (d *yaml) lines() []string { return strings.SplitAfter(d.text, "\n") }

// keyLine matches a line that begins with a key, which may hold colons.
var keyLine = regexp.MustCompile(`^( *)("[^"]*"|'[^']*'|[^\s#"'\[\]{}][^\s#]*?):(?:[ \t]+(.*?))?[ \t]*\r?\n?$`)

// entries lists the keys of one indentation from a line on, until one that is less indented.
func (d *yaml) entries(from, indent int) []entry {
	var list []entry
	lines := d.lines()
	for i := from; i < len(lines); i++ {
		text := strings.TrimSpace(lines[i])
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		depth := len(lines[i]) - len(strings.TrimLeft(lines[i], " "))
		if depth < indent || text == "---" && i > 0 || text == "..." {
			break
		}
		if m := keyLine.FindStringSubmatch(lines[i]); m != nil && depth == indent {
			list = append(list, entry{begin: i, end: i + 1, indent: depth, key: strings.Trim(m[2], `"'`), rest: withoutComment(m[3])})
		} else if len(list) > 0 {
			list[len(list)-1].end = i + 1
		}
	}
	return list
}

// withoutComment cuts a comment off a value.
func withoutComment(rest string) string {
	if i := strings.Index(" "+rest, " #"); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimSpace(rest)
}

func (d *yaml) section(name string) (entry, bool) {
	for _, e := range d.entries(0, 0) {
		if e.key == name {
			return e, true
		}
	}
	return entry{}, false
}

// append adds lines at the end.
func (d *yaml) append(lines ...string) {
	if d.text != "" && !strings.HasSuffix(d.text, "\n") {
		d.text += d.newline
	}
	d.text += strings.Join(lines, d.newline) + d.newline
}

// put adds lines before a line.
func (d *yaml) put(at int, texts ...string) {
	lines := d.lines()
	before := strings.Join(lines[:at], "")
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += d.newline
	}
	d.text = before + strings.Join(texts, d.newline) + d.newline + strings.Join(lines[at:], "")
}

// insert sets name to text below a key of a section, which is one that match tells.
func (d *yaml) insert(section, key string, match func(string) bool, name, text string) error {
	if strings.HasPrefix(strings.TrimSpace(d.text), "{") {
		return &ConfigError{"the file"}
	}
	top, ok := d.section(section)
	if !ok {
		d.append(section+":", "  "+scalar(key)+":", "    "+name+": "+text)
		return nil
	}
	if top.rest != "" {
		return d.edit(top, section, func(line string, open int) (string, bool) { return below(line, open, match, key, name, text) })
	}
	indent := 2
	children := d.children(top, &indent)
	pad := strings.Repeat(" ", indent)
	for _, c := range children {
		switch {
		case !match(c.key):
		case c.rest == "":
			deeper := 2 * indent
			for _, e := range d.children(c, &deeper) {
				if e.key == name {
					return nil
				}
			}
			d.put(c.end, strings.Repeat(" ", deeper)+name+": "+text)
			return nil
		default:
			return d.edit(c, section, func(line string, open int) (string, bool) { return with(line, open, name, text) })
		}
	}
	at := top.begin + 1
	if len(children) > 0 {
		at = children[len(children)-1].end
	}
	d.put(at, pad+scalar(key)+":", pad+pad+name+": "+text)
	return nil
}

// children are the entries below one, and how far they are indented.
func (d *yaml) children(of entry, indent *int) []entry {
	lines := d.lines()
	for i := of.begin + 1; i < of.end; i++ {
		text := strings.TrimSpace(lines[i])
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		depth := len(lines[i]) - len(strings.TrimLeft(lines[i], " "))
		if depth <= of.indent {
			break
		}
		*indent = depth
		return d.entries(i, depth)
	}
	return nil
}
