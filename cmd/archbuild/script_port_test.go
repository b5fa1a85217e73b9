package main

import (
	"net"
	"net/http"

	"github.com/rogpeppe/go-internal/testscript"
)

// serveFiles serves the files of a folder by HTTP until the end of the script. $WEB is where.
func serveFiles(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(ts.MkAbs(args[0])))}
	go server.Serve(listener)
	ts.Defer(func() { server.Close() })
	ts.Setenv("WEB", "http://"+listener.Addr().String())
	return nil
}
