package inputs

// specs are bad specs of manifest-tool.
func specs() []row {
	of := func(bad, text, says string) row {
		return row{bad: bad, args: words("manifest push from-spec spec.yaml"), in: []maker{file("spec.yaml", text)}, code: 1, says: says}
	}
	in := func(bad string, m maker, says string) row {
		return row{bad: bad, args: words("manifest push from-spec spec.yaml"), in: []maker{m}, code: 1, says: says}
	}
	args := func(bad string, words []string, says string) row {
		return row{bad: bad, args: append([]string{"manifest", "push", "from-args"}, words...), code: 2, says: says}
	}
	const image, child = "image: registry.example/app:1\n", "  - image: registry.example/app:amd64\n"
	missing := in("a spec that is not there", folder("none"), "no such file")
	missing.code = 2
	return []row{
		missing,
		of("a spec that is empty", "", "the file holds no spec"),
		of("a spec that is a word", "hello\n", "expected a mapping (key: value)"),
		of("a spec that is a list", "- image: a\n", "expected a mapping (key: value)"),
		of("a spec that is no YAML", "image: [\n", "no valid YAML: did not find expected node content"),
		of("a spec with a tab", "image: a\nmanifests:\n\t- image: b\n", "no valid YAML: found character that cannot start any token"),
		of("a spec without an image", "manifests:\n"+child, "is missing"),
		of("a spec without manifests", image, "is missing"),
		of("a spec with an empty list of manifests", image+"manifests: []\n", "names no image"),
		of("a spec whose manifests are a word", image+"manifests: all\n", "expected a list"),
		of("a spec whose manifests are a mapping", image+"manifests: {a: b}\n", "expected a list"),
		of("a spec whose manifest is a word", image+"manifests: [registry.example/a]\n", "expected a mapping (key: value)"),
		of("a spec whose manifest has no image", image+"manifests:\n  - platform: {os: linux, architecture: amd64}\n", "is missing"),
		of("a spec whose image is in capitals", "image: registry.example/App:1\nmanifests:\n"+child, "\"registry.example/App:1\" names no image: invalid reference"),
		of("a spec whose image is a list", "image: [a]\nmanifests:\n"+child, "expected a single value"),
		of("a spec whose image is null", "image:\nmanifests:\n"+child, "is missing"),
		of("a spec whose image has a digest", "image: registry.example/app@"+zeros+"\nmanifests:\n"+child, "image \"registry.example/app@"),
		of("a spec whose child is in capitals", image+"manifests:\n  - image: registry.example/App\n", "\"registry.example/App\" names no image: invalid reference f"),
		of("a spec whose child is a URL", image+"manifests:\n  - image: https://registry.example/app\n", "\"https://registry.example/app\" names no image: invalid ref"),
		of("a spec whose child has an escape sequence", image+"manifests:\n  - image: \"registry.example/\\e[31mapp\"\n", "\"registry.example/"),
		of("a spec whose platform is a word", image+"manifests:\n  - image: registry.example/a\n    platform: linux/amd64\n", "expected a mapping (key: value)"),
		of("a spec whose platform is a list", image+"manifests:\n  - image: registry.example/a\n    platform: [linux, amd64]\n", "expected a mapping (key: value)"),
		of("a spec with a key twice", image+image+"manifests:\n"+child, "\"image\" is given twice, first on line 1"),
		of("a spec whose tags are a mapping", image+"tags: {a: b}\nmanifests:\n"+child, "expected a list"),
		of("a spec with a tag that is none", image+"tags: [\"a b\"]\nmanifests:\n"+child, "\"a b\" is no tag"),
		of("a spec whose annotations are a list", image+"annotations: [a]\nmanifests:\n"+child, "expected a mapping (key: value)"),
		of("a spec with an argument of the environment that is not set", "image: ${NOWHERE}/app\nmanifests:\n"+child, "the variable NOWHERE is not set"),
		of("a spec with an open argument of the environment", "image: ${NOWHERE\nmanifests:\n"+child, "\"${NOWHERE\" is no variable"),
		of("a spec with an anchor that is not there", image+"manifests: *nowhere\n", "no valid YAML: unknown anchor 'nowhere' referenced"),
		of("a spec with a NUL byte", "image: a\x00b\nmanifests:\n"+child, "no valid YAML: control characters are not allowed"),
		of("a spec in UTF-16", wide(image, false), "is missing"),
		in("a spec of brackets, ten thousand deep", repeated("spec.yaml", "image: ", "[", 10_000, "\n"), "no valid YAML: did not find expected node content"),
		in("a spec of a terabyte", sparse("spec.yaml", 1<<40), "the file is larger than 1 MB"),
		in("a spec that is a folder", folder("spec.yaml"), "read spec.yaml: is a directory"),
		in("a spec that is a link to itself", link("spec.yaml", "spec.yaml"), "open spec.yaml: too many levels of symbolic links"),
		args("a list of platforms that is missing", words("--template registry.example/app-ARCH --target registry.example/app:1"), "is missing"),
		args("a pattern of names that is missing", words("--platforms linux/amd64 --target registry.example/app:1"), "is missing"),
		args("a target that is missing", words("--platforms linux/amd64 --template registry.example/app-ARCH"), "is missing"),
		args("a list with a platform that does not exist", words("--platforms linux/nonsense --template registry.example/app-ARCH --target registry.example/app:1"), "\"linux/nonsense\" is not a platform in the form os/arch or"),
		args("a pattern in capitals", words("--platforms linux/amd64 --template registry.example/App-ARCH --target registry.example/app:1"), "\"registry.example/App-amd64\" names no image: invalid refer"),
		args("a target in capitals", words("--platforms linux/amd64 --template registry.example/app-ARCH --target registry.example/App:1"), "\"registry.example/App:1\" names no image: invalid reference"),
	}
}
