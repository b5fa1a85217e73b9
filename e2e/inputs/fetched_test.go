package inputs

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// packed is a tar archive of the files of a txtar. A file that holds "link TO" is a symbolic link.
func packed(name, files string) maker {
	return func(dir string) error {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, f := range txtar.Parse([]byte(files)).Files {
			h := &tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(f.Data))}
			if to, isLink := strings.CutPrefix(strings.TrimSpace(string(f.Data)), "link "); isLink {
				h.Typeflag, h.Linkname, h.Size, f.Data = tar.TypeSymlink, to, 0, nil
			}
			if err := w.WriteHeader(h); err != nil {
				return err
			}
			if _, err := w.Write(f.Data); err != nil {
				return err
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), out.Bytes(), 0o644)
	}
}

// fetchedProjects are definitions that came with their sources from elsewhere, and want something of this machine.
func fetchedProjects() []row {
	const a = "-- a/Dockerfile --\nFROM scratch\n"
	of := func(bad, files, says string) row {
		return row{bad: "a fetched definition " + bad, in: []maker{packed("app.tar", files), fromScratch("near"), file(".env", "NEAR=1\n")}, args: words("plan app.tar --offline"), env: []string{"TOKEN=1"}, code: 1, says: says}
	}
	compose := func(bad, build, says string) row {
		return of(bad, "-- compose.yaml --\nservices:\n  a:\n    build:\n      context: a\n"+build+a, "app.tar:compose.yaml:"+says)
	}
	bake := func(bad, target, says string) row {
		return of(bad, "-- docker-bake.hcl --\ntarget \"default\" {\n"+target+"\n}\n"+a, "app.tar:docker-bake.hcl:"+says)
	}
	rows := []row{
		compose("whose context is the folder above", "  b:\n    build: ..\n", "6: b: its context, .., lies outside of app.tar"),
		compose("whose context is a folder of the working directory", "  b:\n    build: near\n", "6: b: app.tar: there is no folder near in it"),
		compose("whose context is given by file:", "  b:\n    build: file:///etc\n", "6: b: its context is file:///etc: what is of kind file:// is not fetched"),
		compose("whose Dockerfile is the user's", "      dockerfile: ../../near/Dockerfile\n", "5: a: its Dockerfile, ../near/Dockerfile, lies outside of app.tar"),
		compose("with a folder above among its contexts", "      additional_contexts: {near: ../near}\n", "5: a: the context near, ../near, lies outside of app.tar"),
		compose("that includes a file of this machine", "include:\n  - ../../outside/secret\n", "6: the included file ../../outside/secret lies outside of what was fetched"),
		compose("that extends a service of this machine", "    extends: {file: /etc/passwd, service: x}\n", "5: the file /etc/passwd lies outside of what was fetched with the file"),
		compose("with variables of this machine", "include:\n  - {path: b.yaml, env_file: ../../outside/secret}\n-- b.yaml --\n", "6: the file ../../outside/secret lies outside of what was fetched"),
		compose("that asks for the environment", "      args: {A: \"${TOKEN:?}\"}\n", "5: build.args.A of service a: the variable TOKEN is required, and not set"),
		compose("that asks for the .env beside it", "      args: {A: \"${NEAR:?}\"}\n", "5: build.args.A of service a: the variable NEAR is required, and not set"),
		compose("that asks for a secret", "      secrets: [s]\nsecrets:\n  s: {environment: TOKEN}\n", "5: a: it takes the secret s from this machine"),
		compose("that asks for keys", "      ssh: [default]\n", "5: a: it takes your ssh keys"),
		bake("whose context is all there is", `  context = "/"`, "2: default: its context, /, lies outside of app.tar"),
		bake("whose context is the working directory", `  context = BAKE_CMD_CONTEXT`, "2: target default takes its context from cwd://"),
		bake("whose Dockerfile is in the working directory", `  dockerfile = "cwd://near/Dockerfile"`, "2: target default takes its Dockerfile from cwd://near/Dockerfile"),
		bake("with a layout of this machine", `  contexts = { x = "oci-layout://near" }`, "2: default: the context x is oci-layout://near"),
		bake("that asks where one is at home", `  args = { A = homedir() }`, "2: homedir() is a folder of whoever builds it"),
		compose("whose context is reached with the user's keys", "  b:\n    build: git@git.example:b.git\n", "6: b: its context, git@git.example:b.git, is reached with your ssh keys"),
		bake("with a context that is reached with the user's keys", `  contexts = { x = "ssh://git.example/x.git" }`, "2: default: the context x, ssh://git.example/x.git, is reached with your ssh keys"),
		of("that has another program read its Dockerfile", "-- docker-bake.hcl --\ntarget \"default\" {\n  context = \"a\"\n  args = { BUILDKIT_SYNTAX = \"evil.example/frontend\" }\n}\n"+a, "a/Dockerfile: # syntax=evil.example/frontend has another program than Docker's read the file"),
		bake("that asks where one is at home, behind a comment", "  args = { A = homedir/* here */() }", "2: homedir() is a folder of whoever builds it"),
		of("that asks where one is at home, in a target that stands twice", "-- docker-bake.json --\n{\"target\": {\"default\": {\"args\": {\"A\": \"${homedir /**/ ()}\"}}},\n \"target\": {\"other\": {}}}\n"+a, "app.tar:docker-bake.json:1: homedir() is a folder of whoever builds it"),
		bake("with another context in the name of one", `  contexts = { "x=oci-layout://near:" = "docker-image://a" }`, "2: default: x=oci-layout://near: is no name of a context"),
		of("that asks for the environment in HCL", "-- docker-bake.hcl --\nvariable \"TOKEN\" {\n  default = \"\"\n  validation {\n    condition = TOKEN == \"1\"\n    error_message = \"there is no token\"\n  }\n}\ntarget \"default\" {\n}\n", "app.tar:docker-bake.hcl:4: validation failed: there is no token"),
		bake("that writes to a folder", `  output = ["near"]`, "2: default: it delivers to type=local,dest=near"),
		bake("that pushes", `  output = ["type=registry"]`+"\n  tags = [\"registry.example/a\"]", "2: default: it delivers to type="),
		bake("that writes a cache", `  cache-to = ["type=local,dest=near"]`, "2: default: it writes a cache of type local"),
		bake("that reads a cache of this machine", `  cache-from = ["type=local,src=near"]`, "2: default: it reads a cache of type local"),
		bake("that reads a secret file", `  secret = ["id=x,src=/etc/passwd"]`, "2: default: it takes the secret x from this machine"),
		of("whose context is a link that leads out", "-- compose.yaml --\nservices:\n  b:\n    build: b\n-- b --\nlink ../near\n", "app.tar:compose.yaml:3: b: its context, b, is a symbolic link that leads out of app.tar"),
		of("that is 10 MB long", "-- compose.yaml --\n"+strings.Repeat("# 0123456789012345\n", 550_000), "app.tar:compose.yaml: it is longer than 4194304 bytes"),
		{bad: "a file for a fetched definition that lies outside of it", in: []maker{packed("app.tar", a), file("docker-bake.hcl", "target \"default\" {\n  context = \"a\"\n}\n")}, args: words("plan app.tar -f ../in/docker-bake.hcl --offline"), code: 2, says: "app.tar: there is no ../in/docker-bake.hcl in it"},
	}
	return rows
}
