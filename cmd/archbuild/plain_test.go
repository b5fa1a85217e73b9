package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// TestPlainUser is like TestScript, with archbuild run by a plain user. Such a
// script finds in its environment what others find, and
//
//	PLAIN       runs archbuild as the user, in the user's home and with a login's environment
//	PLAIN_SH    runs a shell script so, in which archbuild is on PATH
//	PLAIN_HOME  the home, which holds the files of the script
//	PLAIN_USER  the user's name, PLAIN_UID the number
//
// and a command more:
//
//	nothing-left    the user has no process, no mount, nothing outside the home and nothing of others in it
func TestPlainUser(t *testing.T) {
	requireMachine(t)
	hub := fixtures.ForTest(t)
	cmds := commands()
	cmds["nothing-left"] = nothingLeft
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/plain",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                cmds,
		Setup: func(env *testscript.Env) error {
			return setUpPlain(env.T().(testing.TB), env, hub)
		},
	})
}

// plainKey is where scripts find their user.
type plainKey struct{}

func setUpPlain(t testing.TB, env *testscript.Env, hub *fixtures.Hub) error {
	u := fixtures.PlainUserForTest(t)
	env.Values[plainKey{}] = u
	self, err := os.Executable()
	if err != nil {
		return err
	}
	u.Give(t, env.WorkDir+"/.", "work")
	u.Give(t, hub.ConfigHome, ".config")
	bin := filepath.Dir(u.Give(t, filepath.Dir(self)+"/"+filepath.Base(self), "archbuild"))
	t.Cleanup(func() {
		if log, err := os.ReadFile(u.Home + "/.local/state/archbuild/run/engine.log"); err == nil && t.Failed() {
			t.Logf("engine.log:\n%s", log)
		}
	})
	as := fmt.Sprintf("#!/bin/sh\ncd %s/work && exec setpriv --reuid=%d --regid=%d --init-groups env -i HOME=%s USER=%s ARCHBUILD_HUB=%s PATH=%s:/usr/local/bin:/usr/bin:/bin ",
		u.Home, u.UID, u.GID, u.Home, u.Name, hub.Addr, bin)
	for name, words := range map[string]string{"PLAIN": "archbuild \"$@\"\n", "PLAIN_SH": "sh -e \"$@\"\n"} {
		path := filepath.Join(env.WorkDir, strings.ToLower(name))
		if err := os.WriteFile(path, []byte(as+words), 0o755); err != nil {
			return err
		}
		env.Setenv(name, path)
	}
	env.Setenv("PLAIN_HOME", u.Home)
	env.Setenv("PLAIN_USER", u.Name)
	env.Setenv("PLAIN_UID", fmt.Sprint(u.UID))
	env.Setenv("ARCHBUILD_HUB", hub.Addr)
	env.Setenv("HOST", "linux/"+runtime.GOARCH)
	env.Setenv("FOREIGN", map[bool]string{true: "linux/amd64", false: "linux/arm64"}[runtime.GOARCH == "arm64"])
	return nil
}

func nothingLeft(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("nothing-left: %v", errUsage)
	}
	u := ts.Value(plainKey{}).(fixtures.PlainUser)
	for _, left := range u.Remains() {
		ts.Logf("left behind: %s", left)
		ts.Check(fmt.Errorf("something is left behind: %s", left))
	}
}
