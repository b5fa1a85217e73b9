// Command user is the customers.
//
// It answers from package net alone: net/http would double the time that a first build of the shop takes.
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
)

func main() {
	listener, err := net.Listen("tcp", ":"+cmp.Or(os.Getenv("PORT"), "80"))
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go answer(client)
	}
}

// answer reads a request up to its empty line and says who answers, and from which machine.
func answer(client net.Conn) {
	defer client.Close()
	for lines := bufio.NewScanner(client); lines.Scan() && lines.Text() != ""; {
	}
	fmt.Fprintf(client, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuser on %s\n", runtime.GOARCH)
}
