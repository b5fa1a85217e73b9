package main

import (
	"github.com/archbuild/archbuild"
	"github.com/spf13/pflag"
)

// projectFlags are those about several images that belong together.
func projectFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	f.BoolVar(&opts.NoDeps, "no-deps", false, "build only what is named; images that it stands on come from registries")
	f.StringArrayVar(&opts.Links, "link", nil, "take a base from this project, `[USER:]NAME=BASE`: where USER asks for the image NAME, the service BASE is meant (repeatable)")
	f.BoolVar(&opts.All, "all", false, "every Dockerfile below PATH, each named by its folder")
	f.StringArrayVar(&opts.Set, "set", nil, "override a bake file, `TARGET.KEY=VALUE` (repeatable)")
	f.StringArrayVar(&opts.Vars, "var", nil, "a variable of a bake file, `NAME=VALUE` (repeatable)")
	f.StringArrayVar(&opts.EnvFiles, "env-file", nil, "variables of a compose file, from a `FILE` instead of .env (repeatable)")
	f.StringArrayVar(&opts.Profiles, "profile", nil, "build the services of a compose file's profile `NAME` as well (repeatable)")
}

// fileFlag is -f: a Dockerfile, or one or several files that list images.
type fileFlag struct{ opts *archbuild.Options }

func (f fileFlag) String() string {
	if f.opts == nil {
		return ""
	}
	return f.opts.File
}

// Set takes the first file, and then those that are laid over it.
func (f fileFlag) Set(text string) error {
	if f.opts.File == "" {
		f.opts.File = text
	} else {
		f.opts.MoreFiles = append(f.opts.MoreFiles, text)
	}
	return nil
}

// Type is the word in the help.
func (f fileFlag) Type() string { return "string" }

// GetSlice gives all files, for who hands the flag on.
func (f fileFlag) GetSlice() []string {
	if f.opts.File == "" {
		return nil
	}
	return append([]string{f.opts.File}, f.opts.MoreFiles...)
}

// Append adds a file.
func (f fileFlag) Append(text string) error { return f.Set(text) }

// Replace takes other files.
func (f fileFlag) Replace(texts []string) error {
	f.opts.File, f.opts.MoreFiles = "", nil
	for _, text := range texts {
		if err := f.Set(text); err != nil {
			return err
		}
	}
	return nil
}
