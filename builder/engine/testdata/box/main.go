// Command box is all there is in the image that the engine's tests build: it
// sleeps, in a process of its own, and writes a file.
//
//	box DURATION FILE
//	box eat MEGABYTES    takes so much memory, in a process of its own
//	box show FILE        prints what it was given: environment and open files
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
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
	if args[0] == "eat" {
		return eat(args)
	}
	if args[0] == "show" {
		return show(args[1])
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

// show prints the variables and descriptors of this process and of the first one it
// can see, which is itself in most containers.
func show(file string) error {
	for _, proc := range []string{"/proc/1", "/proc/self"} {
		env, err := os.ReadFile(proc + "/environ")
		if err != nil {
			return err
		}
		fmt.Printf("env %s: %q\n", proc, env)
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name())
		fmt.Printf("fd %s: %s\n", e.Name(), to)
	}
	return os.WriteFile(file, []byte("done\n"), 0o644)
}

func eat(args []string) error {
	megabytes, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if os.Getenv("BOX_CHILD") == "" {
		child := exec.Command("/proc/self/exe", args...)
		child.Env = []string{"BOX_CHILD=1"}
		return child.Run()
	}
	var all [][]byte
	for range megabytes {
		piece := make([]byte, 1<<20)
		for i := range piece {
			piece[i] = byte(i) | 1
		}
		all = append(all, piece)
	}
	fmt.Println(len(all), "MB")
	return nil
}
