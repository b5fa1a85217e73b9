// Package bake reads bake files: what `docker buildx bake` builds, written as HCL or as JSON.
//
// A bake file has targets, groups of them, variables and functions:
//
//	variable "TAG" { default = "dev" }
//	group "default" { targets = ["app"] }
//	target "_common" { platforms = ["linux/amd64", "linux/arm64"] }
//	target "app" {
//	  name     = "app-${flavor}"
//	  matrix   = { flavor = ["small", "large"] }
//	  inherits = ["_common"]
//	  contexts = { base = "target:base" }
//	  tags     = ["shop/app:${flavor}-${TAG}"]
//	}
//
// From text to targets there are four steps. The files are parsed and their expressions
// evaluated, with buildx's own parser; blocks of one name are merged, in the order of the
// files; a target takes over what those have that it inherits from; and what the command
// line overrides with --set is laid on top, on each target before others inherit it.
//
// Nothing is read but the files themselves. The environment is a function that is passed in,
// and paths stay as they are written, made relative to the working directory.
package bake

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/project"
)

// Options say which files are read, and what the command line adds to them.
type Options struct {
	// Files in the order in which they are merged; "-" is Stdin. Without any, those of DefaultFiles
	// that Dir has are read.
	Files []string
	Stdin io.Reader
	// Dir is the folder that relative paths in the files start from: buildx takes the working directory, wherever the
	// file lies, and so does the empty Dir.
	Dir string
	// Names are the targets and groups that the user asks for, patterns as path.Match has them; empty is "default".
	Names []string
	// Set are overrides, TARGETPATTERN.KEY[.NAME]=VALUE, with += where a list is added to. Vars are
	// NAME=VALUE: they go before the environment.
	Set, Vars []string
	// Env is the environment, which gives variables other values; nil has nothing in it.
	Env func(string) (string, bool)
	// Tree is where the files lie, if that is not this machine: a definition that was fetched. Files and all paths in them
	// are then relative to its root, and they get nothing of the machine: Env is not asked, and cwd:// and homedir() are errors.
	Tree fs.FS
	// LocalPlatform is the value of BAKE_LOCAL_PLATFORM, "linux/amd64".
	LocalPlatform string
}

// Environment variables that change what a bake file means; buildx has the same.
const (
	envNoLookup = "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP"
	envRelative = "BUILDX_BAKE_FILE_RELATIVE_PATHS"
	envEpoch    = "SOURCE_DATE_EPOCH"
)

// env looks a name up in the environment.
func (o Options) env(name string) (string, bool) {
	if o.Env == nil || o.Tree != nil {
		return "", false
	}
	return o.Env(name)
}

// flag is a variable of the environment that is true or false.
func (o Options) flag(name string) bool {
	value, _ := o.env(name)
	yes, _ := strconv.ParseBool(strings.TrimSpace(value))
	return yes
}

// lookup finds what a variable is overridden with.
func (o Options) lookup(name string) (string, bool) {
	for _, v := range slices.Backward(o.Vars) {
		if key, value, _ := strings.Cut(v, "="); key == name {
			return value, true
		}
	}
	if o.flag(envNoLookup) {
		return "", false
	}
	return o.env(name)
}

// Definition is what bake files say, evaluated and merged, but nothing inherited yet.
type Definition struct {
	options   Options
	files     []string
	config    config
	overrides overrides
}

// Load reads bake files as a project. All targets are in it; Default are the names that were asked for. A target that
// nobody asked for and that cannot be resolved is left out, with a note.
func Load(o Options) (project.Project, error) {
	d, err := Read(o)
	if err != nil {
		return project.Project{}, err
	}
	return d.Project()
}

// Print reads bake files and gives what `docker buildx bake --print` prints of them, for the targets and groups in o.Names.
func Print(o Options) ([]byte, error) {
	d, err := Read(o)
	if err != nil {
		return nil, err
	}
	return d.Print()
}

// Read reads bake files. Its errors have the type *Error, joined where there are several.
func Read(o Options) (*Definition, error) {
	for _, v := range o.Vars {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return nil, &Error{Text: "--var " + v + " has no name and value", Help: "write --var NAME=VALUE"}
		}
	}
	files, err := o.read()
	if err != nil {
		return nil, err
	}
	d := &Definition{options: o}
	for _, f := range files {
		d.files = append(d.files, f.name)
	}
	if d.config, err = o.parse(files); err != nil {
		return nil, err
	}
	if o.flag(envRelative) {
		d.config.relativeToFiles()
	}
	if d.overrides, err = d.newOverrides(o.Set); err != nil {
		return nil, err
	}
	return d, nil
}

// Project is the definition as targets of a project.
func (d *Definition) Project() (project.Project, error) {
	p := project.Project{Files: d.files, Notes: d.config.notes()}
	asked, err := d.selected()
	if err != nil {
		return p, err
	}
	p.Default = asked.names
	var errs []error
	for _, name := range d.config.names() {
		t, err := d.resolve(name)
		var made project.Target
		if err == nil {
			made, err = d.target(t)
		}
		switch {
		case err == nil:
			p.Targets = append(p.Targets, made)
			if t.Resources != nil {
				p.Notes = append(p.Notes, t.at.String()+": target "+name+" limits resources, which is not applied")
			}
		case slices.Contains(asked.targets, name):
			errs = append(errs, err)
		default:
			p.Notes = append(p.Notes, "target "+name+" is left out: "+err.Error())
		}
	}
	for _, name := range asked.targets {
		if d.config.target(name) == nil {
			errs = append(errs, d.unknown(name))
		}
	}
	errs = append(errs, d.links(asked.targets)...)
	for _, g := range d.config.Groups {
		p.Groups = append(p.Groups, project.Group{Name: g.Name, Members: dedup(g.Targets), At: g.at})
	}
	return p, errors.Join(errs...)
}
