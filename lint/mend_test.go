package lint_test

import (
	"testing"

	"github.com/archbuild/archbuild/lint"
)

// TestFixesCanBeWritten: what a finding tells to write works in the place where it is told,
// word for word: no case where no shell is, no variable that nothing fills in.
func TestFixesCanBeWritten(t *testing.T) {
	const option = "give it to amd64 alone, other machines have nothing like it: declare ARG TARGETARCH in the stage, case \"$TARGETARCH\" in amd64) "
	for _, row := range []struct{ name, text, fix string }{
		{"an ENV of a path, which knows no glob", "FROM a\nENV PLUGIN_DIR=/usr/lib/x86_64-linux-gnu/plugins\n",
			"declare ARG PLUGIN_DIR_ARCH=x86_64-linux-gnu before it, write ${PLUGIN_DIR_ARCH} for x86_64-linux-gnu, and give the other platforms theirs in archbuild.yaml:\nargs:\n  linux/arm64:\n    PLUGIN_DIR_ARCH: aarch64-linux-gnu"},
		{"an ENV in Go's words", "FROM a\nENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\n", "declare ARG TARGETARCH in the stage before it and write ${TARGETARCH} for amd64"},
		{"an ADD", "FROM a\nADD https://e.com/agent-linux-x86_64 /usr/bin/agent\n",
			"declare ARG AGENT_ARCH=x86_64 before it, write ${AGENT_ARCH} for x86_64, and give the other platforms theirs in archbuild.yaml:\nargs:\n  linux/arm64:\n    AGENT_ARCH: aarch64"},
		{"a variable that is called for the machine", "FROM a\nENV GOARCH=386\n",
			"declare ARG GO_MACHINE=386 before it, write ${GO_MACHINE} for 386, and give the other platforms theirs in archbuild.yaml:\nargs:\n  linux/arm64:\n    GO_MACHINE: arm64"},
		{"an ARG that is nothing else", "FROM a\nARG MACHINE=x64\nRUN curl -LO https://e.com/tool-$MACHINE.tgz\n", "give the other platforms theirs in archbuild.yaml:\nargs:\n  linux/arm64:\n    MACHINE: arm64"},
		{"an ARG with a name in it", "FROM a\nARG BIN=tool-linux-x64\nRUN curl -LO https://e.com/$BIN\n",
			"declare ARG BIN_ARCH=x64 before it, write ${BIN_ARCH} for x64, and give the other platforms theirs in archbuild.yaml:\nargs:\n  linux/arm64:\n    BIN_ARCH: arm64"},
		{"a heredoc of COPY", "FROM a\nCOPY <<EOF /etc/app.conf\nlib=/usr/lib/x86_64-linux-gnu/libssl.so\nEOF\n",
			"declare ARG LIB_ARCH=x86_64-linux-gnu before it, write ${LIB_ARCH} for x86_64-linux-gnu, and give the other platforms theirs in archbuild.yaml:\nargs:\n  linux/arm64:\n    LIB_ARCH: aarch64-linux-gnu"},
		{"a heredoc in quotes", "FROM a\nCOPY <<'EOF' /etc/ld.so.conf.d/java\n/usr/lib/jvm/java-17-openjdk-amd64/lib\nEOF\n",
			"take the quotes off the heredoc's word, so that BuildKit fills variables in (\\$ for a dollar that stays); declare ARG TARGETARCH in the stage before it and write ${TARGETARCH} for amd64"},
		{"a CMD", "FROM a\nCMD [\"/usr/lib/jvm/java-17-openjdk-amd64/bin/java\", \"-jar\"]\n",
			"nothing fills variables in here: make a link without the machine before it, ARG TARGETARCH and RUN ln -s java-17-openjdk-${TARGETARCH} /usr/lib/jvm/java-17-openjdk, and write /usr/lib/jvm/java-17-openjdk/bin/java"},
		{"a HEALTHCHECK", "FROM a\nHEALTHCHECK CMD /opt/tool-x86_64/bin/check\n",
			"nothing fills variables in here: make a link without the machine before it, ARG TARGETARCH and RUN case \"$TARGETARCH\" in amd64) a=x86_64 ;; arm64) a=aarch64 ;; esac; ln -s tool-${a} /opt/tool, and write /opt/tool/bin/check"},
		{"an ENTRYPOINT in a folder that is but the machine", "FROM a\nENTRYPOINT [\"/usr/lib/x86_64-linux-gnu/app/run\"]\n",
			"nothing fills variables in here: make a link without the machine before it, ARG TARGETARCH and RUN case \"$TARGETARCH\" in amd64) a=x86_64-linux-gnu ;; arm64) a=aarch64-linux-gnu ;; esac; ln -s /usr/lib/${a}/app/run /usr/local/bin/run, and write /usr/local/bin/run"},
		{"a RUN of JSON", "FROM a\nRUN [\"curl\", \"-o\", \"/x\", \"https://e.com/x-linux-amd64\"]\n",
			"write this RUN in shell form, without [ and ], which fills no variables in; declare ARG TARGETARCH in the stage and write ${TARGETARCH} for amd64"},
		{"single quotes", "FROM a\nRUN curl -LO 'https://e.com/x-linux-amd64'\n", "declare ARG TARGETARCH in the stage and write ${TARGETARCH} for amd64, in double quotes"},
		{"a program in Python", "FROM a\nRUN <<'PY' python3\nurlretrieve(\"https://e.com/x_x86_64\", \"x\")\nPY\n",
			"declare ARG TARGETARCH in the stage and let the program choose by its environment, os.environ[\"TARGETARCH\"]: x86_64 on amd64, aarch64 on arm64"},
		{"a tool of a stage of the build platform", "FROM --platform=$BUILDPLATFORM a AS b\nRUN curl -Lo /usr/bin/task https://e.com/task_linux_amd64\nRUN task x\nFROM scratch\nCOPY --from=b /app /app\n",
			"declare ARG BUILDARCH in the stage and write ${BUILDARCH} for amd64"},
		{"a tool of a stage that is bound to a machine", "FROM --platform=linux/amd64 a AS b\nRUN curl -Lo /usr/bin/task https://e.com/task_linux_x86_64\nRUN task x\nFROM scratch\nCOPY --from=b /app /app\n",
			"write FROM --platform=$BUILDPLATFORM for the stage, declare ARG BUILDARCH in the stage and choose by it: case \"$BUILDARCH\" in amd64) a=x86_64 ;; arm64) a=arm64 ;; esac, then ${a} for x86_64"},
		{"-march, which has no counterpart", "FROM a\nRUN gcc -march=x86-64-v2 x.c\n", option + "m=-march=x86-64-v2 ;; *) m= ;; esac, then ${m} for -march=x86-64-v2"},
		{"-m64", "FROM a\nRUN gcc -m64 x.c\n", option + "m=-m64 ;; *) m= ;; esac, then ${m} for -m64"},
		{"-m64 in an ENV", "FROM a\nENV CFLAGS=-m64\n", "give it to amd64 alone, other machines have nothing like it: declare ARG CFLAGS_ARCH=-m64 before it, write ${CFLAGS_ARCH} for -m64, and in archbuild.yaml:\nargs:\n  linux/arm64:\n    CFLAGS_ARCH: \"\""},
		{"packages of another machine", "FROM a\nRUN dpkg --add-architecture i386\n", "declare ARG TARGETARCH in the stage and do it for amd64 alone: if [ \"$TARGETARCH\" = amd64 ]; then dpkg --add-architecture i386; fi"},
		{"a package for a PC", "FROM a\nRUN apt-get install -y libc6-i386\n", "declare ARG TARGETARCH in the stage and do it for amd64 alone: if [ \"$TARGETARCH\" = amd64 ]; then apt-get install -y libc6-i386; fi"},
		{"a file for 32 bits stays on amd64", "FROM a\nRUN curl -LO https://e.com/tool-i386\n", "declare ARG TARGETARCH in the stage and choose by it: case \"$TARGETARCH\" in amd64) a=i386 ;; arm64) a=arm64 ;; esac, then ${a} for i386"},
		{"a default of TARGETARCH", "FROM a\nARG TARGETARCH=amd64\n", "take the default out: ARG TARGETARCH; BuildKit gives it its value"},
		{"a link of a stage that nobody needs", "FROM a AS unused\nRUN ln -s /usr/lib/x86_64-linux-gnu/q.so /q.so\nFROM a\n", "leave it if it is meant for others, and say so: # archbuild ignore=arch-link"},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := lint.Dockerfile(factsOf(t, row.text))
			for _, f := range found {
				if f.Fix == row.fix {
					return
				}
			}
			t.Errorf("want %s\ngot  %+v", row.fix, found)
		})
	}
}
