package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/config"
	"github.com/google/go-cmp/cmp"
)

// Whoever adds a key to the schema says whose word it is, and whoever adds one to the user's file, too.
func TestEveryKeyHasAClass(t *testing.T) {
	var found []string
	var walk func(path string, properties map[string]*schema)
	walk = func(path string, properties map[string]*schema) {
		for name, property := range properties {
			found = append(found, path+name)
			walk(path+name+".", property.Properties)
		}
	}
	walk("", readSchema(t).Properties)
	slices.Sort(found)
	if diff := cmp.Diff(slices.Sorted(slices.Values(config.Keys(config.Source))), found); diff != "" {
		t.Errorf("the classes have -, the schema +: %s", diff)
	}
	for _, key := range config.Keys(config.User) {
		if slices.Contains(found, key) {
			t.Errorf("%s is a word of two classes", key)
		}
	}
}

// misplacedIn asks for the errors of a file, each with its place and what to do.
func misplacedIn(t *testing.T, err error, source, where string) {
	t.Helper()
	var wrong *config.Error
	if !errors.As(err, &wrong) {
		t.Errorf("%s: %v", source, err)
		return
	}
	if _, line := wrong.At(); line != 2 || !strings.Contains(wrong.Hint(), where) || strings.Contains(wrong.Error(), "unknown key") {
		t.Errorf("%s: %v, hint %s", source, err, wrong.Hint())
	}
}

func TestWhatIsTheUsersWordIsRefusedInTheSource(t *testing.T) {
	for _, key := range config.Keys(config.User) {
		top, inner, nested := strings.Cut(key, ".")
		source := "\n" + top + ": [tcp://arm.example:1234]\n"
		if nested {
			source = "\n" + top + ":\n  - " + inner + ": x\n"
		}
		_, err := config.Load("app/archbuild.yaml", []byte(source))
		misplacedIn(t, err, source, "archbuild/config.yaml")
	}
	for word, where := range map[string]string{
		"node": "--node", "builder": "--node", "mirrors": "buildkitd.toml", "registry": "buildkitd.toml", "insecure": "buildkitd.toml",
		"credentials": "docker login", "auths": "docker login", "password": "docker login", "secrets": "--secret", "ssh": "--ssh",
		"commands": "RUN", "hooks": "RUN", "tags": "-t", "push": "--push", "allow": "--allow", "syntax": "--allow-syntax", "moves": "--allow-move", "runc": "--runc",
	} {
		for _, source := range []string{"\n" + word + ": x\n", "\n" + word + ":\n  a: b\n", "\n" + word + ": [a]\n"} {
			_, err := config.Load("app/archbuild.yaml", []byte(source))
			misplacedIn(t, err, source, where)
		}
	}
	_, err := config.Load("app/archbuild.yaml", []byte("ci:\n  nodes: x\n"))
	misplacedIn(t, err, "nodes within ci", "archbuild/config.yaml")
}

func TestWhatIsTheSourcesWordIsRefusedInTheUsersFile(t *testing.T) {
	for _, key := range config.Keys(config.Source) {
		top, _, _ := strings.Cut(key, ".")
		_, err := config.LoadUser("/home/me/config.yaml", []byte("\n"+top+": x\n"))
		misplacedIn(t, err, top, "archbuild.yaml")
	}
	for word, where := range map[string]string{"mirrors": "buildkitd.toml", "password": "docker login", "hooks": "RUN"} {
		_, err := config.LoadUser("/home/me/config.yaml", []byte("\n"+word+": x\n"))
		misplacedIn(t, err, word, where)
	}
}
