package parity_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// example is one build that BuildKit's own tests of its Dockerfile frontend ask for.
type example struct {
	// name is the test's, with a number when it asks for more than one build.
	name string
	// dockerfile and context are what lies in these folders, named the others that it uses.
	dockerfile, context folder
	named               map[string]folder
	// options are those of the frontend, as "target" or "build-arg:NAME"; secrets are offered by the client.
	options, secrets map[string]string
	// pushed is the name under which a later example finds the image, or empty.
	pushed string
	// left says why it is not taken, empty for one that is.
	left string
}

// readExamples reads the tests' source, which is in the module cache. What they push to a registry of theirs goes to the one given.
func readExamples(t *testing.T, registry string) []example {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit").Output()
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "frontend", "dockerfile", "*_test.go"))
	if err != nil || len(names) == 0 {
		t.Fatal("BuildKit has no tests of its frontend: ", err)
	}
	var list []example
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		constants := scope{registryOf: registry}
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok {
				constants.declare(d)
			}
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && isTest(f) {
				list = append(list, examplesOf(f, constants)...)
			}
		}
	}
	return list
}

// isTest says whether a function has the signature of an integration test.
func isTest(f *ast.FuncDecl) bool {
	if f.Recv != nil || !strings.HasPrefix(f.Name.Name, "test") || len(f.Type.Params.List) != 2 {
		return false
	}
	sandbox, ok := f.Type.Params.List[1].Type.(*ast.SelectorExpr)
	return ok && sandbox.Sel.Name == "Sandbox"
}

// reader follows one test, statement by statement, and notes the builds that it asks for.
type reader struct {
	found []example
}

// examplesOf are the builds of a test; a test of which none can be read is an example that is left out.
func examplesOf(f *ast.FuncDecl, constants scope) []example {
	r := &reader{}
	r.block(f.Body.List, constants.inner())
	if len(r.found) == 0 {
		r.found = []example{{left: "it asks for no build that can be read"}}
	}
	windows := onlyWindows(f.Body)
	for i := range r.found {
		r.found[i].name = f.Name.Name
		if i > 0 {
			r.found[i].name += "#" + strconv.Itoa(i+1)
		}
		if windows {
			r.found[i].left = "it is about Windows"
		}
	}
	return r.found
}

// onlyWindows looks for the call that skips a test elsewhere.
func onlyWindows(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok && calls(call) == "integration.SkipOnPlatform" && len(call.Args) > 1 {
			if skipped, ok := call.Args[1].(*ast.BasicLit); ok && skipped.Value == `"!windows"` {
				found = true
			}
		}
		return !found
	})
	return found
}

func (r *reader) block(list []ast.Stmt, s scope) {
	for _, statement := range list {
		r.statement(statement, s)
	}
}

func (r *reader) statement(statement ast.Stmt, s scope) {
	switch n := statement.(type) {
	case *ast.BlockStmt:
		r.block(n.List, s)
	case *ast.IfStmt:
		r.condition(n, s)
	case *ast.RangeStmt:
		r.loop(n, s)
	case *ast.DeclStmt:
		if d, ok := n.Decl.(*ast.GenDecl); ok {
			s.declare(d)
		}
	case *ast.AssignStmt:
		r.look(n, s)
		s.assign(n)
	default:
		r.look(n, s)
	}
}

// condition follows the way that is taken on Linux. Where that is not known, both are read, and what they assign is unknown afterwards.
func (r *reader) condition(n *ast.IfStmt, s scope) {
	if n.Init != nil {
		r.statement(n.Init, s)
	}
	taken, known := s.eval(n.Cond).(bool)
	if !known || taken {
		r.statement(n.Body, inside(s, known))
	}
	if n.Else != nil && (!known || !taken) {
		r.statement(n.Else, inside(s, known))
	}
	if !known {
		s.forget(n)
	}
}

func inside(s scope, known bool) scope {
	if known {
		return s
	}
	return s.inner()
}

// loop goes through a table. If the table is not known, neither is what the body makes of it.
func (r *reader) loop(n *ast.RangeStmt, s scope) {
	rows, known := s.eval(n.X).(list)
	if !known {
		rows = list{unknown{}}
	}
	for i, row := range rows {
		in := s.inner()
		if key, ok := n.Key.(*ast.Ident); ok {
			in[key.Name] = i
		}
		if value, ok := n.Value.(*ast.Ident); ok {
			in[value.Name] = row
		}
		r.block(n.Body.List, in)
	}
	s.forget(n)
}

// look finds builds in a statement, and follows functions that it has in it, such as those of t.Run.
func (r *reader) look(n ast.Node, s scope) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			// A function with a name is followed where it is called.
			_, named := n.Rhs[0].(*ast.FuncLit)
			return !named
		case *ast.FuncLit:
			r.block(n.Body.List, s.inner())
			return false
		case *ast.CompositeLit:
			switch typeName(n.Type) {
			case "client.SolveOpt":
				r.solve(s.eval(n))
			case "lintTestParams":
				r.lint(s.eval(n))
			}
		case *ast.CallExpr:
			if f, ok := s[calls(n)].(*ast.FuncLit); ok {
				r.follow(f, n, s)
				return false
			}
			if strings.HasSuffix(calls(n), ".DFCmdArgs") && len(n.Args) == 2 {
				// It returns the arguments of buildctl for a context and the folder of a Dockerfile.
				r.add(example{}, s.eval(n.Args[1]), s.eval(n.Args[0]))
			}
		}
		return true
	})
}

// follow a call of a function that the test has made itself.
func (r *reader) follow(f *ast.FuncLit, call *ast.CallExpr, s scope) {
	in, args := s.inner(), s.arguments(call)
	for _, p := range f.Type.Params.List {
		for _, name := range p.Names {
			if len(args) > 0 {
				in[name.Name], args = args[0], args[1:]
			}
		}
	}
	r.block(f.Body.List, in)
}

const (
	unreadable = "its files or options are made while the test runs"
	inputs     = "it gives the frontend what no flag gives: states of its own"
)

// solve takes a build from the options of a call.
func (r *reader) solve(v any) {
	opt, ok := v.(record)
	mounts, mounted := opt["LocalMounts"].(record)
	if !ok || !mounted {
		r.found = append(r.found, example{left: unreadable})
		return
	}
	e := example{named: map[string]folder{}, options: map[string]string{}, secrets: map[string]string{}}
	for _, field := range []string{"FrontendInputs", "CacheImports", "CacheExports", "SourcePolicy", "OCIStores", "AllowedEntitlements"} {
		if _, has := opt[field]; has {
			e.left = inputs
		}
	}
	if attrs, has := opt["FrontendAttrs"]; has && !fill(e.options, attrs) {
		e.left = unreadable
	}
	if session, has := opt["Session"]; has {
		list, ok := session.(list)
		if !ok || len(list) != 1 || !fill(e.secrets, list[0]) {
			e.left = "it offers something in the session that cannot be read"
		}
	}
	e.pushed = pushedAs(opt["Exports"])
	for name, mount := range mounts {
		if name == "context" || name == "dockerfile" {
			continue
		}
		dir, ok := mount.(folder)
		if !ok {
			e.left = unreadable
		}
		e.named[name] = dir
	}
	for _, other := range [][2]string{{"dockerfile", "context"}, {"context", "dockerfile"}} {
		if mounts[other[0]] == nil {
			mounts[other[0]] = mounts[other[1]]
		}
	}
	r.add(e, mounts["dockerfile"], mounts["context"])
}

// pushedAs is the name under which one of the exporters pushes.
func pushedAs(exports any) string {
	all, _ := exports.(list)
	for _, e := range all {
		exporter, _ := e.(record)
		attrs, _ := exporter["Attrs"].(record)
		if name, ok := attrs["name"].(string); ok && attrs["push"] == "true" {
			return name
		}
	}
	return ""
}

// lint takes a Dockerfile from the table of a test of warnings.
func (r *reader) lint(v any) {
	params, ok := v.(record)
	if !ok {
		r.found = append(r.found, example{left: unreadable})
		return
	}
	e := example{options: map[string]string{}}
	if attrs, has := params["FrontendAttrs"]; has && !fill(e.options, attrs) {
		e.left = unreadable
	}
	if dir, has := params["TmpDir"]; has {
		r.add(e, dir, dir)
		return
	}
	text, ok := params["Dockerfile"].(string)
	if !ok {
		e.left = unreadable
	}
	dir := folder{{name: "Dockerfile", content: text, mode: 0o600}}
	if ignore, has := params["DockerIgnore"]; has {
		text, ok := ignore.(string)
		if !ok {
			e.left = unreadable
		}
		dir = append(dir, entry{name: ".dockerignore", content: text, mode: 0o600})
	}
	r.add(e, dir, dir)
}

func (r *reader) add(e example, dockerfile, context any) {
	var ok, also bool
	e.dockerfile, ok = dockerfile.(folder)
	e.context, also = context.(folder)
	if (!ok || !also) && e.left == "" {
		e.left = unreadable
	}
	r.found = append(r.found, e)
}

// fill copies a map of strings that is wholly known.
func fill(to map[string]string, v any) bool {
	if v == "" {
		return true // nil
	}
	from, ok := v.(record)
	if !ok {
		return false
	}
	for key, value := range from {
		text, ok := value.(string)
		if !ok {
			return false
		}
		to[key] = text
	}
	return true
}

// text of the Dockerfile, following the one link that an example makes.
func (e example) text() (string, bool) {
	name := "Dockerfile"
	if given := e.options["filename"]; given != "" {
		name = given
	}
	i := slices.IndexFunc(e.dockerfile, func(f entry) bool { return f.name == name })
	if i >= 0 && e.dockerfile[i].kind == isLink {
		target := e.dockerfile[i].content
		i = slices.IndexFunc(e.dockerfile, func(f entry) bool { return f.name == target })
	}
	if i < 0 {
		return "", false
	}
	return e.dockerfile[i].content, true
}
