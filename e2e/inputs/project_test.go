package inputs

import "strings"

// fromScratch is a good Dockerfile of a service.
func fromScratch(name string) maker {
	return file(name+"/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
}

// from is one that starts from an image.
func from(name, image string) maker { return file(name+"/Dockerfile", "FROM "+image+"\n") }

// projects are bad compose and bake files, and good ones whose images do not fit together.
func projects() []row {
	rows := append(composeFiles(), bakeFiles()...)
	for i := range rows {
		rows[i].code = max(rows[i].code, 1)
	}
	return append(append(rows, fetchedProjects()...), projectGraphs()...)
}

// composeText is a row of a compose file beside a service a.
func composeText(bad, text, says string) row {
	return row{bad: bad, in: []maker{file("compose.yaml", text), fromScratch("a")}, args: words("plan compose.yaml --offline"), says: says}
}

func composeFiles() []row {
	service := "services:\n  a:\n    build: a\n"
	bomb := "x-a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += "x-a" + number(i+1) + ": &a" + number(i+1) + " [" + strings.TrimSuffix(strings.Repeat("*a"+number(i)+", ", 9), ", ") + "]\n"
	}
	in := func(bad string, m maker, says string) row {
		return row{bad: bad, in: []maker{m, fromScratch("a")}, args: words("plan compose.yaml --offline"), says: says}
	}
	return []row{
		composeText("a compose file with a tab", "services:\n\ta:\n", "compose.yaml:2: no valid YAML: found character that cannot start any token"),
		composeText("a compose file that is a list", "- services\n", "compose.yaml:1: expected a mapping (services: …), found a list"),
		composeText("a compose file with nothing to build", "services:\n  a:\n    image: debian\n", "compose.yaml: nothing in it is built"),
		composeText("services that are a list", "services: [a, b]\n", "compose.yaml:1: services is a list"),
		composeText("a service that is a word", "services:\n  a: b\n", "compose.yaml:2: service a is \"b\""),
		composeText("a service whose name is no name", "services:\n  \"a b/c\":\n    build: a\n", "compose.yaml:2: a b/c: \"a b/c\" is no name for a folder of results"),
		composeText("a service whose name moves the cursor", "services:\n  \"a\\e[31m\":\n    build: a\n", "\"a\\x1b[31m\" is no name for a folder of results"),
		composeText("a service that is called as the folder above", "services:\n  ..:\n    build: a\n", "compose.yaml:2: ..: \"..\" is no name for a folder of results"),
		composeText("a build that is a number", "services:\n  a:\n    build: 7\n", "compose.yaml:3: a: 7: no such folder"),
		composeText("platforms of a service that are none", "services:\n  a:\n    build:\n      context: a\n      platforms: [linux/amd65]\n", "compose.yaml:5: a platform of service a is \"linux/amd65\": unknown platform \"l"),
		composeText("a tag that is no name", "services:\n  a:\n    image: UPPER/Case\n    build: a\n", "compose.yaml:3: image of service a is \"UPPER/Case\": invalid reference format: "),
		composeText("a variable without a value in a tag", "services:\n  a:\n    image: a:${TAG}\n    build: a\n", "compose.yaml:3: image of service a is \"a:\" without the variable TAG: invalid r"),
		composeText("a variable that has to have a value", "services:\n  a:\n    image: a:${TAG:?the release}\n    build: a\n", "compose.yaml:3: image of service a: the variable TAG is required, and not set: t"),
		composeText("a variable that does not end", "services:\n  a:\n    image: a:${TAG\n    build: a\n", "compose.yaml:3: image of service a: a variable is not closed: ${TAG"),
		composeText("a service that extends itself", "services:\n  a:\n    extends: a\n    build: a\n", "compose.yaml:3: extends cycle: a in compose.yaml extends a in compose.yaml"),
		composeText("services that extend each other", "services:\n  a:\n    extends: b\n    build: a\n  b:\n    extends: a\n", "compose.yaml:3: extends cycle: a in compose.yaml extends b in compose.yaml exten"),
		composeText("a service that extends one that is not there", "services:\n  a:\n    extends: bb\n    build: a\n  b:\n    build: a\n", "compose.yaml:3: service a extends bb, which compose.yaml does not have"),
		composeText("a service that extends one of a file that is not there", "services:\n  a:\n    extends: {file: other.yaml, service: b}\n    build: a\n", "compose.yaml:3: other.yaml: no such file or directory"),
		composeText("a compose file that includes itself", "include: [compose.yaml]\n"+service, "compose.yaml:1: include cycle: compose.yaml includes compose.yaml"),
		composeText("a compose file that includes one that is not there", "include: [other.yaml]\n"+service, "compose.yaml:1: other.yaml: no such file or directory"),
		composeText("a compose file that includes a device", "include: [/dev/zero]\n"+service, "compose.yaml:1: /dev/zero: it is a device"),
		composeText("a service whose folder is not there", "services:\n  a:\n    build: aa\n", "compose.yaml:3: a: aa: no such folder; did you mean ./a?"),
		composeText("a service whose Dockerfile is not there", "services:\n  a:\n    build:\n      context: a\n      dockerfile: Dockerfile.x\n", "compose.yaml:5: a: a/Dockerfile.x: no such file"),
		composeText("a service whose arguments name another frontend", "services:\n  a:\n    build:\n      context: a\n      args: {BUILDKIT_SYNTAX: evil.example/frontend}\n", "a/Dockerfile: # syntax=evil.example/frontend has another program than Docker's read the file"),
		composeText("a stage that a service's Dockerfile does not have", "services:\n  a:\n    build:\n      context: a\n      target: release\n", "compose.yaml:5: a/Dockerfile has no stage \"release\""),
		composeText("a service's context that is a service that is not there", "services:\n  a:\n    build:\n      context: a\n      additional_contexts: {base: service:bsae}\n  base:\n    build: a\n", "compose.yaml:5: the context base of a: there is no service \"bsae\""),
		composeText("a laugh of a billion services", bomb+"services:\n  a:\n    build:\n      context: a\n      args: {X: *a9}\n", "compose.yaml:15: build.args.X of service a is a list"),
		composeText("an alias of itself in a compose file", service+"    labels: &a {b: *a}\n    image: *a\n", "compose.yaml:5: image of service a is a mapping"),
		in("a compose file of brackets twenty thousand deep", repeated("compose.yaml", service+"x-a: ", "[", 20_000, "\n"), "compose.yaml:4: no valid YAML: exceeded max depth of 10000"),
		in("a compose file of hyphens ten thousand deep", repeated("compose.yaml", service+"x-a: ", "- ", 10_000, "\n"), "compose.yaml:4: no valid YAML: block sequence entries are not allowed in this co"),
		in("a compose file of 10 MB", repeated("compose.yaml", service+"x-a:\n", "  - 0123456789012345\n", 500_000, ""), "compose.yaml: it is longer than 4194304 bytes"),
		in("a compose file of a terabyte", sparse("compose.yaml", 1<<40), "compose.yaml: it is longer than 4194304 bytes"),
		in("a compose file that is a pipe nobody writes to", fifo("compose.yaml"), "compose.yaml: it is a named pipe"),
		in("a hundred thousand services", repeated("compose.yaml", service, "  b: {build: a}\n", 100_000, ""), "compose.yaml:37503: the file holds more than 150000 entries"),
		{bad: "files that include each other", in: []maker{file("compose.yaml", "include: [b.yaml]\n"+service), file("b.yaml", "include: [compose.yaml]\n"), fromScratch("a")}, args: words("plan compose.yaml --offline"), says: "b.yaml:1: include cycle: compose.yaml includes b.yaml includes compose.yaml"},
		{bad: "an .env that does not parse", in: []maker{file("compose.yaml", service), file(".env", "A=\"x\nB\n=\n"), fromScratch("a")}, args: words("plan compose.yaml --offline"), says: ".env:1: no file of variables"},
		{bad: "an --env-file that is not there", in: []maker{file("compose.yaml", service), fromScratch("a")}, args: words("plan compose.yaml --offline --env-file none.env"), says: "none.env: no such file or directory"},
		{bad: "a service that the compose file does not have", in: []maker{file("compose.yaml", service), fromScratch("a")}, args: words("plan compose.yaml aa --offline"), code: 2, says: "compose.yaml: there is no aa in it"},
		{bad: "a compose file that is not there", in: []maker{fromScratch("a")}, args: words("plan compose.yaml --offline"), code: 2, says: "compose.yaml: no such file"},
		{bad: "--set of a compose file", in: []maker{file("compose.yaml", service), fromScratch("a")}, args: words("plan compose.yaml --offline --set a.args.X=1"), code: 2, says: "--set is about bake files, and compose.yaml is none"},
	}
}

// bakeText is a row of a bake file beside a service a.
func bakeText(bad, text, says string) row {
	return row{bad: bad, in: []maker{file("docker-bake.hcl", text), fromScratch("a")}, args: words("plan -f docker-bake.hcl a --offline"), says: says}
}

func bakeFiles() []row {
	target := "target \"a\" {\n  context = \"a\"\n}\n"
	in := func(bad string, m maker, says string) row {
		return row{bad: bad, in: []maker{m, fromScratch("a")}, args: words("plan -f docker-bake.hcl a --offline"), says: says}
	}
	ten := "[\"0\", \"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\"]"
	return []row{
		bakeText("a brace of HCL that is not closed", "target \"a\" {\n  context = \"a\"\n", "docker-bake.hcl:1: unclosed configuration block: there is no closing brace for t"),
		bakeText("a quote of HCL that is not closed", "target \"a\" {\n  context = \"a\n}\n", "docker-bake.hcl:2: invalid multi-line string: quoted strings may not be split ov"),
		bakeText("an attribute of the wrong type", "target \"a\" {\n  context = [\"a\"]\n}\n", "docker-bake.hcl:2: string required, but have tuple"),
		bakeText("variables that are each other's", "variable \"A\" {\n  default = \"${B}\"\n}\nvariable \"B\" {\n  default = \"${A}\"\n}\ntarget \"a\" {\n  context = A\n}\n", "docker-bake.hcl:2: a cycle: A → B → A"),
		bakeText("a function that calls itself", "function \"f\" {\n  params = [x]\n  result = f(x)\n}\ntarget \"a\" {\n  context = f(\"a\")\n}\n", "docker-bake.hcl:3: a cycle: f → f"),
		bakeText("a function that does not exist", "target \"a\" {\n  context = loewer(\"a\")\n}\n", "docker-bake.hcl:2: there is no function named \"loewer\". Did you mean \"lower\""),
		bakeText("a matrix of a million", "target \"a\" {\n  name = \"a-${a}${b}${c}${d}${e}${f}\"\n  matrix = {\n    a = "+ten+"\n    b = "+ten+"\n    c = "+ten+"\n    d = "+ten+"\n    e = "+ten+"\n    f = "+ten+"\n  }\n  context = \"a\"\n}\n", "docker-bake.hcl:3: the bake file has more than 10000 targets"),
		bakeText("a matrix whose members have one name", "target \"a\" {\n  name = \"b\"\n  matrix = { v = "+ten+" }\n}\n", "docker-bake.hcl:1: duplicate name \"b\""),
		bakeText("groups that hold each other", "group \"a\" {\n  targets = [\"g\"]\n}\ngroup \"g\" {\n  targets = [\"h\"]\n}\ngroup \"h\" {\n  targets = [\"g\"]\n}\n", "docker-bake.hcl:4: groups are in each other: g → h → g"),
		bakeText("a target that inherits from nobody", "target \"a\" {\n  inherits = [\"common\"]\n}\n", "docker-bake.hcl:1: target a inherits from common, which is no target"),
		bakeText("targets whose contexts are each other", "target \"a\" {\n  context = \"a\"\n  contexts = { b = \"target:b\" }\n}\ntarget \"b\" {\n  context = \"a\"\n  contexts = { a = \"target:a\" }\n}\n", "docker-bake.hcl:7: targets stand on each other in a circle: a → b → a"),
		{bad: "a target that goes into an engine that is not there", in: []maker{file("docker-bake.hcl", target+"target \"b\" {\n  context = \"a\"\n  output = [\"type=docker,context=nowhere\"]\n}\n"), fromScratch("a")}, args: words("plan -f docker-bake.hcl b --offline"), code: 2, says: "there is no Docker context \"nowhere\""},
		bakeText("a target whose folder is not there", "target \"a\" {\n  context = \"aa\"\n}\n", "docker-bake.hcl:2: a: aa: no such folder; did you mean ./a?"),
		in("a bake file of 10 MB", repeated("docker-bake.hcl", target, "# 0123456789012345\n", 550_000, ""), "the bake file docker-bake.hcl cannot be read: it is longer than 4194304 bytes"),
		in("a bake file of brackets five thousand deep", repeated("docker-bake.hcl", target+"x = ", "[", 5_000, "\n"), "docker-bake.hcl:4: what stands here is nested more than 200 deep"),
		in("a bake file of a terabyte", sparse("docker-bake.hcl", 1<<40), "the bake file docker-bake.hcl cannot be read: it is longer than 4194304 bytes"),
		in("a bake file that is a folder", folder("docker-bake.hcl"), "the bake file docker-bake.hcl cannot be read: it is a folder"),
		{bad: "a bake file in JSON that is not closed", in: []maker{file("docker-bake.json", "{\"target\": {\"a\": {\"context\": \"a\"}"), fromScratch("a")}, args: words("plan -f docker-bake.json a --offline"), says: "docker-bake.json:1: unclosed object: no closing brace was found for this JSON ob"},
		{bad: "a target that the bake file does not have", in: []maker{file("docker-bake.hcl", target), fromScratch("a")}, args: words("plan -f docker-bake.hcl aa --offline"), code: 2, says: "docker-bake.hcl has no group or target called aa"},
		{bad: "a --set of a target that is not there", in: []maker{file("docker-bake.hcl", target), fromScratch("a")}, args: words("plan -f docker-bake.hcl a --offline --set b.args.X=1"), code: 2, says: "--set b.args.X=1: no target is called b"},
		{bad: "a --set of a key that is not there", in: []maker{file("docker-bake.hcl", target), fromScratch("a")}, args: words("plan -f docker-bake.hcl a --offline --set a.colour=red"), code: 2, says: "--set a.colour=red: a target has no key colour that can be set"},
	}
}

// projectGraphs are images that do not fit together.
func projectGraphs() []row {
	two := func(bad, a, b, says string, more ...maker) row {
		text := "services:\n  a:\n    image: shop/a:1\n    build:\n      context: a\n" + a + "  b:\n    image: shop/b:1\n    build:\n      context: b\n" + b
		return row{bad: bad, in: append([]maker{file("compose.yaml", text)}, more...), args: words("plan compose.yaml --offline"), code: 1, says: says}
	}
	return []row{
		two("two services that make one tag", "", "      tags: [shop/a:1]\n", "compose.yaml:10: b makes the image shop/a:1, and a makes it as well (compose.yam", fromScratch("a"), fromScratch("b")),
		two("two services that stand on each other", "", "", "a/Dockerfile:1: 2 services need each other in a circle: a → b (a/Dockerfile:1) →", from("a", "shop/b:1"), from("b", "shop/a:1")),
		two("a service that is its own context", "      additional_contexts: {a: \"service:a\"}\n", "", "a/Dockerfile:1: a is to be built on itself: a → a (a/Dockerfile:1)", from("a", "a"), fromScratch("b")),
		two("a base that lacks a platform of its user", "      platforms: [linux/amd64]\n", "      platforms: [linux/amd64, linux/arm64]\n", "b/Dockerfile:1: b takes shop/a:1 from a for linux/arm64, and that is built for l", fromScratch("a"), from("b", "shop/a:1")),
		two("a base whose argument nobody gives", "", "", "b/Dockerfile:2: shop/${BASE} needs a value for BASE", fromScratch("a"), file("b/Dockerfile", "ARG BASE\nFROM shop/${BASE}\n")),
		{bad: "a --link to a service that is not there", in: []maker{file("compose.yaml", "services:\n  a:\n    build: a\n"), from("a", "scratch")}, args: words("plan compose.yaml --offline --link x:1=b"), code: 1, says: "--link x:1=b: there is no service \"b\""},
	}
}
