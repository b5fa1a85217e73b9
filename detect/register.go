package detect

import (
	"context"
	"errors"

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
// until Unregister or the next start of the machine. Done twice, the second
// time adds nothing. Only root may: the error is a *RegisterError.
func Register(ctx context.Context, o Options, list []platform.Platform) (Registered, error) {
	return Registered{}, &RegisterError{Err: errors.ErrUnsupported}
}

// Unregister removes the entries that Register made, and no others, and tells
// their names, sorted. The error is a *RegisterError.
func Unregister(ctx context.Context, o Options) (removed []string, err error) {
	return nil, &RegisterError{Err: errors.ErrUnsupported}
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

// Hint is the one thing to do.
func (e *RegisterError) Hint() string { return e.hint }
