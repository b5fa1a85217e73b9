// Command greet says hello, the same on every machine.
package main

import "os"

func main() { os.Stdout.WriteString("hello from wherever I was built for\n") }
