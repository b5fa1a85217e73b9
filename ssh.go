package archbuild

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/wrong"
)

const agentHint = "start an agent: eval $(ssh-agent) && ssh-add, or name a key: --ssh default=KEYFILE"

// parseSSH reads --ssh: ID, which is the agent of SSH_AUTH_SOCK, or
// ID=SOCKET|KEY[,KEY]. The last one of an id counts. A Git repository that is
// reached by ssh asks for the agent without the flag, as in buildx.
func (o Options) parseSSH() ([]builder.SSH, error) {
	var list []builder.SSH
	for _, text := range o.SSH {
		id, paths, given := strings.Cut(text, "=")
		if id == "" || given && paths == "" {
			return nil, &wrong.Usage{fmt.Errorf("--ssh %s: write an id, and after = the socket of an agent or a key", text), "write --ssh default, or --ssh ID=KEYFILE"}
		}
		one := builder.SSH{ID: id}
		if given {
			one.Paths = strings.Split(paths, ",")
		}
		list = append(slices.DeleteFunc(list, func(s builder.SSH) bool { return s.ID == id }), one)
	}
	by := "--ssh " + builder.DefaultSSH
	if len(list) == 0 {
		for _, address := range o.addresses() {
			if (builder.Remote{Address: address}).SSHHost() != "" {
				by, list = address+" is reached by ssh", []builder.SSH{{ID: builder.DefaultSSH}}
				break
			}
		}
	}
	for i, s := range list {
		if len(s.Paths) > 0 {
			continue
		}
		socket := o.Getenv("SSH_AUTH_SOCK")
		if socket == "" {
			return nil, &wrong.Usage{fmt.Errorf("%s: there is no agent, SSH_AUTH_SOCK is not set", by), agentHint}
		}
		list[i].Paths = []string{socket}
	}
	isEngine := func(s nodes.Spec) bool { return s.Address == nodes.EngineAddress }
	if specs, err := o.specs(); len(list) > 0 && err == nil && slices.ContainsFunc(specs, isEngine) {
		if err := engine.CheckAgents(o.stateDir()); err != nil {
			return nil, err
		}
	}
	return list, o.checkSSH(list)
}

// addresses are all paths and named contexts.
func (o Options) addresses() []string {
	var list []string
	if o.found != nil && o.found.origin != nil && o.found.origin.whole.Fetched != nil {
		list = append(list, o.found.origin.path)
	}
	for _, path := range o.Paths {
		if _, err := os.Stat(path); err != nil && builder.IsRemote(path) {
			list = append(list, path)
		}
	}
	for _, text := range o.BuildContexts {
		if _, address, ok := strings.Cut(text, "="); ok && isFetched(address) {
			list = append(list, address)
		}
	}
	return list
}

// checkSSH looks at the files.
func (o Options) checkSSH(list []builder.SSH) error {
	for _, s := range list {
		for _, path := range s.Paths {
			if info, err := os.Stat(path); err != nil || info.IsDir() {
				return &wrong.Usage{fmt.Errorf("--ssh %s: no such socket or key: %s", s.ID, path), agentHint}
			}
		}
	}
	return builder.CheckSSH(list)
}

// remotes are the named contexts that the node fetches by itself.
func (r run) remotes() map[string]builder.Remote {
	list := map[string]builder.Remote{}
	for key, address := range r.remote {
		remote := builder.Remote{Address: address}
		remote.KnownHosts = r.knownHosts(remote.SSHHost())
		list[key] = remote
	}
	return list
}

// knownHosts are the lines of this user's known_hosts for a host: with them the node
// takes no other key. Without any it takes what it finds, as buildx does.
func (o Options) knownHosts(host string) string {
	if host == "" {
		return ""
	}
	var paths []string
	for _, path := range []string{filepath.Join(o.Getenv("HOME"), ".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && filepath.IsAbs(path) {
			paths = append(paths, path)
		}
	}
	check, err := knownhosts.New(paths...)
	if err != nil { // ssh itself will not like it either
		return ""
	}
	address := host
	if _, _, err := net.SplitHostPort(host); err != nil {
		address = net.JoinHostPort(host, "22")
	}
	var unknown *knownhosts.KeyError
	if !errors.As(check(address, &net.TCPAddr{}, noKey{}), &unknown) {
		return ""
	}
	var lines []string
	for _, known := range unknown.Want {
		lines = append(lines, knownhosts.Line([]string{address}, known.Key))
	}
	return strings.Join(lines, "\n")
}

// noKey is no host's: asked about it, known_hosts lists those that are.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }
