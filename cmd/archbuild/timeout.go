package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// timeoutFlag is of verbs that may take long.
func timeoutFlag(f *pflag.FlagSet, timeout *time.Duration) {
	f.DurationVar(timeout, "timeout", 0, "give up after a `DURATION`, as ^C does: 30m (default never)")
}

// timeoutError is what a verb ends with that took too long. It is an interruption.
type timeoutError struct{ after time.Duration }

func (e timeoutError) Error() string { return fmt.Sprintf("not done after %s: interrupted", e.after) }

// Is makes it one of the kinds of being cancelled.
func (e timeoutError) Is(target error) bool { return target == context.Canceled }

// Hint names the flag.
func (e timeoutError) Hint() string {
	return "give it longer with --timeout, or less to do: --platform with fewer platforms; a second run takes what is done from the cache"
}

// timed runs a verb in a context that ends after a time, if one was given. All that runs is then
// cancelled as it is by ^C, and the error is that one.
func timed(timeout *time.Duration, do func(ctx context.Context, c *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if *timeout < 0 || *timeout == 0 && c.Flags().Changed("timeout") {
			return usageError{fmt.Errorf("--timeout %s is no time to work in", *timeout), c.CommandPath()}
		}
		ctx, cancel := context.WithCancelCause(c.Context())
		defer cancel(nil)
		if *timeout > 0 {
			defer time.AfterFunc(*timeout, func() { cancel(timeoutError{*timeout}) }).Stop()
		}
		err := do(ctx, c, args)
		if late := (timeoutError{}); err != nil && errors.As(context.Cause(ctx), &late) {
			return late
		}
		return err
	}
}
