package inputs

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

func number(n int) string { return strconv.Itoa(n) }

// wide is a text in UTF-16, with the mark of its order of bytes.
func wide(text string, big bool) string {
	var out strings.Builder
	for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		pair := []byte{byte(unit), byte(unit >> 8)}
		if big {
			pair[0], pair[1] = pair[1], pair[0]
		}
		out.Write(pair)
	}
	return out.String()
}

// dockerfileWords are other things than Dockerfiles under the name of one.
func dockerfileWords() []row {
	return []row{
		dockerfile("a Dockerfile in UTF-16", wide("FROM scratch\n", false), "unknown instruction:"),
		dockerfile("a Dockerfile in UTF-16, the other way round", wide("FROM scratch\n", true), "unknown instruction:"),
		dockerfile("a Dockerfile of NUL bytes", strings.Repeat("\x00", 4096), "unknown instruction:"),
		dockerfile("a NUL byte in an instruction", "FR\x00OM scratch\n", "unknown instruction: FR"),
		dockerfile("a NUL byte in the name of a base", "FROM debian\x00:12\n", "FROM debian"),
		dockerfile("a Dockerfile that is compressed", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x73\x0b\xf2\xf7\x55\x28", "unknown instruction:"),
		dockerfile("a program under the name of a Dockerfile", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00", "unknown instruction:"),
		dockerfile("a picture under the name of a Dockerfile", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "unknown instruction:"),
		dockerfile("a web page under the name of a Dockerfile", "<!DOCTYPE html>\n<html><body>404</body></html>\n", "unknown instruction: <!DOCTYPE"),
		dockerfile("a compose file under the name of a Dockerfile", "services:\n  app:\n    image: debian\n", "unknown instruction: services:"),
		dockerfile("a JSON document under the name of a Dockerfile", "{\"FROM\": \"scratch\"}\n", "unknown instruction: {\"FROM\":"),
		dockerfile("a shell script under the name of a Dockerfile", "#!/bin/sh\nset -e\necho hello\n", "unknown instruction: set (did you mean user?)"),
		dockerfile("a Makefile under the name of a Dockerfile", "all:\n\techo hello\n", "unknown instruction: all:"),
		dockerfile("a merge that was not finished", "<<<<<<< HEAD\nFROM scratch\n=======\nFROM debian\n>>>>>>> other\n", "unknown instruction: <<<<<<<"),
		dockerfile("the line ends of an old Mac", "FROM scratch\rRUN true\r", "FROM requires either one or three arguments"),
		dockerfile("an error message that would set an output of a CI", "FROM scratch\n::set-output name=x::y\n", "unknown instruction: ::set-output"),
		dockerfile("an instruction that would clear the screen", "FROM scratch\n\x1b[2J\x1b[H a\n", "unknown instruction:"),
		dockerfile("an instruction that would set the window's title", "FROM scratch\n\x1b]0;owned\x07 a\n", "unknown instruction:"),
		dockerfile("an instruction with a return that would hide it", "FROM scratch\nBAD\rGOOD x\n", "unknown instruction: BAD"),
	}
}

// dockerfileSizes are Dockerfiles that are too much.
func dockerfileSizes() []row {
	in := func(bad string, m maker, says string) row { return row{bad: bad, in: []maker{m}, says: says} }
	return []row{
		in("one line of 10 MB", repeated("Dockerfile", "FROM scratch\nRUN ", "aaaaaaaaaa", 1_000_000, "\n"), "more than 4194304 bytes"),
		in("one line of 3 MB that continues on another", repeated("Dockerfile", "FROM scratch\nRUN ", "aaaaaaaaaa", 300_000, " \\\n"), "more than 65535 bytes in one line"),
		in("3 MB of lines that continue", repeated("Dockerfile", "FROM scratch\nRUN a", " \\\n a", 600_000, "\nBAD\n"), "more than 100000 lines"),
		in("3 MB of comments, and then a mistake", repeated("Dockerfile", "", "# a comment\n", 260_000, "FROM Debian\n"), "more than 100000 lines"),
		in("a hundred thousand stages", repeated("Dockerfile", "", "FROM scratch\n", 100_000, ""), "more than 10000 instructions"),
		in("a hundred thousand instructions in one stage", repeated("Dockerfile", "FROM scratch\n", "RUN true\n", 100_000, ""), "more than 10000 instructions"),
		in("five thousand stages before a mistake", repeated("Dockerfile", "", "FROM scratch\n", 5_000, "FROM Debian\n"), "FROM Debian names no image: invalid reference format: reposi"),
		in("a hundred thousand heredocs in one RUN", repeated("Dockerfile", "FROM scratch\nRUN ", "<<A ", 100_000, "\n"), "more than 65535 bytes in one line"),
		in("a heredoc of 3 MB that does not end", repeated("Dockerfile", "FROM scratch\nRUN <<END\n", "a line\n", 430_000, ""), "more than 100000 lines"),
		in("a list in JSON of 3 MB, nested", repeated("Dockerfile", "FROM scratch\nSHELL ", "[", 3_000_000, "\n"), "more than 65535 bytes in one line"),
		in("a file of a terabyte", sparse("Dockerfile", 1<<40), "more than 4194304 bytes"),
		{bad: "a Dockerfile longer than --max-bytes", in: []maker{file("Dockerfile", "FROM scratch\nRUN true\n")}, args: words("plan . --offline --max-bytes 10"), says: "more than 10 bytes"},
		{bad: "a Dockerfile with more than --max-instructions", in: []maker{file("Dockerfile", "FROM scratch\nRUN true\n")}, args: words("plan . --offline --max-instructions 1"), says: "more than 1 instructions"},
		{bad: "a Dockerfile on standard input that is too long", args: words("plan . -f - --offline"), stdin: "FROM scratch\n" + strings.Repeat("# a comment\n", 400_000), says: "standard input: more than 4194304 bytes"},
		{bad: "a Dockerfile on standard input that is none", args: words("plan . -f - --offline"), stdin: "hello\n", says: "standard input:1: unknown instruction: hello (did you mean s"},
		{bad: "nothing on standard input", args: words("plan . -f - --offline"), says: "standard input: file with no instructions"},
	}
}

// dockerfileFiles are what lies there in the place of a file, and beside it.
func dockerfileFiles() []row {
	good := file("Dockerfile", "FROM scratch\nCOPY . /\n")
	return []row{
		{bad: "a folder without a Dockerfile", in: []maker{file("README", "hello\n")}, code: 2, says: "no such file"},
		{bad: "a folder named Dockerfile", in: []maker{folder("Dockerfile")}, code: 2, says: "Dockerfile is a folder, not a Dockerfile"},
		{bad: "a Dockerfile that is a link to itself", in: []maker{link("Dockerfile", "Dockerfile")}, code: 2, says: "Dockerfile is a symbolic link that leads back to itself, not"},
		{bad: "a Dockerfile that is one of two links in a circle", in: []maker{link("Dockerfile", "other"), link("other", "Dockerfile")}, code: 2, says: "Dockerfile is a symbolic link that leads back to itself, not"},
		{bad: "a Dockerfile that is a link to nothing", in: []maker{link("Dockerfile", "nowhere")}, code: 2, says: "Dockerfile is a symbolic link to what is not there, not a Do"},
		{bad: "a Dockerfile that is a link to a folder", in: []maker{link("Dockerfile", "."), folder("a")}, code: 2, says: "Dockerfile is a folder, not a Dockerfile"},
		{bad: "a Dockerfile that is a link to a device without an end", in: []maker{link("Dockerfile", "/dev/zero")}, code: 2, says: "Dockerfile is a device, not a Dockerfile"},
		{bad: "a Dockerfile that is a link to the terminal", in: []maker{link("Dockerfile", "/dev/tty")}, code: 2, says: "Dockerfile is a device, not a Dockerfile"},
		{bad: "a Dockerfile that is a pipe nobody writes to", in: []maker{fifo("Dockerfile")}, code: 2, says: "Dockerfile is a named pipe, not a Dockerfile"},
		{bad: "a Dockerfile that is a socket", in: []maker{socket("Dockerfile")}, code: 2, says: "Dockerfile is a socket, not a Dockerfile"},
		{bad: "a Dockerfile that nobody may read", in: []maker{good, closed("Dockerfile")}, unprivileged: true, says: "permission denied"},
		{bad: "a folder that nobody may enter", in: []maker{folder("shut"), closed("shut")}, args: words("plan shut --offline"), unprivileged: true, says: "stat shut/archbuild.yaml: permission denied"},
		{bad: "a way through a file as if it were a folder", in: []maker{good}, args: words("plan Dockerfile/sub --offline"), code: 2, says: "no such folder"},
		{bad: "a folder that is a link to itself", in: []maker{link("loop", "loop")}, args: words("plan loop --offline"), code: 1, says: "reading the context: stat loop: too many levels of symbolic"},
		{bad: "a folder that is a device", args: words("plan /dev/null --offline"), code: 2, says: "/dev/null is a file, not a folder, and no tar archive"},
		{bad: "a name of ten thousand letters", args: words("plan " + strings.Repeat("a", 10_000) + " --offline"), code: 2, says: "no such folder"},
		{bad: "a name with a NUL byte's neighbour and an escape sequence", args: []string{"plan", "a\x01\x1b[31mb", "--offline"}, code: 2, says: "no such folder"},
		{bad: "an empty name", args: []string{"plan", "", "--offline"}, code: 2, says: ": no such folder"},
		{bad: "a .dockerignore whose pattern is none", in: []maker{good, file(".dockerignore", "a[\n")}, args: words("ci plan . --offline -t registry.example/app:1 --platform linux/arm64 --run 1"), says: ".dockerignore: syntax error in pattern"},
		{bad: "a .dockerignore of a gigabyte", in: []maker{good, sparse(".dockerignore", 1<<30)}, args: words("ci plan . --offline -t registry.example/app:1 --platform linux/arm64 --run 1"), says: ".dockerignore: it is longer than 1048576 bytes"},
	}
}
