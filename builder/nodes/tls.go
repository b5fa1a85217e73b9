package nodes

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/builder"
)

// setTLS reads cacert, cert, key, servername and tlsdir. The files must be there:
// the client would otherwise complain of the server.
func (s *Spec) setTLS(given map[string]string, base string, fail failure) error {
	path := func(key string) string {
		if given[key] == "" || filepath.IsAbs(given[key]) {
			return given[key]
		}
		return filepath.Join(base, given[key])
	}
	tls := builder.TLS{ServerName: given["servername"], CA: path("cacert"), Certificate: path("cert"), Key: path("key")}
	dir, folder := path("tlsdir"), given["tlsdir"] != ""
	if !folder && tls == (builder.TLS{}) {
		return nil
	}
	switch {
	case !strings.HasPrefix(s.Address, "tcp://"):
		return fail(firstOf(given), "certificates are for tcp:// alone", "leave "+firstOf(given)+" out: what carries this connection knows who is at its end")
	case folder && tls.CA+tls.Certificate+tls.Key != "":
		return fail("tlsdir", "tlsdir and single files exclude each other", "keep tlsdir, or cacert, cert and key")
	case tls.ServerName != "" && !isHost(tls.ServerName):
		return fail("servername", "servername "+quoted(tls.ServerName)+" is no host", "write the name that is in the server's certificate")
	}
	if folder {
		var err error
		if tls.CA, tls.Certificate, tls.Key, err = inFolder(dir, func(key, what, _ string) error { return fail(key, what, pathHint(given[key])) }); err != nil {
			return err
		}
	}
	switch {
	case tls.CA == "":
		return fail(firstOf(given), "cacert is missing: nothing vouches for the server", "give cacert=FILE, the certificate of the authority that signed the server's")
	case (tls.Certificate == "") != (tls.Key == ""):
		return fail(firstOf(given), "cert and key belong together", "give both, or none if the server asks for none")
	}
	for _, file := range []struct{ key, path string }{{"cacert", tls.CA}, {"cert", tls.Certificate}, {"key", tls.Key}} {
		if err := present(file.path); file.path != "" && err != nil {
			return fail(file.key, file.key+" "+quoted(file.path)+": "+err.Error(), pathHint(given[file.key]))
		}
	}
	s.TLS = tls
	return nil
}

// CheckSecure refuses a node that is reached over a network by a connection that anybody on the
// way can read and change: tcp without TLS, off this machine. What goes through it are the files of the context,
// secrets, tokens of registries, and the image. The error is an *Error.
func (s Spec) CheckSecure() error {
	host, ok := strings.CutPrefix(s.Address, "tcp://")
	if !ok || s.TLS != (builder.TLS{}) || s.Err != nil {
		return nil
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	return &Error{s.Address, "it is another machine, and nothing protects the connection (" + s.From + ")", "give cacert=, cert= and key=, or use ssh://; --node-insecure takes the risk: secrets and tokens can then be read on the way"}
}

// firstOf is the first key of TLS that was given.
func firstOf(given map[string]string) string {
	for _, key := range []string{"cacert", "cert", "key", "servername", "tlsdir"} {
		if given[key] != "" {
			return key
		}
	}
	return "tlsdir"
}

// inFolder finds the three files of tlsdir, by the names that buildctl knows.
func inFolder(dir string, fail failure) (ca, cert, key string, err error) {
	find := func(names ...string) string {
		for _, name := range names {
			file := filepath.Join(dir, name)
			if present(file) == nil {
				return file
			}
		}
		if err == nil {
			err = fail("tlsdir", "tlsdir "+quoted(dir)+" holds neither "+strings.Join(names, " nor "), "")
		}
		return ""
	}
	ca, cert, key = find("ca.pem", "ca.crt"), find("cert.pem", "tls.crt"), find("key.pem", "tls.key")
	return ca, cert, key, err
}

var (
	errNoFile   = errors.New("no such file")
	errIsFolder = errors.New("it is no file")
)

// present says why a file cannot be used.
func present(path string) error {
	info, err := os.Stat(path)
	var cause *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNoFile
	case errors.As(err, &cause):
		return cause.Err
	case err == nil && !info.Mode().IsRegular():
		return errIsFolder
	}
	return err
}

// tildeHint begins the hint about a path that begins with a tilde.
const tildeHint = "no shell replaces ~ there"

func pathHint(path string) string {
	if strings.HasPrefix(path, "~") {
		return tildeHint + "; write $HOME" + path[1:]
	}
	return "give the path of the file that openssl wrote; docs/nodes.md shows how they are made"
}
