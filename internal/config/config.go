// Package config reads archbuild.yaml, the file that lies beside a template and
// says what cannot be seen in it.
//
//	default: linux/amd64            # platform the template was written for
//	platforms: [linux/amd64, linux/arm64]
//	bases:                          # which image serves a base, on which platform
//	  debian:12: registry.example/debian:12
//	  vendor/tool:
//	    linux/arm64: vendor/tool-arm64:3
//	args:                           # build arguments, for all or for one platform
//	  VERSION: "1.2"
//	  linux/arm64: {URL_ARCH: aarch64}
//	target: {default: app, linux/arm64: app-arm}
//	verify: {mode: fail, allow: [opt/firmware/*]}
//	dockerfiles: {linux/riscv64: Dockerfile.riscv64}
//	cross: {default: auto, build: require, docs: off}   # stages on the build platform
//	ci: {runners: {linux/arm64: arm-machines}}          # which machines a CI takes
//	services: {shop/cart: ./cart}                       # where images of a compose file come from
//
// The file comes with the source, so it is read with suspicion: it is bounded in
// size and depth, every key must be known, and it can name no node, no command
// and no file outside its folder; contexts are those a compose file could name, too. Every value keeps its line, so that a decision
// can be traced back to it.
package config

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
)

// File is an archbuild.yaml, as plain data. The zero value says nothing.
type File struct {
	// Name is how rules call the file, the last part of its path: "archbuild.yaml".
	Name string
	// Default is the platform the template was written for; zero when not given.
	Default platform.Platform
	// Platforms to build for when the command line names none.
	Platforms []platform.Platform
	// PlatformLines are the lines of Platforms.
	PlatformLines []int
	Bases         []Base
	Args          []Arg
	Targets       []Target
	Verify        Verify
	Dockerfiles   []Dockerfile
	Cross         []Cross
	CIRunners     []Runner
	Services      []Service
}

// Base maps a reference (or repository) to another reference.
type Base struct {
	Old, New string
	// Platform it holds for; zero means all.
	Platform platform.Platform
	// Line and Column of New.
	Line, Column int
}

// Arg is a build argument.
type Arg struct {
	Key, Value string
	// Platform it holds for; zero means all.
	Platform platform.Platform
	Line     int
}

// Target names the stage to build.
type Target struct {
	Name string
	// Platform it holds for; zero means all.
	Platform platform.Platform
	Line     int
}

// Verify says how strict the check of the result is.
type Verify struct {
	// Mode is "fail", "warn" or "off"; empty when not given.
	Mode string
	// Allow are globs of paths whose files may be for another machine.
	Allow []string
	// Line of the mode, or 0.
	Line int
}

// Dockerfile names the file that a platform is built from as it stands.
type Dockerfile struct {
	Platform platform.Platform
	// Path is below the folder of archbuild.yaml.
	Path string
	Line int
}

// Cross says whether a stage may move to the build platform.
type Cross struct {
	// Stage by name or number; empty means those that have no line of their own.
	Stage string
	// Mode is "auto", "off" or "require".
	Mode string
	Line int
}

// Load reads the bytes of a file; name is what messages call it, a path. All errors
// found are returned, joined, each an *Error.
func Load(name string, data []byte) (File, error) {
	r := &reader{file: name, elsewhere: misplaced(Source)}
	root, err := r.document(data)
	if err != nil {
		return File{}, err
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	f := File{Name: name}
	for _, e := range r.mapping(root, within(Source, "")) {
		switch e.key.text {
		case "default":
			f.Default, _ = r.platform(r.scalar(e.value))
		case "platforms":
			f.Platforms, f.PlatformLines = r.platforms(e.value)
		case "bases":
			f.Bases = r.bases(name, e.value)
		case "args":
			f.Args = r.args(e.value)
		case "target":
			f.Targets = r.targets(e.value)
		case "verify":
			f.Verify = r.verify(e.value)
		case "dockerfiles":
			f.Dockerfiles = r.dockerfiles(e.value)
		case "cross":
			f.Cross = r.cross(e.value)
		case "ci":
			f.CIRunners = r.ci(e.value)
		case "services":
			f.Services = r.services(e.value)
		}
	}
	if len(r.errs) == 0 {
		r.fights(f)
	}
	if err := r.mistakes(); err != nil {
		return File{}, err
	}
	return f, nil
}

// Rules gives the bases as rules that know their line.
func (f File) Rules() []resolve.Rule {
	var rules []resolve.Rule
	for _, b := range f.Bases {
		rules = append(rules, b.rule(f.Name))
	}
	return rules
}

func (b Base) rule(file string) resolve.Rule {
	return resolve.Rule{Old: b.Old, New: b.New, Platform: b.Platform, Source: fmt.Sprintf("%s:%d", file, b.Line), Column: b.Column}
}

// ArgsFor gives the build arguments of a platform; one that is given for the
// platform wins over one for all.
func (f File) ArgsFor(p platform.Platform) map[string]string {
	args := map[string]string{}
	for _, on := range []platform.Platform{{}, p} {
		for _, arg := range f.Args {
			if arg.Platform == on {
				args[arg.Key] = arg.Value
			}
		}
	}
	return args
}

// TargetFor gives the stage to build for a platform; empty means the last.
func (f File) TargetFor(p platform.Platform) string {
	name := ""
	for _, on := range []platform.Platform{{}, p} {
		for _, target := range f.Targets {
			if target.Platform == on {
				name = target.Name
			}
		}
	}
	return name
}

// DockerfileFor gives the file that a platform is built from; empty means the template.
func (f File) DockerfileFor(p platform.Platform) string {
	for _, d := range f.Dockerfiles {
		if d.Platform == p {
			return d.Path
		}
	}
	return ""
}
