package builder

import (
	"fmt"
	"os/exec"
	"strings"
)

// AddressError says that an address of a remote context says nothing: wrong usage.
type AddressError struct {
	Address string
	Err     error
}

func (e *AddressError) Error() string { return fmt.Sprintf("%s: %v", e.Address, e.Err) }

// Unwrap gives the cause.
func (e *AddressError) Unwrap() error { return e.Err }

// Hint shows both forms.
func (e *AddressError) Hint() string {
	return "write https://HOST/REPOSITORY.git#REF:SUBFOLDER, or https://HOST/REPOSITORY.git?ref=REF&subdir=SUBFOLDER"
}

// ExitStatus is 2, as for every wrong usage.
func (e *AddressError) ExitStatus() int { return 2 }

// FetchError says that a node could not get a remote context.
type FetchError struct {
	// Address without a password in it.
	Address string
	// Git says that it is a repository, SSH that it is reached by ssh.
	Git, SSH bool
	// Ref and SubDir that were asked for.
	Ref, SubDir string
	// Answers says that somebody is there; Found that there is a ref of that name, or a file.
	Answers, Found bool
	Err            error
	secrets        []string
}

func (e *FetchError) Error() string {
	if len(e.secrets) > 0 { // Git repeats its address
		text := e.text()
		for _, secret := range e.secrets {
			text = strings.ReplaceAll(text, secret, hidden)
		}
		return text
	}
	return e.text()
}

func (e *FetchError) text() string {
	what := e.Address
	switch {
	case e.Git && !e.Answers:
		return fmt.Sprintf("%s: no repository answers there: %v", what, innermost(e.Err))
	case e.Git && !e.Found:
		return fmt.Sprintf("%s: the repository has no ref %s", what, e.Ref)
	case e.Git && e.SubDir != "":
		return fmt.Sprintf("%s: getting folder %s of the repository: %v", what, e.SubDir, innermost(e.Err))
	case e.Git:
		return fmt.Sprintf("%s: getting the repository: %v", what, innermost(e.Err))
	case e.Found:
		return fmt.Sprintf("%s: unpacking the archive: %v", what, innermost(e.Err))
	}
	return fmt.Sprintf("%s: %v", what, innermost(e.Err))
}

// innermost leaves out the names of BuildKit's own layers, and of Git's lines all but the one that is the cause.
func innermost(err error) string {
	text := err.Error()
	for _, layer := range []string{"rpc error: code = Unknown desc = ", "failed to solve: "} {
		text = strings.ReplaceAll(text, layer, "")
	}
	if _, lines, is := strings.Cut(text, "git stderr:\n"); is {
		if cause := gitCause(lines); cause != "" {
			return cause
		}
	}
	return strings.TrimSpace(text)
}

// gitCause is the line of those that Git has written that says why it failed; empty where none does. Of what it could not
// read, whoever it had asked has said the cause in the line before.
func gitCause(lines string) string {
	before := ""
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		cause, last := strings.CutPrefix(line, "fatal: ")
		switch {
		case last && before != "" && strings.HasPrefix(cause, "Could not read from remote repository"):
			return strings.TrimPrefix(before, "ERROR: ")
		case last:
			return cause
		case line != "":
			before = line
		}
	}
	return ""
}

// Unwrap gives BuildKit's error.
func (e *FetchError) Unwrap() error { return e.Err }

// Hint is a command that shows the same thing without archbuild.
func (e *FetchError) Hint() string {
	repository := repository(e.Address)
	switch {
	case e.Git && e.Answers && !e.Found:
		return "git ls-remote " + repository + " lists its branches and tags"
	case e.Git && e.Answers:
		return "look at what is there: git clone " + repository
	case e.SSH:
		return "see whether it answers where the node is: git ls-remote " + repository + "; the agent or key for it is offered with --ssh default"
	case e.Git:
		return "see whether it answers where the node is: git ls-remote " + repository + "; a token for it is given with --secret id=GIT_AUTH_TOKEN,env=VARIABLE"
	case e.Found:
		return "look whether tar reads it; a Git repository has an address that ends in .git"
	}
	return "see whether it answers where the node is: curl -fL " + e.Address + "; a Git repository has an address that ends in .git"
}

// repository is an address as Git takes it.
func repository(address string) string {
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	if strings.HasPrefix(address, "github.com/") { // which Git would take for a folder
		address = "https://" + address
	}
	return address
}

// Download is the command line that gets it without archbuild.
func (r Remote) Download() string {
	if g, err := r.git(); err == nil && g != nil {
		return "git clone " + repository(r.Shown())
	}
	return "curl -fLO " + r.Shown()
}

// ProgramError says that the engine lacks a program that fetching takes.
type ProgramError struct{ Address, Program string }

func (e *ProgramError) Error() string {
	return fmt.Sprintf("%s: the engine gets it with %s, which is not on its PATH", e.Address, e.Program)
}

// Hint says how the engine finds it: it knows what was there when it was started.
func (e *ProgramError) Hint() string {
	pkg := map[string]string{"ssh": "openssh-client"}[e.Program]
	if pkg == "" {
		pkg = e.Program
	}
	return "install it (Debian: apt-get install " + pkg + "), and end an engine that runs: archbuild engine stop"
}

// CheckPrograms looks for what an engine on this machine will call. An error is a
// *ProgramError.
func (r Remote) CheckPrograms() error {
	g, err := r.git()
	if err != nil || g == nil {
		return nil
	}
	programs := []string{"git"}
	if r.SSHHost() != "" {
		programs = append(programs, "ssh")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return &ProgramError{r.Shown(), program}
		}
	}
	return nil
}
