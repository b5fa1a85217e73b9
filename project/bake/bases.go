package bake

import (
	"maps"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/zclconf/go-cty/cty"
)

// bases are the folders of the files that say what a target's contexts are. They matter with
// BUILDX_BAKE_FILE_RELATIVE_PATHS only: else paths start from the working directory.
type bases struct {
	// file is the folder of the file that has the block; context that of the one with its context.
	file, context *string
	// of is the target whose context it is, in context = target.NAME.context.
	of       string
	contexts map[string]string
	// use says that there is no context, and that it is therefore the folder of the file.
	use bool
}

// read finds the folders for a block.
func (b *bases) read(block *hcl.Block) {
	dir := ""
	if name := block.DefRange.Filename; name != "-" {
		dir = filepath.Dir(name)
	}
	b.file = &dir
	found := attributes(block.Body, "context", "contexts")
	if attr, ok := found["context"]; ok {
		b.context, b.of = &dir, ofTarget(attr.Expr)
	}
	if attr, ok := found["contexts"]; ok {
		pairs, _ := hcl.ExprMap(attr.Expr)
		b.contexts = map[string]string{"": dir}
		for _, pair := range pairs {
			if name, diags := pair.Key.Value(nil); !diags.HasErrors() && name.Type() == cty.String && !name.IsNull() {
				b.contexts[name.AsString()] = dir
			}
		}
	}
}

// ofTarget is NAME where an expression is target.NAME.context.
func ofTarget(expr hcl.Expression) string {
	steps, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() || len(steps) != 3 || steps.RootName() != "target" {
		return ""
	}
	if last, ok := steps[2].(hcl.TraverseAttr); !ok || last.Name != "context" {
		return ""
	}
	switch step := steps[1].(type) {
	case hcl.TraverseAttr:
		return step.Name
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && !step.Key.IsNull() && step.Key.IsKnown() {
			return step.Key.AsString()
		}
	}
	return ""
}

// merge lays the folders of another block of a target on top.
func (b *bases) merge(other bases, hasContext bool) {
	if other.file != nil {
		b.file, b.use = other.file, other.use
	}
	if hasContext {
		b.context, b.of = other.context, other.of
	}
	if len(other.contexts) > 0 {
		merged := maps.Clone(b.contexts)
		if merged == nil {
			merged = map[string]string{}
		}
		maps.Copy(merged, other.contexts)
		b.contexts = merged
	}
}

// relativeToFiles makes the paths of all contexts relative to the files that they stand in.
func (c *config) relativeToFiles() {
	for _, t := range c.Targets {
		if of := c.target(t.bases.of); of != nil {
			t.bases.context = of.bases.context
			if of.bases.context == nil {
				t.bases.context = of.bases.file
			}
		}
	}
	for _, t := range c.Targets {
		if t.Context == nil {
			t.bases.use = t.bases.file != nil
		} else if t.bases.context != nil {
			moved := rebase(*t.bases.context, *t.Context)
			t.Context = &moved
		}
		for name, value := range t.Contexts {
			if base, ok := t.bases.contexts[name]; ok {
				t.Contexts[name] = rebase(base, value)
			} else if base, ok := t.bases.contexts[""]; ok {
				t.Contexts[name] = rebase(base, value)
			}
		}
	}
}

// rebase makes a path start from a folder, if it is a relative path.
func rebase(base, path string) string {
	if base == "" || path == "" || !isPath(path) || strings.HasPrefix(path, "cwd://") || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

// isPath says whether a context is a path of this machine.
func isPath(context string) bool {
	for _, scheme := range []string{"target:", "docker-image:", "oci-layout:"} {
		if strings.HasPrefix(context, scheme) {
			return false
		}
	}
	return !isRemote(context)
}

// isRemote says whether a context is an address, of Git or of a file.
func isRemote(context string) bool {
	if strings.HasPrefix(context, "https://") || strings.HasPrefix(context, "http://") {
		return true
	}
	_, git, _ := dfgitutil.ParseGitRef(context)
	return git
}
