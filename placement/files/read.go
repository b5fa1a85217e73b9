package files

import (
	"errors"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/archbuild/archbuild/placement"
	"github.com/archbuild/archbuild/project/compose"
)

// Read finds the services of a file by what is in it: a compose or stack file, or objects of Kubernetes, as YAML or
// JSON. o says how a compose file is read; its Files are this one and those laid over it, or "-" with data in Stdin.
// All mistakes are told at once.
func Read(name string, data []byte, o compose.Options) (File, error) {
	r := &reader{file: name}
	if len(data) > MaxBytes {
		return File{}, &Error{File: name, Text: "it is longer than 8 MB", hint: "give it in parts; is it the right file?"}
	}
	docs, err := r.documents(data)
	if err != nil {
		return File{}, err
	}
	if len(docs) == 0 {
		return File{}, &Error{File: name, Text: "it is empty", hint: "give a compose file, objects of Kubernetes, or the names of images"}
	}
	f, err := r.read(docs, o)
	if err != nil {
		return File{}, err
	}
	if len(f.Services) == 0 {
		return File{}, &Error{File: name, Text: "nothing in it runs an image", hint: "give a compose file with services:, or Pods, Deployments, StatefulSets, DaemonSets, Jobs"}
	}
	return f, nil
}

func (r *reader) read(docs []*yaml.Node, o compose.Options) (File, error) {
	if !slices.ContainsFunc(docs, func(n *yaml.Node) bool { return !r.isCompose(n) }) {
		return fromCompose(r.file, o)
	}
	f := File{Name: r.file, For: placement.Kubernetes}
	for _, doc := range docs {
		if !isMapping(doc) || r.get(doc, "kind") == nil {
			r.fail(doc, "neither a compose file nor an object of Kubernetes", "a compose file has services:, an object has kind: and metadata:")
			continue
		}
		r.object(doc, &f, 0)
	}
	return f, errors.Join(r.errs...)
}

// isCompose tells a compose file from objects of Kubernetes.
func (r *reader) isCompose(n *yaml.Node) bool {
	if r.get(n, "kind") != nil {
		return false
	}
	return r.get(n, "services") != nil || r.get(n, "include") != nil || r.old(n)
}

// old tells a compose file of the first version: its services stand at the top.
func (r *reader) old(n *yaml.Node) bool {
	list := r.fields(n)
	for _, f := range list {
		body := r.get(f.value)
		if !isMapping(body) || r.get(body, "image") == nil && r.get(body, "build") == nil {
			return false
		}
	}
	return len(list) > 0 && r.get(n, "kind") == nil
}
