package parity_test

import (
	"os"
	"path/filepath"
	"testing"
)

// output is how each tool is told to deliver, and how the result is read. What is read of both is compared.
type output struct {
	buildx, archbuild []string
	// at is where the result lies, below the folder $OUT or as a name in the hub.
	at   string
	read func(at string) (built, error)
}

// outputs by the word that a case has after "output:". With SOURCE_DATE_EPOCH archbuild rewrites times by itself; buildx is told to.
func (w *world) outputs(t *testing.T) map[string]output {
	pushed := func(at string) (built, error) { return readPushed(reference(t, w.hub, at)) }
	return map[string]output{
		"oci": {
			buildx:    []string{"-o", "type=oci,dest=$OUT/image.tar,rewrite-timestamp=true"},
			archbuild: []string{"-o", "type=oci,dest=$OUT/image.tar"},
			at:        "$OUT/image.tar", read: readArchive,
		},
		"layout": {
			buildx:    []string{"-o", "type=oci,tar=false,dest=$OUT/layout,rewrite-timestamp=true"},
			archbuild: []string{"-o", "type=oci,tar=false,dest=$OUT/layout"},
			at:        "$OUT/layout", read: func(at string) (built, error) { return readLayout(os.DirFS(at)) },
		},
		"compressed": {
			buildx:    []string{"-o", "type=oci,dest=$OUT/image.tar,rewrite-timestamp=true,compression=zstd,compression-level=3,force-compression=true,oci-mediatypes=true"},
			archbuild: []string{"-o", "type=oci,dest=$OUT/image.tar,compression=zstd,compression-level=3,force-compression=true,oci-mediatypes=true"},
			at:        "$OUT/image.tar", read: readArchive,
		},
		"docker-types": {
			buildx:    []string{"-o", "type=oci,dest=$OUT/image.tar,rewrite-timestamp=true,compression=uncompressed,force-compression=true,oci-mediatypes=false"},
			archbuild: []string{"-o", "type=oci,dest=$OUT/image.tar,compression=uncompressed,force-compression=true,oci-mediatypes=false"},
			at:        "$OUT/image.tar", read: readArchive,
		},
		"docker": {
			buildx:    []string{"-t", "parity:1", "-o", "type=docker,dest=$OUT/image.tar,rewrite-timestamp=true"},
			archbuild: []string{"-t", "parity:1", "-o", "type=docker,dest=$OUT/image.tar"},
			at:        "$OUT/image.tar", read: readArchive,
		},
		"local": {
			buildx: []string{"-o", "type=local,dest=$OUT/files"}, archbuild: []string{"-o", "type=local,dest=$OUT/files"},
			at: "$OUT/files", read: readFolder,
		},
		"tar": {
			buildx: []string{"-o", "type=tar,dest=$OUT/files.tar"}, archbuild: []string{"-o", "type=tar,dest=$OUT/files.tar"},
			at: "$OUT/files.tar", read: readTar,
		},
		"push": {
			buildx:    []string{"-t", "$HUB/parity/$TOOL:$CASE", "-o", "type=image,push=true,rewrite-timestamp=true"},
			archbuild: []string{"-t", "$HUB/parity/$TOOL:$CASE", "--push"},
			at:        "parity/$TOOL:$CASE", read: pushed,
		},
		"image": {
			buildx:    []string{"-o", "type=image,name=$HUB/parity/$TOOL:$CASE,push=true,rewrite-timestamp=true"},
			archbuild: []string{"-o", "type=image,name=$HUB/parity/$TOOL:$CASE,push=true"},
			at:        "parity/$TOOL:$CASE", read: pushed,
		},
	}
}

// variables are what $NAME stands for in the lines of a case and in outputs.
func (w *world) variables(t *testing.T, tool, name string) func(string) string {
	out := t.TempDir()
	known := map[string]string{
		"OUT": out, "TOOL": tool, "CASE": name, "HUB": w.hub.Addr, "SITE": w.site + "/" + name, "DIR": filepath.Join(w.root, name),
	}
	return func(variable string) string {
		value, ok := known[variable]
		if !ok {
			t.Fatalf("$%s stands for nothing; README.md has the list", variable)
		}
		return value
	}
}
