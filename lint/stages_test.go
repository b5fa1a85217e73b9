package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

var (
	amd64 = platform.MustParse("linux/amd64")
	arm64 = platform.MustParse("linux/arm64")
)

// factsOf are those of a text that is wanted for amd64 and arm64, built on amd64.
func factsOf(t *testing.T, text string) lint.Facts {
	t.Helper()
	read, err := template.Parse("Dockerfile", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return lint.Facts{Template: read, Build: amd64, Targets: []plan.Target{{Platform: amd64}, {Platform: arm64}}}
}

// of are the findings of one rule: "LINE SEVERITY", in order.
func of(id string, found []lint.Finding) []string {
	var list []string
	for _, f := range found {
		if f.ID == id {
			list = append(list, fmt.Sprintf("%d %s", f.Line, f.Severity))
		}
	}
	return list
}

// rule is a table of texts, each with the findings of one rule: "3 error, 5 warning".
type rule []struct{ name, want, text string }

func (r rule) run(t *testing.T, id string) {
	t.Helper()
	for _, row := range r {
		t.Run(row.name, func(t *testing.T) {
			found := lint.Dockerfile(factsOf(t, row.text))
			if got := strings.Join(of(id, found), ", "); got != row.want {
				t.Errorf("%q, not %q", got, row.want)
			}
			for _, f := range found {
				if f.ID == id && (f.Message == "" || f.Fix == "" || strings.HasSuffix(f.Message, ".")) {
					t.Errorf("a finding without words: %+v", f)
				}
			}
		})
	}
}

func TestBasesOfOneArchitecture(t *testing.T) {
	rule{
		{"a namespace of one architecture", "1 error", "FROM amd64/debian:12\n"},
		{"one after the host's name", "1 error", "FROM registry.example/amd64/debian:12\n"},
		{"the machine at the end of a tag", "1 error", "FROM example/tool:1.2-x86_64\n"},
		{"the machine in the repository", "1 error", "FROM example/tool-arm64\n"},
		{"the host says nothing", "", "FROM amd64.example/tool:1\n"},
		{"letters go on", "", "FROM example/charm:4\n"},
		{"an emulator of that machine", "", "FROM multiarch/qemu-user-static:aarch64\n"},
		{"a compiler from one to another", "", "FROM example/cross-x86_64-aarch64:1\n"},
		{"a stage that nobody needs", "", "FROM amd64/debian AS old\nFROM debian\n"},
		{"another stage", "1 warning", "FROM amd64/node AS web\nFROM debian\nCOPY --from=web /x /x\n"},
		{"a sister for each of both", "", "FROM amd64/busybox AS a\nFROM arm64v8/busybox AS b\nFROM debian\nCOPY --from=a /bin/busybox /a\nCOPY --from=b /bin/busybox /b\n"},
		{"chosen by the target", "", "FROM amd64/debian AS base-amd64\nFROM arm64v8/debian AS base-arm64\nFROM base-${TARGETARCH}\n"},
		{"the default of an argument", "1 error", "ARG BASE=amd64/debian\nFROM $BASE\n"},
		{"a default that another one takes", "2 error", "ARG TAG=12\nARG ARCH=amd64\nARG BASE=$ARCH/debian:$TAG\nFROM ${BASE}\n"},
		{"a comment names the other one", "", "# archbuild: linux/arm64=arm64v8/debian\nFROM amd64/debian\n"},
		{"a platform written out", "1 error", "FROM --platform=linux/amd64 debian\n"},
		{"one in quotes, of an argument", "1 error", "ARG P=\"linux/amd64\"\nFROM --platform=$P debian\n"},
		{"one below the final stage", "1 error", "FROM --platform=linux/amd64 debian AS base\nFROM base\n"},
		{"one of a builder", "1 warning", "FROM --platform=linux/amd64 debian AS b\nFROM debian\nCOPY --from=b /x /x\n"},
		{"one for each of both", "", "FROM --platform=linux/amd64 tool AS a\nFROM --platform=linux/arm64 tool AS b\nFROM debian\nCOPY --from=a /x /a\nCOPY --from=b /x /b\n"},
		{"the target's platform", "", "FROM --platform=$TARGETPLATFORM debian\n"},
		{"a default that never counts", "", "FROM --platform=${TARGETPLATFORM:-linux/amd64} debian\n"},
		{"an argument without a default", "", "ARG BASE\nFROM $BASE\n"},
	}.run(t, "base-one-arch")
}

func TestWhatIsForTheBuildMachine(t *testing.T) {
	const build = "FROM --platform=$BUILDPLATFORM golang:1.26 AS build\n"
	rule{
		{"the image stands on it", "1 error", "FROM --platform=$BUILDPLATFORM nginx\n"},
		{"the image starts from it, by two names", "1 error", build + "FROM build AS next\nFROM next\n"},
		{"another name for the build platform", "2 error", "ARG ON=$BUILDPLATFORM\nFROM --platform=$ON nginx\n"},
		{"go for its own machine", "4 error", build + "RUN go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n"},
		{"go, told before the command", "", build + "ARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n"},
		{"go, told by export", "", build + "ARG TARGETARCH\nRUN export GOARCH=$TARGETARCH && go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n"},
		{"go, told by a file nobody reads", "", build + "ARG TARGETARCH\nRUN . ./env.sh && go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n"},
		{"one of two is not told", "7 error", build + "ARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build -o /a ./a\nRUN go build -o /b ./b\nFROM scratch\nCOPY --from=build /a /a\nCOPY --from=build /b /b\n"},
		{"by way of cp", "5 error", build + "RUN go build -o out/app .\nRUN cp out/app /usr/local/bin/app\nFROM scratch\nCOPY --from=build /usr/local/bin/app /app\n"},
		{"a tool that stays behind", "", build + "ARG TARGETARCH\nRUN go build -o /gen ./gen && /gen && GOARCH=$TARGETARCH go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n"},
		{"through a stage of files", "4 error", build + "RUN go build -o /app .\nFROM scratch AS files\nCOPY --from=build /app /bin/app\nFROM debian\nCOPY --from=files /bin/app /app\n"},
		{"through a stage that takes other files too", "", build + "RUN go build -o /app . && date > /date\nFROM scratch AS files\nCOPY --from=build /app /bin/app\nCOPY --from=build /date /date\nFROM debian\nCOPY --from=files /date /date\n"},
		{"go install of a tool", "4 error", build + "RUN go install example.com/tool/v2@latest\nFROM scratch\nCOPY --from=build /go/bin/tool /tool\n"},
		{"a program of the distribution", "4 error", "FROM --platform=$BUILDPLATFORM alpine AS t\nRUN apk add git\nFROM alpine\nCOPY --from=t /usr/bin/git /usr/bin/git\n"},
		{"a program of the image", "3 error", "FROM --platform=$BUILDPLATFORM example/tools AS t\nFROM alpine\nCOPY --from=t /go/bin/dlv /usr/bin/dlv\n"},
		{"what is the same everywhere", "", "FROM --platform=$BUILDPLATFORM alpine AS t\nRUN apk add ca-certificates tzdata\nFROM scratch\nCOPY --from=t /etc/ssl/certs /etc/ssl/certs\nCOPY --from=t /usr/share/zoneinfo /usr/share/zoneinfo\nCOPY --from=t /usr/local/go/lib/time/zoneinfo.zip /\n"},
		{"a download for the target", "", "FROM --platform=$BUILDPLATFORM alpine AS t\nARG TARGETARCH\nRUN wget -O /usr/local/bin/x https://example.com/x-$TARGETARCH\nFROM scratch\nCOPY --from=t /usr/local/bin/x /x\n"},
		{"bundles and pages", "", "FROM --platform=$BUILDPLATFORM node AS web\nWORKDIR /usr/src/app\nCOPY . .\nRUN npm ci && npm run build\nFROM nginx\nCOPY --from=web /usr/src/app/dist /usr/share/nginx/html\n"},
		{"modules, by the whole folder", "6 warning", "FROM --platform=$BUILDPLATFORM node AS web\nWORKDIR /app\nCOPY . .\nRUN npm ci\nFROM node\nCOPY --from=web /app /app\n"},
		{"modules that were removed", "", "FROM --platform=$BUILDPLATFORM node AS web\nWORKDIR /app\nCOPY . .\nRUN npm ci && npm run build && rm -rf node_modules\nFROM node\nCOPY --from=web /app /app\n"},
		{"packages of Python", "4 warning", "FROM --platform=$BUILDPLATFORM python AS p\nRUN pip install --prefix=/install numpy\nFROM python\nCOPY --from=p /install /usr/local\n"},
		{"a Java runtime", "4 error", "FROM --platform=$BUILDPLATFORM eclipse-temurin:21 AS j\nRUN jlink --add-modules java.base --output /jre\nFROM debian\nCOPY --from=j /jre /jre\n"},
		{"a jar", "", "FROM --platform=$BUILDPLATFORM maven AS j\nWORKDIR /app\nCOPY . .\nRUN mvn package\nFROM eclipse-temurin\nCOPY --from=j /app/target/app.jar /app.jar\n"},
		{"cargo, into a cache and out of it", "5 error", "FROM --platform=$BUILDPLATFORM rust AS r\nWORKDIR /s\nRUN --mount=type=cache,target=/s/target cargo build --release && cp target/release/app /app\nFROM debian\nCOPY --from=r /app /app\n"},
		{"cargo for a target", "", "FROM --platform=$BUILDPLATFORM rust AS r\nWORKDIR /s\nARG TARGETARCH\nRUN cargo build --release --target $(cat /t-$TARGETARCH) && cp target/*/release/app /app\nFROM debian\nCOPY --from=r /app /app\n"},
		{"a cross compiler", "", "FROM --platform=$BUILDPLATFORM debian AS c\nRUN aarch64-linux-gnu-gcc -o /app x.c\nFROM debian\nCOPY --from=c /app /app\n"},
		{"go, told for good", "", build + "RUN go env -w GOARCH=arm64\nRUN go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n"},
		{"in an archive", "5 error", build + "RUN go build -o /out/app .\nRUN tar -C /out -czf /app.tgz app\nFROM scratch\nCOPY --from=build /app.tgz /\n"},
		{"a program of the distribution, by way of cp", "4 error", "FROM --platform=$BUILDPLATFORM alpine AS t\nRUN mkdir /out && cp /bin/busybox /out/\nFROM alpine\nCOPY --from=t /out /opt\n"},
		{"packages in a root of their own", "4 error", "FROM --platform=$BUILDPLATFORM alpine AS t\nRUN apk add --initdb --root /root-fs busybox\nFROM scratch\nCOPY --from=t /root-fs /\n"},
		{"such packages of a machine that is named", "", "FROM --platform=$BUILDPLATFORM alpine AS t\nARG TARGETARCH\nRUN apk add --initdb --arch $(cat /arch) --root /root-fs busybox\nFROM scratch\nCOPY --from=t /root-fs /\n"},
		{"a native image", "5 error", "FROM --platform=$BUILDPLATFORM graalvm AS n\nWORKDIR /app\nRUN ./mvnw -Pnative native:compile\nFROM debian\nCOPY --from=n /app/target/hello /hello\n"},
		{"the jar beside it", "", "FROM --platform=$BUILDPLATFORM graalvm AS n\nWORKDIR /app\nRUN ./mvnw -Pnative native:compile\nFROM debian\nCOPY --from=n /app/target/hello.jar /hello.jar\n"},
		{"commands that are text", "", "FROM --platform=$BUILDPLATFORM composer:2 AS c\nFROM php\nCOPY --from=c /usr/bin/composer /usr/bin/composer\n"},
		{"a mount is no part of the image", "", build + "RUN go build -o /gen .\nFROM debian\nRUN --mount=type=bind,from=build,target=/b /b/gen > /out\n"},
	}.run(t, "buildplatform-leak")
}

func TestModulesWithoutProgramsAreForAll(t *testing.T) {
	facts := factsOf(t, "FROM --platform=$BUILDPLATFORM node AS b\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\nFROM node\nCOPY --from=b /app/node_modules /app/node_modules\n")
	lock := `{"packages": {"node_modules/ms": {"version": "2.1.3"}}}`
	facts.Read = func(name string) ([]byte, bool) { return []byte(lock), name == "package-lock.json" }
	if got := of("buildplatform-leak", lint.Dockerfile(facts)); len(got) > 0 {
		t.Errorf("%v, though no module is a program", got)
	}
	lock = `{"packages": {"node_modules/bcrypt": {"hasInstallScript": true}}}`
	if got := of("buildplatform-leak", lint.Dockerfile(facts)); !slices.Equal(got, []string{"6 warning"}) {
		t.Errorf("%v, though a module compiles", got)
	}
}

func TestCompilesUnderEmulation(t *testing.T) {
	rule{
		{"one that archbuild moves", "", "FROM golang:1.26 AS b\nRUN CGO_ENABLED=0 go build -o /app .\nFROM scratch\nCOPY --from=b /app /app\n"},
		{"the image itself", "2 warning", "FROM golang:1.26\nRUN CGO_ENABLED=0 go build -o /app .\n"},
		{"variables in the line before", "3 warning", "FROM golang:1.26\nRUN CGO_ENABLED=0 \\\n    go build -o /app .\n"},
		{"the first of several", "3 warning", "FROM gcc AS b\nRUN ./configure\nRUN make\nRUN make install\nFROM debian\nCOPY --from=b /usr/local /usr/local\n"},
		{"each stage by itself", "2 warning, 4 warning", "FROM rust AS a\nRUN cargo build\nFROM gcc AS b\nRUN gcc -c x.c\nFROM debian\nCOPY --from=a /x /x\nCOPY --from=b /y /y\n"},
		{"a stage that nobody needs", "", "FROM rust AS a\nRUN cargo test && cargo build\nFROM debian\n"},
		{"on the build platform", "", "FROM --platform=$BUILDPLATFORM rust AS a\nRUN cargo build --target $T\nFROM debian\nCOPY --from=a /x /x\n"},
		{"what only fetches", "", "FROM maven\nRUN mvn dependency:go-offline && cargo fetch && go mod download && npm ci && make deps && dotnet restore\n"},
		{"what only asks", "", "FROM debian\nRUN gcc --version && make -v && go version\n"},
		{"a base that cannot be told", "", "ARG V\nFROM golang:$V\nRUN go build .\n"},
		{"Windows", "", "FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN dotnet publish\n"},
		{"scripts of a package.json", "3 warning", "FROM node\nRUN npm run test\nRUN npm run build:prod\n"},
		{"gradle's wrapper", "2 warning", "FROM eclipse-temurin:21\nRUN ./gradlew --no-daemon bootJar && jlink --output /jre\n"},
	}.run(t, "emulated-compile")
}

func TestCachesThatArchitecturesShare(t *testing.T) {
	const from = "FROM debian\n"
	rule{
		{"a folder of build results", "2 warning", from + "RUN --mount=type=cache,target=/src/target cargo build\n"},
		{"the line of the mount", "3 warning", from + "RUN --mount=type=cache,target=/root/.cargo/registry \\\n    --mount=type=cache,target=/src/target \\\n    cargo build\n"},
		{"named by its id", "", from + "ARG TARGETPLATFORM\nRUN --mount=type=cache,target=/src/target,id=t-$TARGETPLATFORM cargo build\n"},
		{"named by a variable of its own", "", from + "ARG TARGETARCH\nENV KEY=x-$TARGETARCH\nRUN --mount=type=cache,target=/src/target,id=$KEY cargo build\n"},
		{"what tools keep apart", "", from + "RUN --mount=type=cache,target=/root/.cache/go-build --mount=type=cache,target=/root/.m2 --mount=type=cache,target=/root/.npm --mount=type=cache,target=/var/cache/apt x\n"},
		{"programs below .cache", "2 warning", from + "RUN --mount=type=cache,target=/root/.cache/ms-playwright npx playwright install\n"},
		{"where a tool was told to keep it", "", from + "ENV GOCACHE=/cache\nRUN --mount=type=cache,target=/cache go build .\n"},
		{"by the tool's own variable", "", from + "RUN --mount=type=cache,target=${GOMODCACHE} go build .\n"},
		{"all that runs only fetches", "", from + "RUN --mount=type=cache,target=/tmp/cache composer install\n"},
		{"what is installed is no cache", "2 warning", from + "RUN --mount=type=cache,target=/app/node_modules npm ci\n"},
		{"on the build platform", "", "FROM --platform=$BUILDPLATFORM debian AS b\nRUN --mount=type=cache,target=/src/target cargo build\nFROM debian\nCOPY --from=b /etc/x /x\n"},
	}.run(t, "cache-shared")
}

func TestDistributionsUnderAStaticProgram(t *testing.T) {
	const build = "FROM golang:1.26 AS b\nRUN CGO_ENABLED=0 go build -o /app .\n"
	rule{
		{"alone", "3 info", build + "FROM alpine:3\nCOPY --from=b /app /usr/bin/app\nENTRYPOINT [\"app\"]\n"},
		{"certificates from the builder", "3 info", build + "FROM debian\nCOPY --from=b /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\nCOPY --from=b /app /\nCMD [\"/app\"]\n"},
		{"maybe dynamic", "", "FROM golang:1.26 AS b\nRUN go build -o /app .\nFROM alpine\nCOPY --from=b /app /app\nCMD [\"/app\"]\n"},
		{"a shell", "", build + "FROM alpine\nCOPY --from=b /app /app\nCMD /app\n"},
		{"a health check", "", build + "FROM alpine\nCOPY --from=b /app /app\nHEALTHCHECK CMD [\"wget\", \"x\"]\nCMD [\"/app\"]\n"},
		{"packages", "", build + "FROM alpine\nRUN apk add git\nCOPY --from=b /app /app\nCMD [\"/app\"]\n"},
		{"files of the context", "", build + "FROM alpine\nCOPY web /web\nCOPY --from=b /app /app\nCMD [\"/app\"]\n"},
		{"no distribution", "", build + "FROM nginx\nCOPY --from=b /app /app\nCMD [\"/app\"]\n"},
		{"another program starts it", "", build + "FROM alpine\nCOPY --from=b /app /app\nENTRYPOINT [\"/sbin/tini\", \"/app\"]\n"},
	}.run(t, "scratch-would-do")
}

func TestBasesThatNothingServes(t *testing.T) {
	facts := factsOf(t, "FROM vendor/tool:1\nRUN --mount=from=vendor/more,target=/m true\n")
	facts.Bases = []lint.Base{
		{Line: 1, Where: "FROM", Image: "vendor/tool:1", Platform: amd64, Targets: []platform.Platform{amd64}, Use: "vendor/tool:1"},
		{Line: 1, Where: "FROM", Image: "vendor/tool:1", Platform: arm64, Targets: []platform.Platform{arm64}, Why: "it offers linux/amd64", Offers: []platform.Platform{amd64}},
		{Line: 2, Where: "RUN --mount from", Image: "vendor/more", Platform: amd64, Targets: []platform.Platform{amd64}, Why: "it does not exist"},
		{Line: 2, Where: "RUN --mount from", Image: "vendor/more", Platform: arm64, Targets: []platform.Platform{arm64}, Why: "it does not exist"},
	}
	var got []string
	for _, f := range lint.Dockerfile(facts) {
		got = append(got, fmt.Sprintf("%d %s: %s", f.Line, f.ID, f.Message))
	}
	want := []string{
		"1 base-unavailable: vendor/tool:1 has no image for linux/arm64: there is one for linux/amd64",
		"2 base-unavailable: no image serves vendor/more on linux/amd64 and linux/arm64: it does not exist",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestASisterThatIsThereMakesAWarning(t *testing.T) {
	facts := factsOf(t, "FROM vendor/tool-amd64:1\n")
	base := lint.Base{Line: 1, Where: "FROM", Image: "vendor/tool-amd64:1", Platform: arm64, Targets: []platform.Platform{arm64}, Use: "vendor/tool-arm64:1", Rule: "amd64 in the name becomes arm64"}
	facts.Bases = []lint.Base{base}
	if got := of("base-one-arch", lint.Dockerfile(facts)); !slices.Equal(got, []string{"1 warning"}) {
		t.Errorf("%v, not a warning", got)
	}
	base.Ruled = true
	facts.Bases = []lint.Base{base}
	if got := of("base-one-arch", lint.Dockerfile(facts)); len(got) > 0 {
		t.Errorf("a rule names the image, and yet: %v", got)
	}
}

func TestPlatformsThatNothingBuilds(t *testing.T) {
	facts := factsOf(t, "FROM debian\n")
	for i, name := range []string{"linux/amd64", "windows/amd64", "linux/riscv64", "darwin/arm64", "linux/mips64"} {
		facts.Configured = append(facts.Configured, lint.Configured{File: "archbuild.yaml", Line: i + 1, Platform: platform.MustParse(name)})
	}
	if got := of("platform-unbuildable", lint.Dockerfile(facts)); !slices.Equal(got, []string{"2 error", "4 error"}) {
		t.Errorf("%v", got)
	}
	facts.Native = []platform.Platform{platform.MustParse("windows/amd64")}
	if got := of("platform-unbuildable", lint.Dockerfile(facts)); !slices.Equal(got, []string{"4 error"}) {
		t.Errorf("with a node for Windows: %v", got)
	}
}

func TestWhatWasMeasuredIsSaid(t *testing.T) {
	facts := factsOf(t, "FROM rust\nRUN cargo build\n")
	facts.Slower = map[platform.Platform]float64{arm64: 11.6}
	found := lint.Dockerfile(facts)
	if len(found) != 1 || !strings.Contains(found[0].Message, "12 times as long (measured") {
		t.Errorf("%+v", found)
	}
	facts.Native = []platform.Platform{arm64}
	if found := lint.Dockerfile(facts); len(found) > 0 {
		t.Errorf("a node is native: %+v", found)
	}
}
