package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// Exit statuses, the same for every verb.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitVerify = 3
)

// run is the whole program without the process: arguments and streams in, exit status out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	system := outside.System{
		Environ: os.Environ(), Stdin: interruptible{ctx, stdin}, Stdout: stdout, Stderr: stderr, Version: versionString(),
		Terminal: outside.IsTerminal(stdin) && outside.IsTerminal(stderr),
		OnNodes:  memoryForNodes,
	}
	system, flush := system.Guarded()
	defer flush()
	stdout, stderr = system.Stdout, system.Stderr // There is no other way out.
	root := newRoot(system)
	root.SetArgs(explainWithout(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "archbuild: interrupted")
		return exitFailed
	}
	for _, e := range leaves(err) {
		archbuild.AnnotateError(system, e)
	}
	return report(stderr, err)
}

// interruptible is a stream that a reader does not wait for any longer when the
// context has ended: somebody who types sees ^C obeyed. What is read after that is lost.
type interruptible struct {
	ctx  context.Context
	from io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	buffer, done := make([]byte, len(p)), make(chan result, 1)
	go func() {
		n, err := r.from.Read(buffer)
		done <- result{n, err}
	}()
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case got := <-done:
		return copy(p, buffer[:got.n]), got.err
	}
}

// report prints every error with its hint and tells the exit status of the worst. Errors of one hint stand together, and it
// follows them once.
func report(stderr io.Writer, err error) int {
	code := exitFailed
	type group struct {
		hint string
		errs []error
	}
	var groups []group
	at := map[string]int{}
	for _, e := range leaves(err) {
		var status interface{ ExitStatus() int }
		if errors.As(e, &status) {
			code = max(code, status.ExitStatus())
		}
		hint := wrong.Hint(e)
		i, known := at[hint]
		if !known || hint == "" {
			i, at[hint] = len(groups), len(groups)
			groups = append(groups, group{hint: hint})
		}
		groups[i].errs = append(groups[i].errs, e)
	}
	for _, g := range groups {
		for _, e := range g.errs {
			fmt.Fprintf(stderr, "archbuild: error: %s\n", said(e.Error()))
		}
		if g.hint != "" {
			fmt.Fprintf(stderr, "archbuild: hint: %s\n", said(g.hint))
		}
	}
	return code
}

// said is a text of several lines of which no other than the first looks like one of archbuild's own:
// a registry's answer and the output of a step may be in it.
func said(text string) string { return strings.ReplaceAll(text, "\narchbuild: ", "\n archbuild: ") }

// leaves are the independent errors in a joined one, however deep it was joined.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, leaves(e)...)
	}
	return list
}

// usageError marks wrong usage: exit status 2.
type usageError struct {
	err  error
	verb string
}

func (e usageError) Error() string   { return e.err.Error() }
func (e usageError) Unwrap() error   { return e.err }
func (e usageError) ExitStatus() int { return exitUsage }
func (e usageError) Hint() string    { return fmt.Sprintf("see `%s --help`", e.verb) }

// newRoot is the tree of verbs. The root itself is `build`, whose word may be left out.
func newRoot(system outside.System) *cobra.Command {
	root := newBuild(system)
	root.Use = "archbuild [build] PATH..."
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newBuild(system), newRewrite(system), newPlan(system), newDoctor(system), newDetect(system),
		newVerify(system), newCompare(system), newLint(system), newPort(system), newPlace(system), newManifest(system), newCI(system), newLock(system), newNode(system), newEngine(system), newCompletion(root), newVersion(system), newDocs(root))
	root.SetHelpCommand(newHelp(root))
	root.Version = fmt.Sprintf("%s (BuildKit %s)", versionString(), buildkitVersion())
	root.SetVersionTemplate("archbuild {{.Version}}\n")
	usageStatus(root)
	completeAll(root)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return flagError(c, err)
	})
	return root
}

// newHelp is what a stranger types first: help, help VERB.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [VERB]", Short: "Show what a verb does, and its flags", Hidden: true, Args: cobra.ArbitraryArgs, ValidArgsFunction: completeArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usageError{fmt.Errorf("no such verb: %s%s", strings.Join(args, " "), didYouMean(nearestVerb(c, rest))), root.Name()}
			}
			return c.Help()
		},
	}
}

// usageStatus makes a wrong number of arguments wrong usage, for every verb.
func usageStatus(c *cobra.Command) {
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if check(c, args) == nil {
			return nil
		}
		_, wants, _ := strings.Cut(c.Use, " ")
		wants, _, _ = strings.Cut(wants, "...")
		switch {
		case len(args) == 0:
			return usageError{fmt.Errorf("%s needs %s", c.CommandPath(), wants), c.CommandPath()}
		case c.HasAvailableSubCommands():
			return usageError{fmt.Errorf("%s has no verb %s%s", c.CommandPath(), args[0], didYouMean(nearestVerb(c, args))), c.CommandPath()}
		case wants == "":
			return usageError{fmt.Errorf("%s takes no arguments, and %s is one", c.CommandPath(), args[0]), c.CommandPath()}
		}
		return usageError{fmt.Errorf("%s takes one %s, and %d are given", c.CommandPath(), wants, len(args)), c.CommandPath()}
	}
	for _, verb := range c.Commands() {
		usageStatus(verb)
	}
}

// flagError names the nearest flag when one was mistyped.
func flagError(c *cobra.Command, err error) error {
	missing, invalid := new(pflag.NotExistError), new(pflag.InvalidValueError)
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "duration" {
		return &wrong.Usage{Err: fmt.Errorf("--%s %s is no time", invalid.GetFlag().Name, invalid.GetValue()), Help: "write a number and its unit: 30s, 5m, 1h"}
	}
	if !errors.As(err, &missing) {
		return usageError{err, c.CommandPath()}
	}
	name := missing.GetSpecifiedName()
	if c.Name() == "plan" && isBuildFlag(c.Root(), missing) {
		return &wrong.Usage{Err: err, Help: "archbuild build --dry-run shows the plan, and takes all flags of a build"}
	}
	if letters, _, _ := strings.Cut(missing.GetSpecifiedShortnames(), "="); letters != "" {
		// -platform: the letters of a word with one dash are flags each.
		if near := nearestFlag(c, letters); near != "" {
			return usageError{fmt.Errorf("unknown flag -%s; did you mean %s?", letters, near), c.CommandPath()}
		}
		return usageError{err, c.CommandPath()}
	}
	if instead, known := buildxFlags[name]; known {
		return notYet{name, instead}
	}
	return usageError{fmt.Errorf("unknown flag --%s%s", name, didYouMean(nearestFlag(c, name))), c.CommandPath()}
}

// isBuildFlag says whether a flag that is missing elsewhere is one of build.
func isBuildFlag(build *cobra.Command, missing *pflag.NotExistError) bool {
	if letters := missing.GetSpecifiedShortnames(); letters != "" {
		return build.Flags().ShorthandLookup(letters[:1]) != nil
	}
	return build.Flags().Lookup(missing.GetSpecifiedName()) != nil
}
