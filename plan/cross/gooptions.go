package cross

import "strings"

// Options of go build by what follows them.
var (
	withValue = set(`-o -p -ldflags -gcflags -asmflags -tags -mod -modfile -overlay -pkgdir -installsuffix -buildvcs -C -pgo -covermode -coverpkg
		-coverprofile -run -bench -count -timeout -parallel -cpu -benchtime -shuffle -skip -list -outputdir -cpuprofile -memprofile -blockprofile
		-mutexprofile -trace -f -vettool -fuzz -fuzztime -exec -toolexec -buildmode -compiler -gccgoflags -asan -memprofilerate -blockprofilerate -mutexprofilefraction -modcacherw`)
	plainOption = set(`-a -n -v -x -trimpath -work -i -cover -json -m -u -e -short -failfast -c -test.v -s -w -deps -versions -export -compiled -find -vet
		-benchmem -modcacherw -artifacts -fullpath`)
	valueless = set(`-asan -modcacherw`)
)

// goOptions judges options that build, test and the like share; it returns the
// packages and the value of -o.
func (w *walk) goOptions(c *command) (packages []word, output *word) {
	for i := 0; i < len(c.args); i++ {
		arg := c.args[i]
		if arg.loose {
			w.stay(UnknownCommand, c.line, "options of go are in a variable whose value is not known")
			continue
		}
		text := arg.text
		if !strings.HasPrefix(text, "-") || text == "-" {
			packages = append(packages, arg)
			continue
		}
		if strings.HasPrefix(text, "--") {
			text = text[1:]
		}
		if text == "-args" {
			break
		}
		name, v, given := strings.Cut(text, "=")
		if !given && withValue[name] && !valueless[name] && i+1 < len(c.args) {
			i++
			v = c.args[i].text
		}
		if name == "-o" {
			output = &word{text: v}
		}
		w.goOption(name, v, c.line)
	}
	return packages, output
}

// goOption judges one option.
func (w *walk) goOption(name, v string, line int) {
	switch name {
	case "-race", "-msan", "-asan", "-linkshared":
		if v != "false" {
			w.stay(RaceOrBuildmode, line, "%s wants a C linker", name)
		}
	case "-buildmode":
		if v != "exe" && v != "default" {
			w.stay(RaceOrBuildmode, line, "-buildmode=%s wants a C linker", v)
		}
	case "-toolexec", "-exec", "-vettool", "-overlay":
		w.stay(UnknownCommand, line, "%s runs another command", name)
	case "-compiler", "-gccgoflags":
		w.stay(RaceOrBuildmode, line, "%s is for another compiler", name)
	case "-C":
		w.stay(UnknownCommand, line, "go -C is not looked into")
	case "-ldflags":
		if strings.Contains(v, "linkmode") && !strings.Contains(v, "internal") || strings.Contains(v, "-race") || strings.Contains(v, "-buildmode") || strings.Contains(v, "-linkshared") {
			w.stay(CgoUndecided, line, "the C linker is asked for")
		}
	default:
		if !withValue[name] && !plainOption[name] && !strings.HasPrefix(name, "-test.") {
			w.stay(UnknownCommand, line, "go %s is not known", name)
		}
	}
}

// goFlags judges GOFLAGS.
func (w *walk) goFlags(flags []string, line int) {
	for _, flag := range flags {
		if !known(flag) {
			w.stay(UnknownCommand, line, "what GOFLAGS holds is not known")
			continue
		}
		flag = strings.Trim(flag, `'"`)
		if strings.HasPrefix(flag, "--") {
			flag = flag[1:]
		}
		name, v, _ := strings.Cut(flag, "=")
		w.goOption(name, v, line)
	}
}
