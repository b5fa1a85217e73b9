package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/manifest"
)

func TestParseOutput(t *testing.T) {
	no, yes := false, true
	for name, test := range map[string]struct {
		text string
		want manifest.Output
	}{
		"an archive":                        {"type=oci,dest=a.tar", manifest.Output{Type: "oci", Dest: "a.tar"}},
		"an archive without dest is stdout": {"type=oci", manifest.Output{Type: "oci", Dest: "-"}},
		"a layout folder":                   {"type=oci,dest=out,tar=false", manifest.Output{Type: "oci", Dest: "out", Folder: true}},
		"files":                             {"type=local,dest=out", manifest.Output{Type: "local", Dest: "out"}},
		"a bare path is files":              {"./out", manifest.Output{Type: "local", Dest: "./out"}},
		"a bare path may hold =":            {"a=b", manifest.Output{Type: "local", Dest: "a=b"}},
		"a dash is a tar to stdout":         {"-", manifest.Output{Type: "tar", Dest: "-"}},
		"a tar to stdout":                   {"type=tar,dest=-", manifest.Output{Type: "tar", Dest: "-"}},
		"subfolders on demand":              {"type=tar,dest=f,platform-split=true", manifest.Output{Type: "tar", Dest: "f", Split: &yes}},
		"no subfolders":                     {"type=local,dest=f,platform-split=0", manifest.Output{Type: "local", Dest: "f", Split: &no}},
		"buildx's way of adding files":      {"type=local,dest=f,mode=copy", manifest.Output{Type: "local", Dest: "f"}},
		"a push":                            {"type=image,name=r/a:1,push=true", manifest.Output{Type: "image", Names: []string{"r/a:1"}, Push: true}},
		"registry is a push":                {"type=registry", manifest.Output{Type: "image", Push: true}},
		"several names, quoted":             {`type=registry,"name=a,b"`, manifest.Output{Type: "image", Names: []string{"a", "b"}, Push: true}},
		"a push by digest":                  {"type=image,name=a,push-by-digest=true,name-canonical=true,push=true", manifest.Output{Type: "image", Names: []string{"a"}, Push: true, ByDigest: true}},
		"keys in capitals":                  {"type=oci,DEST=x", manifest.Output{Type: "oci", Dest: "x"}},
		"a key alone with =":                {"type=image,push=", manifest.Output{Type: "image", Push: true}},
		"what BuildKit does":                {"type=oci,dest=x,compression=zstd,compression-level=3", manifest.Output{Type: "oci", Dest: "x", Exporter: map[string]string{"compression": "zstd", "compression-level": "3"}}},
		"Docker's media types":              {"type=oci,dest=x,oci-mediatypes=0", manifest.Output{Type: "oci", Dest: "x", Exporter: map[string]string{"oci-mediatypes": "false"}}},
		"an archive for Docker":             {"type=docker,dest=x,name=a", manifest.Output{Type: "docker", Dest: "x", Names: []string{"a"}}},
		"a stream for Docker":               {"type=docker,dest=-", manifest.Output{Type: "docker", Dest: "-"}},
		"into Docker":                       {"type=docker", manifest.Output{Type: "docker"}},
		"into the Docker of a context":      {"type=docker,context=far", manifest.Output{Type: "docker", Context: "far"}},
		"every layer anew":                  {"type=oci,dest=x,compression=estargz,force-compression=,rewrite-timestamp=1", manifest.Output{Type: "oci", Dest: "x", Exporter: map[string]string{"compression": "estargz", "force-compression": "true", "rewrite-timestamp": "true"}}},
		"annotations": {"type=oci,dest=x,annotation.Key=v,annotation-index.k=w,annotation[linux/arm64].k=x", manifest.Output{Type: "oci", Dest: "x", Annotations: manifest.Annotations{
			{Level: "manifest", Key: "Key", Value: "v"}, {Level: "index", Key: "k", Value: "w"}, {Level: "manifest", Platform: arm64, Key: "k", Value: "x"},
		}}},
		"a value may hold =":    {"type=oci,dest=a=b", manifest.Output{Type: "oci", Dest: "a=b"}},
		"a comma in a path":     {`type=oci,"dest=a,b"`, manifest.Output{Type: "oci", Dest: "a,b"}},
		"nothing but the build": {"type=cacheonly", manifest.Output{Type: "cacheonly"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := manifest.ParseOutput(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			again, err := manifest.ParseOutput(got.String())
			if diff := cmp.Diff(got, again); diff != "" || err != nil {
				t.Errorf("%s is read otherwise: %v %s", got, err, diff)
			}
		})
	}
}

func TestParseOutputRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, problem, hint string }{
		"nothing":                       {"", "no type=", "oci, local, tar, docker or image"},
		"a type alone":                  {"type=", "no type=", "oci, local"},
		"no type":                       {"dest=a,tar=false", "no type=", ""},
		"an unknown type":               {"type=flatpak,dest=a", `unknown type "flatpak"`, "the types are"},
		"a slip in a type":              {"type=oic,dest=a", `unknown type "oic"`, "did you mean type=oci?"},
		"inside Docker":                 {"type=moby", "unknown type", "type=docker"},
		"a slip in a key":               {"type=oci,dst=a", `unknown key "dst"`, "did you mean dest=?"},
		"an unknown key":                {"type=oci,dest=a,colour=red", `unknown key "colour"`, "compression, compression-level, dest"},
		"a key where there is none":     {"type=cacheonly,colour=red", `unknown key "colour"`, "no options"},
		"an image kept nowhere":         {"type=image,unpack=true,push=true", `unknown key "unpack"`, "type=docker"},
		"an image kept in BuildKit":     {"type=image,store=true,push=true", `unknown key "store"`, "type=docker"},
		"a folder for Docker":           {"type=docker,dest=a,tar=false", `unknown key "tar"`, "type=oci,tar=false"},
		"a push beside":                 {"type=docker,push=true", `unknown key "push"`, "--push"},
		"a file and an engine":          {"type=docker,dest=a,context=b", "context= names", "leave one"},
		"an unknown compression":        {"type=oci,compression=lzma", "no such compression", "gzip, zstd"},
		"a slip in a compression":       {"type=oci,compression=gzp", "no such compression", "compression=gzip?"},
		"a level in words":              {"type=oci,compression-level=best", "no number", "NUMBER"},
		"a key of another type":         {"type=local,dest=a,tar=false", `unknown key "tar"`, "platform-split"},
		"insecure here":                 {"type=registry,registry.insecure=true", "unknown key", "buildkitd.toml"},
		"a word":                        {"type=oci,dest", `"dest" has no =`, ""},
		"a key twice":                   {"type=oci,dest=a,dest=b", "twice", ""},
		"a type twice":                  {"type=oci,type=tar", "twice", ""},
		"a layout without folder":       {"type=oci,tar=false", "dest= is missing", "dest=FOLDER"},
		"a layout to stdout":            {"type=oci,tar=false,dest=-", "stdout", ""},
		"files without folder":          {"type=local", "dest= is missing", "dest=FOLDER"},
		"files to stdout":               {"type=local,dest=-", "stdout", "type=tar"},
		"an image for nobody":           {"type=image,name=a", "registry or nowhere", "push=true"},
		"an image not pushed":           {"type=image,name=a,push=false", "registry or nowhere", "push=true"},
		"neither true nor false":        {"type=oci,dest=a,tar=maybe", "neither true nor false", "tar=false"},
		"deleting files":                {"type=local,dest=a,mode=delete", "mode=delete", "empty it"},
		"an annotation nobody can read": {"type=oci,annotation-foo.k=v", "cannot read", "annotation-LEVEL"},
		"an open quote":                 {`type=oci,"dest=a`, "comma-separated", "quote"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := manifest.ParseOutput(test.text)
			var e *manifest.OutputError
			if !errors.As(err, &e) {
				t.Fatalf("read as %+v, error %v", got, err)
			}
			if e.Input != test.text || !strings.Contains(e.Error(), test.problem) {
				t.Errorf("error is %q, want %q in it", e, test.problem)
			}
			if !strings.Contains(hintOf(t, e), test.hint) {
				t.Errorf("hint is %q, want %q in it", e.Hint(), test.hint)
			}
		})
	}
}

func TestOutputsAreCheckedTogether(t *testing.T) {
	for name, test := range map[string]struct {
		texts []string
		fine  bool
	}{
		"different places":          {[]string{"type=oci,dest=a", "type=tar,dest=b", "-", "type=registry", "type=registry"}, true},
		"one folder for two":        {[]string{"a", "type=oci,tar=false,dest=a"}, false},
		"two streams for stdout":    {[]string{"-", "type=oci"}, false},
		"one that cannot be read":   {[]string{"a", "type=x"}, false},
		"none":                      {nil, true},
		"the same compression":      {[]string{"type=oci,compression=zstd", "type=registry,compression=zstd"}, true},
		"the placeholder is a path": {[]string{"out/{name}", "out/a"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := manifest.ParseOutputs(test.texts); (err == nil) != test.fine {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestExporterAttributesMustAgree(t *testing.T) {
	list, err := manifest.ParseOutputs([]string{"type=oci,compression=zstd", "type=registry,rewrite-timestamp=true", "out"})
	if err != nil {
		t.Fatal(err)
	}
	attrs, err := manifest.ExporterAttrs(list)
	if diff := cmp.Diff(map[string]string{"compression": "zstd", "rewrite-timestamp": "true"}, attrs); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	list[1].Exporter["compression"] = "gzip"
	if _, err := manifest.ExporterAttrs(list); err == nil {
		t.Error("two compressions at once")
	}
	list, err = manifest.ParseOutputs([]string{"type=oci,compression=zstd", "type=registry,oci-mediatypes=false"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.ExporterAttrs(list); err == nil {
		t.Error("zstd, for which Docker has no media type")
	}
}

func TestPlaceholder(t *testing.T) {
	for text, holds := range map[string]bool{
		"type=oci,dest=out/{name}.tar":      true,
		"out":                               false,
		"-":                                 false,
		"type=cacheonly":                    true,
		"type=registry,name=reg/{name}:1":   true,
		"type=registry,name=reg/app:{name}": true,
		"type=registry,name=reg/app":        false,
		"type=registry":                     true,
		"type=docker":                       true,
		"type=docker,name=app":              false,
		"type=docker,dest=app.tar":          false,
	} {
		o, err := manifest.ParseOutput(text)
		if err != nil {
			t.Fatal(err)
		}
		if o.HasName() != holds {
			t.Errorf("%s: HasName is %t", text, o.HasName())
		}
		if o = o.Expand("api"); strings.Contains(o.String(), "{") {
			t.Errorf("%s expands to %s", text, o)
		}
	}
}

// FuzzParseOutput: what is read, prints as a text that is read the same; what is
// refused, is refused with a hint.
func FuzzParseOutput(f *testing.F) {
	for _, seed := range []string{
		"-", "out", "type=oci,dest=a,tar=false", `type=image,"name=a,b",push=true`, `type=oci,"dest=a""b"`,
		"type=oci,annotation-index[linux/arm].k=v", " type=tar", "type=oci,dest= x ", "type=local,dest=\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := manifest.ParseOutput(text)
		if err != nil {
			var e *manifest.OutputError
			if !errors.As(err, &e) || e.Hint() == "" {
				t.Errorf("%q: error %v without a hint", text, err)
			}
			return
		}
		again, err := manifest.ParseOutput(o.String())
		if err != nil {
			t.Fatalf("%q is printed as %q, which is refused: %v", text, o, err)
		}
		if diff := cmp.Diff(o, again); diff != "" {
			t.Errorf("%q is printed as %q, which is read otherwise: %s", text, o, diff)
		}
	})
}
