package archbuild

import (
	"os"

	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// words are those that a flag takes one of.
func words(flag string) []string {
	switch flag {
	case "--verify":
		return []string{"fail", "warn", "off"}
	case "--cross":
		return []string{crossAuto, crossOff, crossRequire}
	case "--emulation":
		return []string{emulationAllow, emulationFallback, emulationNever}
	case "--progress", outside.ProgressVariable:
		return []string{"auto", "tty", "plain", "rawjson", "quiet", "none"}
	case "--bases":
		return []string{"auto", "prefix", "keep"}
	case "--attestations":
		return []string{"index", "referrers", "none", "split"}
	}
	return nil
}

// noWord says that a flag has a word that it does not take.
func noWord(flag, value string) error { return wrong.Word(flag, value, words(flag)) }

// meant is noWord in place of another package's error about a word.
func meant(flag, value string, err error) error {
	if err == nil {
		return nil
	}
	return noWord(flag, value)
}

// StageNames are the names of the stages in the Dockerfile that Paths and File
// mean, for the completion of command lines: what cannot be read has none.
func (o Options) StageNames() []string {
	path := "."
	if len(o.Paths) > 0 {
		path = o.Paths[0]
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil
	}
	o.Paths = []string{path}
	context, err := folderContext(path)
	if err != nil {
		return nil
	}
	file, at, err := run{Options: o}.templatePath(context, path)
	if err != nil {
		return nil
	}
	// A pipe would be waited for.
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	from, err := o.readSource(at, file)
	if err != nil {
		return nil
	}
	return stageNames(from.template)
}
