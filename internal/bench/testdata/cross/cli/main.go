// Command todo keeps a list of things to do in a JSON file.
package main

import (
	"os"

	"example.com/todo/commands"
)

func main() {
	if err := commands.Root().Execute(); err != nil {
		os.Exit(1)
	}
}
