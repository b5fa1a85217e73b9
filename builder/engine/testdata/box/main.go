// Command box is all there is in the image that the engine's tests build: it
// sleeps, in a process of its own, and writes a file.
//
//	box DURATION FILE
package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "box:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want DURATION FILE, have %q", args)
	}
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	if os.Getenv("BOX_CHILD") != "" {
		time.Sleep(d)
		return nil
	}
	child := exec.Command("/proc/self/exe", args...)
	child.Env = []string{"BOX_CHILD=1"}
	if err := child.Run(); err != nil {
		return err
	}
	return os.WriteFile(args[1], []byte("done\n"), 0o644)
}
