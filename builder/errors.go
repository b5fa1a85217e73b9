package builder

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	gatewayerrors "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
)

// Error is a job that failed: where in the Dockerfile, why, and what the step said last.
type Error struct {
	Platform platform.Platform
	// File is the template, Line one of it.
	File string
	Line int
	// Source is the line itself.
	Source string
	// ExitCode of the process, or 0 when none was at fault.
	ExitCode int
	// OutOfMemory says that the kernel ended something in the step for want of
	// memory, Memory what the node may take, in bytes; 0 is no known limit.
	OutOfMemory bool
	Memory      int64
	// Missing is the path that a COPY or ADD takes and that is not there; empty when that is not what went wrong.
	Missing string
	// Caching says that the steps went well, and that a cache of --cache-to could not
	// be written.
	Caching bool
	// Log are the last lines that the failing step printed.
	Log []string
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "building %s: ", e.Platform)
	if e.Line > 0 {
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	}
	b.WriteString(e.cause())
	if e.Source != "" {
		fmt.Fprintf(&b, "\n  %4d | %s", e.Line, e.Source)
	}
	for _, line := range e.Log {
		fmt.Fprintf(&b, "\n       > %s", line)
	}
	return b.String()
}

// cause is the innermost message: BuildKit wraps it in the names of its own layers.
func (e *Error) cause() string {
	switch {
	case e.OutOfMemory && e.Memory > 0:
		return fmt.Sprintf("out of memory: the engine and its steps may take %s, and the command ended with exit status %d", engine.IEC(e.Memory), e.ExitCode)
	case e.OutOfMemory:
		return fmt.Sprintf("out of memory: the command ended with exit status %d", e.ExitCode)
	case e.ExitCode != 0:
		return fmt.Sprintf("the command ended with exit status %d", e.ExitCode)
	case e.Missing != "":
		return "there is no " + e.Missing + " to take"
	}
	text := e.Err.Error()
	text = strings.TrimPrefix(text, "failed to solve: ")
	if e.Caching {
		return "writing the cache: " + text
	}
	return text
}

// Unwrap gives BuildKit's error.
func (e *Error) Unwrap() error { return e.Err }

// At is the place, for those who show errors beside the code.
func (e *Error) At() (file string, line int) { return e.File, e.Line }

// Hint depends on what went wrong.
func (e *Error) Hint() string {
	if e.OutOfMemory && e.Memory > 0 {
		return "give it more with --engine-memory SIZE, or build one platform at a time: --platform " + e.Platform.String()
	}
	if e.OutOfMemory {
		return "build one platform at a time: --platform " + e.Platform.String()
	}
	if e.ExitCode != 0 {
		return fmt.Sprintf("mend line %d of the Dockerfile; --progress plain shows more of its output, --platform %s builds this platform alone", e.Line, e.Platform)
	}
	if e.Missing != "" {
		return e.hintMissing()
	}
	if e.ExitCode == 0 && strings.Contains(e.Source, "type=ssh") {
		return "a step is offered what --ssh names and nothing else: --ssh ID, where ID is default unless the mount names another"
	}
	if strings.Contains(e.Source, "type=secret") {
		return "a step is offered what --secret names and nothing else: --secret id=ID,src=FILE, or env=VARIABLE in the place of src"
	}
	if e.Caching {
		return "look whether the place of --cache-to can be written; add ignore-error=true to it if the build is good without"
	}
	if e.Line > 0 {
		return fmt.Sprintf("look at line %d of the Dockerfile", e.Line)
	}
	return "--progress plain shows all that BuildKit said"
}

// hintMissing says where to look for what was to be taken: in another stage or image, or in the context.
func (e *Error) hintMissing() string {
	for word := range strings.FieldsSeq(e.Source) {
		if from, ok := strings.CutPrefix(word, "--from="); ok {
			return fmt.Sprintf("see whether %s has it, or correct line %d of the Dockerfile", from, e.Line)
		}
	}
	return fmt.Sprintf("see whether the context has it, or an ignore file leaves it out; or correct line %d of the Dockerfile", e.Line)
}

// missingPath is how BuildKit says that a path is in no layer and no context: it has no type for it. What is said
// otherwise one day is shown as it is.
var missingPath = regexp.MustCompile(`failed to calculate checksum of ref \S+: "([^"]+)": not found$`)

// explain turns BuildKit's error into one that names platform, line and output.
func explain(job plan.Job, file string, err error, watch *watcher, memory int64) *Error {
	e := &Error{Platform: job.Platform, File: file, Err: err, Log: watch.lastLines(8), Caching: watch.failedCaching()}
	var exit *gatewayerrors.ExitError
	if errors.As(err, &exit) && exit.ExitCode != gatewayerrors.UnknownExitStatus {
		e.ExitCode = int(exit.ExitCode)
		// A registry can be exhausted too, but it has no exit status.
		if grpcerrors.Code(err) == codes.ResourceExhausted {
			e.OutOfMemory, e.Memory = true, memory
		}
	}
	for _, source := range errdefs.Sources(err) {
		if source.Info == nil || len(source.Ranges) == 0 {
			continue
		}
		e.Line = int(source.Ranges[0].Start.Line)
		lines := strings.Split(string(source.Info.Data), "\n")
		if e.Line >= 1 && e.Line <= len(lines) {
			e.Source = strings.TrimRight(lines[e.Line-1], "\r")
		}
		break
	}
	if found := missingPath.FindStringSubmatch(err.Error()); found != nil && e.Line > 0 {
		e.Missing = found[1]
	}
	return e
}

// SecretError says that a secret cannot be given to a build.
type SecretError struct{ Err error }

func (e *SecretError) Error() string { return fmt.Sprintf("reading secrets: %v", e.Err) }

// Unwrap gives the cause.
func (e *SecretError) Unwrap() error { return e.Err }

// Hint names what holds files of any size.
func (e *SecretError) Hint() string {
	return "look at the files of --secret; what is large travels as a folder: --build-context NAME=FOLDER"
}

// PasswordError says that a job failed on a node that had asked for passwords and, being another machine, did not
// get them.
type PasswordError struct {
	Node       string
	Registries []string
	Err        *Error
}

func (e *PasswordError) Error() string {
	return fmt.Sprintf("%v\n%s", e.Err, WithoutPasswords(e.Node, e.Registries))
}

// Unwrap gives the failure itself.
func (e *PasswordError) Unwrap() error { return e.Err }

// At is the place, for those who show errors beside the code.
func (e *PasswordError) At() (file string, line int) { return e.Err.At() }

// Hint says how consent is given, to that node and for those registries.
func (e *PasswordError) Hint() string { return ForPasswords(e.Registries) }

// WithoutPasswords tells of a node that did not get the passwords it asked for.
func WithoutPasswords(node string, registries []string) string {
	return fmt.Sprintf("node %s asked for the password of %s and did not get it: it is another machine, and would have more than a token for this build", node, strings.Join(registries, ", "))
}

// ForPasswords is what to do about it.
func ForPasswords(registries []string) string {
	return "if you trust the node with it, add passwords=" + strings.Join(registries, "+") + " to its --node or its entry in config.yaml"
}
