package nodes

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
)

// The alphabets of the parts of an address.
var (
	hostPattern      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$`)
	userPattern      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)
	containerPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)
	podPattern       = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	// A socket's path behind ssh becomes a word of a shell: it is not quoted on its way.
	sshPathPattern = regexp.MustCompile(`^/[A-Za-z0-9/._+@-]*[A-Za-z0-9._+@-]$`)
	// Contexts of kubectl can be long names with colons and slashes.
	contextPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,252}$`)
)

// maxSocketPath is what the kernel takes as the path of a socket.
const maxSocketPath = 107

// scheme is a way to reach a BuildKit.
type scheme struct {
	name, example string
	// check says what is wrong with what follows the "://".
	check func(rest string) (what, hint string)
}

var schemes = []scheme{
	{"unix", "unix:///run/buildkit/buildkitd.sock", checkUnix},
	{"tcp", "tcp://arm.example:1234", checkTCP},
	{"ssh", "ssh://me@arm.example", checkSSH},
	{"docker-container", "docker-container://buildkitd", checkNamed(containerPattern, "context")},
	{"podman-container", "podman-container://buildkitd", checkNamed(containerPattern)},
	{"nerdctl-container", "nerdctl-container://buildkitd", checkNamed(containerPattern, "namespace")},
	{"kube-pod", "kube-pod://buildkitd-0", checkNamed(podPattern, "context", "namespace", "container")},
}

func schemeNames() []string {
	var names []string
	for _, s := range schemes {
		names = append(names, s.name)
	}
	return names
}

// checkAddress says whether an address is one that the package comment describes.
func checkAddress(address string) error {
	fail := func(what, hint string) error { return &Error{address, what, hint} }
	name, rest, ok := strings.Cut(address, "://")
	at := slices.IndexFunc(schemes, func(s scheme) bool { return s.name == name })
	switch {
	case address == EngineAddress:
		return nil
	case address == "":
		return fail("the address is missing", "write ADDRESS,KEY=VALUE: the address comes first, such as "+schemes[0].example)
	case strings.ContainsFunc(address, func(r rune) bool { return r < ' ' || r >= 0x7f }):
		return fail("the address holds a character that is no plain ASCII", "type it anew: it was copied with something invisible in it, or a letter is another alphabet's")
	case !ok && nearest.Word(address, []string{EngineAddress}) != "":
		return fail("no address: it has no scheme", "did you mean engine?")
	case !ok:
		return fail("no address: it has no scheme", "write engine, or one of "+strings.Join(schemeNames(), "://…, ")+"://…")
	case at < 0:
		return fail("unknown scheme "+quoted(name), meant(name, schemeNames()))
	}
	if what, hint := schemes[at].check(rest); what != "" {
		if hint == "" {
			hint = "write it like " + schemes[at].example
		}
		return fail(what, hint)
	}
	if _, err := url.Parse(address); err != nil {
		return fail("it is no URL", "write it like "+schemes[at].example)
	}
	return nil
}

func checkUnix(rest string) (what, hint string) {
	switch {
	case !strings.HasPrefix(rest, "/"):
		return "the path of the socket is not absolute", "write three slashes: unix:///" + rest
	case strings.ContainsAny(rest, "%?#"):
		return "the path of the socket holds one of % ? #, which BuildKit's client does not take as they are", "make a symbolic link without them"
	case strings.HasSuffix(rest, "/"):
		return "the path of the socket ends as a folder's does", "name the socket: unix:///run/buildkit/buildkitd.sock"
	case len(rest) > maxSocketPath:
		return "the path of the socket is longer than the " + strconv.Itoa(maxSocketPath) + " bytes that the kernel takes", "make a symbolic link to its folder, and use that"
	}
	return "", ""
}

func checkTCP(rest string) (what, hint string) {
	if i := strings.IndexAny(rest, "/?#@%"); i >= 0 {
		return quoted(rest[i:]) + " has no place in it", "write host and port alone, like tcp://arm.example:1234; certificates are given with cacert=, cert= and key="
	}
	host, port, err := net.SplitHostPort(rest)
	switch {
	case err != nil && strings.Count(rest, ":") > 1 && rest[0] != '[':
		return "the IPv6 address stands without brackets", "write it like tcp://[fd00::7]:1234"
	case err != nil && !strings.HasSuffix(rest, ":") && isHost(strings.Trim(rest, "[]")):
		return "the port is missing", "buildkitd has no port of its own; most use 1234: tcp://" + rest + ":1234"
	case err != nil || !isHost(host) || strings.Contains(rest, "[") != strings.Contains(host, ":"):
		return badHost(host, rest), ""
	case !isPort(port):
		return quoted(port) + " is no port", "a port is a number from 1 to 65535"
	}
	return "", ""
}

func checkSSH(rest string) (what, hint string) {
	if strings.ContainsAny(rest, "?#%") {
		return "one of ? # % has no place in it", ""
	}
	authority, socket, deep := strings.Cut(rest, "/")
	user, host, named := strings.Cut(authority, "@")
	if !named {
		user, host = "me", authority
	}
	if name, _, secret := strings.Cut(user, ":"); secret {
		return "it holds a password", "ssh takes none; set up a key and write ssh://" + name + "@" + host
	}
	port := "22"
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	} else if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	switch {
	case !userPattern.MatchString(user):
		return quoted(user) + " cannot be a user's name", "letters, digits, dots, hyphens and underscores, no hyphen first; another name goes into ~/.ssh/config"
	case !isHost(host):
		return badHost(host, rest), ""
	case !isPort(port):
		return quoted(port) + " is no port", "a port is a number from 1 to 65535"
	case deep && !sshPathPattern.MatchString("/"+socket):
		return quoted("/"+socket) + " cannot be the path of a socket", "letters, digits and / . _ - + @ alone: a shell reads it on the other machine"
	}
	return "", ""
}

// checkNamed is for the schemes with a name and perhaps a query.
func checkNamed(pattern *regexp.Regexp, queries ...string) func(string) (string, string) {
	return func(rest string) (what, hint string) {
		name, query, asked := strings.Cut(rest, "?")
		switch {
		case name == "":
			return "the name is missing", ""
		case !pattern.MatchString(name):
			return quoted(name) + " cannot be a name there", "letters, digits, dots and hyphens alone, no hyphen first"
		case !asked:
			return "", ""
		}
		seen := map[string]bool{}
		for _, pair := range strings.Split(query, "&") {
			key, value, ok := strings.Cut(pair, "=")
			switch {
			case !slices.Contains(queries, key) && len(queries) == 0:
				return quoted("?"+query) + " has no place in it", "leave it out"
			case !slices.Contains(queries, key):
				return "it knows no " + quoted(key), meant(key, queries)
			case seen[key]:
				return key + " is given twice", "keep one of them"
			case !ok || !queryPattern(key).MatchString(value):
				return quoted(value) + " cannot be the name of a " + key, "letters, digits, dots and hyphens, no hyphen first"
			}
			seen[key] = true
		}
		return "", ""
	}
}

func queryPattern(key string) *regexp.Regexp {
	if key == "context" {
		return contextPattern
	}
	return podPattern
}

func isHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == ""
	}
	return hostPattern.MatchString(host) && !strings.Contains(host, "..")
}

func badHost(host, rest string) string {
	if host == "" {
		host = rest
	}
	if strings.HasPrefix(host, "-") {
		return "the host begins with a hyphen, as an option of a command does"
	}
	return quoted(host) + " is no host"
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0 && text[0] != '0'
}

// defaultName is a short name for a node: its host, its container, or the folder
// of its socket.
func defaultName(address string) string {
	name, rest, _ := strings.Cut(address, "://")
	switch name {
	case EngineAddress:
		return EngineAddress
	case "unix":
		return legible(socketName(rest))
	case "tcp", "ssh":
		rest, _, _ = strings.Cut(rest, "/")
		rest = rest[strings.LastIndexByte(rest, '@')+1:]
		if host, _, err := net.SplitHostPort(rest); err == nil {
			rest = host
		}
	default:
		rest, _, _ = strings.Cut(rest, "?")
	}
	return legible(rest)
}

// socketName is the last folder of a path that says something, else the file.
func socketName(socket string) string {
	for dir := path.Dir(path.Clean(socket)); dir != "/"; dir = path.Dir(dir) {
		if name := path.Base(dir); !slices.Contains([]string{"run", "var", "tmp"}, name) {
			return name
		}
	}
	return strings.TrimSuffix(path.Base(socket), ".sock")
}

// legible makes a name of any text.
func legible(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z') {
			return r
		}
		return '-'
	}, text)
	text = strings.Trim(text[:min(len(text), 64)], "-._")
	if text == "" || text == EngineAddress {
		return "node"
	}
	return text
}
