package inputs

import "strings"

// userConfig is where the user's own file lies, seen from the input.
const userConfig = "../../home/.config/archbuild/"

// configs are bad files of the user's own and of other tools': config.yaml, buildkitd.toml, buildx's and Docker's.
func configs() []row {
	rows := append(userFiles(), engineFiles()...)
	rows = append(rows, builderFiles()...)
	rows = append(rows, dockerFiles()...)
	for i := range rows {
		if rows[i].code == 0 {
			rows[i].code = 1
		}
	}
	return rows
}

func userFiles() []row {
	of := func(bad, text, says string) row {
		return row{bad: bad, args: words("node ls"), in: []maker{file(userConfig+"config.yaml", text)}, says: says}
	}
	in := func(bad string, m maker, says string) row {
		return row{bad: bad, args: words("node ls"), in: []maker{m}, says: says}
	}
	return []row{
		of("a config.yaml with a key of archbuild.yaml", "platforms: [linux/amd64]\n", "what is built is not said in this file, which is for all tha"),
		of("a config.yaml that is no YAML", "nodes: [\n", "no valid YAML: sequence end token ']' not found"),
		of("a config.yaml that is a list", "- tcp://a:1\n", "expected a mapping (key: value)"),
		of("nodes that are a word", "nodes: tcp://a.example:1\n", "expected a list"),
		of("nodes that are a mapping", "nodes: {a: tcp://a.example:1}\n", "expected a list"),
		of("a node that is a list", "nodes: [[tcp://a.example:1]]\n", "expected a single value"),
		of("a node that is null", "nodes: [null]\n", "a value is missing here"),
		of("a node without an address", "nodes: [{name: a}]\n", "a node without an address"),
		of("a node with an unknown key", "nodes: [{address: \"tcp://127.0.0.1:1\", user: me}]\n", "credentials are not taken from this file"),
		of("a node whose weight is a word", "nodes: [{address: \"tcp://127.0.0.1:1\", weight: heavy}]\n", "weight heavy is no number above 0"),
		of("a node whose weight is not a number", "nodes: [{address: \"tcp://127.0.0.1:1\", weight: .nan}]\n", "weight .nan is no number above 0"),
		of("a node that does minus one jobs", "nodes: [{address: \"tcp://127.0.0.1:1\", jobs: -1}]\n", "jobs -1 is no number from 1 to 999"),
		of("a node whose platform does not exist", "nodes: [{address: \"tcp://127.0.0.1:1\", platforms: [linux/nonsense]}]\n", "unknown platform \"linux/nonsense\""),
		of("a node whose certificate is not there", "nodes: [{address: \"tcp://127.0.0.1:1\", cacert: nowhere.pem}]\n", "no such file"),
		of("a node whose name has a slash", "nodes: [{address: \"tcp://127.0.0.1:1\", name: a/b}]\n", "name a/b cannot be a node's"),
		of("two nodes of the same name", "nodes:\n  - {address: \"tcp://127.0.0.1:1\", name: a}\n  - {address: \"tcp://127.0.0.1:2\", name: a}\n", "another node has the name a"),
		of("the same node twice", "nodes: [\"tcp://127.0.0.1:1\", \"tcp://127.0.0.1:1\"]\n", "the node is given twice ("),
		of("a node whose socket would run a command on the other side", "nodes: [\"ssh://a.example/x;id\"]\n", "/x;id cannot be the path of a socket"),
		in("a config.yaml that is a pipe nobody writes to", fifo(userConfig+"config.yaml"), "it is a named pipe"),
		in("a config.yaml that is a folder", folder(userConfig+"config.yaml"), "it is a folder"),
		in("a config.yaml of a terabyte", sparse(userConfig+"config.yaml", 1<<40), "the file is larger than 1 MB"),
		in("a config.yaml that is a link to itself", link(userConfig+"config.yaml", "config.yaml"), "too many levels of symbolic links"),
		in("a config.yaml that is a link to a device without an end", link(userConfig+"config.yaml", "/dev/zero"), "it is a device"),
		in("a config.yaml of ten thousand nodes", repeated(userConfig+"config.yaml", "nodes:\n", "  - tcp://127.0.0.1:1\n", 10_000, ""), "the file holds more than 20000 words"),
	}
}

// engineFiles are buildkitd.toml.
func engineFiles() []row {
	of := func(bad, text, says string) row {
		return row{bad: bad, args: words("plan . --engine-config buildkitd.toml"), in: []maker{file("Dockerfile", "FROM scratch\n"), file("buildkitd.toml", text)}, says: says}
	}
	in := func(bad string, m maker, says string) row {
		return row{bad: bad, args: words("plan . --engine-config buildkitd.toml"), in: []maker{file("Dockerfile", "FROM scratch\n"), m}, says: says}
	}
	missing := in("a buildkitd.toml that is not there", folder("none"), "stat buildkitd.toml: no such file or directory")
	missing.code = 2
	return []row{
		missing,
		of("a buildkitd.toml that is no TOML", "registry = [\n", "failed to parse config: toml: array is incomplete"),
		of("a buildkitd.toml with a key twice", "debug = true\ndebug = false\n", "failed to parse config: toml: key debug is already defined"),
		of("a buildkitd.toml whose value is of another type", "[worker.oci]\n  max-parallelism = \"many\"\n", "failed to parse config: toml: cannot decode TOML string into"),
		of("a buildkitd.toml with a snapshotter that the engine does not have", "[worker.oci]\n  snapshotter = \"stargz\"\n", "worker.oci.snapshotter \"stargz\" is not in the private engi"),
		of("a buildkitd.toml that disables the engine", "[worker.oci]\n  enabled = false\n", "worker.oci is switched off; the private engine has no other"),
		of("a buildkitd.toml that is rootless by its own word", "[worker.oci]\n  rootless = true\n", "worker.oci.rootless and noProcessSandbox are not in the priv"),
		of("a buildkitd.toml with a size that is none", "[worker.oci]\n  maxUsedSpace = \"much\"\n", "failed to parse config: toml: invalid disk space much"),
		of("a buildkitd.toml in UTF-16", wide("debug = true\n", false), "failed to parse config: toml: invalid character at start of"),
		of("a buildkitd.toml with a NUL byte", "debug = \x00true\n", "failed to parse config: toml: unexpected character U+0000 at"),
		in("a buildkitd.toml that is a folder", folder("buildkitd.toml"), "it is a folder"),
		in("a buildkitd.toml that is a pipe nobody writes to", fifo("buildkitd.toml"), "it is a named pipe"),
		in("a buildkitd.toml of a terabyte", sparse("buildkitd.toml", 1<<40), "it is longer than 262144 bytes"),
		in("a buildkitd.toml nested a hundred thousand deep", repeated("buildkitd.toml", "a = ", "[", 100_000, "\n"), "failed to parse config: toml: arrays and inline tables are n"),
		in("a buildkitd.toml of a hundred thousand tables", repeated("buildkitd.toml", "", "[[worker.oci.gcpolicy]]\n", 100_000, "\nx = [\n"), "it is longer than 262144 bytes"),
	}
}

// builderFiles are those that buildx keeps of its builders.
func builderFiles() []row {
	of := func(bad, text, says string) row {
		return row{bad: bad, code: 2, args: words("node ls --builder farm"), in: []maker{file("../../home/.docker/buildx/instances/farm", text)}, says: says}
	}
	in := func(bad, name string, m maker, says string) row {
		return row{bad: bad, code: 2, args: []string{"node", "ls", "--builder", name}, in: []maker{m}, says: says}
	}
	node := func(fields string) string {
		return `{"Name":"farm","Driver":"remote","Nodes":[{"Name":"farm0",` + fields + `}]}`
	}
	up := in("a builder whose name is a path upwards", "../../config.json", folder("none"), "that is no name")
	return []row{
		up,
		in("a builder that is not there", "nowhere", folder("../../home/.docker/buildx/instances"), "there is no such builder in"),
		in("a builder whose name has an escape sequence", "a\x1b[31mb", folder("../../home/.docker/buildx/instances"), "there is no such builder in"),
		in("a builder that is a folder", "farm", folder("../../home/.docker/buildx/instances/farm"), "there is no such builder in"),
		in("a builder that is a pipe nobody writes to", "farm", fifo("../../home/.docker/buildx/instances/farm"), "there is no such builder in"),
		in("a builder that is a link to itself", "farm", link("../../home/.docker/buildx/instances/farm", "farm"), "there is no such builder in"),
		in("a builder of a terabyte", "farm", sparse("../../home/.docker/buildx/instances/farm", 1<<40), "there is no such builder in"),
		in("a builder nested a hundred thousand deep", "farm", repeated("../../home/.docker/buildx/instances/farm", "", `{"a":`, 100_000, ""), "invalid character '{' exceeded max depth"),
		of("a builder that is no JSON", "{", "unexpected end of JSON input"),
		of("a builder that is empty", "", "unexpected end of JSON input"),
		of("a builder that is a list", "[]", "cannot unmarshal array into Go value of type nodes.instance"),
		of("a builder of an unknown driver", `{"Name":"farm","Driver":"cloud","Nodes":[{"Name":"farm0","Endpoint":"cloud://x"}]}`, "archbuild does not know its driver \"cloud\""),
		of("a builder without nodes", `{"Name":"farm","Driver":"remote","Nodes":[]}`, "it has no node"),
		of("a builder whose nodes are a word", `{"Name":"farm","Driver":"remote","Nodes":"all"}`, "cannot unmarshal string into Go struct field instance.Nodes"),
		of("a builder whose node has no endpoint", node(`"Endpoint":""`), "the address is missing"),
		of("a builder whose endpoint is no address", node(`"Endpoint":"nowhere"`), "no address: it has no scheme"),
		of("a builder whose endpoint would run a command", node(`"Endpoint":"ssh://a.example/x;id"`), "/x;id cannot be the path of a socket"),
		of("a builder whose endpoint begins with a hyphen", node(`"Endpoint":"ssh://-oProxyCommand=id"`), "the host begins with a hyphen, as an option of a command doe"),
		of("a builder whose platforms are a word", node(`"Endpoint":"tcp://127.0.0.1:1","Platforms":"all"`), "cannot unmarshal string into Go struct field instanceNode.No"),
		of("a builder whose driver options are a list", node(`"Endpoint":"tcp://127.0.0.1:1","DriverOpts":[1]`), "cannot unmarshal array into Go struct field instanceNode.Nod"),
	}
}

// dockerFiles are Docker's config.json, which holds credentials and proxies.
func dockerFiles() []row {
	const config = "../../home/.docker/config.json"
	// A registry is asked where nobody listens: the file is read before.
	ask := words("manifest inspect registry.example/app:1")
	of := func(bad, text, says string) row {
		return row{bad: bad, args: ask, in: []maker{file(config, text)}, says: says}
	}
	in := func(bad string, m maker, says string) row {
		remove := maker(func(dir string) error { return removed(dir, config) })
		return row{bad: bad, args: ask, in: []maker{remove, m}, says: says}
	}
	return []row{
		of("a config.json that is no JSON", "{", "registry.example/app:1 in registry.example: finding credenti"),
		of("a config.json that is a list", "[]", "registry.example/app:1 in registry.example: finding credenti"),
		of("a config.json whose logins are a list", `{"auths":[]}`, "registry.example/app:1 in registry.example: finding credenti"),
		of("a config.json whose login is no base64", `{"auths":{"registry.example":{"auth":"%%%"}}}`, "registry.example/app:1 in registry.example: finding credenti"),
		of("a config.json whose login has no password", `{"auths":{"registry.example":{"auth":"bWU="}}}`, "registry.example/app:1 in registry.example: finding credenti"),
		of("a config.json whose helper is a path upwards", `{"credHelpers":{"registry.example":"../../x"}}`, "registry.example/app:1 in registry.example: finding credenti"),
		of("a config.json whose helper is not there", `{"credHelpers":{"registry.example":"nowhere-to-be-found"}}`, "registry.example/app:1 in registry.example: finding credenti"),
		of("a config.json whose store is no word", `{"credsStore":["a"]}`, "registry.example/app:1 in registry.example: finding credenti"),
		of("a config.json nested deep", strings.Repeat(`{"auths":`, 20_000), "registry.example/app:1 in registry.example: finding credenti"),
		in("a config.json that is a folder", folder(config), "cannot reach registry.example for registry.example/app:1: pr"),
		in("a config.json that is a pipe nobody writes to", fifo(config), "registry.example/app:1 in registry.example: finding credenti"),
		in("a config.json of a terabyte", sparse(config, 1<<40), "registry.example/app:1 in registry.example: finding credenti"),
	}
}
