package detect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/internal/run"
	"github.com/archbuild/archbuild/platform"
)

// OwnPrefix begins the names of the entries that Register makes. By it they are
// found again, and removed, whatever else the machine has.
const OwnPrefix = "archbuild-"

// Registered is what Register did. It prints as JSON.
type Registered struct {
	// Mounted is where binfmt_misc was mounted for it; empty if it was already.
	Mounted string `json:"mounted,omitempty"`
	// Added are the entries that were made, by name.
	Added []Emulator `json:"added"`
	// Served are the platforms asked for that ran before, natively or emulated.
	Served []Ability `json:"served"`
	// Lacking is what keeps the others from running: an emulator to install.
	Lacking []Missing `json:"lacking"`
}

// Register makes an entry in the machine's binfmt_misc for each of the
// platforms that does not run yet and whose static emulator is installed. An
// empty list means every platform. Entries that are there stay as they are. Its
// own have the flag F and never C, and a name that begins with OwnPrefix; they last
// until Unregister or the next start of the machine. Each is tried; one that
// does not work is taken back. Done twice, the second time adds nothing. Only
// root may: the error is a *RegisterError, or that of ctx.
func Register(ctx context.Context, o Options, list []platform.Platform) (Registered, error) {
	o.Platforms, o.Rootless, o.Quick = list, false, true
	done := Registered{Added: []Emulator{}, Served: []Ability{}, Lacking: []Missing{}}
	if err := o.mayRegister(); err != nil {
		return done, err
	}
	var err error
	if done.Mounted, err = o.mountBinfmt(ctx); err != nil {
		return done, err
	}
	host, err := Host(ctx, o)
	if err != nil {
		return done, err
	}
	for _, p := range o.platforms() {
		if err := o.register(ctx, host, p, &done); err != nil {
			return done, err
		}
	}
	return done, nil
}

// mayRegister refuses what cannot work before anything is changed.
func (o Options) mayRegister() error {
	switch {
	case !o.Real():
		return &RegisterError{Err: errors.New("this is not the running machine")}
	case os.Geteuid() != 0:
		return &RegisterError{
			Err:  errors.New("only root may register emulators for the machine"),
			hint: "run it as root (sudo); an engine of a plain user registers them for itself on Linux 6.7 and later",
		}
	}
	if release := readLine(o.ProcPath("sys/kernel/osrelease")); !KernelAtLeast(release, 4, 8) {
		return &RegisterError{
			Err:  fmt.Errorf("the kernel %s knows no flag F, without which emulators do not work in containers", release),
			hint: "use Linux 4.8 or later, or a native node for these platforms (--node)",
		}
	}
	return nil
}

// mountBinfmt makes the registry visible where it always is. It tells the place
// if it had to mount it.
func (o Options) mountBinfmt(ctx context.Context) (string, error) {
	if binfmtMount(o) != "" {
		return "", nil
	}
	if !o.exists(binfmtDir) { // the folder comes with the module
		_, err := run.Command(ctx, run.Options{Path: "modprobe", Args: []string{"binfmt_misc"}, Timeout: 10 * time.Second})
		if !o.exists(binfmtDir) {
			return "", &RegisterError{
				Err:  fmt.Errorf("the kernel has no binfmt_misc: %w", errors.Join(err, errors.ErrUnsupported)),
				hint: "use a kernel with CONFIG_BINFMT_MISC=m, or a native node for these platforms (--node)",
			}
		}
	}
	if err := mountFresh("binfmt_misc", binfmtDir); err != nil {
		return "", &RegisterError{
			Err:  fmt.Errorf("mounting binfmt_misc: %w", err),
			hint: "run it on the machine itself, or in a container that was started with --privileged",
		}
	}
	return binfmtDir, nil
}

// register makes the entry of one platform, if it needs one and can have it.
// The registry is read anew: an entry before may serve this platform too.
func (o Options) register(ctx context.Context, host HostFacts, p platform.Platform, done *Registered) error {
	b, err := Emulators(ctx, o)
	if err != nil {
		return err
	}
	if a := CanRun(host, b, p); a.How != No {
		if !slices.ContainsFunc(done.Added, func(e Emulator) bool { return e.Name == a.Emulator }) {
			done.Served = append(done.Served, a)
		}
		return nil
	}
	r, installed := o.ownRegistration(host, p)
	switch {
	case r.Name == "" || hasArch(host.Native, p.Arch):
		done.Lacking = append(done.Lacking, Missing{
			What: "an emulator for " + p.String(), Affects: "RUN steps for " + p.String(), Hint: "use a native node for it (--node)",
		})
		return nil
	case !installed:
		done.Lacking = append(done.Lacking, Missing{
			What: "an emulator for " + p.String(), Affects: "RUN steps for " + p.String(),
			Command: o.installEmulators(), Hint: "put a static qemu at " + r.Interpreter,
		})
		return nil
	case !b.Enabled:
		return &RegisterError{
			Err:  errors.New("all entries of binfmt_misc are switched off"),
			hint: fmt.Sprintf("switch them on: echo 1 > %s/status", b.Mounted),
		}
	}
	r.Name = OwnPrefix + r.Name
	r.Flags = o.flags(ctx, r.Interpreter)
	if err := o.enter(ctx, b.Mounted, r, p); err != nil {
		return err
	}
	e := parseEntry(readFile(filepath.Join(o.Path(b.Mounted), r.Name), 64<<10))
	e.Name = r.Name
	e.Containers, e.Reason = worksInContainers(e, o.Path(e.Interpreter))
	done.Added = append(done.Added, e)
	return nil
}

// enter gives the kernel the entry and tries it.
func (o Options) enter(ctx context.Context, dir string, r Registration, p platform.Platform) error {
	file := filepath.Join(dir, r.Name)
	if _, err := os.Lstat(file); err == nil { // an own entry that does not serve: of an interpreter that is gone
		if err := removeEntry(file); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "register"), []byte(r.String()), 0o200); err != nil {
		return &RegisterError{Name: r.Name, Err: err, hint: "run it on the machine itself, or in a container that was started with --privileged"}
	}
	if err := Try(ctx, p); err != nil {
		return &RegisterError{
			Name: r.Name, Err: fmt.Errorf("%w (the entry was removed again)", errors.Join(err, removeEntry(file))),
			hint: fmt.Sprintf("another %s is needed: this one runs no program of %s", r.Interpreter, p),
		}
	}
	return nil
}

// flags are those that an interpreter works with. F opens it now, for
// containers do not hold it. O hands it the program open, so that one which may be
// run but not read runs as it would natively. P keeps argv[0]; qemu 6.0 is told so
// by Linux 5.12, before that it would take argv[0] for an argument.
func (o Options) flags(ctx context.Context, interpreter string) string {
	v := parseVersion(version(ctx, o.Path(interpreter)))
	if v.major >= 6 && KernelAtLeast(readLine(o.ProcPath("sys/kernel/osrelease")), 5, 12) {
		return "POF"
	}
	return "OF"
}

// Unregister removes the entries that Register made, and no others, and tells
// their names, sorted. Where nothing is registered there is nothing to remove
// and no error. The error is a *RegisterError.
func Unregister(ctx context.Context, o Options) (removed []string, err error) {
	if err := o.mayRegister(); err != nil {
		return nil, err
	}
	dir := binfmtMount(o)
	if dir == "" {
		return nil, ctx.Err()
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, &RegisterError{Err: err}
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), OwnPrefix) {
			continue
		}
		if err := removeEntry(filepath.Join(dir, f.Name())); err != nil {
			return removed, err
		}
		removed = append(removed, f.Name())
	}
	return removed, ctx.Err()
}

func removeEntry(file string) error {
	if err := os.WriteFile(file, []byte("-1"), 0o200); err != nil {
		return &RegisterError{Name: filepath.Base(file), Err: fmt.Errorf("removing it: %w", err)}
	}
	return nil
}

// RegisterError says that the machine's registry could not be changed.
type RegisterError struct {
	// Name of the entry at fault; empty if it was not about one.
	Name string
	Err  error
	hint string
}

func (e *RegisterError) Error() string {
	if e.Name == "" {
		return "registering emulators: " + e.Err.Error()
	}
	return "registering the emulator " + e.Name + ": " + e.Err.Error()
}

// Unwrap is the cause.
func (e *RegisterError) Unwrap() error { return e.Err }

// Hint is the one thing to do; empty when there is none.
func (e *RegisterError) Hint() string { return e.hint }
