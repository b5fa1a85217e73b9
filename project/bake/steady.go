package bake

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// buildx's evaluator takes variables and functions in the order of a map, and ends at the first that is wrong: of two
// mistakes, and of the places of a cycle, it tells now one and now the other. Who reads an error twice must read the same.
// So a file that failed is gone through once more, one name at a time, what a name needs before the name itself.

// maxNames is how many names a file may have to be gone through so: each is an evaluation of its own.
const maxNames = 200

// definition is one variable, function or attribute at the top of a file.
type definition struct {
	name string
	at   hcl.Range
	// needs are the names that its value is made of, checks those that its validations ask for besides.
	needs, checks []string
}

// firstMistake is the first that is wrong among the names of files, in their order: nil where none is wrong by itself.
// Evaluate gives the mistakes of a body.
func firstMistake(files []file, body hcl.Body, evaluate func(hcl.Body) hcl.Diagnostics) hcl.Diagnostics {
	list := definitions(files, body)
	if len(list) > maxNames {
		return nil
	}
	byName := map[string]definition{}
	for _, d := range list {
		byName[d.name] = d
	}
	var path []string
	done := map[string]bool{}
	var visit func(name string) hcl.Diagnostics
	visit = func(name string) hcl.Diagnostics {
		d, known := byName[name]
		if !known || done[name] {
			return nil
		}
		if i := slices.Index(path, name); i >= 0 {
			return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "a cycle: " + strings.Join(append(path[i:], name), " → "), Subject: &d.at}}
		}
		path = append(path, name)
		for _, need := range d.needs {
			if diags := visit(need); diags.HasErrors() {
				return diags
			}
		}
		path, done[name] = path[:len(path)-1], true
		keep := closure(byName, name)
		if keep["target"] || keep["group"] {
			return nil // which only the whole file can answer
		}
		return evaluate(&someNames{body, keep})
	}
	for _, d := range list {
		if diags := visit(d.name); diags.HasErrors() {
			return diags
		}
	}
	return nil
}

// closure is a name and all that it needs.
func closure(byName map[string]definition, name string) map[string]bool {
	keep := map[string]bool{}
	for todo := []string{name}; len(todo) > 0; {
		next := byName[todo[0]]
		if !keep[todo[0]] {
			todo = slices.Concat(todo, next.needs, next.checks)
		}
		keep[todo[0]], todo = true, todo[1:]
	}
	return keep
}

// definitions are those at the top of files, in their order.
func definitions(files []file, body hcl.Body) []definition {
	content, rest, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "variable", LabelNames: []string{"name"}}, {Type: "function", LabelNames: []string{"name"}},
		{Type: "target", LabelNames: []string{"name"}}, {Type: "group", LabelNames: []string{"name"}}}})
	var list []definition
	for _, block := range content.Blocks {
		if block.Type != "variable" && block.Type != "function" {
			continue
		}
		d := definition{name: block.Labels[0], at: block.DefRange}
		for _, attr := range attributes(block.Body, "default", "result") {
			d.at, d.needs = attr.Range, asked(files, attr.Expr)
		}
		inner, _, _ := block.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "validation"}}})
		for _, validation := range inner.Blocks {
			for _, attr := range attributes(validation.Body, "condition", "error_message") {
				d.checks = append(d.checks, asked(files, attr.Expr)...)
			}
		}
		list = append(list, d)
	}
	loose, _ := rest.JustAttributes()
	for _, attr := range loose {
		list = append(list, definition{name: attr.Name, at: attr.Range, needs: asked(files, attr.Expr)})
	}
	slices.SortStableFunc(list, func(a, b definition) int {
		if order := fileIndex(files, a.at) - fileIndex(files, b.at); order != 0 {
			return order
		}
		return a.at.Start.Byte - b.at.Start.Byte
	})
	return list
}

// asked are the variables and functions that an expression names.
func asked(files []file, expr hcl.Expression) []string {
	var names []string
	for _, v := range expr.Variables() {
		names = append(names, v.RootName())
	}
	if node, ok := expr.(hclsyntax.Node); ok {
		_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
			if call, ok := n.(*hclsyntax.FunctionCallExpr); ok {
				names = append(names, call.Name)
			}
			return nil
		})
		return names
	}
	// JSON has its expressions in strings: what stands before a bracket is a function, or a name that nobody has.
	text := expr.Range().SliceBytes(files[fileIndex(files, expr.Range())].data)
	for before := range bytes.SplitSeq(text, []byte("(")) {
		names = append(names, string(before[bytes.LastIndexFunc(before, func(r rune) bool { return !isWord(r) })+1:]))
	}
	return names
}

func isWord(r rune) bool {
	return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// fileIndex says which of the files a range is in.
func fileIndex(files []file, r hcl.Range) int {
	return max(0, slices.IndexFunc(files, func(f file) bool { return f.name == r.Filename }))
}

// someNames is a body that has these variables, functions and attributes only, and no targets.
type someNames struct {
	hcl.Body
	keep map[string]bool
}

// PartialContent leaves out blocks of other names.
func (b *someNames) PartialContent(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body, hcl.Diagnostics) {
	content, rest, diags := b.Body.PartialContent(schema)
	content.Blocks = slices.DeleteFunc(content.Blocks, func(block *hcl.Block) bool {
		return block.Type == "target" || block.Type == "group" || len(block.Labels) > 0 && !b.keep[block.Labels[0]]
	})
	return content, &someNames{rest, b.keep}, diags
}

// JustAttributes leaves out those of other names.
func (b *someNames) JustAttributes() (hcl.Attributes, hcl.Diagnostics) {
	attrs, diags := b.Body.JustAttributes()
	maps.DeleteFunc(attrs, func(name string, _ *hcl.Attribute) bool { return !b.keep[name] })
	return attrs, diags
}
