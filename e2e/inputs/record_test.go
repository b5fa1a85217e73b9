package inputs

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/platform"
)

// recorded is an honest record of a platform, changed before it gets its digest.
func recorded(name, of string, change func(*ci.Record)) maker {
	return func(dir string) error {
		p := platform.MustParse(of)
		spec := p.OCI()
		r := ci.Record{
			Format: ci.RecordFormat, Archbuild: "1.0", Name: "app", Platform: p, Run: "42", Commit: strings.Repeat("01", 20), Recipe: digest.FromString("recipe"),
			Inputs:       ci.NewInputs(map[string]digest.Digest{ci.PartFiles: digest.FromString("files"), ci.PartArguments: digest.FromString("arguments"), ci.PartContext: digest.FromString("context")}),
			Repositories: []string{"registry.example/app"}, Image: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(of), Size: 500, Platform: &spec},
			Verify: ci.Verify{Mode: "fail"}, Node: ci.Node{Name: "engine", Platform: p}, How: "native", Seconds: 1,
		}
		if change != nil {
			change(&r)
		}
		r, err := r.Sealed()
		if err != nil {
			return err
		}
		body, err := r.JSON()
		if err != nil {
			return err
		}
		path, err := place(dir, name)
		if err != nil {
			return err
		}
		return os.WriteFile(path, body, 0o644)
	}
}

// altered changes the text of a file.
func altered(name string, change func(string) string) maker {
	return func(dir string) error {
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), []byte(change(string(body))), 0o644)
	}
}

// replaced puts one text in the place of another, once.
func replaced(old, now string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, now, 1) }
}

// records are bad records and plans of the jobs of a matrix.
func records() []row {
	rows := append(recordTexts(), recordSets()...)
	rows = append(rows, planTexts()...)
	for i := range rows {
		if rows[i].args == nil {
			rows[i].args = words("ci assemble -t registry.example/app:1 --require linux/amd64,linux/arm64 records")
		}
		if rows[i].code == 0 {
			rows[i].code = 1
		}
	}
	return rows
}

func recordTexts() []row {
	const arm = "records/arm.json"
	other := recorded("records/amd.json", "linux/amd64", nil)
	text := func(bad, content, says string) row {
		return row{bad: bad, in: []maker{other, file(arm, content)}, says: says}
	}
	in := func(bad string, m maker, says string) row { return row{bad: bad, in: []maker{other, m}, says: says} }
	change := func(bad string, f func(string) string, says string) row {
		return row{bad: bad, in: []maker{other, recorded(arm, "linux/arm64", nil), altered(arm, f)}, says: says}
	}
	sealed := func(bad string, f func(*ci.Record), says string) row {
		return row{bad: bad, in: []maker{other, recorded(arm, "linux/arm64", f)}, says: says}
	}
	return []row{
		text("a record that is empty", "", "it is no JSON object: unexpected end of JSON input"),
		text("a record that is no JSON", "hello", "it is no JSON object: invalid character 'h' looking for begi"),
		text("a record that is a list", "[]", "it is no JSON object: json: cannot unmarshal array into Go v"),
		text("a record that is null", "null", "it is no record: it has no format"),
		text("a record that is another document", `{"schemaVersion":2}`, "it is no record: it has no format"),
		text("a record of a format to come", `{"format":99}`, "it has format 99, and this archbuild reads 1"),
		text("a record whose format is a word", `{"format":"1"}`, "it is no JSON object: json: cannot unmarshal string into Go"),
		text("a record of its format alone", `{"format":1}`, "it has no digest"),
		text("a record in UTF-16", wide(`{"format":1}`, false), "it is no JSON object: invalid character 'ÿ' looking for begi"),
		in("a record of 2 MB", repeated(arm, `{"format":1,"name":"`, "a", 2<<20, `"}`), "it has more than 1048576 bytes"),
		in("a record of brackets", repeated(arm, `{"format":1,"set":`, "[", 500_000, ""), "it is no JSON object: invalid character '[' exceeded max dep"),
		in("a record of a terabyte", sparse(arm, 1<<40), "it has more than 1048576 bytes"),
		in("a record that is a pipe nobody writes to", fifo(arm), "it is no regular file"),
		in("a record that is a link to itself", link(arm, "arm.json"), "it is no regular file"),
		in("a record that is a link to a file outside", link(arm, "../../../outside/secret"), "it is no regular file"),
		in("a record that is a socket", socket(arm), "it is no regular file"),
		change("a record that was cut", func(s string) string { return s[:len(s)/2] }, "it is no JSON object: unexpected end of JSON input"),
		change("a record with something behind it", func(s string) string { return s + "{}" }, "it is no JSON object: invalid character '{' after top-level"),
		change("a record with an unknown field", replaced(`"format"`, `"evil": 1, "format"`), "unknown field \"evil\""),
		change("a record with another platform than was sealed", replaced("linux/arm64", "linux/s390x"), "its digest is not that of its content"),
		change("a record with another image than was sealed", replaced(digest.FromString("linux/arm64").Encoded(), strings.Repeat("ab", 32)), "its digest is not that of its content"),
		change("a record without its digest", func(s string) string { return s[:strings.LastIndex(s, `"digest"`)] + `"digest": ""}` }, "it has no digest"),
		change("a record whose seconds are a word", replaced(`"seconds": 1`, `"seconds": "long"`), "cannot unmarshal string into Go struct field Record.seconds"),
		sealed("a record whose name is a path", func(r *ci.Record) { r.Name = "../app" }, "\"../app\" is no name of a service"),
		sealed("a record whose name has an escape sequence", func(r *ci.Record) { r.Name = "\x1b[31m" }, "is no name of a service"),
		sealed("a record whose run is no part of a tag", func(r *ci.Record) { r.Run = "a/b" }, "\"a/b\" is no name of a run"),
		sealed("a record whose commit is a branch", func(r *ci.Record) { r.Commit = "main" }, "\"main\" is no commit"),
		sealed("a record without a platform", func(r *ci.Record) { r.Platform = platform.Platform{} }, "unknown platform \"\""),
		sealed("a record whose image is for another platform", func(r *ci.Record) { r.Image.Platform = &ocispec.Platform{OS: "linux", Architecture: "s390x"} }, "its image is listed for another platform than linux/arm64"),
		sealed("a record whose image is no image", func(r *ci.Record) { r.Image.MediaType = "text/html" }, "its image is of type \"text/html\", which is no image"),
		sealed("a record whose image has no bytes", func(r *ci.Record) { r.Image.Size = 0 }, "its image's manifest has 0 bytes"),
		sealed("a record whose image is of a terabyte", func(r *ci.Record) { r.Image.Size = 1 << 40 }, "its image's manifest has 1099511627776 bytes"),
		sealed("a record whose image lies at a URL", func(r *ci.Record) { r.Image.URLs = []string{"https://evil.example"} }, "its image has fields that archbuild does not write"),
		sealed("a record whose image brings its bytes along", func(r *ci.Record) { r.Image.Data = []byte("x") }, "its image has fields that archbuild does not write"),
		sealed("a record whose digest of an image is a path", func(r *ci.Record) { r.Image.Digest = "sha256:../../x" }, "\"sha256:../../x\" is no sha256 digest"),
		sealed("a record whose digest of an image is of another kind", func(r *ci.Record) { r.Image.Digest = digest.Digest("sha512:" + strings.Repeat("ab", 64)) }, "\"sha512:ababababababababababababababababa\" is no sha256 di"),
		sealed("a record whose inputs are others than it sums up", func(r *ci.Record) { r.Inputs.Digest = digest.FromString("x") }, "the digest of its inputs is not that of their parts"),
		sealed("a record with a hundred parts of inputs", func(r *ci.Record) {
			for i := range 100 {
				r.Inputs.Parts["p"+number(i)] = digest.FromString("x")
			}
			r.Inputs = ci.NewInputs(r.Inputs.Parts)
		}, "its inputs have too many parts"),
		sealed("a record of no repository", func(r *ci.Record) { r.Repositories = nil }, "it names no repository, or too many"),
		sealed("a record of a hundred repositories", func(r *ci.Record) { r.Repositories = make([]string, 100) }, "it names no repository, or too many"),
		sealed("a record of a repository by its short name", func(r *ci.Record) { r.Repositories = []string{"app"} }, "\"app\" is no repository by its full name"),
		sealed("a record of a repository that is a URL", func(r *ci.Record) { r.Repositories = []string{"https://evil.example/app"} }, "\"https://evil.example/app\" is no repository by its full na"),
		sealed("a record with an attestation that is an image", func(r *ci.Record) { r.Attestations = []ocispec.Descriptor{r.Image} }, "one of its attestations is none"),
		sealed("a record with an attestation of another image", func(r *ci.Record) {
			r.Attestations = []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("a"), Size: 4, Platform: &ocispec.Platform{OS: "unknown", Architecture: "unknown"},
				Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": zeros}}}
		}, "one of its attestations speaks of another image"),
		sealed("a record of a set in which its platform is not", func(r *ci.Record) { r.Set = []platform.Platform{platform.MustParse("linux/s390x")} }, "its own platform is none of those that it names"),
		sealed("a record of a set with a platform twice", func(r *ci.Record) { r.Set = []platform.Platform{r.Platform, r.Platform} }, "the platforms that it names are no set"),
		sealed("a record whose attestations go nowhere", func(r *ci.Record) { r.Index.Attestations = "nowhere" }, "\"nowhere\" is no place for attestations"),
		sealed("a record that was verified in an unknown mode", func(r *ci.Record) { r.Verify.Mode = "maybe" }, "it does not say how its image was verified"),
		sealed("a record that took less than no time", func(r *ci.Record) { r.Seconds = -1 }, "it took less than no time"),
		sealed("a record that does not say where it was built", func(r *ci.Record) { r.Node = ci.Node{} }, "unknown platform \"\""),
	}
}

func recordSets() []row {
	amd, arm := recorded("records/amd.json", "linux/amd64", nil), recorded("records/arm.json", "linux/arm64", nil)
	with := func(bad string, code int, says string, in ...maker) row {
		return row{bad: bad, code: code, in: in, says: says}
	}
	changed := func(f func(*ci.Record)) maker { return recorded("records/arm.json", "linux/arm64", f) }
	unknown := with("a set that nobody named", 2, "which platforms the image must have is not known: neither --", amd, arm)
	unknown.args = words("ci assemble -t registry.example/app:1 records")
	digestPlace := with("a digest in the place of a folder of records", 2, "is a digest, and no place of records", amd, arm)
	digestPlace.args = []string{"ci", "assemble", "-t", "registry.example/app:1", "--require", "linux/amd64", zeros}
	return []row{
		unknown, digestPlace,
		with("records that are not there", 2, "no such file or folder"),
		with("a folder without records", 1, "no record for linux/amd64, linux/arm64 (there is none at all", folder("records")),
		with("a set without one of its records", 1, "no record for linux/arm64 (there are linux/amd64); no tag wa", amd),
		with("a record of a platform that nobody asked for", 1, "record records/z.json is for linux/s390x, which is not among", amd, arm, recorded("records/z.json", "linux/s390x", nil)),
		with("two records of one platform with different images", 1, "two images for linux/arm64:", amd, arm, recorded("records/z.json", "linux/arm64", func(r *ci.Record) { r.Image.Digest = digest.FromString("z") })),
		with("records of two commits", 1, "mixed records: records/arm.json (linux/arm64) has another co", amd, changed(func(r *ci.Record) { r.Commit = strings.Repeat("23", 20) })),
		with("records of two runs", 1, "cannot reach registry.example for registry.example/app@", amd, changed(func(r *ci.Record) { r.Run = "43" })),
		with("records of different inputs", 1, "mixed records: records/arm.json (linux/arm64) has other inpu", amd, changed(func(r *ci.Record) {
			r.Inputs = ci.NewInputs(map[string]digest.Digest{ci.PartContext: digest.FromString("other")})
		})),
		with("records of two services", 1, "mixed records: records/arm.json (linux/arm64) has another se", amd, changed(func(r *ci.Record) { r.Name = "other" })),
		with("records whose images lie in another repository", 1, "its image for linux/arm64 is in evil.example/app, not in reg", amd, changed(func(r *ci.Record) { r.Repositories = []string{"evil.example/app"} })),
	}
}

// planTexts are bad plans of ci assemble --plan.
func planTexts() []row {
	of := func(bad string, m maker, code int, says string) row {
		return row{bad: bad, in: []maker{m}, args: words("ci assemble --plan plan.json registry"), code: code, says: says}
	}
	text := func(bad, content, says string) row { return of(bad, file("plan.json", content), 1, says) }
	return []row{
		of("a plan that is not there", folder("none"), 2, "open plan.json: no such file or directory"),
		of("a plan that is a folder", folder("plan.json"), 1, "it cannot be read: read plan.json: is a directory"),
		of("a plan of a terabyte", sparse("plan.json", 1<<40), 1, "it has more than 4194304 bytes"),
		of("a plan of brackets", repeated("plan.json", `{"format":1,"services":`, "[", 100_000, ""), 1, "it is no plan: invalid character '[' exceeded max depth"),
		text("a plan that is empty", "", "it is no plan: EOF"),
		text("a plan that is no JSON", "hello", "it is no plan: invalid character 'h' looking for beginning o"),
		text("a plan that is a list", "[]", "it is no plan: json: cannot unmarshal array into Go value of"),
		text("a plan of a format to come", `{"format":99}`, "it has format 99, and this archbuild reads 1"),
		of("a plan of no service", file("plan.json", `{"format":1,"services":[]}`), 2, "it has several services, and none with these tags"),
		text("a plan whose services are a word", `{"format":1,"services":"all"}`, "it is no plan: json: cannot unmarshal string into Go struct"),
		text("a plan with an unknown field", `{"format":1,"evil":true}`, "it is no plan: json: unknown field \"evil\""),
	}
}
