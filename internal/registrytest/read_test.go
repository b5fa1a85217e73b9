package registrytest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	. "github.com/archbuild/archbuild/internal/registrytest"
)

var five = []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64", "linux/s390x"}

func TestWhatIsPushedIsRead(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := Start(t, kind)
			for name, o := range map[string]Options{
				"oci":      {Platforms: five, Layers: []int{100, 5000}, Seed: 3, Shared: true, Annotations: map[string]string{"k": "v"}},
				"docker":   {Platforms: five, Docker: true},
				"attested": {Platforms: five[:2], Attest: true},
			} {
				c := Index(o)
				c.Push(t, r.Addr, "team/"+name, "2", "1")
				node, wrong := Read(r.Addr, "team/"+name, "1")
				if len(wrong) > 0 || node.Digest != c.Root.Digest {
					t.Errorf("%s: %s, %v", name, node.Digest, wrong)
				}
				want := o.Platforms
				if o.Attest {
					want = append(want[:2:2], "unknown/unknown", "unknown/unknown")
				}
				if diff := cmp.Diff(want, node.Platforms()); diff != "" {
					t.Error(name, diff)
				}
				if diff := cmp.Diff(o.Annotations, node.Own); diff != "" {
					t.Error(name, diff)
				}
				if tags, err := Tags(r.Addr, "team/"+name); !cmp.Equal(tags, []string{"1", "2"}) || err != nil {
					t.Errorf("%s: %v, %v", name, tags, err)
				}
			}
		})
	}
}

func TestWhatIsWrongIsTold(t *testing.T) {
	for _, kind := range []Kind{Debian, Distribution} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := Start(t, kind)
			c := Index(Options{Platforms: []string{"linux/amd64", "linux/arm64=linux/amd64", "linux/riscv64"}})
			c.Push(t, r.Addr, "app", "1")
			node, wrong := Read(r.Addr, "app", "1")
			told(t, wrong, "is listed as linux/arm64, its config says linux/amd64")

			Delete(t, r.Addr, "app", "blobs", node.Children[0].Layers[0].Digest)
			Delete(t, r.Addr, "app", "manifests", node.Children[2].Digest)
			_, wrong = Read(r.Addr, "app", "1")
			told(t, wrong, node.Children[0].Layers[0].Digest+": 404", "is listed as", "manifests/"+node.Children[2].Digest+": 404")

			p := NewProxy(t, r, Config{Script: func(a Ask) Fault {
				if a.Target == node.Children[1].Layers[0].Digest {
					return WrongBytes
				}
				return ""
			}})
			_, wrong = Read(p.Addr, "app", "1")
			told(t, wrong, ": 404", "has other bytes", "is listed as", ": 404")
			if digest, err := Digest(r.Addr, "app", "2"); digest != "" || err != nil {
				t.Errorf("a tag that is not there: %q, %v", digest, err)
			}
		})
	}
}

// told checks that the findings are these, in this order.
func told(t *testing.T, got []string, want ...string) {
	t.Helper()
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.Contains(got[i], want[i])
	}
	if !ok {
		t.Errorf("told: %s\nwant: %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestContentDependsOnItsOptionsAlone(t *testing.T) {
	o := Options{Platforms: five, Seed: 4, Attest: true}
	if a, b := Index(o), Index(o); a.Root.Digest != b.Root.Digest {
		t.Error("two makings differ")
	}
	other := o
	other.Seed = 5
	if a, b := Index(o), Index(other); a.Root.Digest == b.Root.Digest {
		t.Error("two seeds give the same")
	}
}

func TestLayoutsAreRight(t *testing.T) {
	dir := t.TempDir()
	c := Index(Options{Platforms: five, Layers: []int{10, 1000}, Docker: true})
	c.Layout(t, dir, "1")
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "x.tar")
	c.Archive(t, file, "")
	if info, err := os.Stat(file); err != nil || info.Size() < 5000 {
		t.Error(info, err)
	}
}
