package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/outside"
)

// spoken is a row: a call of a verb whose output is looked at.
type spoken struct {
	line []string
	// quiet calls have no word of a stranger's in their output: there is none, or it is left out.
	quiet bool
	// exact output stays byte for byte in a pipe, and is looked at on a terminal alone.
	exact bool
	// log says that standard output is a file of lines that anybody wrote.
	log bool
	// json is what standard output has to be.
	json bool
}

// hostileCalls are calls of every verb in a hostile world. A verb without a call fails the test.
func hostileCalls(w hostileWorld) map[string][]spoken {
	call := func(line ...string) spoken { return spoken{line: line} }
	with := func(s spoken, change func(*spoken)) spoken { change(&s); return s }
	quiet := func(line ...string) spoken { return with(call(line...), func(s *spoken) { s.quiet = true }) }
	exact := func(line ...string) spoken { return with(call(line...), func(s *spoken) { s.exact = true }) }
	asJSON := func(line ...string) spoken { return with(call(line...), func(s *spoken) { s.json = true }) }
	far, denied, shown := "--node="+w.node, w.registry+"/denied/app:1", w.registry+"/shown/app:1"
	return map[string][]spoken{
		"archbuild": {call("from"), call("wrong"), call("yaml"), call("no-such-" + evil), call("--no-such-" + evil), call(evil)},
		"archbuild build": {
			call("build", "plain", far, "--node-timeout=2s", "--retries=0"), call("build", "plain", far, "--progress=plain", "--retries=0"), call("build", "plain", far, "--progress=rawjson", "--retries=0"),
			call("build", "plain", far, "--progress=quiet", "--retries=0"), asJSON("build", "plain", far, "--json", "--retries=0"),
			call("build", "plain", far, "--call=outline", "--retries=0"), call("build", "plain", "-t", evil), call("build", "plain", "--secret=id="+evil), call("build", "plain", "--build-context="+evil), call("build", "app", "--dry-run", "--offline", "-f", "nothing-"+evil),
		},
		"archbuild rewrite": {exact("rewrite", "app", "-o", "-"), quiet("rewrite", "app", "--diff"), with(quiet("rewrite", "app", "--json"), func(s *spoken) { s.json = true }), call("rewrite", "from"), call("rewrite", "wrong")},
		"archbuild place": {
			call("place", "shop/compose.yaml", "--nodes=linux/amd64"), call("place", "shop/kube.yaml", "--nodes=linux/amd64"), call("place", shown, "--nodes="+evil),
			call("place", denied, "--nodes=linux/amd64"), with(quiet("place", shown, "--nodes=linux/amd64,linux/arm64", "--json"), func(s *spoken) { s.json = true }),
		},
		"archbuild plan":                    {call("plan", "shop/compose.yaml"), call("plan", "-f", "shop/docker-bake.json", "a"), call("plan", "shop/compose.yaml", evil), call("plan", "wrong"), call("plan", "from"), call("plan", "from", "--explain"), quiet("plan", "plain", far), with(quiet("plan", "plain", far, "--json"), func(s *spoken) { s.json = true })},
		"archbuild doctor":                  {call("doctor", far), asJSON("doctor", far, "--json"), call("doctor", "from", far)},
		"archbuild detect":                  {quiet("detect"), quiet("detect", "--json")},
		"archbuild verify":                  {call("verify", "layout"), asJSON("verify", "layout", "--json"), call("verify", shown), call("verify", denied), call("verify", evil)},
		"archbuild compare":                 {call("compare", "--cross", "wrong"), quiet("compare", "--cross", "plain", far)},
		"archbuild lint":                    {call("lint", "app"), asJSON("lint", "app", "--format=json"), asJSON("lint", "app", "--format=sarif"), call("lint", "app", "--format=github"), quiet("lint", "wrong")},
		"archbuild port":                    {exact("port", "app"), asJSON("port", "app", "--json"), call("port", "wrong")},
		"archbuild manifest":                {quiet("manifest")},
		"archbuild manifest inspect":        {call("manifest", "inspect", "layout"), asJSON("manifest", "inspect", "layout", "--json"), exact("manifest", "inspect", "layout", "--raw"), call("manifest", "inspect", shown), call("manifest", "inspect", denied)},
		"archbuild manifest create":         {quiet("manifest", "create", "-t", "x/y:1", "layout", "--dry-run"), call("manifest", "create", "-t", denied, denied)},
		"archbuild manifest push":           {quiet("manifest", "push")},
		"archbuild manifest push from-spec": {call("manifest", "push", "from-spec", "spec.yaml")},
		"archbuild manifest push from-args": {call("manifest", "push", "from-args", "--platforms=linux/amd64", "--template="+w.registry+"/denied/app-ARCH:1", "--target="+denied), call("manifest", "push", "from-args", "--platforms="+evil, "--template=x", "--target=y")},
		"archbuild ci":                      {quiet("ci")},
		"archbuild ci plan":                 {call("ci", "plan", "wrong"), asJSON("ci", "plan", "plain", "--offline", "--label=x="+evil), exact("ci", "plan", "plain", "--offline", "--label=x="+evil, "--format=gitlab", "-t", "x/y:1", "--run=1"), call("ci", "plan", "plain", "--run=1", "-t", denied)},
		"archbuild ci assemble":             {call("ci", "assemble", "-t", denied, "--require=linux/amd64", "records"), call("ci", "assemble", "--plan=plan.json", "records"), call("ci", "assemble", "-t", denied, "--require=linux/amd64", "--run="+owned, "registry")},
		"archbuild lock":                    {call("lock", "from"), call("lock", "wrong")},
		"archbuild node":                    {quiet("node")},
		"archbuild node ls":                 {call("node", "ls", far), asJSON("node", "ls", far, "--json"), call("node", "ls", "--builder="+owned), call("node", "ls", "--node="+evil)},
		"archbuild engine":                  {quiet("engine")},
		"archbuild engine status":           {quiet("engine", "status"), quiet("engine", "status", "--json")},
		"archbuild engine stop":             {quiet("engine", "stop")},
		"archbuild engine logs":             {with(call("engine", "logs"), func(s *spoken) { s.log = true })},
		"archbuild engine df":               {call("engine", "df", "--runc="+evil), quiet("engine", "df", "--engine-config=config/none")},
		"archbuild engine prune":            {call("engine", "prune", "--filter="+evil), call("engine", "prune", "--max-used-space="+evil)},
		"archbuild completion":              {call("completion", evil), quiet("completion", "bash"), quiet(cobra.ShellCompRequestCmd, "build", "--builder", "")},
		"archbuild version":                 {call("version", evil), quiet("version")},
		"archbuild docs":                    {quiet("docs")},
		"archbuild docs man":                {quiet("docs", "man", "man")},
		"archbuild docs make":               {quiet("docs", "make")},
		"archbuild help":                    {call("help", evil), quiet("help", "build")},
	}
}

// allVerbs are the verbs that can be called, hidden ones, too.
func allVerbs() []string {
	var list []string
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Runnable() {
			list = append(list, c.CommandPath())
		}
		for _, verb := range c.Commands() {
			walk(verb)
		}
	}
	walk(newRoot(outside.System{Stdout: io.Discard, Stderr: io.Discard}))
	return list
}

// ownCommands are those that archbuild itself gives to GitHub's runner.
var ownCommands = regexp.MustCompile(`(?m)^::(?:(?:group|endgroup|stop-commands|error|warning|notice)(?: [^\n]*?)?|[A-Z0-9]{26})::[^\n]*$`)

// obeyedLines are what CI systems take for commands.
var obeyedLines = regexp.MustCompile(`(?m)^\s*::|##[a-zA-Z]*\[|^archbuild: hint: forged`)

// obeyed is what there is in a text that a terminal or a CI system would obey, or nothing.
func obeyed(text string, gitHub bool) string {
	for _, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u200c') {
			return string(r)
		}
	}
	if gitHub {
		text = ownCommands.ReplaceAllStringFunc(text, func(line string) string {
			if found := obeyedLines.FindString(strings.TrimLeft(line, ":")); found != "" {
				return line
			}
			return ""
		})
	}
	return obeyedLines.FindString(text)
}

// around is the part of a text that holds a mistake.
func around(text, found string) string {
	i := max(0, strings.Index(text, found))
	return fmt.Sprintf("%q", text[max(0, i-200):min(len(text), i+200)])
}

// TestNothingThatStrangersWroteIsObeyed calls every verb in a world of hostile text, as a pipe, as a step of a GitHub workflow
// and on a terminal has it.
func TestNothingThatStrangersWroteIsObeyed(t *testing.T) {
	w := newHostileWorld(t)
	calls := hostileCalls(w)
	for _, verb := range allVerbs() {
		if len(calls[verb]) == 0 {
			t.Errorf("%s is a verb that is never called here: give it a row in hostileCalls", verb)
		}
	}
	n, reached := 0, 0
	for verb, list := range calls {
		for _, call := range list {
			for _, where := range []string{"pipe", "GitHub", "terminal"} {
				stdout, stderr := speak(t, where, call)
				n++
				if strings.Contains(stdout+stderr, owned) {
					reached++
				} else if !call.quiet && !(call.exact && where == "GitHub") {
					t.Errorf("%s, %q, %s: it says nothing of a stranger's\n%.300s%.300s", verb, call.line, where, stdout, stderr)
				}
				for name, text := range map[string]string{"standard output": stdout, "standard error": stderr} {
					if found := obeyed(text, where == "GitHub" || strings.Contains(strings.Join(call.line, " "), "github")); found != "" && !(call.exact && where == "pipe") && !(call.log && strings.HasPrefix(found, "archbuild:")) {
						t.Errorf("%s, %q, %s: %s has %q: %s", verb, call.line, where, name, found, around(text, found))
					}
				}
				if call.json && where == "pipe" && !json.Valid([]byte(stdout)) && stdout != "" {
					t.Errorf("%s, %q: no JSON: %.300s", verb, call.line, stdout)
				}
			}
		}
	}
	t.Logf("%d calls of %d verbs, %d of which say something of a stranger's", n, len(calls), reached)
}

// speak is what a call prints.
func speak(t *testing.T, where string, call spoken) (stdout, stderr string) {
	t.Helper()
	t.Setenv("GITHUB_ACTIONS", map[bool]string{true: "true"}[where == "GitHub"])
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if where == "terminal" {
		return onTerminal(ctx, t, call), ""
	}
	var out, said bytes.Buffer
	run(ctx, call.line, strings.NewReader(""), &out, &said)
	return out.String(), said.String()
}

// progressSequences are what the display of progress sends to a terminal.
var progressSequences = regexp.MustCompile(`\x1b\[(?:[0-9]*[ABG]|\?25[lh]|[0-9]*K|(?:0|1|2|31|33|34|36)m)`)

// onTerminal is what a call shows on one, its own ways of moving the cursor left out.
func onTerminal(ctx context.Context, t *testing.T, call spoken) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 200})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "archbuild", call.line...)
	cmd.Stdout, cmd.Stderr = slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var shown bytes.Buffer
	if _, err := io.Copy(&shown, master); err != nil && !errors.Is(err, syscall.EIO) { // the terminal's end
		t.Error(err)
	}
	_ = cmd.Wait()
	text := strings.ReplaceAll(shown.String(), "\r\n", "\n")
	if strings.Contains(text, "[+] Building") {
		text = progressSequences.ReplaceAllString(text, "")
	}
	return text
}
