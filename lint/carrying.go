package lint

import (
	"path"
	"slices"
	"strings"
)

// carry follows what is copied or moved within the stage.
func (w *working) carry() {
	args := w.operands("-m", "-o", "-g", "-t", "--mode", "--owner", "--group")
	to, given := w.option("-t", "--target-directory")
	if !given {
		if len(args) < 2 {
			return
		}
		to, args = args[len(args)-1], args[:len(args)-1]
	}
	dest := w.abs(to, w.dir)
	into := strings.HasSuffix(to, "/") || given || len(args) > 1 || slices.Contains(programFolders, dest)
	for _, arg := range args {
		source := w.abs(arg, w.dir)
		at := dest
		if into {
			at = path.Join(dest, path.Base(source))
		}
		w.take(source, at)
	}
}

// take notes what of a path gets to another one: what was made there, or what the system has.
func (w *working) take(source, to string) {
	found := false
	for _, p := range slices.Clone(w.products) {
		if !overlap(p, source) {
			continue
		}
		found = true
		if p.path != source && below(p.path, source) {
			p.path = to + p.path[len(strings.TrimSuffix(source, "/")):]
		} else {
			p.path = to
		}
		w.keep(p)
	}
	if !found && w.Name != "ln" && w.ofSystem(source) && !w.brought(source) && source != "/" {
		w.product(product{what: w.Name + " of " + source, path: to, system: true})
	}
}

// mostProducts is more than any sensible stage makes.
const mostProducts = 300

// keep notes a product, unless it is there already.
func (m *making) keep(p product) {
	if len(m.products) < mostProducts && !slices.Contains(m.products, p) {
		m.products = append(m.products, p)
	}
}

// brought tells whether a COPY has brought a path.
func (m *making) brought(name string) bool {
	return slices.ContainsFunc(m.copies, func(c copied) bool {
		return slices.ContainsFunc(c.sources, func(source string) bool {
			_, ok := c.origin(source, name)
			return ok && (!isSystem(c.dest) || name == c.dest || below(name, path.Join(c.dest, path.Base(source))))
		})
	})
}

// pack follows what gets into an archive.
func (w *working) pack() {
	args := w.operands("-C", "-f", "--file", "--exclude", "--directory")
	to, given := w.option("-f", "--file")
	dir, changed := w.option("-C", "--directory")
	all := strings.Join(texts(w.Args), " ")
	if w.Name != "zip" {
		if !strings.HasPrefix(strings.TrimLeft(all, "-"), "c") && !strings.Contains(all, " -c") && !w.has("--create") {
			return
		}
		if !given { // tar czf FILE, tar -czf FILE
			for i, a := range texts(w.Args) {
				if strings.HasSuffix(a, "f") && !strings.Contains(a, "/") && i+1 < len(w.Args) {
					to, given = w.Args[i+1].Text, true
					break
				}
			}
		}
	} else if len(args) > 0 {
		to, given = args[0], true
	}
	if !given || to == "-" {
		return
	}
	from := w.dir
	if changed {
		from = w.abs(dir, w.dir)
	}
	dest := w.abs(to, w.dir)
	for _, arg := range args {
		if arg != to {
			w.take(w.abs(arg, from), dest)
		}
	}
}

// remove forgets what is removed.
func (w *working) remove() {
	for _, arg := range w.operands() {
		at := w.abs(arg, w.dir)
		w.products = slices.DeleteFunc(w.products, func(p product) bool { return p.path == at || strings.HasPrefix(p.path, at+"/") })
	}
}
