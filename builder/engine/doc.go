// Package engine runs archbuild's private BuildKit server: the node that is
// there when the user has none.
//
// The program starts itself once more as a server ([IsChild], [Main]), which
// listens on a unix socket in a state folder, is shared by every run that uses
// the same folder and ends when nobody has been connected for a while.
// [Ensure] gives a connected client, whatever it takes: an engine that runs, a
// new one, or a new one in place of an old one.
//
//	<state>/run/gate.lock      held by a client while it looks for, starts or ends an engine
//	<state>/run/state.lock     held by the engine as long as it lives
//	<state>/run/engine.json    what runs: pid, start time, socket, version, config hash, runc
//	<state>/run/engine.log     what the engine says; cut when it passes 10 MB
//	<state>/run/engine.sock    the socket, or elsewhere when that path is too long for the kernel
//	<state>/buildkit-v0.33/    BuildKit's own data, one folder per minor version
//
// The truth about whether an engine lives is the state lock, which the kernel
// releases however the engine dies. engine.json and the socket may be stale.
//
// An engine that was killed leaves containers, mounts and half-made
// directories. Whoever holds the state lock next sweeps them: processes are
// found by the environment and the cgroup they were given (never by a pid that
// may have been reused), mounts by the kernel's own list.
//
// The engine differs from buildkitd in four ways: RUN has the host's network
// unless buildkitd.toml says otherwise, temporary files stay below its own
// root, remote caches are inline, local and registry only, and there is no
// tracing.
//
// Only Linux; elsewhere [Ensure] and [Check] say so with a *SystemError, and the rest
// finds no engine. Who is not root has an engine that is root of a user namespace:
// the program starts itself as a keeper in new namespaces, newuidmap gives these
// their users, and the keeper starts the engine as the first process of a process
// namespace. What is left of such an engine when it is killed are files. Root
// without the rights of root (CAP_SYS_ADMIN) has none. [Check] says what is missing.
package engine

import (
	"strings"
)

// BuildKit is the version of the BuildKit server compiled in.
const BuildKit = "v0.33.1"

// minor is the part of the version that shares a data folder: "v0.33".
func minor() string {
	return BuildKit[:strings.LastIndexByte(BuildKit, '.')]
}
