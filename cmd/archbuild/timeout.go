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

// within is the verb's context, which ends after a time, if one was given. All that runs is then
// cancelled as it is by ^C.
func within(c *cobra.Command, timeout time.Duration) (context.Context, context.CancelFunc, error) {
	if timeout < 0 || timeout == 0 && c.Flags().Changed("timeout") {
		return nil, nil, usageError{fmt.Errorf("--timeout %s is no time to work in", timeout), c.CommandPath()}
	}
	ctx, cancel := context.WithCancelCause(c.Context())
	stop := func() bool { return true }
	if timeout > 0 {
		stop = time.AfterFunc(timeout, func() { cancel(timeoutError{timeout}) }).Stop
	}
	return ctx, func() { stop(); cancel(nil) }, nil
}

// ended is what a verb failed with: the time that was given for it, if that is why.
func ended(ctx context.Context, err error) error {
	if late := (timeoutError{}); err != nil && errors.As(context.Cause(ctx), &late) {
		return late
	}
	return err
}
