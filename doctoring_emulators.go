package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/doctor"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// Doctoring is what a user can say of looking, besides what is to be built.
type Doctoring struct {
	// Wait is how long nodes and registries have to answer, all at the same time; 0
	// means 1.5 s.
	Wait time.Duration
	// Register makes entries in binfmt_misc for platforms that do not run here,
	// Unregister takes back those that were made so. Only root may.
	Register, Unregister bool
}

func (d Doctoring) check() error {
	switch {
	case d.Register && d.Unregister:
		return &wrong.Usage{errors.New("--register-emulators and --unregister-emulators exclude each other"), "leave one of them out"}
	case d.Wait < 0:
		return &wrong.Usage{errors.New("--wait is not below 0"), "leave it out for 1.5s"}
	}
	return nil
}

// changeEmulators does what was asked for, and says so: before, and after.
func (x *examination) changeEmulators(ctx context.Context, d Doctoring, out io.Writer, report *doctor.Report) error {
	if d.Unregister {
		removed, err := detect.Unregister(ctx, detect.Options{})
		report.Unregistered = removed
		switch {
		case len(removed) > 0:
			fmt.Fprintf(out, "archbuild: removed from binfmt_misc: %s\n", strings.Join(removed, ", "))
		case err == nil:
			fmt.Fprintf(out, "archbuild: nothing to remove: no entry of binfmt_misc begins with %s\n", detect.OwnPrefix)
		}
		return err
	}
	if !d.Register {
		return nil
	}
	list := x.asked()
	names := "every platform that has an emulator"
	if len(list) > 0 {
		names = doctor.Names(list)
	}
	fmt.Fprintf(out, "archbuild: registering emulators for %s: for the whole machine, until it starts anew, with the flag F and never C\n", names)
	done, err := detect.Register(ctx, detect.Options{}, list)
	report.Registered = &done
	if done.Mounted != "" {
		fmt.Fprintf(out, "archbuild: mounted binfmt_misc at %s\n", ui.Line(done.Mounted))
	}
	for _, e := range done.Added {
		fmt.Fprintf(out, "archbuild: registered %s for %s: %s, flags %s\n", ui.Line(e.Name), doctor.Names(e.Platforms), ui.Line(e.Interpreter), e.Flags)
	}
	switch {
	case len(done.Added) > 0:
		fmt.Fprintln(out, "archbuild: archbuild doctor --unregister-emulators removes what was registered")
	case err == nil:
		fmt.Fprintln(out, "archbuild: nothing was registered: every platform asked for runs already, or has no emulator installed")
	}
	return err
}

// asked are the platforms that were named, or that the templates are for; none means
// that nobody named any.
func (x *examination) asked() []platform.Platform {
	if len(x.services) == 0 && len(x.Platforms) == 0 {
		return nil
	}
	return x.wanted()
}
