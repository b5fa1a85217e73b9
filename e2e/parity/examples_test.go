package parity_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// deliberate are the examples in which archbuild is to end otherwise than buildx, with the reason.
func deliberate() map[string]string {
	return map[string]string{}
}

// sampleOf is the part of the examples that is built unless ARCHBUILD_PARITY is "all": one of so many.
const sampleOf = 16

// minExamples is less than there are in the BuildKit that go.mod names.
const minExamples = 200

// TestExamples builds the examples of BuildKit's own integration tests of the Dockerfile frontend by docker buildx and by archbuild:
// archbuild succeeds exactly where buildx does, and then with the same images.
func TestExamples(t *testing.T) {
	w := newWorld(t)
	all := readExamples(t, w.hub.Addr)
	taken := w.choose(t, all)
	counts := &counts{}
	t.Cleanup(func() { t.Logf("%d built by both, %d refused by both", counts.built, counts.refused) })
	for i, test := range taken {
		if os.Getenv("ARCHBUILD_PARITY") != "all" && i%sampleOf != 0 {
			continue
		}
		t.Run(test[0].name, func(t *testing.T) {
			t.Parallel()
			for _, e := range test { // one may stand on what the last one pushed
				t.Run(e.name, func(t *testing.T) { w.example(t, e, counts) })
			}
		})
	}
}

// choose leaves out what cannot be built here, and says why. It gives the examples of each test.
func (w *world) choose(t *testing.T, all []example) (taken [][]example) {
	t.Helper()
	left, seen, number := map[string]int{}, map[string]bool{}, 0
	for _, e := range all {
		reason := cmp.Or(e.left, w.outOfReach(e))
		if reason == "" && seen[e.identity()] {
			reason = "it is the same build as another one"
		}
		if reason != "" {
			left[reason]++
			continue
		}
		seen[e.identity()] = true
		number++
		if n := len(taken); n > 0 && taken[n-1][0].test() == e.test() {
			taken[n-1] = append(taken[n-1], e)
			continue
		}
		taken = append(taken, []example{e})
	}
	t.Logf("%d examples taken, of %d tests", number, len(taken))
	for _, reason := range slices.Sorted(maps.Keys(left)) {
		t.Logf("%d left out: %s", left[reason], reason)
	}
	if number < minExamples {
		t.Errorf("only %d examples could be read from BuildKit's tests; has their form changed?", number)
	}
	return taken
}

// test is the name of the test that an example is of.
func (e example) test() string {
	name, _, _ := strings.Cut(e.name, "#")
	return name
}

type counts struct {
	mu             sync.Mutex
	built, refused int
}

func (c *counts) add(built bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if built {
		c.built++
	} else {
		c.refused++
	}
}

func (w *world) example(t *testing.T, e example, counts *counts) {
	t.Helper()
	dir := t.TempDir()
	args, err := e.lay(dir)
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := filepath.Join(dir, "buildx.tar"), filepath.Join(dir, "archbuild.tar")
	more := []string{"build", "--builder", "parity", "--provenance=false", "-o", "type=oci,rewrite-timestamp=true,dest=" + theirs}
	if e.pushed != "" {
		more = append(more, "-o", "type=image,push=true,name="+e.pushed)
	}
	want, wantErr := w.tool(dir, w.buildx, theirs, slices.Concat(more, args)...)
	got, gotErr := w.tool(dir, w.archbuild, ours, slices.Concat([]string{"build", "--no-resume", "-o", "type=oci,dest=" + ours}, args)...)
	var difference string
	switch {
	case (wantErr == nil) != (gotErr == nil):
		difference = fmt.Sprintf("buildx: %v\narchbuild: %v", wantErr, gotErr)
	case wantErr == nil:
		difference = differ(want, got)
	}
	reason, excepted := deliberate()[e.name]
	switch {
	case difference == "":
		counts.add(wantErr == nil)
		if wantErr != nil {
			t.Logf("refused by both: %s", lastLine(wantErr.Error()))
		}
		if excepted {
			t.Errorf("there is no difference any more; take the exception out: %s", reason)
		}
	case !excepted:
		text, _ := e.text()
		t.Errorf("- docker buildx\n+ archbuild\n%s\nwith %q, of\n%s", difference, args, text)
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndex(text, "\n")+1:]
}

// tool runs a build of an example and reads the archive that it writes.
func (w *world) tool(dir, program, archive string, args ...string) (built, error) {
	said, err := w.run(w.t.Context(), dir, program, append(args, "--progress", "plain")...)
	if err != nil {
		return built{}, fmt.Errorf("%w\n%s", err, said)
	}
	return readArchive(archive)
}

// lay writes an example's folders and returns the arguments that both tools take.
func (e example) lay(dir string) ([]string, error) {
	at, files := filepath.Join(dir, "context"), filepath.Join(dir, "dockerfile")
	if slices.Equal(e.dockerfile, e.context) {
		files = at
	}
	err := e.context.lay(at)
	if files != at {
		err = errors.Join(err, e.dockerfile.lay(files))
	}
	args := []string{at}
	if name := cmp.Or(e.options["filename"], "Dockerfile"); files != at || name != "Dockerfile" {
		args = append(args, "-f", filepath.Join(files, name))
	}
	for _, id := range slices.Sorted(maps.Keys(e.secrets)) {
		file := filepath.Join(dir, "secrets", id)
		err = errors.Join(err, write(file, []byte(e.secrets[id]), 0o600))
		args = append(args, "--secret", "id="+id+",src="+file)
	}
	for _, name := range slices.Sorted(maps.Keys(e.named)) {
		err = errors.Join(err, e.named[name].lay(filepath.Join(dir, "named", name)))
	}
	for _, option := range slices.Sorted(maps.Keys(e.options)) {
		flag, ok := flagFor(option, e.options[option], dir)
		if !ok {
			return nil, fmt.Errorf("no flag stands for the option %s", option)
		}
		args = append(args, flag...)
	}
	return args, errors.Join(err, age(dir, e.name))
}

// flagFor is the flag that has a tool give the frontend an option.
func flagFor(option, value, dir string) ([]string, bool) {
	kind, key, _ := strings.Cut(option, ":")
	switch kind {
	case "filename":
		return nil, true
	case "force-network-mode":
		return []string{"--network", value}, true
	case "memory":
		return []string{"--resource", option + "=" + value}, true
	case "target", "platform", "shm-size", "ulimit":
		return []string{"--" + kind, value}, true
	case "build-arg", "label":
		return []string{"--" + kind, key + "=" + value}, true
	case "no-cache":
		return []string{"--no-cache"}, value == ""
	case "context":
		if local, ok := strings.CutPrefix(value, "local:"); ok {
			value = filepath.Join(dir, "named", local)
		} else if !strings.HasPrefix(value, "docker-image://") {
			return nil, false
		}
		return []string{"--build-context", key + "=" + value}, key != ""
	}
	return nil, false
}

func (f folder) lay(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	for _, e := range f {
		name := filepath.Join(dir, e.name)
		switch e.kind {
		case isFile:
			err = errors.Join(err, write(name, []byte(e.content), e.mode))
		case isFolder:
			err = errors.Join(err, os.MkdirAll(name, 0o755), os.Chmod(name, e.mode))
		case isLink:
			err = errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o755), os.Symlink(e.content, name))
		}
	}
	return err
}

// identity is equal for builds that are the same.
func (e example) identity() string {
	return fmt.Sprintf("%q", []any{e.dockerfile, e.context, e.named, e.options, e.secrets, e.pushed})
}

// outOfReach says what an example needs that there is not.
func (w *world) outOfReach(e example) string {
	for option, value := range e.options {
		if _, ok := flagFor(option, value, ""); !ok {
			kind, _, _ := strings.Cut(option, ":")
			return "no flag stands for the frontend's option " + kind
		}
	}
	for p := range strings.SplitSeq(e.options["platform"], ",") {
		if p != "" && !strings.HasPrefix(p, "linux") {
			return "it is for a system that is not Linux, which archbuild refuses"
		}
	}
	text, ok := e.text()
	if !ok {
		return "" // both have to refuse it
	}
	// The commands that fetch something from elsewhere in these tests.
	for _, far := range []string{"https://", "http://", "git@", "git://", "apk add", "apk --no-cache add", "apt-get "} {
		if strings.Contains(text, far) {
			return "it needs the network"
		}
	}
	for _, image := range e.images(text) {
		if !slices.Contains(served(), image) && !strings.HasPrefix(image, w.hub.Addr+"/") {
			return "it needs an image that the fixtures do not have"
		}
	}
	if strings.Contains(text, "/dev/urandom") {
		return "it makes something random, and each tool runs it anew"
	}
	if strings.Contains(text, "syntax=") {
		return "it names a frontend that buildx would fetch"
	}
	return ""
}

// served are the images that can be had, by their full names.
func served() []string {
	list := []string{"docker.io/" + base, "docker.io/library/golang:1.26"}
	for _, alias := range aliases {
		list = append(list, "docker.io/"+alias)
	}
	return list
}

// images that BuildKit's frontend asks for when it converts the Dockerfile, as far as it gets.
func (e example) images(text string) []string {
	args := map[string]string{}
	for option, value := range e.options {
		if name, ok := strings.CutPrefix(option, "build-arg:"); ok {
			args[name] = value
		}
	}
	caps := pb.Caps.CapSet(pb.Caps.All())
	here := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	r := &recorder{}
	// An error is no matter: then the tools have to refuse the file too.
	_, _ = dockerfile2llb.Dockerfile2LLB(context.Background(), []byte(text), dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{BuildArgs: args, Target: e.options["target"], BuildPlatforms: []ocispecs.Platform{here}},
		TargetPlatform: &here, MetaResolver: r, LLBCaps: &caps,
	})
	return r.asked
}

// recorder notes which images are asked for.
type recorder struct {
	mu    sync.Mutex
	asked []string
}

// ResolveImageConfig answers with a config that has nothing in it.
func (r *recorder) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ref)
	return ref, "", []byte(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + digest.FromString(ref).String() + `"]}}`), nil
}
