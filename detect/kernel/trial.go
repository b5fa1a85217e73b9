package kernel

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/run"
)

// verdict is what came out of trying.
type verdict string

const (
	works verdict = "works"
	// absent: the kernel knows no such thing.
	absent verdict = "absent"
	// refused: the kernel has it, or may have it, and does not give it to this process.
	refused verdict = "refused"
	// unknown: it could not be tried.
	unknown verdict = "unknown"
)

// trial is the outcome of one; Text is the kernel's word on all but works.
type trial struct {
	Verdict verdict `json:"verdict"`
	Text    string  `json:"text,omitempty"`
}

// trials are outcomes by name: ns:net, overlay, link:veth, table:nat, seccomp.
type trials map[string]trial

// childArg makes the program the process that tries.
const childArg = "archbuild-kernel-trials"

// childMark is set for that process: a program that does not ask IsChild, and comes
// to Checks once more, tries nothing there and so does not start itself for ever.
const childMark = "ARCHBUILD_KERNEL_TRIALS"

// trialTime bounds all trials together. They take milliseconds, but on a busy machine
// the process that makes them is seconds late.
const trialTime = 10 * time.Second

// try tries what can be tried without leaving anything. Not tried is what would
// make the kernel load a module.
func (m *machine) try(ctx context.Context) trials {
	if !m.o.Real() || os.Getenv(childMark) != "" {
		return nil
	}
	names := m.triable()
	own := os.Geteuid() != 0
	user := make(chan trial, 1)
	go func() { user <- tryUser(ctx) }()
	result, err := runTrials(ctx, names, own)
	userTrial := <-user
	if err != nil && own { // what asks for no rights can be tried without a namespace
		result, err = runTrials(ctx, names, false)
	}
	if err != nil {
		result = trials{}
		for _, name := range names {
			result[name] = trial{unknown, err.Error()}
		}
	}
	if own {
		result.leniently()
	}
	result["ns:user"] = userTrial
	return result
}

// leniently is the view of a plain user: what such a user is refused, even in a
// user namespace, the kernel may well have.
func (t trials) leniently() {
	for name, tried := range t {
		if tried.Verdict == refused {
			t[name] = trial{unknown, tried.Text + " for a plain user"}
		}
	}
}

// runTrials starts this program as the process that tries; own gives it a user
// namespace in which it is root.
func runTrials(ctx context.Context, names []string, own bool) (trials, error) {
	o := run.Options{Path: "/proc/self/exe", Args: append([]string{childArg}, names...), Env: []string{childMark + "=1"}, Timeout: trialTime}
	if own {
		o.Namespaces, o.MapRoot = userNamespace, true
	}
	done, err := run.Command(ctx, o)
	if err != nil {
		return nil, err
	}
	result := trials{}
	return result, json.Unmarshal(done.Stdout, &result)
}

// triable are the names of what may be tried.
func (m *machine) triable() []string {
	var names []string
	for _, n := range namespaces {
		if n.kind != "user" { // a process with threads cannot have another
			names = append(names, "ns:"+n.kind)
		}
	}
	if m.groups.mode == "v2" {
		names = append(names, "devices")
	}
	for _, n := range needs {
		if n.trial != "" && m.loadsNothing(n) {
			names = append(names, n.trial)
		}
	}
	return names
}

// loadsNothing says whether trying it cannot make the kernel load a module.
func (m *machine) loadsNothing(n need) bool {
	if !m.modular || m.sealed {
		return true
	}
	if strings.HasPrefix(n.trial, "table") || strings.HasPrefix(n.trial, "match:") || strings.HasPrefix(n.trial, "target:") {
		return false // the table itself is a module, and so is what carries it
	}
	return !slices.ContainsFunc(strings.Split(n.any[0], "+"), func(option string) bool {
		return len(modules[option]) > 0 && m.config[option] != "y" && !m.isLoaded(option)
	})
}

// IsChild says whether the arguments of this process are those of the process
// that tries, which Checks starts: the program is then to call Main and exit with
// its status. Every program that calls Checks asks this first of all.
func IsChild(args []string) bool { return len(args) > 1 && args[1] == childArg }

// Main makes the trials that the arguments name and prints what came out.
func Main() int {
	result := trials{}
	for _, name := range os.Args[2:] {
		result[name] = tryOne(name)
	}
	if json.NewEncoder(os.Stdout).Encode(result) != nil {
		return 1
	}
	return 0
}

// tryUser tries a user namespace, which takes a process of one thread. A plain user's
// is tried with mounts of its own: AppArmor of Ubuntu lets it be and takes its rights.
func tryUser(ctx context.Context) trial {
	if os.Geteuid() != 0 {
		return ofError(detect.TryNamespaces(ctx, userNamespace|mountNamespace))
	}
	return ofError(detect.TryNamespaces(ctx, userNamespace))
}
