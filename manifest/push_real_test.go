package manifest_test

import (
	"bytes"
	"testing"

	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/manifest"
)

func TestARealRegistryTakesThePush(t *testing.T) {
	s, host := newStore(t), fixtures.ForTest(t).Addr
	x := s.assemble([]string{"index:k=v"}, s.result(amd64, s.attested(amd64, "a")), s.result(armV7, s.attested(armV7, "b")))
	names := []string{host + "/app:1", host + "/copy:1"}
	for _, state := range []manifest.TagState{manifest.TagMoved, manifest.TagUnchanged} {
		got, err := x.Push(t.Context(), client(), names, manifest.PushOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range got.Tags {
			if tag.State != state {
				t.Errorf("%s is %s, want %s", tag.Name, tag.State, state)
			}
		}
	}
	for _, name := range names {
		ref := "docker://" + name
		if got := skopeo(t, "inspect", "--raw", "--tls-verify=false", ref); !bytes.Equal(bytes.TrimSpace(got), x.Bytes) {
			t.Errorf("%s is\n%s", name, got)
		}
		skopeo(t, "copy", "--all", "--src-tls-verify=false", ref, "oci:"+t.TempDir()+":copy")
	}
}
