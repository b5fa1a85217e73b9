package inputs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// zeros is a digest of nothing that is there.
var zeros = "sha256:" + strings.Repeat("0", 64)

// layouts are bad OCI layouts, as verify and manifest inspect read them.
func layouts() []row {
	rows := append(layoutFolders(), layoutIndexes()...)
	rows = append(rows, layoutManifests()...)
	rows = append(rows, layoutTrees()...)
	for i := range rows {
		if rows[i].args == nil {
			rows[i].args = words("verify ./img --deep")
		}
		if rows[i].code == 0 {
			rows[i].code = 3
		}
	}
	return rows
}

// bad is a row of a layout that cannot be looked at: exit status 1.
func unreadable(what string, build func(*layout), says string) row {
	return row{bad: what, in: []maker{inLayout("img", build)}, code: 1, says: says}
}

// wrong is a row of a layout in which verify finds something.
func wrong(what string, build func(*layout), says string) row {
	return row{bad: what, in: []maker{inLayout("img", build)}, says: says}
}

// text is a layout whose index.json is this text.
func text(index string) func(*layout) {
	return func(l *layout) { l.files["index.json"] = []byte(index) }
}

// good is a layout of one image.
func good(l *layout) { l.root(l.image("amd64", hello())) }

func layoutFolders() []row {
	folderOf := func(what string, code int, says string, in ...maker) row {
		return row{bad: what, in: in, code: code, says: says}
	}
	rows := []row{
		folderOf("a layout that is not there", 2, "no such file or folder"),
		folderOf("a layout that is an empty folder", 1, "it has no index.json", folder("img")),
		folderOf("a layout without index.json", 1, "it has no index.json", file("img/oci-layout", `{"imageLayoutVersion":"1.0.0"}`), folder("img/blobs/sha256")),
		folderOf("a layout whose index.json is a folder", 1, "it has no index.json", folder("img/index.json")),
		folderOf("a layout whose index.json is a pipe nobody writes to", 1, "it has no index.json", fifo("img/index.json")),
		folderOf("a layout whose index.json is a link to itself", 1, "it has no index.json", link("img/index.json", "index.json")),
		folderOf("a layout whose index.json is a link to a device without an end", 1, "it has no index.json", link("img/index.json", "/dev/zero")),
		folderOf("a layout whose index.json is a terabyte", 1, "reading layout ./img: reading index.json: larger than 419430", sparse("img/index.json", 1<<40)),
		folderOf("a layout whose index.json is 3 MB of brackets", 1, "reading layout ./img: index.json: invalid character '[' exce", repeated("img/index.json", `{"manifests":`, "[", 3_000_000, "")),
		folderOf("a layout whose index.json has a hundred thousand entries", 1, "reading layout ./img: index.json lists too many manifests", repeated("img/index.json", `{"schemaVersion":2,"manifests":[{}`, ",{}", 100_000, "]}")),
		folderOf("a layout whose index.json is 3 MB of one key", 1, "./img holds no image", repeated("img/index.json", `{"`, "a", 3_000_000, `":1}`)),
		folderOf("a layout whose blobs are a link to themselves", 1, "opening blob", inLayout("img", good), remove("img/blobs"), link("img/blobs", "blobs")),
		folderOf("a layout whose blobs are a file", 1, "opening blob", inLayout("img", good), remove("img/blobs"), file("img/blobs", "")),
	}
	shut := folderOf("a layout that nobody may read", 1, "reading layout ./img: openat index.json: permission denied", inLayout("img", good), closed("img/index.json"))
	shut.unprivileged = true
	return append(rows, shut)
}

// remove takes something away again.
func remove(name string) maker { return func(dir string) error { return removed(dir, name) } }

func layoutIndexes() []row {
	return []row{
		unreadable("an index.json that is empty", text(""), "reading layout ./img: index.json: unexpected end of JSON inp"),
		unreadable("an index.json that is no JSON", text("hello"), "reading layout ./img: index.json: invalid character 'h' look"),
		unreadable("an index.json that is cut", text(`{"schemaVersion":2,"manifests":[`), "reading layout ./img: index.json: unexpected end of JSON inp"),
		unreadable("an index.json that is a list", text("[]"), "reading layout ./img: index.json: json: cannot unmarshal arr"),
		unreadable("an index.json that is null", text("null"), "./img holds no image"),
		unreadable("an index.json whose manifests are a word", text(`{"schemaVersion":2,"manifests":"all"}`), "reading layout ./img: index.json: json: cannot unmarshal str"),
		unreadable("an index.json whose manifests are numbers", text(`{"schemaVersion":2,"manifests":[1]}`), "reading layout ./img: index.json: json: cannot unmarshal num"),
		unreadable("an index.json that lists nothing", text(`{"schemaVersion":2,"manifests":[]}`), "./img holds no image"),
		unreadable("an index.json in UTF-16", text(wide(`{"schemaVersion":2,"manifests":[]}`, false)), "reading layout ./img: index.json: invalid character 'ÿ' look"),
		unreadable("a digest that is a path upwards", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"sha256:../../../../outside/secret","size":21}]}`), "reading layout ./img: index.json: found non-hex character in"),
		unreadable("a digest that is an absolute path", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"sha256:/etc/passwd","size":21}]}`), "reading layout ./img: index.json: found non-hex character in"),
		unreadable("a digest whose algorithm is a path", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"../../x:`+zeros[7:]+`","size":21}]}`), "reading layout ./img: index.json: unsupported hash: \"../../"),
		unreadable("a digest in capitals", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"sha256:`+strings.Repeat("AB", 32)+`","size":21}]}`), "reading layout ./img: index.json: found non-hex character in"),
		unreadable("a digest that is too short", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"sha256:abcd","size":21}]}`), "reading layout ./img: index.json: wrong number of hex digits"),
		unreadable("a digest of an algorithm that nobody trusts", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"md5:`+strings.Repeat("ab", 16)+`","size":21}]}`), "reading layout ./img: index.json: unsupported hash: \"md5\""),
		unreadable("a digest that is empty", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"","size":21}]}`), "reading layout ./img: index.json: cannot parse hash: \"\""),
		unreadable("a digest with a NUL byte", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"sha256:a\u0000b","size":21}]}`), "reading layout ./img: index.json: found non-hex character in"),
		unreadable("a manifest that is not there", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"`+zeros+`","size":21}]}`), "is not there"),
		unreadable("a size that is a word", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"`+zeros+`","size":"big"}]}`), "reading layout ./img: index.json: json: cannot unmarshal str"),
		unreadable("a size that no number holds", text(`{"schemaVersion":2,"manifests":[{"mediaType":"`+typeManifest+`","digest":"`+zeros+`","size":99999999999999999999}]}`), "reading layout ./img: index.json: json: cannot unmarshal num"),
		unreadable("a manifest of a terabyte, by its descriptor", func(l *layout) { l.root(l.image("amd64", hello()).with(fields{"size": 1 << 40})) }, "has 1099511627776 bytes by its descriptor, and no document m"),
	}
}

func layoutManifests() []row {
	one := func(mediaType string, body string) func(*layout) {
		return func(l *layout) { l.root(l.put(mediaType, []byte(body))) }
	}
	of := func(change func(l *layout, m fields) fields) func(*layout) {
		return func(l *layout) {
			layer := hello()
			l.root(l.doc(typeManifest, change(l, manifest(l.doc(typeConfig, config("amd64", layer)), l.put(typeLayer, layer)))))
		}
	}
	own := "sha256:" + strings.TrimPrefix(blobName(hello()), "blobs/sha256/") // of the layer, which is not compressed
	configured := func(change fields) func(*layout) {
		return of(func(l *layout, m fields) fields {
			return m.with(fields{"config": l.doc(typeConfig, config("amd64", hello()).with(change))})
		})
	}
	return []row{
		unreadable("a manifest that is no JSON", one(typeManifest, "hello"), "it is no manifest: invalid character 'h' looking for beginni"),
		unreadable("a manifest that is empty", one(typeManifest, ""), "it is no manifest: unexpected end of JSON input"),
		unreadable("a manifest that is a list", one(typeManifest, "[]"), "it is no manifest: json: cannot unmarshal array into Go valu"),
		unreadable("a manifest that is neither an image nor an index", one(typeManifest, "{}"), "it is neither an image nor an index"),
		unreadable("a manifest of Docker's old schema 1", one(typeManifest, `{"schemaVersion":1,"fsLayers":[]}`), "it is an image of Docker's old schema 1, which is no longer"),
		unreadable("a manifest that is an image and an index at once", of(func(_ *layout, m fields) fields { return m.with(fields{"manifests": []fields{}}) }), "it is an image and an index at once"),
		unreadable("an index with the layers of an image", one(typeIndex, `{"schemaVersion":2,"mediaType":"`+typeIndex+`","manifests":[],"layers":[]}`), "it is an image and an index at once"),
		unreadable("a manifest whose layers are a word", of(func(_ *layout, m fields) fields { return m.with(fields{"layers": "all"}) }), "it is no manifest: a list is expected"),
		unreadable("a manifest whose layers are numbers", of(func(_ *layout, m fields) fields { return m.with(fields{"layers": []int{1}}) }), "it is no manifest: json: cannot unmarshal number into Go str"),
		unreadable("a manifest whose annotations are a list", of(func(_ *layout, m fields) fields { return m.with(fields{"annotations": []int{}}) }), "it is no manifest: json: cannot unmarshal array into Go stru"),
		unreadable("a manifest with twenty thousand layers", of(func(_ *layout, m fields) fields { return m.with(fields{"layers": make([]fields, 20_000)}) }), "it is no manifest: a list has more than 10000 entries"),
		unreadable("a config of a terabyte, by its descriptor", of(func(l *layout, m fields) fields {
			return m.with(fields{"config": m["config"].(fields).with(fields{"size": 1 << 40})})
		}), "has 1099511627776 bytes by its descriptor, and no document m"),
		unreadable("a manifest without a config", of(func(_ *layout, m fields) fields { return m.with(fields{"config": fields{}}) }), "./img holds no image for a platform"),
		wrong("a config that is not there", of(func(_ *layout, m fields) fields {
			return m.with(fields{"config": m["config"].(fields).with(fields{"digest": zeros})})
		}), "is not there"),
		wrong("a config whose size is a lie", of(func(_ *layout, m fields) fields {
			return m.with(fields{"config": m["config"].(fields).with(fields{"size": 7})})
		}), "has 184 bytes, its descriptor says 7"),
		wrong("a config whose size is negative", of(func(_ *layout, m fields) fields {
			return m.with(fields{"config": m["config"].(fields).with(fields{"size": -7})})
		}), "has 184 bytes, its descriptor says -7"),
		wrong("a config that is no JSON", of(func(l *layout, m fields) fields { return m.with(fields{"config": l.put(typeConfig, []byte("hello"))}) }), "invalid character 'h'"),
		wrong("a config that is a list", of(func(l *layout, m fields) fields { return m.with(fields{"config": l.put(typeConfig, []byte("[]"))}) }), "cannot unmarshal array"),
		wrong("a config whose rootfs is a word", configured(fields{"rootfs": "layers"}), "cannot unmarshal string"),
		wrong("a config whose date is none", configured(fields{"created": "yesterday"}), "parsing time"),
		wrong("a config whose platform is a number", configured(fields{"architecture": 64}), "cannot unmarshal number"),
		wrong("a config with more layers than the manifest", configured(fields{"rootfs": fields{"type": "layers", "diff_ids": []string{own, zeros, zeros}}}), "the config of the image for linux/amd64 names 3 layers, its"),
		wrong("a layer that is not there", of(func(_ *layout, m fields) fields {
			return m.with(fields{"layers": []fields{{"mediaType": typeLayer, "digest": zeros, "size": 7}}})
		}), "is not there"),
		wrong("a layer whose size is a lie", of(func(_ *layout, m fields) fields {
			return m.with(fields{"layers": []fields{m["layers"].([]fields)[0].with(fields{"size": 7})}})
		}), "has 2048 bytes, its descriptor says 7"),
		wrong("a layer whose digest is a path", of(func(_ *layout, m fields) fields {
			return m.with(fields{"layers": []fields{m["layers"].([]fields)[0].with(fields{"digest": "sha256:../../index.json"})}})
		}), "\"sha256:../../index.json\" is no digest"),
		wrong("a layer whose size is negative", of(func(_ *layout, m fields) fields {
			return m.with(fields{"layers": []fields{m["layers"].([]fields)[0].with(fields{"size": -1})}})
		}), "has 2048 bytes, its descriptor says -1"),
		wrong("a layer that is fetched from somebody else's server", of(func(_ *layout, m fields) fields {
			return m.with(fields{"layers": []fields{{"mediaType": typeLayer, "digest": zeros, "size": 7, "urls": []string{"https://evil.example/layer"}}}})
		}), "found layer"),
		wrong("a layer that is fetched from the metadata of a cloud", of(func(_ *layout, m fields) fields {
			return m.with(fields{"layers": []fields{{"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "digest": zeros, "size": 7, "urls": []string{"http://169.254.169.254/"}}}})
		}), "found layer"),
		wrong("a layer whose bytes are not those of its digest", func(l *layout) {
			l.root(l.image("amd64", hello()))
			l.files[blobName(hello())] = append([]byte("x"), hello()[1:]...)
		}, "holds other bytes: their digest is"),
		wrong("a layer that is cut", func(l *layout) {
			l.root(l.image("amd64", hello()))
			l.files[blobName(hello())] = hello()[:100]
		}, "holds other bytes: their digest is"),
		{bad: "a layer that is a link to a file outside", in: []maker{inLayout("img", good), func(dir string) error {
			path := filepath.Join(dir, "img", blobName(hello()))
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink("../../../../../outside/secret", path)
		}}, code: 1, says: "looking for"},
		{bad: "a layer that is a pipe nobody writes to", in: []maker{inLayout("img", good), remove("img/" + blobName(hello())), fifo("img/" + blobName(hello()))}, code: 1, says: "looking for"},
		{bad: "a layer that is a folder", in: []maker{inLayout("img", good), remove("img/" + blobName(hello())), folder("img/" + blobName(hello()))}, code: 1, says: "looking for"},
		{bad: "a layer that is a link to a device without an end", in: []maker{inLayout("img", good), remove("img/" + blobName(hello())), link("img/"+blobName(hello()), "/dev/zero")}, code: 1, says: "looking for"},
	}
}

func layoutTrees() []row {
	many := func(n int) func(*layout) {
		return func(l *layout) {
			image, list := l.image("amd64", hello()), []fields{}
			for i := range n {
				list = append(list, image.with(fields{"platform": fields{"os": "linux", "architecture": fmt.Sprintf("arch%d", i)}}))
			}
			l.root(l.list(list...))
		}
	}
	nested := func(n int) func(*layout) {
		return func(l *layout) {
			at := l.image("amd64", hello())
			for range n {
				at = l.list(at)
			}
			l.root(at)
		}
	}
	listed := func(change func(l *layout, image fields) []fields) func(*layout) {
		return func(l *layout) { l.root(l.list(change(l, l.image("amd64", hello()))...)) }
	}
	return []row{
		unreadable("indexes nested five deep", nested(5), "indexes are nested deeper than 4"),
		unreadable("indexes nested a thousand deep", nested(1000), "indexes are nested deeper than 4"),
		unreadable("an index of 1,001 images", many(1001), "the index lists more than 1000 manifests"),
		unreadable("an index of five thousand images", many(5000), "the index lists more than 1000 manifests"),
		wrong("an index that lists a platform twice", listed(func(l *layout, image fields) []fields {
			return []fields{image, l.image("amd64", tarred(entry{name: "app", body: "other"})).with(fields{"platform": fields{"os": "linux", "architecture": "amd64"}})}
		}), "(linux/amd64) and"),
		wrong("an index that lists an image for another platform than its config", listed(func(_ *layout, image fields) []fields {
			return []fields{image.with(fields{"platform": fields{"os": "linux", "architecture": "arm64"}})}
		}), "found linux/amd64 in the image config, wanted linux/arm64"),
		wrong("an index that lists an image that is not there", listed(func(_ *layout, image fields) []fields {
			return []fields{image, image.with(fields{"digest": zeros, "platform": fields{"os": "linux", "architecture": "arm64"}})}
		}), "is not there"),
		wrong("an index that lists an image under another type", listed(func(_ *layout, image fields) []fields {
			return []fields{image.with(fields{"mediaType": "application/vnd.docker.distribution.manifest.v2+json"})}
		}), "is of type application/vnd.oci.image.manifest.v1+json, its d"),
		wrong("an index that lists an image with another size", listed(func(_ *layout, image fields) []fields {
			return []fields{image.with(fields{"size": 7})}
		}), "has 397 bytes, its descriptor says 7"),
		wrong("an index that lists an index as an image", func(l *layout) {
			l.root(l.list(l.list(l.image("amd64", hello())).with(fields{"mediaType": typeManifest})))
		}, "is of type application/vnd.oci.image.index.v1+json, its desc"),
		wrong("an index that lists a digest that is a path, beside a good image", listed(func(_ *layout, image fields) []fields {
			return []fields{image, image.with(fields{"digest": "sha256:../../../x", "platform": fields{"os": "linux", "architecture": "arm64"}})}
		}), "\"sha256:../../../x\" is no digest"),
		{bad: "a platform that the index does not have", in: []maker{inLayout("img", good)}, args: words("verify ./img --platform linux/s390x"), code: 1, says: "./img has no image for linux/s390x"},
	}
}
