package bake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/buildx/bake/hclparser"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"

	"github.com/archbuild/archbuild/internal/plainfile"
)

// DefaultFiles are the names that are looked for in a folder. All that are there are read, in this order. Compose
// files, which buildx looks for first, are package compose's.
var DefaultFiles = []string{"docker-bake.json", "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl"}

// maxFile is how long a file may be, in bytes. Each is read as a whole.
const maxFile = 4 << 20

type file struct {
	name string
	data []byte
}

// read reads the files that are asked for, or those that the folder has.
func (o Options) read() ([]file, error) {
	names, must := o.Files, true
	if len(names) == 0 {
		for _, name := range DefaultFiles {
			names = append(names, filepath.Join(o.Dir, name))
		}
		must = false
	}
	var files []file
	for _, name := range names {
		data, err := o.open(name)
		if errors.Is(err, fs.ErrNotExist) && !must {
			continue
		}
		if err != nil {
			return nil, unread(name, err)
		}
		files = append(files, file{name, data})
	}
	if len(files) == 0 {
		dir := o.Dir
		if dir == "" {
			dir = "."
		}
		return nil, &Error{Text: dir + " has no bake file", Help: "name one with -f, or write docker-bake.hcl"}
	}
	return files, nil
}

func (o Options) open(name string) ([]byte, error) {
	if o.Tree != nil {
		return plainfile.ReadFS(o.Tree, filepath.ToSlash(filepath.Clean(name)), maxFile)
	}
	if name != "-" {
		if _, err := os.Stat(name); err != nil && isRemote(name) {
			return nil, errRemote
		}
		return plainfile.Read(name, maxFile)
	}
	if o.Stdin == nil {
		return nil, fs.ErrNotExist
	}
	data, err := io.ReadAll(io.LimitReader(o.Stdin, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = &plainfile.Error{Is: fmt.Sprintf("longer than %d bytes", maxFile)}
	}
	return data, err
}

// errRemote says that a definition would have to be fetched. It could name any file and variable of this machine, and so it has
// to be looked at first, by whoever runs it.
var errRemote = errors.New("it is an address, and definitions are read from this machine alone")

// unread says why a file is not read.
func unread(name string, err error) error {
	e := &Error{Text: "reading the bake file " + name + ": " + err.Error(), Help: "name a file that can be read", Cause: err}
	if errors.Is(err, errRemote) {
		e.Help = "git clone it, look at it, and name the file there"
	}
	var odd *plainfile.Error
	if errors.As(err, &odd) {
		e.Text, e.Help = "the bake file "+name+" cannot be read: "+odd.Error(), "name the bake file itself: it may have 4 MB"
	}
	return e
}

// parse reads the text of files, evaluates what stands in them and merges blocks of the same name.
func (o Options) parse(files []file) (config, error) {
	var bodies []hcl.Body
	var errs []error
	for _, f := range files {
		body, err := parseFile(f)
		if err == nil && o.Tree != nil {
			err = f.asksHome(body)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		bodies = append(bodies, body)
	}
	if len(errs) > 0 {
		return config{}, errors.Join(errs...)
	}
	var c config
	body := &countedBody{Body: hclparser.MergeBodies(bodies), left: new(maxTargets)}
	var failed error
	if !watched(func() { c, failed = o.evaluate(body, files) }) {
		return config{}, &Error{Place: placeOf(files[0].name), Text: "its values grow without end", Help: "look for variables and functions that each hold the one before several times"}
	}
	return c, failed
}

// evaluate runs buildx's evaluator. It asserts what a file can break, such as a number for the message of a
// validation, so that a panic of its own is an error of the file.
func (o Options) evaluate(body hcl.Body, files []file) (_ config, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Error{Place: placeOf(files[0].name), Text: fmt.Sprintf("a value cannot be evaluated: %v", r), Help: "look for a value of the wrong type: a message that is no string, a condition that is not true or false"}
		}
	}()
	var c config
	options := hclparser.Opt{
		LookupVar:     o.lookup,
		Vars:          map[string]string{"BAKE_CMD_CONTEXT": "cwd://", "BAKE_LOCAL_PLATFORM": o.LocalPlatform},
		ValidateLabel: validName,
	}
	meta, diags := hclparser.Parse(body, options, &c)
	if diags.HasErrors() {
		first := firstMistake(files, body, func(some hcl.Body) hcl.Diagnostics {
			_, diags := hclparser.Parse(some, options, &config{})
			return diags
		})
		if first.HasErrors() {
			diags = first
		}
		return config{}, errors.Join(diagnosed(diags, variables(body))...)
	}
	c.matrices(meta.Renamed["target"])
	return c, nil
}

// variables are the names of those that the files have.
func variables(body hcl.Body) []string {
	content, _, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "variable", LabelNames: []string{"name"}}}})
	var names []string
	for _, block := range content.Blocks {
		names = append(names, block.Labels[0])
	}
	return names
}

// parseFile reads one file: by its name HCL or JSON, else what it can be read as.
func parseFile(f file) (hcl.Body, error) {
	name := strings.ToLower(f.name)
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		return nil, &Error{Place: placeOf(f.name), Text: "this is a compose file, and archbuild does not merge it with bake files", Help: "build it by itself: archbuild " + f.name}
	}
	isJSON := strings.HasSuffix(name, ".json")
	if !isJSON && !strings.HasSuffix(name, ".hcl") {
		isJSON = bytes.HasPrefix(bytes.TrimSpace(f.data), []byte("{"))
	}
	if err := bounded(f, isJSON); err != nil {
		return nil, err
	}
	var parsed *hcl.File
	var diags hcl.Diagnostics
	if isJSON {
		parsed, diags = json.Parse(f.data, f.name)
	} else {
		parsed, diags = hclsyntax.ParseConfig(f.data, f.name, hcl.InitialPos)
	}
	if diags.HasErrors() {
		return nil, diagnosed(diags, nil)[0] // The others follow from it.
	}
	return parsed.Body, nil
}
