package parity_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// minCases and maxExceptions are what was promised.
const (
	minCases      = 60
	maxExceptions = 2
)

// forms are what some case must have beside an instruction's plain form: flags and types of mounts as "instruction --flag", directives
// as "# name", and lines of the cases' heads as "word: value".
func forms() []string {
	return []string{
		"from --platform", "from as", "from scratch",
		"run --mount=type=bind", "run --mount=type=cache", "run --mount=type=tmpfs", "run --mount=type=secret", "run --mount=type=ssh",
		"run --network", "run --security", "run exec", "run shell", "run heredoc",
		"copy --from", "copy --chown", "copy --chmod", "copy --link", "copy --parents", "copy --exclude", "copy heredoc",
		"add --chown", "add --chmod", "add --link", "add --exclude", "add --keep-git-dir", "add --checksum", "add --unpack", "add heredoc",
		"healthcheck --interval", "healthcheck --timeout", "healthcheck --start-period", "healthcheck --start-interval", "healthcheck --retries", "healthcheck none",
		"cmd exec", "cmd shell", "entrypoint exec", "entrypoint shell",
		"# escape", "# check",
		"output: oci", "output: layout", "output: docker", "output: local", "output: tar", "output: push", "output: image", "output: compressed", "output: docker-types",
		"syntax:", "crlf:", "bom:", "open-end:", "tar:", "repository:", "link:", "stdin:",
		"--target", "--build-arg", "--build-context", "--secret", "--label", "--file", "--ssh", "--allow", "--network", "--shm-size", "--ulimit", "--add-host", "--cache-to", "--no-cache-filter",
		"docker-image://", "oci-layout://", "buildx", ".dockerignore", "Dockerfile.dockerignore",
	}
}

func TestCasesCoverTheLanguage(t *testing.T) {
	list := readCases(t)
	if len(list) < minCases {
		t.Errorf("there are %d cases, %d are promised", len(list), minCases)
	}
	if len(exceptions()) > maxExceptions {
		t.Errorf("there are %d exceptions, %d are promised at most", len(exceptions()), maxExceptions)
	}
	seen := map[string]bool{}
	for _, c := range list {
		c.note(seen)
		for _, f := range c.dockerfiles() {
			if err := noteDockerfile(seen, f.Data); err != nil {
				t.Errorf("%s: %s: %v", c.name, f.Name, err)
			}
		}
	}
	for _, instruction := range slices.Sorted(maps.Keys(command.Commands)) {
		if !seen[instruction] {
			t.Errorf("no case has the instruction %s", instruction)
		}
		if instruction != command.Onbuild && instruction != command.From && instruction != command.Maintainer && !seen["onbuild "+instruction] {
			t.Logf("no case has ONBUILD %s", instruction)
		}
	}
	for _, form := range forms() {
		if !seen[form] {
			t.Errorf("no case has %s", form)
		}
	}
	for name := range exceptions() {
		if !slices.ContainsFunc(list, func(c parityCase) bool { return c.name == name }) {
			t.Errorf("the exception %s is no case", name)
		}
	}
}

// note adds what the lines before the files show.
func (c parityCase) note(seen map[string]bool) {
	seen["output: "+c.output] = true
	seen["syntax:"] = seen["syntax:"] || c.syntax != ""
	seen["buildx"] = seen["buildx"] || len(c.buildxArgs) > 0
	for _, word := range c.words {
		seen[word+":"] = true
	}
	for _, arg := range slices.Concat(c.args, c.archbuildArgs) {
		seen[arg] = true
		for _, scheme := range []string{"docker-image://", "oci-layout://"} {
			seen[scheme] = seen[scheme] || strings.Contains(arg, scheme)
		}
	}
	for _, f := range c.files {
		name := f.Name[strings.LastIndex(f.Name, "/")+1:]
		seen[name] = true
	}
}

// noteDockerfile adds instructions, their flags and their forms.
func noteDockerfile(seen map[string]bool, text []byte) error {
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		name, value, ok := strings.Cut(string(line), "=")
		if !ok || !strings.HasPrefix(name, "# ") || value == "" {
			break
		}
		seen[name] = true
	}
	for _, node := range tree.AST.Children {
		noteInstruction(seen, "", node)
	}
	return nil
}

func noteInstruction(seen map[string]bool, prefix string, node *parser.Node) {
	name := prefix + strings.ToLower(node.Value)
	seen[name] = true
	for _, flag := range node.Flags {
		key, value, _ := strings.Cut(flag, "=")
		seen[name+" "+key] = true
		for option := range strings.SplitSeq(value, ",") {
			seen[name+" "+key+"="+option] = true
		}
	}
	form := "shell"
	if node.Attributes["json"] {
		form = "exec"
	}
	if len(node.Heredocs) > 0 {
		form = "heredoc"
	}
	seen[name+" "+form] = true
	for at := node.Next; at != nil; at = at.Next {
		word := strings.ToLower(at.Value)
		if (name == "from" && (word == "as" || word == "scratch")) || (name == "healthcheck" && word == "none") {
			seen[name+" "+word] = true
		}
		for _, child := range at.Children { // of ONBUILD
			noteInstruction(seen, "onbuild ", child)
		}
	}
}
