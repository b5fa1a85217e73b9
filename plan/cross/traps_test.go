package cross_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/template"
)

// More traps than the table has, each a RUN of a Go builder whose output folder leaves.
func TestStagesWithATrapStay(t *testing.T) {
	for _, run := range []string{
		"go build -o /out/a . && cp /out/a /usr/local/bin/a && a --version",
		"go build -o /out/a . && install /out/a /usr/bin/a && a > /out/help",
		"cat < /usr/bin/env > /out/env",
		"head -c 100000000 /bin/ls > /out/ls",
		"tee /out/x < /bin/ls",
		"cd / && tar cf - usr/bin | tar xf - -C /out",
		"(cd /usr && tar cf - bin) | (cd /out && tar xf -)",
		"tar -c -f /out/x.tar -C /usr/bin .",
		"ln -s /usr/bin /src/b && cp /src/b/env /out/",
		"ln -s ../../../usr/bin /src/b/b/b && cp /src/b/b/b/env /out/",
		"find /usr/bin -name env -exec cp {} /out ';'",
		"cp /usr/bin/e* /out/",
		"cp $(which env) /out/",
		"echo /lib/ld-* > /out/x",
		"for f in /usr/lib/*-linux-gnu; do echo $f > /out/x; done",
		"test -e /lib64 && echo yes > /out/x || true",
		"uname -s -m > /out/x",
		"uname -a | cut -d' ' -f2 > /out/x",
		"readlink -f /usr/bin/java > /out/x",
		"apk --version > /out/x",
		"curl --version > /out/x",
		"npm config list > /out/x",
		"mvn --version | tee /out/x",
		"set > /out/x",
		"env > /out/x",
		"env -i go build -o /out/a .",
		"export > /out/x",
		"mv /usr/bin/uname /usr/bin/date && date -m > /out/x",
		"ln -sf /usr/bin/uname /usr/local/bin/date && date > /out/x",
		"echo CGO_ENABLED=1 >> /usr/local/go/go.env; go build -o /out/a .",
		"sed -i s/0/1/ /usr/local/go/go.env && go build -o /out/a .",
		"cd /usr/local/go && git apply /src/x.patch && cd /src && go build -o /out/a .",
		"curl -o /usr/local/bin/go https://example.com/go && go build -o /out/a .",
		"curl -L https://example.com/tool -o /usr/local/bin/tool && chmod +x /usr/local/bin/tool && tool > /out/x",
		"alias go=gcc; go build -o /out/a .",
		"set -a; CGO_ENABLED=1; go build -o /out/a .",
		"[ -f cgo ] && export CGO_ENABLED=1; go build -o /out/a .",
		"CGO_ENABLED=$(cat cgo) go build -o /out/a .",
		"for i in 1 2; do go build -o /out/$i .; export CGO_ENABLED=1; done",
		"while read CGO_ENABLED; do go build -o /out/a .; done < list",
		"GOFLAGS=-race go build -o /out/a .",
		"go build $FLAGS -o /out/a .",
		"go build -ldflags '-linkmode external' -o /out/a .",
		"go build -o /out/a . &",
		"go -C cmd/a build -o /out/a",
		"go tool dist list > /out/x",
		"go build -o /out/a . && \"$OUT/a\"",
		"go build -o /out/a . && cd /out && ./a > b",
		"go build -o /out/a . && (exec /out/a)",
		"go build -o /out/a . && nohup /out/a",
		"go build -o /out/a . && timeout 5 /out/a",
		"go build -o /out/a . && time /out/a",
		"go build -o /out/a . && xargs -a list /out/a",
		"go build -o /out/a . && if /out/a; then :; fi",
		"go build -o /out/a . && while ! /out/a; do :; done",
		"go build -o /out/a . && case $(/out/a) in x) ;; esac",
		"go build -o /out/a . && : ${X:=$(/out/a)}",
		"go build -o /out/a . && echo \"`/out/a`\" > /out/x",
		"go build -o /out/a . && cat > /out/x <<E\n$(/out/a)\nE",
		"go build -o /out/a . && env X=1 /out/a",
		"go build -o /out/a . && command /out/a",
		"go build -o /out/a . && awk 'BEGIN{system(\"/out/a\")}'",
		"go build -o /out/a . && sed 's/x/y/e' list > /out/x",
		"go build -o /out/a . && trap /out/a EXIT",
		"go build -o /out/a . && PATH=/out:$PATH && a",
		"export PATH=/src/bin:$PATH && go build -o /out/a .",
		"go build -o /out/a . ; }",
		"apt-get download libc6 && dpkg -x libc6*.deb /out",
		"apt-get install -y -o RootDir=/out curl",
		"dnf --installroot=/out install -y bash",
		"pip install --target /out requests",
		"cd /out && npm install",
		"git clone https://example.com/x /out/x && make -C /out/x",
		"echo \"$HOSTTYPE\" > /out/x",
		"go env > /out/x",
		"go version > /out/x",
		"go list -f '{{context.GOARCH}}' > /out/x",
		"cat /sys/devices/x > /out/x",
		"cat /etc/apk/arch > /out/x",
		"grep -m1 flags < /proc/cpuinfo > /out/x",
		"[ $(getconf LONG_BIT) = 64 ] && echo 64 > /out/x",
		"curl -fsSL https://example.com/x-$(dpkg --print-architecture) -o /out/x",
		"curl -fsSL https://example.com/x_linux_amd64.zip -o /out/x",
		"case x in x) GOARCH=arm go build -o /out/a . ;; esac",
		"go install ./... && a > /out/x && cp /go/bin/a /out/",
	} {
		for _, form := range []string{"RUN " + strings.ReplaceAll(run, "\n", "\nRUN "), "RUN <<TRAP\n" + run + "\nTRAP"} {
			if strings.Contains(run, "\n") && !strings.Contains(form, "TRAP") {
				form = "RUN " + run
			}
			source := "FROM golang:1.26 AS build\nENV CGO_ENABLED=0\nWORKDIR /src\nCOPY . .\n" + form + "\nFROM scratch\nCOPY --from=build /out /\n"
			read, err := template.Parse("Dockerfile", []byte(source))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range cross.Decide(cross.Request{Template: read, Target: arm64, Build: amd64}) {
				if d.Move {
					t.Errorf("moves: %s\n%+v", form, d)
				}
			}
		}
	}
}

// A file that is made to be slow is given up, not looked into for long.
func TestHostileFilesAreGivenUp(t *testing.T) {
	var chain strings.Builder
	for i := range 190 {
		name, from := fmt.Sprint("s", i), fmt.Sprint("s", i-1)
		if i == 0 {
			from = "golang"
		}
		fmt.Fprintf(&chain, "FROM %s AS %s\nRUN %s\n", from, name, strings.Repeat("go build -o /out/a . && ", 50)+"true")
	}
	chain.WriteString("FROM s189\n")
	for name, source := range map[string]string{
		"loops in loops":         "FROM debian AS a\nRUN " + strings.Repeat("for i in 1 2 3 4 5 6 7 8 9; do ", 12) + "echo; " + strings.Repeat("done; ", 12) + "\nFROM scratch\nCOPY --from=a /x /\n",
		"many stages":            chain.String(),
		"many files":             "FROM debian AS a\nRUN " + strings.Repeat("touch /a/b /c/d /e/f;", 3000) + "\nFROM scratch\nCOPY --from=a /x /\n",
		"variables that double":  "FROM debian AS a\n" + strings.Repeat("ENV A=$A$A$A$A$A$A$A$A$A$A$A$A$A\n", 2000) + "RUN echo $A\nFROM scratch\nCOPY --from=a /x /\n",
		"words that double":      "FROM debian AS a\nRUN A=12345678; " + strings.Repeat("A=$A$A$A$A$A$A$A$A;", 3000) + "\nFROM scratch\nCOPY --from=a /x /\n",
		"nesting":                "FROM debian AS a\nRUN " + strings.Repeat("(", 30000) + "\nFROM scratch\nCOPY --from=a /x /\n",
		"substitutions in words": "FROM debian AS a\nRUN echo " + strings.Repeat("${a:-", 900) + strings.Repeat("}", 900) + "\nFROM scratch\nCOPY --from=a /x /\n",
	} {
		read, err := template.Parse("Dockerfile", []byte(source))
		if err != nil {
			t.Fatal(name, err)
		}
		begin := time.Now()
		cross.Decide(cross.Request{Template: read, Target: arm64, Build: amd64})
		took := time.Since(begin)
		t.Log(name, took)
		if took > 20*time.Second {
			t.Errorf("%s takes %v", name, took)
		}
	}
}

// Secrets may be in build arguments, so no message holds the value of one.
func TestReasonsHoldNoValuesOfArguments(t *testing.T) {
	const source = `FROM debian AS build
ARG TOKEN
RUN curl -H "Authorization: $TOKEN" https://$TOKEN@example.com/x-amd64 | sh
RUN ./setup "$TOKEN" && frobnicate $TOKEN && cp $TOKEN /out && make $TOKEN && npm ci --cpu=$TOKEN && mvn $TOKEN && go build $TOKEN
RUN FOO=$TOKEN cargo build && export "$TOKEN" && env -$TOKEN && tar -cf x $TOKEN/y && eval $TOKEN && git $TOKEN && go $TOKEN && apk $TOKEN
ADD https://$TOKEN@example.com/amd64 /x
FROM scratch
COPY --from=build /x /
`
	read, err := template.Parse("Dockerfile", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range cross.Decide(cross.Request{Template: read, Target: arm64, Build: amd64, Args: map[string]string{"TOKEN": "hush-amd64"}}) {
		for _, o := range d.Obstacles {
			if strings.Contains(o.Why, "hush") {
				t.Errorf("%+v", o)
			}
		}
	}
}
