package bake

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/archbuild/archbuild/project"
)

// A definition that was fetched could ask for what is on the machine of whoever runs it: its environment, its working
// directory, and who its user is. It gets none of it.

// ownHelp is what to do with a definition that needs something of the machine.
const ownHelp = "leave that out of the file; or get it into a folder, look at it, and build that"

// cwd begins paths in the working directory of whoever runs bake.
const cwd = "cwd://"

// staysAway looks whether a target takes something of the working directory.
func (t *target) staysAway() error {
	refuse := func(at project.Place, what, value string) error {
		if at.File == "" {
			at = t.at
		}
		return &Error{Place: at, Text: "target " + t.Name + " takes " + what + " from " + value + ", a folder of whoever builds it, and the file was fetched from elsewhere", Help: ownHelp}
	}
	if strings.HasPrefix(value(t.Context), cwd) {
		return refuse(t.places["context"], "its context", *t.Context)
	}
	if strings.HasPrefix(value(t.Dockerfile), cwd) {
		return refuse(t.places["dockerfile"], "its Dockerfile", *t.Dockerfile)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Contexts)) {
		if strings.HasPrefix(t.Contexts[name], cwd) {
			return refuse(t.contextsAt[name], "the context "+name, t.Contexts[name])
		}
	}
	return nil
}

// asksHome looks for calls of homedir, which tells who the user is. It looks at what was parsed, as words can be written in
// many ways: with comments in between, escaped, and under keys that stand twice.
func (f file) asksHome(body hcl.Body) error {
	refuse := func(at project.Place) error {
		return &Error{Place: at, Text: "homedir() is a folder of whoever builds it, and the file was fetched from elsewhere", Help: ownHelp}
	}
	if parsed, ok := body.(*hclsyntax.Body); ok {
		if call := homeCall(parsed); call != nil {
			return refuse(at(call.NameRange))
		}
		return nil
	}
	// Of JSON each string is a template of its own, keys are, too.
	read := json.NewDecoder(bytes.NewReader(f.data))
	for {
		token, err := read.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Error{Place: placeOf(f.name), Text: "this is no JSON: " + err.Error(), Help: "correct it", Cause: err}
		}
		text, ok := token.(string)
		if !ok || !strings.Contains(text, "homedir") {
			continue
		}
		parsed, _ := hclsyntax.ParseTemplate([]byte(text), f.name, hcl.InitialPos) // what cannot be parsed is not called
		if parsed != nil && homeCall(parsed) != nil {
			line := 1 + bytes.Count(f.data[:min(read.InputOffset(), int64(len(f.data)))], []byte("\n"))
			return refuse(project.Place{File: f.name, Line: line})
		}
	}
}

// homeCall is a call of homedir below a node of what was parsed.
func homeCall(node hclsyntax.Node) (found *hclsyntax.FunctionCallExpr) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && found == nil && (call.Name == "homedir" || strings.HasSuffix(call.Name, "::homedir")) {
			found = call
		}
		return nil
	})
	return found
}
