package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/archbuild/archbuild/project"
	"github.com/compose-spec/compose-go/v2/dotenv"
)

// dotEnv is the file beside the first compose file that has variables.
const dotEnv = ".env"

const maxEnvBytes = 256 << 10

// environment is what variables are filled in from: the process's, and the files'.
func (l *files) environment() (map[string]string, error) {
	env := map[string]string{}
	if !l.Foreign {
		for _, entry := range l.Environ {
			if key, value, ok := strings.Cut(entry, "="); ok && key != "" {
				env[key] = value
			}
		}
	}
	if len(l.EnvFiles) > 0 && l.Tree != nil {
		near := &files{Options: Options{}} // the user's own word, and so files of the user's
		return env, near.envFiles(env, l.EnvFiles, project.Place{})
	}
	if len(l.EnvFiles) > 0 {
		return env, l.envFiles(env, l.EnvFiles, project.Place{})
	}
	return env, l.dotEnv(env, l.dir, project.Place{})
}

// setVariable is the hint for a name without a value.
func (l *files) setVariable(name string) string {
	if l.Foreign {
		return fmt.Sprintf("give it in a file, --env-file FILE with %s=VALUE in it: the environment is kept from this project", name)
	}
	return fmt.Sprintf("set it: export %s=VALUE, or write it into a file for --env-file", name)
}

// dotEnv adds the .env of a folder, if it has one.
func (l *files) dotEnv(env map[string]string, dir string, at project.Place) error {
	err := l.envFiles(env, []string{filepath.Join(dir, dotEnv)}, at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// envFiles adds what files say to an environment, whose own values win. Later files win over earlier ones.
func (l *files) envFiles(env map[string]string, names []string, at project.Place) error {
	found := map[string]string{}
	for _, name := range names {
		data, err := l.open(name, maxEnvBytes, at)
		if err != nil {
			return err
		}
		parsed, err := parseEnv(name, data, env, found)
		if err != nil {
			return err
		}
		for key, value := range parsed {
			found[key] = value
		}
	}
	for key, value := range found {
		if _, set := env[key]; !set {
			env[key] = value
		}
	}
	return nil
}

// strict are what tells an empty value from none: an operator without a colon, and a name that stands alone.
var strict = regexp.MustCompile(`(?m)\$\{\w+[-+?]|^[ \t]*(?:export[ \t]+)?[^\s=:#]+[ \t\r]*$`)

// definition is where a variable begins, usage where one is used.
var (
	definition = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([\w.\-\[\]]+)[ \t]*[=:]`)
	usage      = regexp.MustCompile(`\$\{?([A-Za-z_]\w*)`)
)

// parseEnv reads a file of variables as compose-go does. Values can be secrets: no message shows any.
func parseEnv(name string, data []byte, env, before map[string]string) (map[string]string, error) {
	lookup := func(key string) (string, bool) {
		if value, set := env[key]; set {
			return value, true
		}
		value, set := before[key]
		return value, set
	}
	defined, err := envGrowth(name, data, lookup)
	if err != nil {
		return nil, err
	}
	// compose-go writes a line to the process's log for each unknown name, unless it is said to be empty.
	exact := strict.Match(data)
	parse := func(data []byte) (map[string]string, error) {
		return dotenv.ParseWithLookup(bytes.NewReader(data), func(key string) (string, bool) {
			value, set := lookup(key)
			return value, set || !exact && !defined[key]
		})
	}
	parsed, err := parse(data)
	if err == nil {
		return parsed, nil
	}
	line := envLine(data, func(part []byte) bool { _, err := parse(part); return err == nil })
	return nil, wrong(project.Place{File: name, Line: line}, "write NAME=VALUE, one a line, with quotes closed", "no file of variables")
}

// envGrowth bounds what variables that stand for variables make of a short file, and tells which it defines.
func envGrowth(name string, data []byte, lookup func(string) (string, bool)) (map[string]bool, error) {
	sizes, defined := map[string]int{}, map[string]bool{}
	key, line := "", 0
	for text := range bytes.Lines(data) {
		line++
		if found := definition.FindSubmatch(text); found != nil {
			key = string(found[1])
			sizes[key], defined[key] = 0, true
		}
		grown := sizes[key] + len(text)
		for _, used := range usage.FindAllSubmatch(text, -1) {
			value, set := lookup(string(used[1]))
			size := len(value)
			if !set {
				size = sizes[string(used[1])]
			}
			if grown += size; grown > maxValue {
				return nil, wrong(project.Place{File: name, Line: line}, "write shorter values", "variables within variables make %s longer than %d bytes", key, maxValue)
			}
		}
		sizes[key] = grown
	}
	return defined, nil
}

// envLine is the first line that no later one mends: each line's end is tried, from the last one on.
func envLine(data []byte, good func([]byte) bool) int {
	ends := []int{}
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(ends) > 500 {
		return 0
	}
	for n := len(ends); n > 0; n-- {
		if good(data[:ends[n-1]]) {
			return n + 1
		}
	}
	return 1
}
