package arch

import "strings"

// Scheme is one way of naming machines.
type Scheme struct {
	// Name says whose it is: "Go", "uname", "Debian", "kubectl".
	Name string
	// Words are the names by architecture (Word.Arch).
	Words map[string]string
	// triplet tells that Words are the machines only, and what follows is kept.
	triplet bool
}

// The schemes that words stand for when no project is known.
var (
	golang  = &Scheme{Name: "Go", Words: table("amd64=amd64 386=386 arm64=arm64 arm/v7=arm arm/v6=arm arm/v5=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64 mips64le=mips64le loong64=loong64")}
	docker  = &Scheme{Name: "Docker", Words: table("amd64=amd64 386=386 arm64=arm64 arm/v7=arm/v7 arm/v6=arm/v6 ppc64le=ppc64le s390x=s390x riscv64=riscv64 mips64le=mips64le loong64=loong64")}
	release = &Scheme{Name: "Go", Words: table("amd64=amd64 386=386 arm64=arm64 arm/v7=armv7 arm/v6=armv6 ppc64le=ppc64le s390x=s390x riscv64=riscv64")}
	debian  = &Scheme{Name: "Debian", Words: table("amd64=amd64 386=i386 arm64=arm64 arm/v7=armhf arm/v5=armel ppc64le=ppc64el s390x=s390x riscv64=riscv64 mips64le=mips64el loong64=loong64")}
	uname   = &Scheme{Name: "uname", Words: table("amd64=x86_64 386=i686 arm64=aarch64 arm/v7=armv7l arm/v6=armv6l ppc64le=ppc64le s390x=s390x riscv64=riscv64 mips64le=mips64 loong64=loongarch64")}
	alpine  = &Scheme{Name: "Alpine", Words: table("amd64=x86_64 386=x86 arm64=aarch64 arm/v7=armv7 arm/v6=armhf ppc64le=ppc64le s390x=s390x riscv64=riscv64 loong64=loongarch64")}
	rpm     = &Scheme{Name: "rpm", Words: table("amd64=x86_64 386=i686 arm64=aarch64 arm/v7=armv7hl ppc64le=ppc64le s390x=s390x riscv64=riscv64")}
	// goreleaser's usual replacements: Linux_x86_64, Linux_arm64.
	mixed   = &Scheme{Name: "goreleaser", Words: table("amd64=x86_64 386=i386 arm64=arm64 arm/v7=armv7 arm/v6=armv6 ppc64le=ppc64le s390x=s390x riscv64=riscv64")}
	x64     = &Scheme{Name: "x64", Words: table("amd64=x64 386=x86 arm64=arm64 arm/v7=armv7l arm/v6=armv6l ppc64le=ppc64le s390x=s390x riscv64=riscv64")}
	dotnet  = &Scheme{Name: ".NET", Words: table("amd64=x64 386=x86 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64 loong64=loongarch64")}
	bits    = &Scheme{Name: "64bit", Words: table("amd64=64bit 386=32bit arm64=ARM64 arm/v7=ARM")}
	conda   = &Scheme{Name: "conda", Words: table("amd64=linux-64 386=linux-32 arm64=linux-aarch64 ppc64le=linux-ppc64le s390x=linux-s390x arm/v7=linux-armv7l riscv64=linux-riscv64")}
	linux64 = &Scheme{Name: "linux64", Words: table("amd64=linux64 386=linux32 arm64=linux-aarch64")}
	oracle  = &Scheme{Name: "linuxx64", Words: table("amd64=linuxx64 arm64=linux-arm64")}
	jre     = &Scheme{Name: "JRE", Words: table("amd64=amd64 386=i386 arm64=aarch64 arm/v7=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64")}
	loader  = &Scheme{Name: "loader", Words: table("amd64=ld-linux-x86-64.so.2 386=ld-linux.so.2 arm64=ld-linux-aarch64.so.1 arm/v7=ld-linux-armhf.so.3 ppc64le=ld64.so.2 s390x=ld64.so.1 riscv64=ld-linux-riscv64-lp64d.so.1")}
	gnu     = &Scheme{Name: "GNU triplet", Words: table("amd64=x86_64 386=i386 arm64=aarch64 arm/v7=arm ppc64le=powerpc64le s390x=s390x riscv64=riscv64 mips64le=mips64el loong64=loongarch64"), triplet: true}
	rust    = &Scheme{Name: "Rust target", Words: table("amd64=x86_64 386=i686 arm64=aarch64 arm/v7=armv7 arm/v6=arm ppc64le=powerpc64le s390x=s390x riscv64=riscv64gc loong64=loongarch64"), triplet: true}
)

// table reads "amd64=x86_64 arm64=aarch64".
func table(text string) map[string]string {
	words := map[string]string{}
	for _, pair := range strings.Fields(text) {
		key, name, _ := strings.Cut(pair, "=")
		words[key] = name
	}
	return words
}

// name is what a scheme calls an architecture in the place of a word.
func (s *Scheme) name(key string, w Word) (string, bool) {
	if key == w.Arch {
		return w.Text, true
	}
	name, ok := s.Words[key]
	if !ok {
		return "", false
	}
	if s.triplet {
		return s.tripletOf(key, name, w.Text), true
	}
	if name == strings.ToLower(name) && w.Text != strings.ToLower(w.Text) && w.Text == strings.ToUpper(w.Text) {
		name = strings.ToUpper(name)
	}
	return name, true
}

// tripletOf puts another machine in front of a triplet, and the ABI that it has behind.
func (s *Scheme) tripletOf(key, machine, text string) string {
	_, rest, _ := strings.Cut(text, "-")
	for _, abi := range []string{"gnueabihf", "musleabihf", "gnueabi", "musleabi", "gnusf", "gnuabi64", "gnux32"} {
		if base, ok := strings.CutSuffix(rest, abi); ok {
			rest = base + abi[:min(4, len(abi))]
			if strings.HasPrefix(abi, "gnu") {
				rest = base + "gnu"
			}
		}
	}
	if strings.HasPrefix(key, "arm/") && (strings.HasSuffix(rest, "gnu") || strings.HasSuffix(rest, "musl")) {
		rest += "eabihf"
	}
	return machine + "-" + rest
}

// scheme tells from the neighbours how the other machines are called.
func (w *Word) scheme(text string) *Scheme {
	low := strings.ToLower(w.Text)
	around := strings.ToLower(text)
	after := around[w.End:]
	if n := strings.IndexAny(after, "/? "); n >= 0 {
		after = after[:n]
	}
	before := around[:w.At]
	switch {
	case strings.Contains(low, ".so."):
		return loader
	case strings.Count(low, "-") >= 1 && (strings.Contains(low, "gnu") || strings.Contains(low, "musl") || strings.Contains(low, "-linux")) && !strings.HasPrefix(low, "linux"):
		if strings.Contains(low, "-unknown-") || strings.HasPrefix(low, "armv7-") {
			return rust
		}
		return gnu
	case strings.HasSuffix(after, ".deb") || strings.HasSuffix(before, "binary-") || strings.HasSuffix(before, "openjdk-") || strings.Contains(around, "/debian/") && low == "amd64":
		return debian
	case strings.HasSuffix(after, ".rpm"):
		return rpm
	case strings.HasSuffix(after, ".apk"):
		return alpine
	case strings.HasSuffix(before, "goarch="):
		return golang
	case strings.HasSuffix(before, "jre/lib/") || strings.HasSuffix(before, "java/lib/"):
		return jre
	}
	return byWord(low, before)
}

// byWord goes by the word itself.
func byWord(low, before string) *Scheme {
	switch low {
	case "x86_64", "x86-64", "x8664", "aarch64", "i686", "i586", "armv7l", "armv6l", "x86_64_v2", "x86_64_v3":
		if strings.HasSuffix(before, "linux_") && low == "x86_64" {
			return mixed
		}
		return uname
	case "x64":
		if strings.HasSuffix(before, "linux-") && strings.Contains(before, "dotnet") || strings.Contains(before, "aspnetcore") || before == "linux-" || before == "linux-musl-" || before == "alpine-" {
			return dotnet
		}
		return x64
	case "64bit", "64-bit", "32bit", "32-bit", "64bits":
		return bits
	case "linux64", "linux32", "lnx64", "lin64", "intel64":
		return linux64
	case "linux-64", "linux-32":
		return conda
	case "linuxx64":
		return oracle
	case "i386", "armhf", "armel", "ppc64el", "mips64el":
		return debian
	case "aarch_64", "ppcle_64", "s390_64":
		return osDetector
	}
	if strings.HasSuffix(before, "linux/") && !strings.Contains(before, "://") {
		return docker
	}
	return release
}

// osDetector is that of Maven's os-maven-plugin, and of protoc's files.
var osDetector = &Scheme{Name: "os.detected", Words: table("amd64=x86_64 386=x86_32 arm64=aarch_64 arm/v7=arm_32 ppc64le=ppcle_64 s390x=s390_64 riscv64=riscv64 loong64=loongarch_64")}

// Flag is a compiler's flag that stands in a text and makes programs for a PC alone. No
// other machine has a word for it.
func Flag(text string, at, end int) Word {
	return Word{Text: text[at:end], At: at, End: end, Arch: "amd64", OS: "linux", Scheme: flags}
}

// flags are those of compilers.
var flags = &Scheme{Name: "flags", Words: table("amd64=-m64")}
