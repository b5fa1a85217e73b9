package template

import (
	"path"
	"slices"
	"strings"
)

// Wants are the ids of what a Dockerfile asks its user for.
type Wants struct {
	// Secrets and SSH are the ids of RUN --mount=type=secret and type=ssh, sorted, each once.
	Secrets, SSH []string
	// Git tells that an ADD or an image's context fetches a repository over ssh.
	Git bool
	// Fetches tells that an ADD names an address, or a variable that may be one.
	Fetches bool
	// Unsure tells that a variable decides about an id or a mount's kind: then any may be asked for.
	Unsure bool
}

// Wants reads the mounts of all stages, those under ONBUILD included.
func (t *Template) Wants() Wants {
	var w Wants
	for i, node := range t.nodes {
		text := t.instructions[i].text
		if strings.EqualFold(node.Value, "onbuild") && node.Next != nil && len(node.Next.Children) == 1 {
			outer := splitCommand(text, t.escape, nil)
			text, node = text[outer.from:outer.to], node.Next.Children[0]
		}
		switch strings.ToLower(node.Value) {
		case "run":
			for _, f := range splitCommand(text, t.escape, nil).flags {
				w.mount(f.word(text, t.escape).text)
			}
		case "add":
			w.Fetches = w.Fetches || strings.Contains(text, "://") || strings.Contains(text, "git@") || strings.Contains(text, "$")
			w.Git = w.Git || strings.Contains(text, "git@") || strings.Contains(text, "ssh://")
		}
	}
	slices.Sort(w.Secrets)
	slices.Sort(w.SSH)
	w.Secrets, w.SSH = slices.Compact(w.Secrets), slices.Compact(w.SSH)
	return w
}

// mount reads one flag of a RUN.
func (w *Wants) mount(flag string) {
	text, ok := strings.CutPrefix(flag, mountFlag)
	if !ok {
		return
	}
	keys := map[string]string{}
	for field := range (word{text: text}).fields {
		key, value, _ := strings.Cut(field.text, "=")
		keys[strings.ToLower(key)] = value
	}
	kind := strings.ToLower(keys["type"])
	if strings.Contains(kind, "$") {
		w.Unsure = true
		return
	}
	id := keys["id"]
	switch kind {
	case "secret": // without an id the source is it, else the target's last part
		for _, key := range []string{"source", "src"} {
			if id == "" {
				id = keys[key]
			}
		}
		for _, key := range []string{"target", "dst", "destination"} {
			if id == "" && keys[key] != "" {
				id = path.Base(keys[key])
			}
		}
		w.Secrets = append(w.Secrets, id)
	case "ssh":
		if id == "" {
			id = "default"
		}
		w.SSH = append(w.SSH, id)
	}
	w.Unsure = w.Unsure || (kind == "secret" || kind == "ssh") && strings.Contains(id, "$")
}
