package cross

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// The recipe for Java: classes and jars are for the Java machine. Maven and Gradle
// can put libraries of the machine they run on into them; their files are searched for
// the usual ways.

var javaCommands = map[string]handler{
	"javac": javac, "kotlinc": javac, "scalac": javac, "jar": jar, "java": java, "javadoc": javac,
	"mvn": maven, "mvnw": maven, "gradle": gradle, "gradlew": gradle,
	"jlink": nativeJava, "jpackage": nativeJava, "native-image": nativeJava, "jaotc": nativeJava, "kotlinc-native": nativeJava,
	"keytool": func(*walk, *command) {}, "jdeps": func(*walk, *command) {},
}

func nativeJava(w *walk, c *command) {
	w.used["java"] = true
	w.stay(MakesNativePrograms, c.line, "%s makes programs for the machine that it runs on", c.name)
}

func java(w *walk, c *command) {
	w.used["java"] = true
	if len(c.args) == 1 && !c.kept && c.has("-version", "--version") {
		return
	}
	w.stay(RunsTargetCode, c.line, "java runs a program that may ask for the machine")
}

func javac(w *walk, c *command) {
	w.used["java"] = true
	for _, name := range []string{"-d", "-h", "-s"} {
		if to, ok := c.option(name); ok {
			w.wrote(c.vars.abs(to))
		}
	}
}

func jar(w *walk, c *command) {
	w.used["java"] = true
	mode := strings.TrimLeft(c.first(), "-")
	name, ok := c.option("--file")
	if !ok {
		for i, arg := range c.args {
			if (i == 0 || strings.HasPrefix(arg.text, "-")) && !strings.HasPrefix(arg.text, "--") && strings.Contains(arg.text, "f") && i+1 < len(c.args) {
				name = c.args[i+1].text
				break
			}
		}
	}
	if strings.HasPrefix(mode, "x") && !strings.HasPrefix(c.first(), "--") || c.has("--extract") {
		w.wrote(c.vars.dir)
		return
	}
	to := c.vars.abs(name)
	for i, arg := range c.args {
		if i == 0 || strings.HasPrefix(arg.text, "-") || !strings.Contains(arg.text, "/") || arg.text == name {
			continue
		}
		if from := c.vars.abs(arg.text); from == "" || w.isNative(from) {
			w.stay(TargetPackagesLeave, c.line, "%s: %s is the system's, or not known", c.text(), arg.raw)
		} else {
			w.packed(from, to)
		}
	}
	w.wrote(to)
}

// sign is a word in a build file, and what it means.
type sign struct {
	match *regexp.Regexp
	kind  Kind
	why   string
}

var (
	mavenSigns = []sign{
		{
			regexp.MustCompile(`os-maven-plugin|os\.detected|\$\{os\.(arch|name)\}|<arch>|<classifier>[^<]*(\$\{|linux|natives|windows|osx|mac)|javafx|openjfx|org\.eclipse\.swt|javacpp|nar-maven|maven-native|bytedeco`),
			JNI, "a library may be chosen by the machine",
		},
		{
			regexp.MustCompile(`native-maven-plugin|native-image|jlink|jpackage|launch4j|packaging>(exe|rpm|deb)<|quarkus\.native`),
			MakesNativePrograms, "programs for the machine may be made",
		},
		{
			regexp.MustCompile(`exec-maven-plugin|maven-antrun|gmavenplus|groovy-maven|frontend-maven|cmake-maven|jib-maven|docker-maven|dockerfile-maven|maven-invoker|protoc-jar`),
			ScriptNotSeen, "other programs are run",
		},
	}
	gradleSigns = []sign{
		{
			regexp.MustCompile(`(?i)javafx|osdetector|os\.detected|os\.arch|os_arch|natives-|nativeplatform|cpp-(library|application)|javacpp|bytedeco|OperatingSystem|:linux-|classifier.{0,40}(linux|windows|osx)`),
			JNI, "a library may be chosen by the machine",
		},
		{
			regexp.MustCompile(`(?i)multiplatform|graalvm|native-image|jlink|jpackage|badass|konan`),
			MakesNativePrograms, "programs for the machine may be made",
		},
		{
			regexp.MustCompile(`\b[Ee]xec\b|commandLine|ProcessBuilder|getRuntime|\.execute\(|\bnode\b|apply\s*\(?from|apply from`),
			ScriptNotSeen, "other programs are run",
		},
	}
	mavenFile  = regexp.MustCompile(`^(pom\.xml|.*\.pom|extensions\.xml|maven\.config|jvm\.config)$`)
	gradleFile = regexp.MustCompile(`\.gradle(\.kts)?$|^gradle\.properties$|^libs\.versions\.toml$`)
)

// builds reads the files of a build tool below a folder of the stage and looks for
// signs. It reports false when the main one was not read.
func (w *walk) builds(c *command, dir string, main []string, files *regexp.Regexp, signs []sign) {
	w.used["java"] = true
	root := "."
	readMain := dir != "" && w.Files != nil && slices.ContainsFunc(main, func(name string) bool {
		inContext, seen := w.facts.context(path.Join(dir, name))
		if !seen {
			return false
		}
		_, ok := w.Files.Read(inContext)
		root = path.Dir(inContext)
		return ok
	})
	if !readMain {
		w.stay(ScriptNotSeen, c.line, "%s: its %s was not read", c.text(), main[0])
		return
	}
	budget := 20000
	w.search(c, root, files, signs, &budget)
}

// search goes through a folder of the context.
func (w *walk) search(c *command, dir string, files *regexp.Regexp, signs []sign, budget *int) {
	names, _ := w.Files.List(dir)
	for _, name := range names {
		if *budget--; *budget < 0 {
			w.stay(ScriptNotSeen, c.line, "%s: there are too many files", c.text())
			return
		}
		full := path.Join(dir, name)
		switch {
		case name == "buildSrc/" || name == "build-logic/":
			w.stay(ScriptNotSeen, c.line, "%s: %s holds code that is run", c.text(), full)
		case strings.HasSuffix(name, "/"):
			w.search(c, full, files, signs, budget)
		case files.MatchString(name):
			text, _ := w.Files.Read(full)
			for _, s := range signs {
				if found := s.match.Find(text); found != nil {
					w.stay(s.kind, c.line, "%s: %s in %s", s.why, found, full)
				}
			}
		}
	}
}

// mavenGoals are those that make classes and jars, and fetch what they need.
var mavenGoals = set(`clean validate initialize compile test-compile test package verify install dependency:go-offline dependency:resolve dependency:resolve-plugins
	dependency:copy-dependencies dependency:tree dependency:list spring-boot:repackage war:war jar:jar process-resources generate-sources generate-resources process-classes prepare-package`)

func maven(w *walk, c *command) {
	dir := c.vars.dir
	if file, ok := c.option("-f", "--file"); ok {
		dir = c.vars.abs(file)
		if path.Ext(file) == ".xml" {
			dir = path.Dir(dir)
		}
	}
	for _, arg := range c.args {
		name := strings.TrimPrefix(arg.text, "-")
		switch {
		case arg.loose:
			w.stay(UnknownCommand, c.line, "options of Maven are in a variable whose value is not known")
		case strings.HasPrefix(name, "Pnative") || strings.HasPrefix(name, "Dnative") || strings.HasPrefix(name, "Dquarkus.native") || strings.HasPrefix(name, "Dquarkus.package.type=native") || strings.HasPrefix(name, "native:"):
			w.stay(MakesNativePrograms, c.line, "%s makes programs for its machine", arg.raw)
		case strings.HasPrefix(name, "Dos.") || strings.HasPrefix(name, "Djavacpp"):
			w.stay(AuthorDecided, c.line, "its author chooses a machine: %s", arg.raw)
		}
	}
	for _, goal := range c.operands("-f --file -P --activate-profiles -s --settings -gs -pl --projects -T --threads -t -l -rf -Dmaven.repo.local") {
		switch name := goal.text; {
		case strings.HasPrefix(name, "native:") || strings.HasSuffix(name, ":build-image"):
			w.stay(MakesNativePrograms, c.line, "%s makes programs for its machine", c.text())
		case strings.HasSuffix(name, ":run") || strings.HasPrefix(name, "exec:"):
			w.stay(RunsTargetCode, c.line, "%s runs the program", c.text())
		case !mavenGoals[name]:
			w.stay(UnknownCommand, c.line, "%s is no goal whose effect is known", goal.raw)
		}
	}
	w.builds(c, dir, []string{"pom.xml"}, mavenFile, mavenSigns)
}

// gradleTasks are those that make classes and jars, and what holds them.
var gradleTasks = set(`build assemble jar bootJar shadowJar fatJar uberJar war bootWar installDist installBootDist installShadowDist distZip distTar bootDistZip clean test check
	classes testClasses compileJava compileKotlin compileScala processResources dependencies resolveDependencies downloadDependencies javadoc explodedWar`)

func gradle(w *walk, c *command) {
	dir := c.vars.dir
	if to, ok := c.option("-p", "--project-dir"); ok {
		dir = c.vars.abs(to)
	}
	for _, arg := range c.args {
		if arg.loose {
			w.stay(UnknownCommand, c.line, "options of Gradle are in a variable whose value is not known")
		}
	}
	if c.has("-I", "--init-script", "-b", "--build-file", "-c", "--settings-file", "--include-build") {
		w.stay(ScriptNotSeen, c.line, "%s: other build files are not looked into", c.text())
	}
	for _, task := range c.operands("-x --exclude-task -p --project-dir -g --gradle-user-home --max-workers --warning-mode --console") {
		name := task.text[strings.LastIndexByte(task.text, ':')+1:]
		switch {
		case strings.HasPrefix(name, "native") || strings.HasPrefix(name, "link") || strings.Contains(name, "jlink") || strings.Contains(name, "jpackage") || strings.HasSuffix(name, "BuildImage"):
			w.stay(MakesNativePrograms, c.line, "%s makes programs for its machine", c.text())
		case name == "run" || name == "bootRun":
			w.stay(RunsTargetCode, c.line, "%s runs the program", c.text())
		case !gradleTasks[name]:
			w.stay(UnknownCommand, c.line, "%s is no task whose effect is known", task.raw)
		}
	}
	w.builds(c, dir, []string{"build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"}, gradleFile, gradleSigns)
}
