// Command edge-router is the shop's door: it hands every connection to the front-end.
package main

import (
	"cmp"
	"io"
	"log"
	"net"
	"os"
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
		go hand(client, cmp.Or(os.Getenv("BACKEND"), "front-end:80"))
	}
}

// hand copies both ways until the backend has said everything.
func hand(client net.Conn, address string) {
	defer client.Close()
	backend, err := net.Dial("tcp", address)
	if err != nil {
		log.Print(err)
		return
	}
	defer backend.Close()
	go io.Copy(backend, client)
	io.Copy(client, backend)
}
