package parity_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// What the reader of BuildKit's tests knows: a string (and so bytes), a number, a bool, an entry, a folder, a record, a list, or that
// it does not know.
type (
	unknown struct{}
	// record is a struct or a map, by its fields or keys.
	record map[string]any
	list   []any
	// folder is what integration.Tmpdir makes.
	folder []entry
)

// entry of a folder.
type entry struct {
	kind    kind
	name    string
	content string // of a link, where it leads
	mode    fs.FileMode
}

type kind int

const (
	isFile kind = iota
	isFolder
	isLink
)

// scope holds what variables stand for.
type scope map[string]any

// registryOf is under which a scope has the registry that a sandbox gives to a test.
const registryOf = "the sandbox' registry"

func (s scope) inner() scope { return maps.Clone(s) }

// declare takes in constants, variables and types.
func (s scope) declare(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		if t, ok := spec.(*ast.TypeSpec); ok {
			s[t.Name.Name] = t.Type
		}
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, name := range v.Names {
			s[name.Name] = unknown{}
			if i < len(v.Values) && len(v.Values) == len(v.Names) {
				s[name.Name] = s.eval(v.Values[i])
			}
		}
	}
}

func (s scope) assign(n *ast.AssignStmt) {
	for i, left := range n.Lhs {
		name, ok := left.(*ast.Ident)
		if !ok {
			continue
		}
		var value any = unknown{}
		if len(n.Lhs) == len(n.Rhs) {
			value = s.eval(n.Rhs[i])
		} else if call, ok := n.Rhs[0].(*ast.CallExpr); ok && i == 0 && calls(call) == "sb.NewRegistry" {
			value = s[registryOf] // the other one is an error
		}
		if n.Tok == token.ADD_ASSIGN {
			value = sum(s[name.Name], value)
		}
		s[name.Name] = value
	}
}

// forget what is assigned somewhere in a statement.
func (s scope) forget(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && a.Tok != token.DEFINE {
			for _, left := range a.Lhs {
				if name, ok := left.(*ast.Ident); ok {
					s[name.Name] = unknown{}
				}
			}
		}
		return true
	})
}

func (s scope) eval(expr ast.Expr) any {
	switch n := expr.(type) {
	case *ast.ParenExpr:
		return s.eval(n.X)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return s.eval(n.X)
		}
	case *ast.BasicLit:
		return literal(n)
	case *ast.Ident:
		return s.named(n.Name)
	case *ast.BinaryExpr:
		return s.binary(n)
	case *ast.SelectorExpr:
		return s.selected(n)
	case *ast.CompositeLit:
		return s.composite(n, n.Type)
	case *ast.CallExpr:
		return s.call(n)
	case *ast.FuncLit:
		return n
	}
	return unknown{}
}

func literal(n *ast.BasicLit) any {
	switch n.Kind {
	case token.STRING:
		if text, err := strconv.Unquote(n.Value); err == nil {
			return text
		}
	case token.INT:
		if number, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return int(number)
		}
	}
	return unknown{}
}

func (s scope) named(name string) any {
	switch value, ok := s[name]; {
	case ok:
		return value
	case name == "true":
		return true
	case name == "false":
		return false
	case name == "nil":
		return "" // nothing is known by it but bytes and maps
	}
	return unknown{}
}

func (s scope) binary(n *ast.BinaryExpr) any {
	x, y := s.eval(n.X), s.eval(n.Y)
	left, isText := x.(string)
	right, also := y.(string)
	switch {
	case n.Op == token.ADD:
		return sum(x, y)
	case n.Op == token.EQL && isText && also:
		return left == right
	case n.Op == token.NEQ && isText && also:
		return left != right
	}
	return unknown{}
}

func sum(x, y any) any {
	left, ok := x.(string)
	right, also := y.(string)
	if !ok || !also {
		return unknown{}
	}
	return left + right
}

// selected is a field of a record, or one of the few names of other packages that the tests use.
func (s scope) selected(n *ast.SelectorExpr) any {
	if x, ok := n.X.(*ast.Ident); ok {
		switch x.Name + "." + n.Sel.Name {
		case "runtime.GOOS":
			return "linux"
		case "runtime.GOARCH":
			return runtime.GOARCH
		case "dockerui.DefaultLocalNameContext":
			return "context"
		case "dockerui.DefaultLocalNameDockerfile":
			return "dockerfile"
		}
	}
	switch x := s.eval(n.X).(type) {
	case record:
		if value, ok := x[n.Sel.Name]; ok {
			return value
		}
		return "" // a row of a table that leaves the field out; what is no text there is not used here
	case folder:
		if n.Sel.Name == "Name" {
			return x
		}
	}
	return unknown{}
}

// composite is a value in braces; those of a slice have its type without saying so.
func (s scope) composite(n *ast.CompositeLit, of ast.Expr) any {
	switch t := of.(type) {
	case *ast.ArrayType:
		all := list{}
		for _, element := range n.Elts {
			if inner, ok := element.(*ast.CompositeLit); ok && inner.Type == nil {
				all = append(all, s.composite(inner, t.Elt))
				continue
			}
			all = append(all, s.eval(element))
		}
		return all
	case *ast.StructType:
		return s.fields(n, t)
	case *ast.Ident:
		if declared, ok := s[t.Name].(ast.Expr); ok {
			return s.composite(n, declared)
		}
	}
	return s.fields(n, nil)
}

func (s scope) fields(n *ast.CompositeLit, of *ast.StructType) any {
	var names []string
	if of != nil {
		for _, f := range of.Fields.List {
			for _, name := range f.Names {
				names = append(names, name.Name)
			}
		}
	}
	r := record{}
	for i, element := range n.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		switch {
		case ok:
			if key, known := s.key(pair.Key, n.Type).(string); known {
				r[key] = s.eval(pair.Value)
				continue
			}
			return unknown{} // a map with a key that is not known
		case i < len(names):
			r[names[i]] = s.eval(element)
		default:
			return unknown{}
		}
	}
	return r
}

// key of a map is a value; that of a struct is a name.
func (s scope) key(n, of ast.Expr) any {
	if name, ok := n.(*ast.Ident); ok {
		if _, isMap := of.(*ast.MapType); !isMap {
			return name.Name
		}
	}
	return s.eval(n)
}

func (s scope) call(n *ast.CallExpr) any {
	if array, ok := n.Fun.(*ast.ArrayType); ok && array.Len == nil && len(n.Args) == 1 {
		return s.eval(n.Args[0]) // []byte(…)
	}
	name := calls(n)
	args := s.arguments(n)
	text := func(i int) string { t, _ := args[i].(string); return t }
	known := !slices.Contains(args, any(unknown{}))
	switch {
	case name == "integration.UnixOrWindows" && len(args) == 2:
		return args[0]
	case name == "integration.Tmpdir":
		return tmpdir(args[1:])
	case name == "secretsprovider.FromMap" && len(args) == 1:
		return args[0]
	case name == "append" && len(args) > 0:
		all, ok := args[0].(list)
		if !ok {
			return unknown{}
		}
		return slices.Concat(all, args[1:])
	case !known:
	case (name == "string" || name == "os.FileMode") && len(args) == 1:
		return args[0]
	case name == "fmt.Sprintf":
		return fmt.Sprintf(text(0), args[1:]...)
	case name == "fmt.Appendf":
		return fmt.Sprintf(text(1), args[2:]...)
	case name == "filepath.Join":
		return joined(args)
	case name == "strings.TrimSpace":
		return strings.TrimSpace(text(0))
	case name == "strings.ReplaceAll":
		return strings.ReplaceAll(text(0), text(1), text(2))
	case name == "fstest.CreateFile" && len(args) == 3:
		return newEntry(isFile, args[0], args[1], args[2])
	case name == "fstest.CreateDir" && len(args) == 2:
		return newEntry(isFolder, args[0], "", args[1])
	case name == "fstest.Symlink" && len(args) == 2:
		return newEntry(isLink, args[1], args[0], 0)
	}
	return unknown{}
}

// arguments of a call.
func (s scope) arguments(n *ast.CallExpr) []any {
	var args []any
	for i, arg := range n.Args {
		value := s.eval(arg)
		if all, ok := value.(list); ok && n.Ellipsis.IsValid() && i == len(n.Args)-1 {
			args = append(args, all...)
			continue
		}
		args = append(args, value)
	}
	return args
}

func joined(args []any) any {
	var parts []string
	for _, arg := range args {
		text, ok := arg.(string)
		if !ok {
			return unknown{}
		}
		parts = append(parts, text)
	}
	return path.Join(parts...)
}

func newEntry(of kind, name, content, mode any) any {
	e := entry{kind: of}
	var ok [3]bool
	var bits int
	e.name, ok[0] = name.(string)
	e.content, ok[1] = content.(string)
	bits, ok[2] = mode.(int)
	if slices.Contains(ok[:], false) {
		return unknown{}
	}
	e.mode = fs.FileMode(bits)
	return e
}

func tmpdir(entries []any) any {
	dir := folder{}
	for _, e := range entries {
		known, ok := e.(entry)
		if !ok {
			return unknown{}
		}
		dir = append(dir, known)
	}
	return dir
}

// calls is the name of what is called, with its package's before it.
func calls(n *ast.CallExpr) string { return typeName(n.Fun) }

func typeName(expr ast.Expr) string {
	switch n := expr.(type) {
	case *ast.Ident:
		return n.Name
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok {
			return x.Name + "." + n.Sel.Name
		}
		return "." + n.Sel.Name
	}
	return ""
}
