package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// maxSocket is the longest socket path used. The kernel takes 107 bytes; the
// rest is room for tools that add a suffix.
const maxSocket = 100

// StateDir is the folder that holds the engine's files and caches: flag (from
// --state), else ARCHBUILD_STATE, else archbuild below XDG_STATE_HOME, else
// /var/lib/archbuild for root and ~/.local/state/archbuild for anybody else.
// The answer is absolute.
func StateDir(flag string, env func(string) string, uid int) string {
	dir := flag
	if dir == "" {
		dir = env("ARCHBUILD_STATE")
	}
	if dir == "" {
		dir = defaultState(env, uid)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

func defaultState(env func(string) string, uid int) string {
	// The XDG specification says to ignore a relative path.
	if home := env("XDG_STATE_HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, "archbuild")
	}
	if uid == 0 {
		return "/var/lib/archbuild"
	}
	if home := env("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local/state/archbuild")
	}
	return filepath.Join(tempHome(uid), "state")
}

// tempHome is where the files of a user without a home lie. Anybody can make it
// first.
func tempHome(uid int) string {
	return filepath.Join(os.TempDir(), "archbuild-"+strconv.Itoa(uid))
}

// layout is where the files of one state folder lie.
type layout struct {
	// home is the folder that holds the state folder of a user without a home, or "".
	home   string
	state  string
	run    string
	gate   string
	lock   string
	record string
	log    string
	socket string
	noRunc string
	root   string
	tmp    string
	// stop is the command that ends the engine, for hints.
	stop string
}

// newLayout names the files of a state folder and makes none of them. The
// state path is cleared of symlinks as far as it exists, so that two spellings
// of one folder agree.
func newLayout(o Options) (layout, error) {
	if !filepath.IsAbs(o.State) {
		return layout{}, fmt.Errorf("the state folder %q is not an absolute path", o.State)
	}
	state := resolveExisting(filepath.Clean(o.State))
	run := filepath.Join(state, "run")
	root := filepath.Join(state, "buildkit-"+minor())
	l := layout{
		state:  state,
		run:    run,
		gate:   filepath.Join(run, "gate.lock"),
		lock:   filepath.Join(run, "state.lock"),
		record: filepath.Join(run, "engine.json"),
		log:    filepath.Join(run, "engine.log"),
		socket: filepath.Join(run, "engine.sock"),
		noRunc: filepath.Join(run, noRuncName),
		root:   root,
		tmp:    filepath.Join(run, "tmp"), // short: sockets of ssh agents lie in it
		stop:   o.stopCommand(),
	}
	if home := tempHome(os.Getuid()); strings.HasPrefix(filepath.Clean(o.State), home+"/") {
		l.home = home
	}
	if len(l.socket) > maxSocket {
		l.socket = shortSocket(state, o.RuntimeDir)
	}
	return l, nil
}

// shortSocket is the socket of a state folder whose own path is too long: named
// after the hash of the state folder, so that no two states share one.
func shortSocket(state, runtimeDir string) string {
	sum := sha256.Sum256([]byte(state))
	name := filepath.Join(hex.EncodeToString(sum[:12]), "engine.sock")
	if filepath.IsAbs(runtimeDir) {
		if s := filepath.Join(runtimeDir, "archbuild", name); len(s) <= maxSocket {
			return s
		}
	}
	own := "archbuild-" + strconv.Itoa(os.Getuid())
	if s := filepath.Join(os.TempDir(), own, name); len(s) <= maxSocket {
		return s
	}
	return filepath.Join("/tmp", own, name)
}

// cgroup is the control group that holds those of all containers of a state
// folder, and of no other.
func (l layout) cgroup() string {
	sum := sha256.Sum256([]byte(l.state))
	return "archbuild-" + hex.EncodeToString(sum[:12])
}

// resolveExisting resolves the symlinks in the part of path that exists.
func resolveExisting(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	dir := filepath.Dir(path)
	if dir == path {
		return path
	}
	return filepath.Join(resolveExisting(dir), filepath.Base(path))
}

// make creates the folders that a client needs before it can take the gate.
func (l layout) make() error {
	if l.home != "" {
		if err := privateDir(l.home); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(l.state, 0o700); err != nil {
		return &StateError{Dir: l.state, Err: err}
	}
	if err := checkOwner(l.state); err != nil {
		return &StateError{Dir: l.state, Err: err}
	}
	if err := l.checkOwn(); err != nil {
		return &StateError{Dir: l.state, Err: err}
	}
	if err := privateDir(l.run); err != nil {
		return l.unusable(err)
	}
	dir := filepath.Dir(l.socket)
	if dir == l.run {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Dir(dir)), 0o700); err != nil {
		return fmt.Errorf("making the socket folder: %w", err)
	}
	if err := privateDir(filepath.Dir(dir)); err != nil {
		return err
	}
	return privateDir(dir)
}

// unusable says of a file that cannot be opened that it is for the state folder: that
// is another user's, or no folder, or the file is a link.
func (l layout) unusable(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return &StateError{Dir: l.state, Err: err}
	}
	return err
}

// checkOwn refuses a folder that holds something and was never a state folder: a
// slip of --state would have files below it closed to others, and removed. Beside
// the engine's, the names are those that other parts of archbuild make.
func (l layout) checkOwn() error {
	if _, err := os.Stat(l.gate); err == nil {
		return nil
	}
	entries, err := os.ReadDir(l.state)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		own := slices.Contains([]string{"run", "store", "registry", "verdicts", "journal", "files", "results", "times", "nodes.json", "nodes.json.new", "moves.json", "tmp", "untrusted", "lost+found"}, name)
		onItsWay := strings.HasPrefix(name, ".archbuild-") // of a run that was killed while it wrote
		if !own && !onItsWay && !strings.HasPrefix(name, "buildkit-") {
			return fmt.Errorf("it is no state folder of archbuild, and holds %s", strconv.Quote(name))
		}
	}
	return nil
}

// makeRoot creates BuildKit's own folders.
func (l layout) makeRoot() error {
	if err := privateDir(l.root); err != nil {
		return fmt.Errorf("making BuildKit's folder: %w", err)
	}
	if err := privateDir(l.tmp); err != nil {
		return fmt.Errorf("making BuildKit's temporary folder: %w", err)
	}
	return nil
}

// privateDir makes dir, or accepts it as it is if it is a real folder that
// belongs to this user; in both cases nobody else can enter it afterwards.
// Folders in /tmp can be made by anybody, hence the care.
func privateDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making a private folder: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("looking at a private folder: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(owner.Uid) != os.Geteuid() {
		return &ForeignDirError{Dir: dir}
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("closing a private folder to others: %w", err)
		}
	}
	return nil
}

// hide removes what clients look for. The caller holds the state lock.
func (l layout) hide() {
	os.Remove(l.socket)
	os.Remove(l.record)
	os.Remove(l.newRecord())
	if dir := filepath.Dir(l.socket); dir != l.run {
		os.Remove(dir)
	}
}
