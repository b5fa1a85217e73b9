package inputs

import "strings"

// archbuildYAML is a row of an archbuild.yaml beside a good Dockerfile.
func archbuildYAML(bad, text, says string) row {
	return row{bad: bad, in: []maker{file("archbuild.yaml", text), file("Dockerfile", "FROM scratch\n")}, says: says}
}

// yamls are bad archbuild.yaml.
func yamls() []row {
	rows := append(yamlSyntax(), yamlKeys()...)
	rows = append(rows, yamlSizes()...)
	for i := range rows {
		rows[i].args, rows[i].code = words("plan . --offline"), 1
	}
	return rows
}

// yamlSyntax is what YAML does not allow, or allows and nobody should use.
func yamlSyntax() []row {
	return []row{
		archbuildYAML("a tab in the indentation", "args:\n\tA: 1\n", "no valid YAML: found character '\t' that cannot start any to"),
		archbuildYAML("a bracket that is not closed", "platforms: [linux/amd64\n", "no valid YAML: sequence end token ']' not found"),
		archbuildYAML("a brace that is not closed", "args: {A: 1\n", "no valid YAML: could not find flow mapping end token '}'"),
		archbuildYAML("a quote that is not closed", "args: {A: \"x}\n", "no valid YAML: could not find end character of double-quoted"),
		archbuildYAML("a bracket closed by a brace", "platforms: [linux/amd64}\n", "no valid YAML: sequence end token ']' not found"),
		archbuildYAML("an alias of an anchor that is not there", "args: *nowhere\n", "an alias (*) without an anchor (&)"),
		archbuildYAML("an alias of an anchor that is not there, in a list", "platforms: [*nowhere]\n", "an alias (*) without an anchor (&)"),
		archbuildYAML("an alias of itself", "target: &a [*a]\n", "expected a single value"),
		archbuildYAML("a merge key", "args: {<<: {A: 1}}\n", "merge keys (<<) are not read"),
		archbuildYAML("a complex key", "? [a, b]\n: c\n", "no valid YAML: found an invalid key for this map"),
		archbuildYAML("a list as a key", "args:\n  [a, b]: c\n", "no valid YAML: found an invalid key for this map"),
		archbuildYAML("a mapping as a key", "args:\n  {a: b}: c\n", "no valid YAML: found an invalid key for this map"),
		archbuildYAML("a second document", "args: {A: 1}\n---\nargs: {B: 1}\n", "a second document"),
		archbuildYAML("a tag that would make an object", "args: !!python/object:os.system {A: 1}\n", "expected a mapping (key: value)"),
		archbuildYAML("a binary value", "args: {A: !!binary SGVsbG8=}\n", "expected a single value"),
		archbuildYAML("a NUL byte in a value", "args: {A: \"a\\0b\"}\n", "the value holds a NUL byte"),
		archbuildYAML("a raw NUL byte", "args: {A: a\x00b}\n", "the value holds a NUL byte"),
		archbuildYAML("an escape that does not exist", "args: {A: \"\\q\"}\n", "no valid YAML: found unknown escape character 'q'"),
		archbuildYAML("an escape of half a character", "args: {A: \"\\u12\"}\n", "no valid YAML: could not find end character of double-quoted"),
		archbuildYAML("a byte that is no UTF-8, in a key", "\xff\xfe: 1\n", "unknown key \""),
		archbuildYAML("archbuild.yaml in UTF-16", wide("args: {A: 1}\n", false), "expected a mapping (key: value)"),
		archbuildYAML("JSON that is not closed", "{\"args\": {\"A\": \"1\"}", "no valid YAML: could not find flow mapping end token '}'"),
		archbuildYAML("XML in the place of YAML", "<args><A>1</A></args>\n", "expected a mapping (key: value)"),
		archbuildYAML("TOML in the place of YAML", "[args]\nA = 1\n", "no valid YAML: value is not allowed in this context"),
		archbuildYAML("a word in the place of a mapping", "hello\n", "expected a mapping (key: value)"),
		archbuildYAML("a number in the place of a mapping", "42\n", "expected a mapping (key: value)"),
		archbuildYAML("a list in the place of a mapping", "- platforms\n- args\n", "expected a mapping (key: value)"),
		archbuildYAML("a value indented less than its key's neighbour", "args:\n    A: 1\n  B: 2\n", "no valid YAML: value is not allowed in this context"),
		archbuildYAML("two values on one line", "args: {A: 1} {B: 2}\n", "no valid YAML: value is not allowed in this context"),
		archbuildYAML("a block text without its text's indentation", "args:\n  A: |\n x\n", "no valid YAML: value is not allowed in this context"),
		archbuildYAML("a percent directive that does not exist", "%FOO bar\n---\nargs: {A: 1}\n", "a second document"),
		archbuildYAML("a sign that is kept for later", "args: {A: @x}\n", "no valid YAML: '@' is a reserved character"),
		archbuildYAML("a backquote", "args: {A: `x`}\n", "no valid YAML: '`' is a reserved character"),
		archbuildYAML("a merge in Git that was not finished", "<<<<<<< HEAD\nargs: {A: 1}\n=======\nargs: {A: 2}\n>>>>>>> other\n", "no valid YAML: invalid header option: \">>>>>> other\""),
	}
}

// yamlKeys is what the keys do not take.
func yamlKeys() []row {
	return []row{
		archbuildYAML("a key in capitals", "Args: {A: 1}\n", "unknown key \"Args\""),
		archbuildYAML("a key with a letter too few", "platfoms: [linux/amd64]\n", "unknown key \"platfoms\""),
		archbuildYAML("a key of nothing that is known", "color: blue\n", "unknown key \"color\""),
		archbuildYAML("an empty key", "\"\": 1\n", "unknown key \"\""),
		archbuildYAML("a key that is a number", "1: 2\n", "unknown key \"1\""),
		archbuildYAML("a key given twice", "args: {A: 1}\nargs: {B: 1}\n", "\"args\" is given twice, first on line 1"),
		archbuildYAML("nodes in a file that comes with the source", "nodes: [tcp://evil.example:1234]\n", "nodes are not taken from a file that comes with the source:"),
		archbuildYAML("mirrors in a file that comes with the source", "mirrors: [evil.example]\n", "registries are not configured here"),
		archbuildYAML("insecure registries in a file that comes with the source", "insecure: [evil.example]\n", "registries are not configured here"),
		archbuildYAML("credentials in a file that comes with the source", "auths: {registry.example: {auth: YTpi}}\n", "credentials are not taken from this file"),
		archbuildYAML("a command in a file that comes with the source", "commands: [curl evil.example]\n", "no file makes archbuild run commands"),
		archbuildYAML("secrets in a file that comes with the source", "secrets: [{id: a, src: /etc/shadow}]\n", "secrets and keys are not named in a file"),
		archbuildYAML("platforms that are a word", "platforms: linux/amd64\n", "expected a list"),
		archbuildYAML("platforms that are a mapping", "platforms: {linux/amd64: yes}\n", "expected a list"),
		archbuildYAML("platforms that are a list of lists", "platforms: [[linux/amd64]]\n", "expected a single value"),
		archbuildYAML("platforms that are an empty list", "platforms: []\n", "the list of platforms is empty"),
		archbuildYAML("a platform that is empty", "platforms: [\"\"]\n", "unknown platform \"\""),
		archbuildYAML("a platform that is null", "platforms: [null]\n", "a value is missing here"),
		archbuildYAML("a platform that is a number", "platforms: [64]\n", "unknown platform \"64\""),
		archbuildYAML("a platform that does not exist", "platforms: [linux/nonsense]\n", "unknown platform \"linux/nonsense\""),
		archbuildYAML("a platform with four parts", "platforms: [linux/arm/v7/hard]\n", "unknown platform \"linux/arm/v7/hard\""),
		archbuildYAML("a platform with an escape sequence", "platforms: [\"linux/\\e[31m\"]\n", "unknown platform \"linux/"),
		archbuildYAML("a platform given twice", "platforms: [linux/arm64, arm64]\n", "\"arm64\" is given twice, first on line 1"),
		archbuildYAML("a platform under its name of another tool", "platforms: [x86-pc-linux-gnu-none]\n", "unknown platform \"x86-pc-linux-gnu-none\""),
		archbuildYAML("a default that is a list", "default: [linux/amd64]\n", "expected a single value"),
		archbuildYAML("a default that is no platform", "default: nowhere/none\n", "unknown platform \"nowhere/none\""),
		archbuildYAML("a default without a value", "default:\n", "a value is missing here"),
		archbuildYAML("bases that are a list", "bases: [debian]\n", "expected a mapping (key: value)"),
		archbuildYAML("bases that are a word", "bases: debian\n", "expected a mapping (key: value)"),
		archbuildYAML("a base whose new name is a list", "bases: {debian: [a, b]}\n", "expected a single value"),
		archbuildYAML("a base whose new name is missing", "bases: {debian: }\n", "a value is missing here"),
		archbuildYAML("a base whose new name is empty", "bases: {debian: \"\"}\n", "\"\" is no image reference: invalid reference format"),
		archbuildYAML("a base whose new name is in capitals", "bases: {debian: Debian}\n", "\"Debian\" is no image reference: invalid reference format:"),
		archbuildYAML("a base whose old name is in capitals", "bases: {Debian: debian}\n", "\"Debian\" is no image reference: invalid reference format:"),
		archbuildYAML("a base whose old name is a URL", "bases: {\"https://registry.example/a\": debian}\n", "\"https://registry.example/a\" is no image reference: invali"),
		archbuildYAML("a base for a platform that does not exist", "bases: {debian: {linux/nonsense: a}}\n", "unknown platform \"linux/nonsense\""),
		archbuildYAML("a base given twice for a platform", "bases: {debian: {linux/arm64: a, arm64: b}}\n", "\"arm64\" is given twice, first on line 1"),
		archbuildYAML("a base given twice under two names of it", "bases: {debian: a, docker.io/library/debian: b}\n", "two rules fight: debian=a (archbuild.yaml:1:17) and docker.i"),
		archbuildYAML("a base with more stars than its old name", "bases: {\"debian:*\": \"mirror.example/*/debian:*\"}\n", "mirror.example/*/debian:* has 2 wildcards, but debian:* only"),
		archbuildYAML("a base by a regular expression that is none", "bases: {\"~quay.io/(.*\": mirror.example/a}\n", "\"quay.io/(.*\" is no regular expression: error parsing rege"),
		archbuildYAML("a base by a regular expression of another tool", "bases: {\"~quay.io/(?=a)\": mirror.example/a}\n", "\"quay.io/(?=a)\" is no regular expression: error parsing re"),
		archbuildYAML("a base by a regular expression that takes a group it has not", "bases: {\"~quay.io/a\": \"mirror.example/$3\"}\n", "$3 is no group of the regular expression \"quay.io/a\""),
		archbuildYAML("a base by a regular expression of ten thousand repetitions", "bases: {\"~(a{1000}){1000}\": mirror.example/a}\n", "\"(a{1000}){1000}\" is no regular expression: error parsing"),
		archbuildYAML("a base with a digest that is a path", "bases: {debian: \"debian@sha256:../../x\"}\n", "\"debian@sha256:../../x\" is no image reference: invalid ref"),
		archbuildYAML("a base with a line break in it", "bases: {debian: \"a\\nb\"}\n", "archbuild.yaml:1:17: \"a"),
		archbuildYAML("arguments that are a list", "args: [A=1]\n", "expected a mapping (key: value)"),
		archbuildYAML("arguments that are a word", "args: A\n", "expected a mapping (key: value)"),
		archbuildYAML("an argument whose name has a hyphen", "args: {MY-ARG: 1}\n", "\"MY-ARG\" cannot be the name of a build argument"),
		archbuildYAML("an argument whose name begins with a digit", "args: {1A: 1}\n", "\"1A\" cannot be the name of a build argument"),
		archbuildYAML("an argument whose value is a list", "args: {A: [1, 2]}\n", "expected a single value"),
		archbuildYAML("an argument without a value", "args:\n  A:\n", "a value is missing here"),
		archbuildYAML("an argument given twice for a platform", "args: {linux/arm64: {A: 1}, arm64: {A: 2}}\n", "\"A\" is given twice, first on line 1"),
		archbuildYAML("arguments of a platform that does not exist", "args: {linux/nonsense: {A: 1}}\n", "unknown platform \"linux/nonsense\""),
		archbuildYAML("arguments of a platform nested once more", "args: {linux/arm64: {A: {B: 1}}}\n", "expected a single value"),
		archbuildYAML("a target that is a list", "target: [a, b]\n", "expected a single value"),
		archbuildYAML("a target that no stage is called", "target: app\n", "Dockerfile has no stage \"app\""),
		archbuildYAML("a target for a platform that does not exist", "target: {linux/nonsense: app}\n", "unknown platform \"linux/nonsense\""),
		archbuildYAML("verify that is a word", "verify: off\n", "expected a mapping (key: value)"),
		archbuildYAML("verify of a mode that does not exist", "verify: {mode: maybe}\n", "unknown verify mode \"maybe\""),
		archbuildYAML("verify of a mode that is a list", "verify: {mode: [fail]}\n", "expected a single value"),
		archbuildYAML("verify with an unknown key", "verify: {ignore: [a]}\n", "unknown key \"ignore\""),
		archbuildYAML("verify that allows a word", "verify: {allow: a}\n", "expected a list"),
		archbuildYAML("verify that allows what is no glob", "verify: {allow: [\"a[\"]}\n", "\"a[\" is no glob: syntax error in pattern"),
		archbuildYAML("a Dockerfile of a platform that lies above the folder", "dockerfiles: {linux/arm64: ../Dockerfile}\n", "\"../Dockerfile\" is not below the folder of archbuild.yaml"),
		archbuildYAML("a Dockerfile of a platform by an absolute path", "dockerfiles: {linux/arm64: /etc/passwd}\n", "\"/etc/passwd\" is not below the folder of archbuild.yaml"),
		archbuildYAML("a Dockerfile of a platform without a name", "dockerfiles: {linux/arm64: \"\"}\n", "\"\" is not below the folder of archbuild.yaml"),
		archbuildYAML("Dockerfiles that are a list", "dockerfiles: [Dockerfile.arm64]\n", "expected a mapping (key: value)"),
		archbuildYAML("a Dockerfile of a platform that does not exist", "dockerfiles: {linux/nonsense: Dockerfile.x}\n", "unknown platform \"linux/nonsense\""),
		archbuildYAML("cross that is no mode", "cross: sometimes\n", "unknown cross mode \"sometimes\""),
		archbuildYAML("cross that is a list", "cross: [auto]\n", "expected a single value"),
		archbuildYAML("cross of a stage in no mode", "cross: {build: 1}\n", "unknown cross mode \"1\""),
		archbuildYAML("cross of a stage given twice", "cross: {build: off, BUILD: auto}\n", "\"BUILD\" is given twice, first on line 1"),
		archbuildYAML("ci that is a word", "ci: github\n", "expected a mapping (key: value)"),
		archbuildYAML("ci with an unknown key", "ci: {machines: a}\n", "unknown key \"machines\""),
		archbuildYAML("a runner whose label has two lines", "ci: {runners: \"a\\nb\"}\n", "archbuild.yaml:1:15: \"a"),
		archbuildYAML("a runner whose label is empty", "ci: {runners: \"\"}\n", "\"\" is no label of a runner"),
		archbuildYAML("a runner whose label is a list", "ci: {runners: {linux/arm64: [a, b]}}\n", "expected a single value"),
		archbuildYAML("a runner for a platform that does not exist", "ci: {runners: {linux/nonsense: a}}\n", "unknown platform \"linux/nonsense\""),
	}
}

// yamlSizes are files that cost more to read than they are worth.
func yamlSizes() []row {
	in := func(bad string, m maker, says string) row {
		return row{bad: bad, in: []maker{m, file("Dockerfile", "FROM scratch\n")}, says: says}
	}
	bomb := "&a0 [x, x, x, x, x, x, x, x, x]"
	for i := range 30 {
		bomb += ", &a" + number(i+1) + " [" + strings.TrimSuffix(strings.Repeat("*a"+number(i)+", ", 9), ", ") + "]"
	}
	return []row{
		in("a laugh of a billion aliases", file("archbuild.yaml", "bases: {debian: ["+bomb+"]}\n"), "expected a single value"),
		in("two thousand aliases", repeated("archbuild.yaml", "args:\n  A: &p x\n", "  B: *p\n", 0, strings.Join(aliases(1100), "")), "more than 1000 aliases"),
		in("brackets a hundred thousand deep", repeated("archbuild.yaml", "platforms: ", "[", 100_000, "\n"), "a line has more than 65536 bytes"),
		in("braces forty deep", repeated("archbuild.yaml", "args: ", "{a: ", 40, "1"+strings.Repeat("}", 40)+"\n"), "nested more than 32 deep"),
		in("hyphens ten thousand deep", repeated("archbuild.yaml", "platforms: ", "- ", 10_000, "\n"), "nested more than 32 deep"),
		in("question marks a thousand deep", repeated("archbuild.yaml", "", "? ", 1000, "\n"), "nested more than 32 deep"),
		in("anchors a thousand deep", repeated("archbuild.yaml", "platforms: ", "&a ", 1000, "x\n"), "nested more than 32 deep"),
		in("an indentation of a hundred thousand spaces", repeated("archbuild.yaml", "args:\n", " ", 100_000, "A: 1\n"), "a line has more than 65536 bytes"),
		in("thirty thousand keys", repeated("archbuild.yaml", "args:\n", "  A: 1\n", 30_000, ""), "the file holds more than 20000 words"),
		in("an archbuild.yaml of 2 MB", repeated("archbuild.yaml", "", "# a comment\n", 180_000, ""), "the file is larger than 1 MB"),
		in("an archbuild.yaml of a terabyte", sparse("archbuild.yaml", 1<<40), "it is longer than 4194304 bytes"),
		in("900 kB of colons", repeated("archbuild.yaml", "", ":", 900_000, ""), "a line has more than 65536 bytes"),
		in("900 kB of open quotes", repeated("archbuild.yaml", "", "\"'", 450_000, ""), "a line has more than 65536 bytes"),
		in("a platform of 900 kB", repeated("archbuild.yaml", "platforms: [", "a", 900_000, "]\n"), "a line has more than 65536 bytes"),
		in("a key of 900 kB", repeated("archbuild.yaml", "", "a", 900_000, ": 1\n"), "a line has more than 65536 bytes"),
		in("an archbuild.yaml that is a folder", folder("archbuild.yaml"), "it is a folder"),
		in("an archbuild.yaml that is a pipe nobody writes to", fifo("archbuild.yaml"), "it is a named pipe"),
		in("an archbuild.yaml that is a link to itself", link("archbuild.yaml", "archbuild.yaml"), "stat archbuild.yaml: too many levels of symbolic links"),
		in("an archbuild.yaml that is a link to a device without an end", link("archbuild.yaml", "/dev/zero"), "it is a device"),
		in("an archbuild.yaml that is a socket", socket("archbuild.yaml"), "it is a socket"),
		in("an archbuild.yml, which is not read", file("archbuild.yml", "platforms: [linux/arm64]\n"), "archbuild.yml is not read under this name"),
	}
}

// aliases are arguments of as many names.
func aliases(n int) []string {
	var list []string
	for i := range n {
		list = append(list, "  B"+number(i)+": *p\n")
	}
	return list
}
