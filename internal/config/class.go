package config

import "strings"

// Class says whose word a key is, and so in which file it may stand.
type Class int

const (
	// Source keys say what is built. They stand in archbuild.yaml, which comes with the source: whoever can
	// change a repository writes them.
	Source Class = iota + 1
	// User keys say by whom and with what means. They stand in the user's own config.yaml alone.
	User
)

// classes are all keys that are read, with the mapping they stand in, in the order in which messages
// name them. A key that is missing here is unknown to the reader.
var classes = []struct {
	key   string
	class Class
}{
	{"default", Source},
	{"platforms", Source},
	{"bases", Source}, // to another registry only after the user was asked
	{"args", Source},
	{"target", Source},
	{"verify", Source},
	{"verify.mode", Source},
	{"verify.allow", Source},
	{"dockerfiles", Source},
	{"cross", Source},
	{"ci", Source},
	{"ci.runners", Source},
	{"services", Source},

	{"nodes", User},
	{"nodes.name", User},
	{"nodes.address", User},
	{"nodes.platforms", User},
	{"nodes.weight", User},
	{"nodes.jobs", User},
	{"nodes.passwords", User},
	{"nodes.cacert", User},
	{"nodes.cert", User},
	{"nodes.key", User},
	{"nodes.servername", User},
	{"nodes.tlsdir", User},
}

// Keys are those of a class, "verify.mode" for one within another.
func Keys(class Class) []string {
	var keys []string
	for _, k := range classes {
		if k.class == class {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// within are the keys of a class that stand directly in a mapping; empty is the whole file.
func within(class Class, mapping string) []string {
	var keys []string
	for _, key := range Keys(class) {
		at := strings.LastIndexByte(key, '.')
		if key[:max(at, 0)] == mapping {
			keys = append(keys, key[at+1:])
		}
	}
	return keys
}

// elsewhere are words that people look for in both files, and where what they mean is said.
var elsewhere = []struct {
	words string
	advice
}{
	{"mirrors mirror registries registry insecure http plain-http ca", advice{
		"registries are not configured here",
		"mirrors, plain HTTP and certificates belong into a buildkitd.toml of your own: $XDG_CONFIG_HOME/archbuild/buildkitd.toml, or --engine-config FILE",
	}},
	{"credentials credential auth auths username user password passwords token tokens login credsStore credHelpers", advice{
		"credentials are not taken from this file",
		"give them to Docker's config: docker login REGISTRY",
	}},
	{"secrets secret ssh", advice{
		"secrets and keys are not named in a file",
		"give --secret or --ssh",
	}},
	{"commands command run exec shell script scripts hooks hook before after pre post pre-build post-build entrypoint", advice{
		"no file makes archbuild run commands",
		"write a RUN into the Dockerfile, or run the command yourself",
	}},
	{"tags tag image push output outputs cache-from cache-to cache", advice{
		"where results go is not said in a file",
		"give -t, --push, -o, --cache-from, --cache-to",
	}},
	{"allow entitlements network privileged syntax frontend moves", advice{
		"a file gives no leave",
		"give --allow, --allow-syntax or --allow-move",
	}},
	{"engine runc buildkit daemon state", advice{
		"the engine is not configured here",
		"it has a buildkitd.toml of your own: $XDG_CONFIG_HOME/archbuild/buildkitd.toml, or --engine-config FILE; or give --runc, --state",
	}},
}

// noNodes is said of nodes in an archbuild.yaml.
var noNodes = advice{
	"nodes are not taken from a file that comes with the source: they get credentials and secrets",
	"list them in a file of your own, $XDG_CONFIG_HOME/archbuild/config.yaml (else ~/.config/archbuild/config.yaml), or give --node",
}

// notYours is said of what belongs beside the Dockerfile, in the user's own file.
var notYours = advice{
	"what is built is not said in this file, which is for all that you build",
	"put it into archbuild.yaml beside the Dockerfile",
}

// misplaced is what to say of words that do not belong into a file of a class.
func misplaced(class Class) map[string]advice {
	said := map[string]advice{}
	for _, e := range elsewhere {
		for _, word := range strings.Fields(e.words) {
			said[word] = e.advice
		}
	}
	if class == User {
		for _, key := range within(Source, "") {
			said[key] = notYours
		}
		return said
	}
	for _, word := range []string{"nodes", "node", "builder", "builders"} {
		said[word] = noNodes
	}
	return said
}
