package inputs

import "strings"

// dockerfile is a row of a Dockerfile that cannot be planned.
func dockerfile(bad, text, says string) row {
	return row{bad: bad, in: []maker{file("Dockerfile", text)}, says: says}
}

// dockerfiles are bad Dockerfiles, and things that are none.
func dockerfiles() []row {
	rows := append(dockerfileTexts(), dockerfileNames()...)
	rows = append(rows, dockerfileWords()...)
	rows = append(rows, dockerfileSizes()...)
	rows = append(rows, dockerfileFiles()...)
	for i := range rows {
		if rows[i].args == nil {
			rows[i].args = words("plan . --offline --platform linux/arm64")
		}
		if rows[i].code == 0 {
			rows[i].code = 1
		}
	}
	return rows
}

func dockerfileTexts() []row {
	return []row{
		dockerfile("an instruction with one letter too many", "FROM scratch\nCOPPY a b\n", "did you mean COPY?"),
		dockerfile("an instruction that is no word of the language", "FROM scratch\nBAKE a b\n", "unknown instruction: BAKE"),
		dockerfile("a number in the place of an instruction", "FROM scratch\n12 a\n", "unknown instruction: 12"),
		dockerfile("an instruction before the first FROM", "RUN true\nFROM scratch\n", "no build stage in current context"),
		dockerfile("nothing at all", "", "file with no instructions"),
		dockerfile("nothing but comments", "# one\n# two\n", "file with no instructions"),
		dockerfile("nothing but spaces", "   \n\t\n", "file with no instructions"),
		dockerfile("only ARG, and no FROM", "ARG A=1\n", "no FROM: there is nothing to build"),
		dockerfile("FROM that names nothing", "FROM\n", "FROM requires either one or three arguments"),
		dockerfile("FROM with two images", "FROM scratch debian\n", "FROM requires either one or three arguments"),
		dockerfile("FROM with AS and no name", "FROM scratch AS\n", "FROM requires either one or three arguments"),
		dockerfile("a stage name that begins with a digit", "FROM scratch AS 9stage\n", "invalid name for build stage: \"9stage\", name can't start w"),
		dockerfile("a stage name with a slash", "FROM scratch AS a/b\n", "invalid name for build stage: \"a/b\", name can't start with"),
		dockerfile("a stage name of two words", "FROM scratch AS a b\n", "FROM requires either one or three arguments"),
		dockerfile("AS misspelt", "FROM scratch ASS a\n", "FROM requires either one or three arguments"),
		dockerfile("an unknown flag of FROM", "FROM --platfom=linux/amd64 scratch\n", "unknown flag: --platfom (did you mean platform?)"),
		dockerfile("the same flag of FROM twice", "FROM --platform=linux/amd64 --platform=linux/arm64 scratch\n", "duplicate flag specified: --platform"),
		dockerfile("a platform of FROM that is no platform", "FROM --platform=linux/a/b/c/d debian\n", "--platform=linux/a/b/c/d names no platform"),
		dockerfile("a platform of FROM from an argument that nothing sets", "FROM --platform=$WHERE debian\n", "debian needs a value for WHERE"),
		dockerfile("COPY with one argument", "FROM scratch\nCOPY a\n", "COPY requires at least two arguments, but only one was provi"),
		dockerfile("COPY without arguments", "FROM scratch\nCOPY\n", "COPY requires at least two arguments, but only one was provi"),
		dockerfile("an unknown flag of COPY", "FROM scratch\nCOPY --form=a b c\n", "unknown flag: --form (did you mean from?)"),
		dockerfile("COPY from a stage that comes later", "FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nFROM a\n", "COPY --from b names a stage that comes later"),
		dockerfile("COPY from the stage itself", "FROM scratch AS a\nCOPY --from=a x /\n", "COPY --from a names the stage it is in"),
		dockerfile("COPY from a stage by a number that is not there", "FROM scratch\nCOPY --from=7 x /\n", "COPY --from=7: the file has 1 stages, counted from 0"),
		dockerfile("COPY from a stage by a negative number", "FROM scratch\nCOPY --from=-1 x /\n", "COPY --from=-1: the file has 1 stages, counted from 0"),
		dockerfile("two stages that copy from each other", "FROM scratch AS one\nCOPY --from=two a /\nFROM scratch AS two\nCOPY --from=one a /\n", "COPY --from two names a stage that comes later"),
		dockerfile("COPY from an image in capitals", "FROM scratch\nCOPY --from=Debian x /\n", "COPY --from Debian names no image: invalid reference format:"),
		dockerfile("COPY from an argument, which COPY does not take", "ARG S=x\nFROM scratch\nCOPY --from=$S x /\n", "COPY --from=$S: BuildKit expands no variables here"),
		dockerfile("ADD without arguments", "FROM scratch\nADD\n", "ADD requires at least two arguments, but only one was provid"),
		dockerfile("an unknown flag of ADD", "FROM scratch\nADD --unpack-please a b\n", "unknown flag: --unpack-please"),
		dockerfile("a heredoc that does not end", "FROM scratch\nRUN <<EOF\necho\n", "unterminated heredoc"),
		dockerfile("the second of two heredocs that does not end", "FROM scratch\nRUN <<A cat <<B\na\nA\nb\n", "unterminated heredoc"),
		dockerfile("a heredoc of COPY that does not end", "FROM scratch\nCOPY <<END /a\ntext\n", "unterminated heredoc"),
		dockerfile("a mount from a stage that comes later", "FROM scratch AS a\nRUN --mount=from=b,target=/a true\nFROM scratch AS b\nFROM a\n", "RUN --mount from b names a stage that comes later"),
		dockerfile("a mount from an image in capitals", "FROM scratch\nRUN --mount=from=GCC,target=/a true\n", "RUN --mount from GCC is a placeholder for an image, and no"),
		dockerfile("a network of RUN that does not exist", "FROM scratch\nRUN --network=wifi true\n", "invalid network mode \"wifi\""),
		dockerfile("a security mode of RUN that does not exist", "FROM scratch\nRUN --security=lax true\n", "security \"lax\" is not valid"),
		dockerfile("an unknown flag of RUN", "FROM scratch\nRUN --priviledged true\n", "unknown flag: --priviledged"),
		dockerfile("ONBUILD of ONBUILD", "FROM scratch\nONBUILD ONBUILD RUN true\n", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
		dockerfile("ONBUILD of FROM", "FROM scratch\nONBUILD FROM scratch\n", "FROM isn't allowed as an ONBUILD trigger"),
		dockerfile("ONBUILD of MAINTAINER", "FROM scratch\nONBUILD MAINTAINER me\n", "MAINTAINER isn't allowed as an ONBUILD trigger"),
		dockerfile("ONBUILD of nothing", "FROM scratch\nONBUILD\n", "ONBUILD requires at least one argument"),
		dockerfile("ONBUILD nested a thousand times", "FROM scratch\n"+strings.Repeat("ONBUILD ", 1000)+"RUN true\n", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
		dockerfile("ENV without a value", "FROM scratch\nENV A\n", "ENV must have two arguments"),
		dockerfile("ENV without a name", "FROM scratch\nENV =1\n", "ENV names can not be blank"),
		dockerfile("LABEL without anything", "FROM scratch\nLABEL\n", "LABEL requires at least one argument"),
		dockerfile("LABEL whose key is empty", "FROM scratch\nLABEL =x\n", "LABEL names can not be blank"),
		dockerfile("ARG without a name", "FROM scratch\nARG\n", "ARG requires at least one argument"),
		dockerfile("ARG whose name is empty", "FROM scratch\nARG =x\n", "ARG names can not be blank"),
		dockerfile("HEALTHCHECK of an unknown kind", "FROM scratch\nHEALTHCHECK PING true\n", "Unknown type \"PING\" in HEALTHCHECK (try CMD)"),
		dockerfile("HEALTHCHECK at an interval that is no time", "FROM scratch\nHEALTHCHECK --interval=often CMD true\n", "invalid duration \"often\""),
		dockerfile("HEALTHCHECK with less than no retries", "FROM scratch\nHEALTHCHECK --retries=-1 CMD true\n", "--retries cannot be negative (-1)"),
		dockerfile("HEALTHCHECK NONE with an argument", "FROM scratch\nHEALTHCHECK NONE true\n", "HEALTHCHECK NONE takes no arguments"),
		dockerfile("HEALTHCHECK CMD without a command", "FROM scratch\nHEALTHCHECK CMD\n", "Missing command after HEALTHCHECK CMD"),
		dockerfile("STOPSIGNAL without a signal", "FROM scratch\nSTOPSIGNAL\n", "STOPSIGNAL requires exactly one argument"),
		dockerfile("SHELL that is no list", "FROM scratch\nSHELL /bin/sh -c\n", "SHELL requires the arguments to be in JSON form"),
		dockerfile("SHELL with an empty list", "FROM scratch\nSHELL []\n", "SHELL requires at least one argument"),
		dockerfile("VOLUME without a folder", "FROM scratch\nVOLUME\n", "VOLUME requires at least one argument"),
		dockerfile("VOLUME with an empty name", "FROM scratch\nVOLUME [\"\"]\n", "VOLUME specified can not be an empty string"),
		dockerfile("USER without a name", "FROM scratch\nUSER\n", "USER requires exactly one argument"),
		dockerfile("WORKDIR without a folder", "FROM scratch\nWORKDIR\n", "WORKDIR requires exactly one argument"),
		dockerfile("EXPOSE without a port", "FROM scratch\nEXPOSE\n", "EXPOSE requires at least one argument"),
		dockerfile("MAINTAINER without a name", "FROM scratch\nMAINTAINER\n", "MAINTAINER requires exactly one argument"),
		dockerfile("an escape directive of two characters", "# escape=ab\nFROM scratch\n", "invalid escape token 'ab' does not match ` or"),
		dockerfile("an escape directive of a letter", "# escape=x\nFROM scratch\n", "invalid escape token 'x' does not match ` or"),
		dockerfile("the escape directive twice", "# escape=`\n# escape=`\nFROM scratch\n", "only one escape parser directive can be used"),
		dockerfile("the syntax directive twice", "# syntax=docker/dockerfile:1\n# syntax=docker/dockerfile:1\nFROM scratch\n", "only one syntax parser directive can be used"),
		dockerfile("a frontend of somebody else's", "# syntax=evil.example/frontend:1\nFROM scratch\n", "# syntax=evil.example/frontend:1 has another program than Do"),
		dockerfile("a frontend of somebody else's, after a line for the shell", "#!/usr/bin/env docker\n# syntax=evil.example/shebang:1\nFROM scratch\n", "# syntax=evil.example/shebang:1 has another program than Doc"),
		dockerfile("a frontend of somebody else's, behind two slashes", "//syntax=evil.example/slashes:1\nFROM scratch\n", "unknown instruction: //syntax=evil.example/slashes:1"),
		dockerfile("a frontend of somebody else's, in JSON", "{\"syntax\": \"evil.example/json:1\"}\n", "unknown instruction: {\"syntax\":"),
		dockerfile("a frontend of Docker's by a name that only looks like it", "# syntax=docker/dockerfi1e:1\nFROM scratch\n", "# syntax=docker/dockerfi1e:1 has another program than Docker"),
		dockerfile("a frontend of Docker's on another registry", "# syntax=evil.example/docker/dockerfile:1\nFROM scratch\n", "# syntax=evil.example/docker/dockerfile:1 has another progra"),
		dockerfile("a frontend in capitals", "# syntax=Docker/Dockerfile:1\nFROM scratch\n", "# syntax=Docker/Dockerfile:1 has another program than Docker"),
		dockerfile("a frontend with a digest that is none", "# syntax=docker/dockerfile:1@sha256:1234\nFROM scratch\n", "# syntax=docker/dockerfile:1@sha256:1234 has another program"),
	}
}

func dockerfileNames() []row {
	return []row{
		dockerfile("a base in capitals", "FROM Debian:12\n", "FROM Debian:12 names no image: invalid reference format: rep"),
		dockerfile("a base with an empty tag", "FROM debian:\n", "FROM debian: names no image: invalid reference format"),
		dockerfile("a base with two tags", "FROM debian:12:13\n", "FROM debian:12:13 names no image: invalid reference format"),
		dockerfile("a base with a digest that is too short", "FROM debian@sha256:abcd\n", "FROM debian@sha256:abcd names no image: invalid reference fo"),
		dockerfile("a base with a digest in capitals", "FROM debian@sha256:"+strings.Repeat("AB", 32)+"\n", "FROM debian@sha256:ABABABABABABABABABABABABABABABABABABABABA"),
		dockerfile("a base with a digest of an unknown kind", "FROM debian@md5:"+strings.Repeat("ab", 16)+"\n", "FROM debian@md5:abababababababababababababababab names no im"),
		dockerfile("a base with a digest that leads upwards", "FROM debian@sha256:../../../etc/passwd\n", "names no image: invalid reference format"),
		dockerfile("a base with two digests", "FROM debian@sha256:"+strings.Repeat("ab", 32)+"@sha256:"+strings.Repeat("cd", 32)+"\n", "FROM debian@"),
		dockerfile("a base that is a URL", "FROM https://registry.example/debian:12\n", "FROM https://registry.example/debian:12 names no image: inva"),
		dockerfile("a base that begins with a hyphen", "FROM -debian\n", "FROM -debian names no image: invalid reference format"),
		dockerfile("a base that is a path upwards", "FROM ../debian\n", "FROM ../debian names no image: invalid reference format"),
		dockerfile("a base with an empty part", "FROM registry.example//debian\n", "FROM registry.example//debian names no image: invalid refere"),
		dockerfile("a base with a slash at its end", "FROM debian/\n", "FROM debian/ names no image: invalid reference format"),
		dockerfile("a base with a name of three hundred letters", "FROM "+strings.Repeat("a", 300)+"\n", "FROM aaaa"),
		dockerfile("a base with a tag of 129 letters", "FROM debian:"+strings.Repeat("a", 129)+"\n", "FROM debian:"),
		dockerfile("a base with a letter of another alphabet", "FROM d\u0435bian:12\n", "FROM dеbian:12 names no image: invalid reference format"),
		dockerfile("a base with an escape sequence in it", "FROM deb\x1b[31mian\n", "FROM deb"),
		dockerfile("a base with a character that turns the text around", "FROM deb\u202eian\n", "FROM deb"),
		dockerfile("a base with a byte that is no UTF-8", "FROM deb\xffian\n", "FROM deb"),
		dockerfile("a base with a space that is none", "FROM deb\u00a0ian\n", "FROM deb"),
		dockerfile("a base with a question mark", "FROM debian?12\n", "FROM debian?12 names no image: invalid reference format"),
		dockerfile("a base with a user and a password", "FROM me:pass@registry.example/debian\n", "FROM me:pass@registry.example/debian names no image: invalid"),
		dockerfile("a base that no rule and no lock knows, offline", "FROM debian:12\n", "debian:12 is kept for linux/arm64: offline, and neither a ru"),
		dockerfile("a base from an argument that nothing sets", "ARG BASE\nFROM $BASE\n", "$BASE needs a value for BASE"),
		dockerfile("a base from an argument that does not exist", "FROM ${NOWHERE}\n", "${NOWHERE} needs a value for NOWHERE"),
		dockerfile("a base whose argument is itself", "ARG BASE=$BASE\nFROM $BASE\n", "FROM $BASE is empty"),
		dockerfile("a base with an open brace", "ARG BASE=scratch\nFROM ${BASE\n", "FROM ${BASE: unsupported modifier ("),
		dockerfile("a base with a modifier that does not exist", "ARG BASE=scratch\nFROM ${BASE!x}\n", "FROM ${BASE!x}: unsupported modifier (!) in substitution"),
		dockerfile("a base with an empty name of an argument", "FROM ${}\n", "FROM ${}: syntax error: bad substitution"),
		dockerfile("a base with an open quote", "FROM \"debian\n", "FROM \"debian: unexpected end of statement while looking for"),
		dockerfile("a base with arguments nested a thousand deep", "FROM "+strings.Repeat("${A:-", 1000)+strings.Repeat("}", 1000)+"\n", "FROM ${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-"),
		dockerfile("a base with arguments nested a hundred thousand deep", "FROM "+strings.Repeat("${A:-", 100_000)+strings.Repeat("}", 100_000)+"\n", "more than 65535 bytes in one line"),
		dockerfile("arguments that double each other forty times", "ARG A0=aaaaaaaaaa\n"+doubling(40)+"FROM ${A40}\n", "FROM ${A40} is empty"),
		dockerfile("a comment that gives a platform an image in capitals", "# archbuild: linux/arm64=Vendor/Tool\nFROM vendor/tool\n", "\"Vendor/Tool\" names no image"),
		dockerfile("a comment for a platform that does not exist", "# archbuild: linux/nonsense=vendor/tool\nFROM vendor/tool\n", "unknown platform \"linux/nonsense\""),
		dockerfile("a comment without a value", "# archbuild: linux/arm64=\nFROM vendor/tool\n", "\"\" names no image"),
		dockerfile("a comment that is no pair", "# archbuild: vendor/tool\nFROM vendor/tool\n", "\"vendor/tool\" is no rule"),
		dockerfile("a comment that leaves out the only platform", "# archbuild: linux/arm64=skip\nFROM vendor/tool\n", "nothing is left to build: Dockerfile:1 comment says skip for"),
		dockerfile("a comment that gives a platform two images", "# archbuild: linux/arm64=vendor/a linux/arm64=vendor/b\nFROM vendor/tool\n", "line 1 has another rule for linux/arm64"),
		dockerfile("a comment above nothing", "FROM scratch\n# archbuild: linux/arm64=vendor/a\n", "no FROM follows this comment"),
	}
}

// doubling are arguments each of which is the one before it twice.
func doubling(times int) string {
	var text strings.Builder
	for i := range times {
		text.WriteString("ARG A" + number(i+1) + "=${A" + number(i) + "}${A" + number(i) + "}\n")
	}
	return text.String()
}
