package nodes_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/platform"
	"github.com/google/go-cmp/cmp"
)

var (
	arm64 = platform.MustParse("linux/arm64")
	armv7 = platform.MustParse("linux/arm/v7")
)

// pems makes files, of any content, for the keys of TLS.
func pems(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNodesAreRead(t *testing.T) {
	dir, crt := pems(t, "ca.pem", "cert.pem", "key.pem"), pems(t, "ca.crt", "tls.crt", "tls.key")
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, row := range []struct {
		text string
		want nodes.Spec
	}{
		{"engine", nodes.Spec{Name: "engine", Address: "engine", Weight: 1}},
		{"engine,weight=0.5", nodes.Spec{Name: "engine", Address: "engine", Weight: 0.5}},
		{"unix:///run/buildkit/buildkitd.sock", nodes.Spec{Name: "buildkit", Address: "unix:///run/buildkit/buildkitd.sock", Weight: 1}},
		{"unix:///home/me/state/run/engine.sock", nodes.Spec{Name: "state", Address: "unix:///home/me/state/run/engine.sock", Weight: 1}},
		{"unix:///run/buildkitd.sock", nodes.Spec{Name: "buildkitd", Address: "unix:///run/buildkitd.sock", Weight: 1}},
		{"unix:///run/my folder/a.sock", nodes.Spec{Name: "my-folder", Address: "unix:///run/my folder/a.sock", Weight: 1}},
		{"tcp://arm.example:1234,platform=linux/arm64/v8+arm,weight=2,name=arm,jobs=4", nodes.Spec{
			Name: "arm", Address: "tcp://arm.example:1234", Platforms: []platform.Platform{arm64, armv7}, Weight: 2, Jobs: 4,
		}},
		{"tcp://[::1]:1234", nodes.Spec{Name: "1", Address: "tcp://[::1]:1234", Weight: 1}},
		{"tcp://10.0.0.7:1234", nodes.Spec{Name: "10.0.0.7", Address: "tcp://10.0.0.7:1234", Weight: 1}},
		{"tcp://a:1,cacert=" + in("ca.pem") + ",servername=arm.example", nodes.Spec{
			Name: "a", Address: "tcp://a:1", Weight: 1, TLS: builder.TLS{CA: in("ca.pem"), ServerName: "arm.example"},
		}},
		{"tcp://a:1,tlsdir=" + dir, nodes.Spec{Name: "a", Address: "tcp://a:1", Weight: 1, TLS: builder.TLS{CA: in("ca.pem"), Certificate: in("cert.pem"), Key: in("key.pem")}}},
		{"tcp://a:1,tlsdir=" + crt, nodes.Spec{Name: "a", Address: "tcp://a:1", Weight: 1, TLS: builder.TLS{
			CA: filepath.Join(crt, "ca.crt"), Certificate: filepath.Join(crt, "tls.crt"), Key: filepath.Join(crt, "tls.key"),
		}}},
		{"ssh://arm,passwords=registry.example+other.example:5000+localhost", nodes.Spec{
			Name: "arm", Address: "ssh://arm", Weight: 1, Passwords: []string{"registry.example", "other.example:5000", "localhost"},
		}},
		{"ssh://arm", nodes.Spec{Name: "arm", Address: "ssh://arm", Weight: 1}},
		{"ssh://me@arm.example:2222/run/user/1000/buildkit/buildkitd.sock", nodes.Spec{Name: "arm.example", Address: "ssh://me@arm.example:2222/run/user/1000/buildkit/buildkitd.sock", Weight: 1}},
		{"docker-container://buildkitd?context=desktop-linux", nodes.Spec{Name: "buildkitd", Address: "docker-container://buildkitd?context=desktop-linux", Weight: 1}},
		{"podman-container://b_1", nodes.Spec{Name: "b_1", Address: "podman-container://b_1", Weight: 1}},
		{"nerdctl-container://b?namespace=k8s.io", nodes.Spec{Name: "b", Address: "nerdctl-container://b?namespace=k8s.io", Weight: 1}},
		{"kube-pod://buildkitd-0?namespace=ci&context=arn:aws:eks:eu-west-1:1:cluster/ci&container=buildkitd", nodes.Spec{
			Name: "buildkitd-0", Address: "kube-pod://buildkitd-0?namespace=ci&context=arn:aws:eks:eu-west-1:1:cluster/ci&container=buildkitd", Weight: 1,
		}},
	} {
		row.want.From = "--node"
		got, err := nodes.Parse(row.text)
		if err != nil {
			t.Errorf("%s: %v", row.text, err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.text, diff)
		}
		again, err := nodes.Parse(got.String())
		if diff := cmp.Diff(got, again); diff != "" || err != nil {
			t.Errorf("%s, printed as %s: %v %s", row.text, got, err, diff)
		}
	}
}

func TestWhatCannotBeMeantIsRefused(t *testing.T) {
	dir := pems(t, "ca.pem", "cert.pem")
	ca := "cacert=" + filepath.Join(dir, "ca.pem")
	for _, row := range []struct{ problem, text, want, hint string }{
		{"nothing", "", "the address is missing", "unix:///run/buildkit/buildkitd.sock"},
		{"keys without an address", "platform=linux/arm64", "it has no scheme", "engine, or one of unix://"},
		{"a word", "nonsense", "node nonsense: no address: it has no scheme", "tcp://"},
		{"a misspelt engine", "engin", "no address", "did you mean engine?"},
		{"a path", "/run/buildkit/buildkitd.sock", "it has no scheme", "unix://"},
		{"a misspelt scheme", "dockercontainer://x", "unknown scheme dockercontainer", "did you mean docker-container?"},
		{"a scheme of docker's", "npipe:////./pipe/x", "unknown scheme npipe", "known: unix, tcp"},
		{"an unknown key", "tcp://a:1,platfom=linux/arm64", "unknown key platfom", "did you mean platform?"},
		{"a key in capitals", "tcp://a:1,Weight=2", "unknown key Weight", "did you mean weight?"},
		{"a key of nobody's", "tcp://a:1,speed=2", "unknown key speed", "known: platform, weight, name"},
		{"a key twice", "tcp://a:1,weight=2,weight=3", "weight is given twice", "keep one"},
		{"the platform twice", "tcp://a:1,platform=arm64,platform=arm", "platform is given twice", "joined with +"},
		{"one platform in two spellings", "tcp://a:1,platform=arm64+linux/arm64/v8", "platform linux/arm64 is given twice", "keep one"},
		{"an unknown platform", "tcp://a:1,platform=linux/arm46", `unknown platform "linux/arm46"`, "did you mean linux/arm64?"},
		{"platforms by commas", "tcp://a:1,platform=linux/arm64,linux/arm", "linux/arm is no KEY=VALUE", "join platforms with a +, not with a comma: platform=linux/arm64+linux/arm"},
		{"a plus too many", "tcp://a:1,platform=arm64+", "platform: ", ""},
		{"a comma too many", "tcp://a:1,,weight=2", "nothing stands between two commas", "ADDRESS,KEY=VALUE"},
		{"a comma at the end", "tcp://a:1,", "nothing stands between two commas", "ADDRESS,KEY=VALUE"},
		{"an empty value", "tcp://a:1,name=", "name has no value", "leave it out"},
		{"no weight", "tcp://a:1,weight=0", "weight 0 is no number above 0", "1 is the usual"},
		{"a negative weight", "tcp://a:1,weight=-1", "no number above 0", "0.5"},
		{"an endless weight", "tcp://a:1,weight=Inf", "weight Inf is no number", "0.5"},
		{"a weight that is none", "tcp://a:1,weight=NaN", "weight NaN is no number", "0.5"},
		{"no job", "tcp://a:1,jobs=0", "jobs 0 is no number from 1", "its cores decide"},
		{"half a job", "tcp://a:1,jobs=1.5", "jobs 1.5 is no number", "its cores decide"},
		{"a name with a space", "tcp://a:1,name=my arm", "name my arm cannot be", "arm-1"},
		{"a name like an option", "tcp://a:1,name=-x", "name -x cannot be", "arm-1"},
		{"the engine's name", "tcp://a:1,name=engine", "archbuild's own engine", "another name"},
		{"a relative socket", "unix://run/b.sock", "not absolute", "unix:///run/b.sock"},
		{"a socket that is a folder", "unix:///run/", "ends as a folder's", "name the socket"},
		{"a socket with an escape", "unix:///run/a%2fb", "% ? #", "symbolic link"},
		{"a socket with a long path", "unix:///" + strings.Repeat("x", 107), "longer than the 107 bytes", "symbolic link"},
		{"an escape sequence", "unix:///run/\x1b[2Jx", `node "unix:///run/\x1b[2Jx": the address holds a character`, "type it anew"},
		{"a line break", "tcp://a:1\n", "no plain ASCII", "type it anew"},
		{"a letter that looks like another", "tcp://аrm:1", "no plain ASCII", "type it anew"},
		{"no port", "tcp://arm.example", "the port is missing", "tcp://arm.example:1234"},
		{"an empty port", "tcp://arm.example:", "no port", "from 1 to 65535"},
		{"a port too large", "tcp://a:70000", "70000 is no port", "65535"},
		{"a port by name", "tcp://a:http", "http is no port", "65535"},
		{"no host", "tcp://:1234", "is no host", "tcp://arm.example:1234"},
		{"a host like an option", "tcp://-a:1", "begins with a hyphen", "tcp://arm.example:1234"},
		{"a path behind a port", "tcp://a:1/x", "/x has no place", "host and port alone"},
		{"a user in tcp", "tcp://me@a:1", "@a:1 has no place", "host and port"},
		{"an IPv6 address without brackets", "tcp://::1:1234", "without brackets", "tcp://[fd00::7]:1234"},
		{"an option as ssh's host", "ssh://-oProxyCommand=touch/x", "begins with a hyphen", "ssh://me@arm.example"},
		{"an option as ssh's user", "ssh://-oProxyCommand=x@arm", "cannot be a user's name", "no hyphen first"},
		{"an empty user", "ssh://@arm", "cannot be a user's name", "hyphen"},
		{"a command behind ssh's socket", "ssh://arm/x;reboot", "/x;reboot cannot be the path", "a shell reads it"},
		{"a substitution behind ssh's socket", "ssh://arm/$(reboot)", "cannot be the path", "a shell reads it"},
		{"a space behind ssh's socket", "ssh://arm/a b", "cannot be the path", "a shell reads it"},
		{"an escaped space behind ssh's socket", "ssh://arm/a%20b", "? # %", "ssh://me@arm.example"},
		{"a query of ssh", "ssh://arm?x=y", "? # %", "ssh://me@arm.example"},
		{"ssh without a host", "ssh://", "is no host", "ssh://me@arm.example"},
		{"ssh with a bad port", "ssh://arm:0", "0 is no port", "65535"},
		{"a container like an option", "docker-container://--privileged", "cannot be a name", "no hyphen first"},
		{"no container", "docker-container://", "the name is missing", "docker-container://buildkitd"},
		{"a container with a path", "docker-container://a/b", "cannot be a name", "hyphen"},
		{"a misspelt query", "docker-container://a?contxt=b", "it knows no contxt", "did you mean context?"},
		{"a query where there is none", "podman-container://a?context=b", "?context=b has no place", "leave it out"},
		{"a query twice", "kube-pod://a?namespace=b&namespace=c", "namespace is given twice", "keep one"},
		{"an empty query", "kube-pod://a?namespace=", "cannot be the name of a namespace", "hyphen"},
		{"a context like an option", "docker-container://a?context=-b", "-b cannot be the name of a context", "hyphen"},
		{"a pod like an option", "kube-pod://-a", "cannot be a name", "no hyphen first"},
		{"a pod in capitals", "kube-pod://A", "cannot be a name", "no hyphen first"},
		{"passwords for the engine", "engine,passwords=registry.example", "no other machine", "leave passwords out"},
		{"passwords of an image's name", "ssh://arm,passwords=registry.example/app", "registry.example/app is no registry", "passwords=registry.example+other.example:5000"},
		{"passwords of an address", "ssh://arm,passwords=https://registry.example", "is no registry", "as images do"},
		{"passwords of all", "ssh://arm,passwords=*", "is no registry", "as images do"},
		{"passwords of a short name", "ssh://arm,passwords=debian", "debian is no registry", "as images do"},
		{"passwords twice", "ssh://arm,passwords=a.example+a.example", "given twice", "keep one"},
		{"TLS over ssh", "ssh://a," + ca, "certificates are for tcp:// alone", "leave cacert out"},
		{"a file that is not there", "tcp://a:1,cacert=/no/such.pem", "cacert /no/such.pem: no such file", "openssl"},
		{"a folder in place of a file", "tcp://a:1,cacert=" + dir, "it is no file", "openssl"},
		{"a home that no shell put in", "tcp://a:1,cacert=~/ca.pem", "no such file", "write $HOME/ca.pem"},
		{"a certificate without a key", "tcp://a:1," + ca + ",cert=" + filepath.Join(dir, "cert.pem"), "cert and key belong together", "give both"},
		{"nobody who vouches for the server", "tcp://a:1,servername=x", "cacert is missing", "cacert=FILE"},
		{"a server's name that is none", "tcp://a:1,servername=-x," + ca, "servername -x is no host", "certificate"},
		{"a folder and files", "tcp://a:1,tlsdir=" + dir + "," + ca, "exclude each other", "keep tlsdir"},
		{"a folder that lacks the key", "tcp://a:1,tlsdir=" + dir, "holds neither key.pem nor tls.key", "openssl"},
	} {
		_, err := nodes.Parse(row.text)
		bad := new(nodes.Error)
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), row.want) || !strings.Contains(bad.Hint(), row.hint) || bad.Hint() == "" {
			t.Errorf("%s: %v, hint %q", row.problem, err, bad.Hint())
		}
	}
}

func TestAPasswordIsNotRepeated(t *testing.T) {
	_, err := nodes.Parse("ssh://me:hunter2@arm.example")
	bad := new(nodes.Error)
	if !errors.As(err, &bad) || strings.Contains(err.Error()+bad.Hint(), "hunter2") || bad.Hint() != "ssh takes none; set up a key and write ssh://me@arm.example" {
		t.Errorf("%v, hint %q", err, bad.Hint())
	}
}

func TestNamesAreUnique(t *testing.T) {
	parse := func(texts ...string) (list []nodes.Spec) {
		for _, text := range texts {
			s, err := nodes.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
		}
		return list
	}
	for _, row := range []struct{ problem, want, text string }{
		{"one host, two ports", "a a-2 a-3", "tcp://a:1 tcp://a:2 ssh://a"},
		{"a given name comes first", "b-2 b", "tcp://b:1 tcp://a:1,name=b"},
		{"a given name that looks like archbuild's", "a a-3 a-2", "tcp://a:1 tcp://a:2 tcp://b:1,name=a-2"},
	} {
		list, err := nodes.Unique(parse(strings.Fields(row.text)...))
		var names []string
		for _, s := range list {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != row.want || err != nil {
			t.Errorf("%s: %s, %v", row.problem, got, err)
		}
	}
	for _, row := range []struct{ problem, want, text string }{
		{"two equal names", "another node has the name x", "tcp://a:1,name=x tcp://b:1,name=x"},
		{"one server twice", "is given twice", "tcp://a:1,name=x tcp://a:1,platform=arm64"},
	} {
		_, err := nodes.Unique(parse(strings.Fields(row.text)...))
		if bad := new(nodes.Error); !errors.As(err, &bad) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", row.problem, err)
		}
	}
}

// FuzzParse: what is accepted prints back to the same Spec, holds nothing that
// another program takes for an option, and has a name.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"engine", "engine,name=x", "unix:///run/b.sock,weight=2.50", "tcp://[fe80::1]:1,cacert=doc.go", "tcp://a:1,platform=arm64+386,jobs=12,name=b",
		"ssh://a@b:2/c", "ssh://[::1]", "docker-container://a?context=b", "kube-pod://a?namespace=b&container=c", "tcp://a:1,tlsdir=.", "ssh://-o", "unix:///a?b", "tcp://a:1,weight=0.000",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := nodes.Parse(text)
		if bad := new(nodes.Error); err != nil && (!errors.As(err, &bad) || bad.Hint() == "" || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' })) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		again, err := nodes.Parse(s.String())
		if diff := cmp.Diff(s, again); diff != "" || err != nil {
			t.Fatalf("%q, printed as %q: %v %s", text, s, err, diff)
		}
		if s.Name == "" || s.Weight <= 0 || strings.Contains(s.Address, "://-") || strings.ContainsAny(strings.TrimPrefix(s.Address, "unix://"), " ;$`'\"\\|<>()") && !strings.HasPrefix(s.Address, "unix://") {
			t.Fatalf("%q: %+v", text, s)
		}
	})
}
