package inputs

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// tars are bad archives: of a context, of an OCI layout, of docker save.
func tars() []row { return append(contextArchives(), imageArchives()...) }

// bytesOf is a file of these bytes.
func bytesOf(name string, body []byte) maker {
	return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), body, 0o644) }
}

// base256 writes a number into a field of a tar's header in the form for large and negative ones, and mends its checksum.
func rawHeader(name string, kind byte, change func([]byte)) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Mode: 0o644, Format: tar.FormatGNU}); err != nil {
		panic(err)
	}
	block := out.Bytes()[:512]
	change(block)
	copy(block[148:156], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:156], octal(sum))
	return append(bytes.Clone(block), make([]byte, 1024)...)
}

// octal is a checksum as a header has it.
func octal(n int) string {
	digits := ""
	for range 6 {
		digits, n = string(rune('0'+n%8))+digits, n/8
	}
	return digits + "\x00 "
}

func contextArchives() []row {
	good := entry{name: "Dockerfile", body: "FROM scratch\n"}
	plan := words("plan ctx.tar --offline")
	of := func(bad string, body []byte, code int, says string) row {
		return row{bad: bad, args: plan, in: []maker{bytesOf("ctx.tar", body)}, code: code, says: says}
	}
	negative := rawHeader("a", tar.TypeReg, func(b []byte) {
		for i := 124; i < 136; i++ {
			b[i] = 0xff
		}
	})
	huge := rawHeader("a", tar.TypeReg, func(b []byte) { copy(b[124:136], "77777777777\x00") })
	zeros := bytes.Repeat([]byte{0}, 1<<20)
	return []row{
		of("an archive that is empty", nil, 2, "ctx.tar is a file, not a folder, and no tar archive"),
		of("an archive that is a text", []byte("hello\n"), 2, "ctx.tar is a file, not a folder, and no tar archive"),
		of("an archive without a Dockerfile", tarred(entry{name: "README", body: "x"}), 2, "there is no Dockerfile in it"),
		of("an archive whose Dockerfile is a folder", tarred(entry{name: "Dockerfile/", kind: tar.TypeDir}), 2, "Dockerfile is a folder, not a Dockerfile"),
		of("an archive whose Dockerfile is a link out of it", tarred(entry{name: "Dockerfile", kind: tar.TypeSymlink, link: "../../outside/secret"}), 2, "there is no Dockerfile in it"),
		of("an archive whose Dockerfile is a link to itself", tarred(entry{name: "Dockerfile", kind: tar.TypeSymlink, link: "Dockerfile"}), 2, "there is no Dockerfile in it"),
		of("an archive whose Dockerfile is a link to an absolute path", tarred(entry{name: "Dockerfile", kind: tar.TypeSymlink, link: "/etc/passwd"}), 2, "there is no Dockerfile in it"),
		of("an archive whose Dockerfile is a pipe", tarred(entry{name: "Dockerfile", kind: tar.TypeFifo}), 2, "Dockerfile is a named pipe, not a Dockerfile"),
		of("an archive whose Dockerfile is a device", tarred(entry{name: "Dockerfile", kind: tar.TypeChar}), 2, "Dockerfile is a device, not a Dockerfile"),
		of("an archive with a hard link to a file outside", tarred(good, entry{name: "a", kind: tar.TypeLink, link: "../../outside/secret"}), 1, "reading the tar archive: a is a link to ../../outside/secret"),
		of("an archive with a hard link to an absolute path", tarred(good, entry{name: "a", kind: tar.TypeLink, link: "/etc/passwd"}), 1, "reading the tar archive: a is a link to /etc/passwd, which i"),
		of("an archive with a hard link to what is not there", tarred(good, entry{name: "a", kind: tar.TypeLink, link: "nowhere"}), 1, "reading the tar archive: a is a link to nowhere, which is no"),
		of("an archive that is cut in a file", tarred(good, entry{name: "a", body: strings.Repeat("x", 4000)})[:2048], 1, "reading the tar archive: unexpected EOF"),
		of("an archive that is cut in a header", tarred(good, good)[:1200], 1, "reading the tar archive: unexpected EOF"),
		of("an archive whose checksum is wrong", append(bytes.Replace(tarred(good), []byte("ustar"), []byte("ustar"), 1)[:100], append([]byte("9"), tarred(good)[101:]...)...), 1, "reading the tar archive: archive/tar: invalid tar header"),
		of("an archive with a file of a negative size", append(tarred(good)[:1024], negative...), 1, "reading the tar archive: archive/tar: invalid tar header"),
		of("an archive with a file of eight gigabytes that are not there", append(tarred(good)[:1024], huge...), 1, "reading the tar archive: unexpected EOF"),
		of("an archive whose compression is cut", gzipped(tarred(good))[:40], 1, "reading the tar archive: unexpected EOF"),
		of("an archive that is compressed twice", gzipped(gzipped(tarred(good))), 1, "reading the tar archive: unexpected EOF"),
		of("an archive of nothing but compressed zeros", gzipped(bytes.Repeat(zeros, 16)), 1, "reading the tar archive: it holds no file"),
		of("an archive whose compression is damaged", func() []byte { b := gzipped(tarred(good)); b[len(b)-8] ^= 1; return b }(), 1, "reading the tar archive: gzip: invalid checksum"),
		of("an archive that only says that it is xz", []byte("\xfd7zXZ\x00hello, this is none"), 1, "reading the tar archive: it is compressed by xz, which archb"),
		of("an archive that only says that it is zstd", []byte("\x28\xb5\x2f\xfdhello, this is none"), 1, "reading the tar archive: reserved bit set on frame header"),
		of("an archive that only says that it is bzip2", []byte("BZh91AY&SYhello, this is none"), 1, "reading the tar archive: unexpected EOF"),
		of("a zip in the place of a tar", []byte("PK\x03\x04hello, this is no tar"), 2, "ctx.tar is a file, not a folder, and no tar archive"),
		of("an archive whose Dockerfile is wrong", tarred(entry{name: "Dockerfile", body: "FRUM scratch\n"}), 1, "unknown instruction: FRUM (did you mean FROM?)"),
		of("an archive whose later Dockerfile is wrong", tarred(good, entry{name: "Dockerfile", body: "FRUM scratch\n"}), 1, "unknown instruction: FRUM (did you mean FROM?)"),
		of("an archive whose archbuild.yaml is wrong", tarred(good, entry{name: "archbuild.yaml", body: "nodes: [tcp://evil.example:1]\n"}), 1, "nodes are not taken from a file that comes with the source:"),
		{bad: "an archive on standard input that is cut", args: words("plan - --offline"), stdin: string(tarred(good, good)[:1200]), code: 1, says: "standard input: reading the tar archive: unexpected EOF"},
	}
}

func imageArchives() []row {
	of := func(bad string, m maker, code int, says string) row {
		return row{bad: bad, args: words("verify img.tar --deep"), in: []maker{m}, code: code, says: says}
	}
	plain := func(bad string, body []byte, says string) row { return of(bad, bytesOf("img.tar", body), 1, says) }
	saved := func(bad, manifest, says string, more ...entry) row {
		return plain(bad, tarred(append([]entry{{name: "manifest.json", body: manifest}}, more...)...), says)
	}
	savedWrong := func(bad, manifest, says string, more ...entry) row {
		r := saved(bad, manifest, says, more...)
		r.code = 3
		return r
	}
	return []row{
		of("an archive of images that is not there", folder("none"), 2, "no such file or folder"),
		plain("an archive of images that is empty", nil, "reading archive img.tar: neither an OCI archive nor one of d"),
		plain("an archive of images that is a text", []byte(strings.Repeat("hello\n", 200)), "reading archive img.tar: archive/tar: invalid tar header"),
		plain("an archive of images that is a context", tarred(entry{name: "Dockerfile", body: "FROM scratch\n"}), "reading archive img.tar: neither an OCI archive nor one of d"),
		plain("an archive of images that is compressed", gzipped(tarred(entry{name: "index.json", body: "{}"})), "reading archive img.tar: the archive is compressed"),
		plain("an archive of images that is cut", tarred(entry{name: "index.json", body: strings.Repeat("x", 4000)})[:1000], "reading archive img.tar: unexpected EOF"),
		plain("an archive of images whose index.json is a link to itself", tarred(entry{name: "index.json", kind: tar.TypeSymlink, link: "index.json"}), "reading archive img.tar: reading layout img.tar: open index."),
		plain("an archive of images whose index.json is a link out of it", tarred(entry{name: "index.json", kind: tar.TypeSymlink, link: "/etc/passwd"}), "reading archive img.tar: reading layout img.tar: open etc/pa"),
		plain("an archive of images whose index.json is a circle of hard links", tarred(entry{name: "index.json", kind: tar.TypeLink, link: "b"}, entry{name: "b", kind: tar.TypeLink, link: "index.json"}), "reading archive img.tar: reading layout img.tar: open index."),
		plain("an archive of images with a file of a negative size", rawHeader("index.json", tar.TypeReg, func(b []byte) {
			for i := 124; i < 136; i++ {
				b[i] = 0xff
			}
		}), "reading archive img.tar: archive/tar: invalid tar header"),
		plain("an archive of images with a file of eight gigabytes that are not there", rawHeader("index.json", tar.TypeReg, func(b []byte) { copy(b[124:136], "77777777777\x00") }), "reading archive img.tar: unexpected EOF"),
		plain("an archive of images whose index.json is no JSON", tarred(entry{name: "index.json", body: "hello"}), "reading archive img.tar: reading layout img.tar: index.json:"),
		of("an archive of images with a later index.json that lists nothing", archived("img.tar", good, entry{name: "./index.json", body: `{"schemaVersion":2,"manifests":[]}`}), 1, "img.tar holds no image"),
		of("an archive of images with a later blob of other bytes", archived("img.tar", good, entry{name: blobName(hello()), body: "other"}), 3, "holds other bytes: their digest is"),
		of("an archive of images with a blob that is a link out of it", archived("img.tar", good, entry{name: blobName(hello()), kind: tar.TypeSymlink, link: "../../../../../outside/secret"}), 3, "is not there"),
		saved("an archive of docker save whose list is no JSON", "hello", "reading archive img.tar: reading manifest.json: invalid char"),
		saved("an archive of docker save whose list is a word", `"all"`, "reading archive img.tar: reading manifest.json: json: cannot"),
		saved("an archive of docker save that lists nothing", "[]", "img.tar holds no image"),
		saved("an archive of docker save without the config that it lists", `[{"Config":"nowhere.json","Layers":[]}]`, "reading archive img.tar: open nowhere.json: file does not ex"),
		saved("an archive of docker save whose config leads upwards", `[{"Config":"../../outside/secret","Layers":[]}]`, "reading archive img.tar: open outside/secret: file does not"),
		saved("an archive of docker save without a layer that it lists", `[{"Config":"c.json","Layers":["nowhere.tar"]}]`, "reading archive img.tar: open nowhere.tar: file does not exi", entry{name: "c.json", body: "{}"}),
		savedWrong("an archive of docker save whose config is no JSON", `[{"Config":"c.json","Layers":[]}]`, "invalid character 'h'", entry{name: "c.json", body: "hello"}),
	}
}
