package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
)

// gitToken opens the repositories below private/ of serveGit.
const gitToken = "a-token-of-the-tests"

// serveGit serves the bare repositories in a folder over http and ssh, and its other
// files over http, until the script ends. The script finds the addresses in GIT_HTTP
// and GIT_SSH, a private key that the ssh server accepts in the file ssh-key, the
// server's line of known_hosts in ssh-host, and GIT_TOKEN.
func serveGit(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	root := ts.MkAbs(args[0])
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	handler, err := gitWeb(root)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler}
	go server.Serve(web)
	ts.Defer(func() { server.Close() })
	shell, config, err := gitShell(ts)
	if err != nil {
		return err
	}
	go serveSSH(shell, config, root)
	ts.Defer(func() { shell.Close() })
	ts.Setenv("GIT_HTTP", "http://"+web.Addr().String())
	ts.Setenv("GIT_SSH", "ssh://git@"+shell.Addr().String())
	ts.Setenv("GIT_TOKEN", gitToken)
	return nil
}

// gitWeb is Git's own server behind a check of the token.
func gitWeb(root string) (http.Handler, error) {
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, err
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := r.BasicAuth()
		switch {
		case strings.HasPrefix(r.URL.Path, "/private/") && token != gitToken:
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			http.Error(w, "not for you", http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, ".git/"):
			backend.ServeHTTP(w, r)
		default:
			http.FileServer(http.Dir(root)).ServeHTTP(w, r)
		}
	}), nil
}

// gitShell makes the keys of an ssh server and listens.
func gitShell(ts *testscript.TestScript) (net.Listener, *ssh.ServerConfig, error) {
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	host, err := ssh.NewSignerFromKey(hostKey)
	if err != nil {
		return nil, nil, err
	}
	public, userKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	user, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(userKey, "")
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	line := fmt.Sprintf("[127.0.0.1]:%s %s", port, ssh.MarshalAuthorizedKey(host.PublicKey()))
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	return listener, config, errors.Join(
		os.WriteFile(ts.MkAbs("ssh-key"), pem.EncodeToMemory(block), 0o600),
		os.WriteFile(ts.MkAbs("ssh-host"), []byte(line), 0o644),
	)
}

// serveSSH lets each connection run git upload-pack.
func serveSSH(listener net.Listener, config *ssh.ServerConfig, root string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_, channels, requests, err := ssh.NewServerConn(conn, config)
			if err != nil {
				return
			}
			go ssh.DiscardRequests(requests)
			for channel := range channels {
				stream, asked, err := channel.Accept()
				if err != nil {
					return
				}
				go serveExec(stream, asked, root)
			}
		}()
	}
}

func serveExec(stream ssh.Channel, asked <-chan *ssh.Request, root string) {
	defer stream.Close()
	for request := range asked {
		var command struct{ Text string }
		if request.Type != "exec" || ssh.Unmarshal(request.Payload, &command) != nil {
			request.Reply(request.Type == "env", nil)
			continue
		}
		request.Reply(true, nil)
		path, ok := strings.CutPrefix(command.Text, "git-upload-pack ")
		status := uint32(1)
		if ok {
			git := exec.Command("git", "-c", "safe.directory=*", "upload-pack", filepath.Join(root, strings.Trim(path, "'")))
			git.Stdout, git.Stderr = stream, stream.Stderr()
			in, err := git.StdinPipe()
			if err == nil && git.Start() == nil {
				go func() { io.Copy(in, stream); in.Close() }()
				if git.Wait() == nil {
					status = 0
				}
			}
		}
		stream.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
		return
	}
}
