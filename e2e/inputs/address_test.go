package inputs

import "strings"

// addresses are bad addresses of nodes, names of images and URLs of contexts.
func addresses() []row {
	rows := append(nodeAddresses(), imageNames()...)
	return append(rows, contextURLs()...)
}

func nodeAddresses() []row {
	of := func(bad, address, says string) row {
		return row{bad: bad, args: []string{"node", "ls", "--node", address}, code: 2, says: says}
	}
	return []row{
		of("a node without an address before its keys", ",name=a", "the address is missing"),
		of("a node whose scheme does not exist", "http://a.example:1234", "unknown scheme http"),
		of("a node without a scheme", "a.example:1234", "no address: it has no scheme"),
		of("a node of a scheme in capitals", "TCP://a.example:1234", "unknown scheme TCP"),
		of("a node over tcp without a port", "tcp://a.example", "the port is missing"),
		of("a node with port 0", "tcp://a.example:0", "0 is no port"),
		of("a node with port 65536", "tcp://a.example:65536", "65536 is no port"),
		of("a node with a port of letters", "tcp://a.example:buildkit", "buildkit is no port"),
		of("a node with a negative port", "tcp://a.example:-1", "-1 is no port"),
		of("a node by an IPv6 address without brackets", "tcp://fd00::7:1234", "the IPv6 address stands without brackets"),
		of("a node by an IPv6 address with a zone", "tcp://[fe80::1%25eth0]:1234", "%25eth0]:1234 has no place in it"),
		of("a node by an IPv6 address whose bracket is open", "tcp://[fd00::7:1234", "the port is missing"),
		of("a node over tcp with a user", "tcp://me@a.example:1234", "@a.example:1234 has no place in it"),
		of("a node over tcp with a path", "tcp://a.example:1234/x", "/x has no place in it"),
		of("a node with an escaped character", "tcp://a%2eexample:1234", "%2eexample:1234 has no place in it"),
		of("a node whose host begins with a hyphen", "tcp://-a.example:1234", "the host begins with a hyphen, as an option of a command doe"),
		of("a node over ssh whose host begins with a hyphen", "ssh://-oProxyCommand=id", "the host begins with a hyphen, as an option of a command doe"),
		of("a node over ssh whose user begins with a hyphen", "ssh://-l@a.example", "-l cannot be a user's name"),
		of("a node over ssh with a password", "ssh://me:secret@a.example", "it holds a password"),
		of("a node over ssh with a command behind its socket", "ssh://a.example/run/x;reboot", "/run/x;reboot cannot be the path of a socket"),
		of("a node over ssh with a command in its socket", "ssh://a.example/run/$(reboot)", "/run/$(reboot) cannot be the path of a socket"),
		of("a node over ssh with a space in its socket", "ssh://a.example/run/a b", "node ssh://a.example/run/a b: /run/a b cannot be the path of"),
		of("a node over ssh with a question mark", "ssh://a.example?socket=x", "one of ? # % has no place in it"),
		of("a node with a line break", "tcp://a.example:1234\n", "node \"tcp://a.example:1234"),
		of("a node with an escape sequence", "tcp://a\x1b[31m.example:1234", "the address holds a character that is no plain ASCII"),
		of("a node with a letter of another alphabet", "tcp://\u0430.example:1234", "the address holds a character that is no plain ASCII"),
		of("a node with a space that cannot be seen", "tcp://a.example\u200b:1234", "the address holds a character that is no plain ASCII"),
		of("a node whose socket's path is relative", "unix://run/buildkitd.sock", "the path of the socket is not absolute"),
		of("a node whose socket's path is a folder", "unix:///run/", "the path of the socket ends as a folder's does"),
		of("a node whose socket's path is too long for the kernel", "unix:///"+strings.Repeat("a", 120), "the path of the socket is longer than the 107 bytes that the"),
		of("a node of 64,000 letters", "tcp://"+strings.Repeat("a", 64_000)+":1234", "node tcp://aaaa"),
		of("a node in a container whose name begins with a hyphen", "docker-container://-v", "-v cannot be a name there"),
		of("a node in a container with an unknown key", "docker-container://a?contxt=b", "it knows no contxt"),
		of("a node in a pod whose name is a flag", "kube-pod://--kubeconfig=x", "--kubeconfig=x cannot be a name there"),
		of("a node in a pod in capitals", "kube-pod://Build", "Build cannot be a name there"),
		of("a node with an unknown key after it", "tcp://127.0.0.1:1,wieght=2", "unknown key wieght"),
		of("a node with a key twice", "tcp://127.0.0.1:1,name=a,name=b", "name is given twice"),
		of("a node with a key without a value", "tcp://127.0.0.1:1,name=", "name has no value"),
		of("a node with two commas", "tcp://127.0.0.1:1,,name=a", "nothing stands between two commas"),
		of("a node with platforms between commas", "tcp://127.0.0.1:1,platform=linux/amd64,linux/arm64", "linux/arm64 is no KEY=VALUE"),
		of("a node with a weight of nothing", "tcp://127.0.0.1:1,weight=0", "weight 0 is no number above 0"),
		of("a node with a thousand jobs", "tcp://127.0.0.1:1,jobs=1000", "jobs 1000 is no number from 1 to 999"),
		of("a node with a key file that is not there", "tcp://127.0.0.1:1,cacert=nowhere.pem", "cacert nowhere.pem: no such file"),
		of("a node with a certificate and no key", "tcp://127.0.0.1:1,cert=nowhere.pem", "cacert is missing: nothing vouches for the server"),
		{bad: "a node in the environment that is none", args: words("node ls"), env: []string{"BUILDKIT_HOST=tcp://;id"}, code: 2, says: ";id is no host"},
	}
}

func imageNames() []row {
	of := func(bad, name, says string) row {
		return row{bad: bad, args: []string{"manifest", "inspect", name}, code: 2, says: says}
	}
	return []row{
		of("an image in capitals", "Debian", "invalid reference format: repository name (library/Debian) m"),
		of("an image whose name is empty", "", ": invalid reference format"),
		of("an image with two tags", "debian:1:2", "invalid reference format"),
		of("an image with a tag of a hyphen", "debian:-", "debian:-: invalid reference format"),
		of("an image with a tag of 200 letters", "debian:"+strings.Repeat("a", 200), "invalid reference format"),
		of("an image with a digest that is too long", "debian@sha256:"+strings.Repeat("ab", 40), "invalid checksum digest length"),
		of("an image with a digest of letters beyond f", "debian@sha256:"+strings.Repeat("xy", 32), "debian@sha256:xyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxy"),
		of("an image with a digest upwards", "debian@sha256:../../x", "debian@sha256:../../x: invalid reference format"),
		of("an image by a URL", "https://registry.example/app", "https://registry.example/app: invalid reference format"),
		of("an image by a URL of another kind", "file:///etc/passwd", "file:///etc/passwd: invalid reference format"),
		of("an image with a user", "me@registry.example/app", "me@registry.example/app: invalid reference format"),
		of("an image with a port of letters", "registry.example:http/app", "registry.example:http/app: invalid reference format"),
		of("an image with a question mark in its name", "registry.example/app?x=1", "registry.example/app?x=1: invalid reference format"),
		of("an image with an escaped slash", "registry.example/a%2fb", "registry.example/a%2fb: invalid reference format"),
		of("an image with a space", "registry.example/a b", "registry.example/a b: invalid reference format"),
		of("an image with a line break", "registry.example/a\nb", "registry.example/a"),
		of("an image with an escape sequence", "registry.example/\x1b[31mapp", "invalid reference format"),
		of("an image with two slashes", "registry.example//app", "invalid reference format"),
		of("an image with dots upwards", "registry.example/../app", "invalid reference format"),
		of("an image of 64,000 letters", strings.Repeat("a/", 32_000)+"a", "repository name must not be more than 255 characters"),
		of("an image with a letter that only looks like one", "registry.example/\u0430pp", "invalid reference format"),
		of("an image with a byte that is no UTF-8", "registry.example/\xffapp", "registry.example/"),
	}
}

func contextURLs() []row {
	of := func(bad, address, says string) row {
		return row{bad: bad, args: []string{"plan", address, "--offline"}, code: 2, says: says}
	}
	named := func(bad, value, says string) row {
		return row{bad: bad, args: []string{"plan", ".", "--offline", "--build-context", value}, in: []maker{file("Dockerfile", "FROM scratch\n")}, code: 2, says: says}
	}
	return []row{
		{bad: "a plan for jobs of an address with a password", args: []string{"ci", "plan", "https://me:geheim@git.example/x.git"}, code: 2, says: "https://xxxxx@git.example/x.git: the plan would tell what is hidden here"},
		of("a context by ftp", "ftp://git.example/x.git", "ftp://git.example/x.git: contexts of kind ftp:// are not sup"),
		of("a context by a scheme of no program", "evil://x", "evil://x: contexts of kind evil:// are not supported"),
		of("a context by a file's URL", "file:///etc", "file:///etc: contexts of kind file:// are not supported"),
		of("a context by a scheme alone", "https://", "https://: that is no URL: special characters of a password a"),
		of("a context with an unknown question", "https://git.example/x.git?reff=v1", "https://git.example/x.git?reff=xxxxx: unexpected query \"reff\""),
		of("a context with a space in its host", "https://git .example/x.git", "https://git .example/x.git: that is no URL: special characte"),
		of("a context with an escape sequence", "https://git.example/\x1b[31mx.git", "https://git.example/x.git: that is no URL: special character"),
		of("a context with half an escaped character", "https://git.example/%zz.git", "https://git.example/%zz.git: that is no URL: special charact"),
		of("a context with a port that is none", "https://git.example:port/x.git", "https://git.example:port/x.git: that is no URL: special char"),
		of("a context over ssh whose host begins with a hyphen", "git@-oProxyCommand=id:x.git", "git@-oProxyCommand=id:x.git: no such folder"),
		named("another context without a name", "=x", "--build-context  is not NAME=VALUE"),
		named("another context without a place", "a=", "--build-context a is not NAME=VALUE"),
		named("another context that is one word", "a", "--build-context a is not NAME=VALUE"),
		named("another context in a folder that is not there", "a=nowhere", "no such folder"),
		named("another context that is a file", "a=Dockerfile", "no such folder"),
		named("another context for a platform that does not exist", "a::linux/nonsense=.", "--build-context a::linux/nonsense: unknown platform \"linux/"),
		named("another context of an image in capitals", "a=docker-image://Debian", "--build-context a=docker-image://Debian: invalid reference f"),
		named("another context of an image without a name", "a=docker-image://", "--build-context a=docker-image://: invalid reference format"),
		named("another context in a layout that is not there", "a=oci-layout://nowhere", "--build-context a=oci-layout://nowhere: no such folder: nowh"),
		named("another context by a scheme of no program", "a=evil://x", "--build-context a=evil://x: contexts of kind evil:// are not"),
	}
}
