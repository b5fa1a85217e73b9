package nodes_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/platform"
	"github.com/google/go-cmp/cmp"
)

// userFile writes a config.yaml beside the files of TLS in the folder tls.
func userFile(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "tls"), os.DirFS(pems(t, "ca.pem", "cert.pem", "key.pem"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheUsersFileNamesNodes(t *testing.T) {
	path := userFile(t, `# two of them
nodes:
  - ssh://me@arm.example,platform=linux/arm64,weight=2
  - name: far
    address: tcp://10.0.0.7:1234
    platforms: [linux/arm64, arm]
    weight: 0.5
    jobs: 4
    tlsdir: tls
    servername: far.example
    passwords: [registry.example, "other.example:5000"]
  - {address: "tcp://10.0.0.8:1234", cacert: tls/ca.pem}
  - engine
`)
	dir := filepath.Dir(path)
	in := func(name string) string { return filepath.Join(dir, "tls", name) }
	want := []nodes.Spec{
		{Name: "arm.example", Address: "ssh://me@arm.example", Platforms: []platform.Platform{arm64}, Weight: 2, From: path + ":3"},
		{
			Name: "far", Address: "tcp://10.0.0.7:1234", Platforms: []platform.Platform{arm64, armv7}, Weight: 0.5, Jobs: 4,
			TLS: builder.TLS{ServerName: "far.example", CA: in("ca.pem"), Certificate: in("cert.pem"), Key: in("key.pem")}, From: path + ":4",
			Passwords: []string{"registry.example", "other.example:5000"},
		},
		{Name: "10.0.0.8", Address: "tcp://10.0.0.8:1234", Weight: 1, TLS: builder.TLS{CA: in("ca.pem")}, From: path + ":12"},
		{Name: "engine", Address: "engine", Weight: 1, From: path + ":13"},
	}
	got, err := nodes.Load(path)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestAFileThatSaysNothingNamesNoNode(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "config.yaml"), userFile(t, ""), userFile(t, "# nothing\n"), userFile(t, "nodes:\n"), userFile(t, "nodes: []\n")} {
		if got, err := nodes.Load(path); len(got) > 0 || err != nil {
			t.Errorf("%q: %v, %v", path, got, err)
		}
	}
}

func TestErrorsInTheUsersFileSayWhere(t *testing.T) {
	for _, row := range []struct{ problem, text, want, hint string }{
		{"a misspelt key", "node: []", `:1:1: unknown key "node"`, "did you mean nodes?"},
		{"a key of archbuild.yaml", "platforms: [arm64]", ":1:1: what is built is not said in this file", "archbuild.yaml beside the Dockerfile"},
		{"one node in place of a list", "nodes: tcp://a:1", ":1:8: expected a list", "begin each node with a hyphen"},
		{"a mapping in place of a list", "nodes: {address: engine}", ": expected a list", "begin each node with a hyphen"},
		{"a misspelt key of a node", "nodes:\n- wieght: 2", `:2:3: unknown key "wieght"`, "did you mean weight?"},
		{"the key of --node", "nodes:\n- address: tcp://a:1\n  platform: arm64", `:3:3: unknown key "platform"`, "did you mean platforms?"},
		{"no address", "nodes:\n- name: x", ":2:3: a node without an address", "add address"},
		{"a bad address", "nodes:\n- address: tcp://a", ":2:12: node tcp://a: the port is missing", "tcp://a:1234"},
		{"a bad word", "nodes:\n- engine\n- tcp://a:1,wieght=2", ":3:3: node tcp://a:1: unknown key wieght", "did you mean weight?"},
		{"an unknown platform", "nodes:\n- address: tcp://a:1\n  platforms:\n  - arm46", `:4:5: unknown platform "arm46"`, "did you mean linux/arm64?"},
		{"a platform twice", "nodes:\n- address: tcp://a:1\n  platforms: [arm64, linux/arm64]", `is given twice, first on line 3`, "keep one"},
		{"no weight", "nodes:\n- address: tcp://a:1\n  weight: 0", ":3:11: node tcp://a:1: weight 0 is no number above 0", "0.5"},
		{"no number", "nodes:\n- address: tcp://a:1\n  jobs: many", ":3:9: node tcp://a:1: jobs many is no number", "cores decide"},
		{"an empty name", "nodes:\n- address: tcp://a:1\n  name: ''", ":3:9: node tcp://a:1: name has no value", "leave name out"},
		{"a file that is not there", "nodes:\n- address: tcp://a:1\n  cacert: no.pem", ":3:11: node tcp://a:1: cacert ", "openssl"},
		{"a home that no shell put in", "nodes:\n- address: tcp://a:1\n  cacert: ~/ca.pem", ":3:11: node tcp://a:1: cacert ", "starts at the folder of the file"},
		{"a folder without certificates", "nodes:\n- address: tcp://a:1\n  tlsdir: no", ":3:11: node tcp://a:1: tlsdir ", "openssl"},
		{"two equal names", "nodes:\n- tcp://a:1,name=x\n- tcp://b:1,name=x", ":3:3: node tcp://b:1: another node has the name x", "a name of its own"},
		{"one server twice", "nodes:\n- tcp://a:1\n- tcp://a:1", ":3:3: node tcp://a:1: the node is given twice", "keep one"},
		{"a list as a node", "nodes:\n- [a]", ":2:3: expected a single value", "without [ ]"},
	} {
		path := userFile(t, row.text)
		_, err := nodes.Load(path)
		bad := new(config.Error)
		if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), path+":") || !strings.Contains(err.Error(), row.want) || !strings.Contains(bad.Hint(), row.hint) {
			t.Errorf("%s: %v, hint %q", row.problem, err, bad.Hint())
		}
		if usage := new(nodes.Error); errors.As(err, &usage) {
			t.Errorf("%s passes for wrong usage of a command", row.problem)
		}
	}
}

func TestAllErrorsOfTheUsersFileAreShown(t *testing.T) {
	_, err := nodes.Load(userFile(t, "nodes:\n- tcp://a\n- tcp://b:1,weight=0\n"))
	if n := len(strings.Split(err.Error(), "\n")); n != 2 {
		t.Errorf("%d errors: %v", n, err)
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	_, err := nodes.Load(t.TempDir())
	if bad := new(nodes.FileError); !errors.As(err, &bad) || bad.Hint() == "" {
		t.Error(err)
	}
	_, err = nodes.Load(userFile(t, "nodes: ["+strings.Repeat(" ", 3<<20)+"]"))
	if err == nil || !strings.Contains(err.Error(), "larger than 1 MB") {
		t.Error(err)
	}
}

func TestTheUsersFileLiesInTheUsersHome(t *testing.T) {
	for _, row := range []struct{ problem, config, home, want string }{
		{"where XDG says", "/x", "/home/me", "/x/archbuild/config.yaml"},
		{"else in .config", "", "/home/me", "/home/me/.config/archbuild/config.yaml"},
		{"a relative folder is ignored", "x", "/home/me", "/home/me/.config/archbuild/config.yaml"},
		{"without a home there is none", "", "", ""},
	} {
		env := map[string]string{"XDG_CONFIG_HOME": row.config, "HOME": row.home}
		if got := nodes.UserFile(func(key string) string { return env[key] }); got != row.want {
			t.Errorf("%s: %q", row.problem, got)
		}
	}
}
