package kernel_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/detect/kernel"
	"github.com/archbuild/archbuild/internal/run"
)

// TestMain lets the test binary be the process that tries, and stand in for a
// program of a plain user.
func TestMain(m *testing.M) {
	if kernel.IsChild(os.Args) {
		os.Exit(kernel.Main())
	}
	if os.Getenv("KERNEL_TEST_PRINT") != "" {
		list, err := kernel.Checks(context.Background(), detect.Options{})
		if err != nil {
			panic(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(list); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// lacking ends a test that this machine cannot run; in CI that is a failure.
func lacking(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func checks(t *testing.T, o detect.Options) []detect.Check {
	t.Helper()
	list, err := kernel.Checks(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// filesAlone is a tree with no more than this machine's word on how its kernel was
// built: nothing can be seen or tried in it.
func filesAlone(t *testing.T) detect.Options {
	t.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	root, found := t.TempDir(), false
	name := strings.TrimSpace(string(release))
	for _, file := range []string{
		"/proc/sys/kernel/osrelease", "/proc/config.gz", "/boot/config-" + name, "/lib/modules/" + name + "/config",
		"/lib/modules/" + name + "/modules.dep", "/lib/modules/" + name + "/modules.builtin",
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		found = found || strings.Contains(file, "config")
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !found {
		lacking(t, "no configuration of the kernel %s can be read here", name)
	}
	return detect.Options{Root: root}
}

// TestThisMachine holds what was tried here against how the kernel was built.
func TestThisMachine(t *testing.T) {
	built := map[string]detect.Check{}
	for _, c := range checks(t, filesAlone(t)) {
		if c.Source == "tried" {
			t.Errorf("%s was tried in a tree that is not this machine", c.Name)
		}
		built[c.Name] = c
	}
	start := time.Now()
	list := checks(t, detect.Options{})
	if took := time.Since(start); took > 300*time.Millisecond {
		t.Logf("it took %v", took)
	}
	agreed := map[detect.Status]int{}
	for _, c := range list {
		files := built[c.Name]
		if c.Status == detect.Unknown {
			t.Errorf("%s is not known, where the configuration can be read: %s", c.Name, c.Detail)
		}
		if c.Source != "tried" || files.Status == detect.Unknown {
			continue
		}
		if c.Status != files.Status {
			t.Errorf("%s is %s when tried (%s), but %s by its files (%s)", c.Name, c.Status, c.Detail, files.Status, files.Detail)
		}
		agreed[c.Status]++
	}
	if agreed[detect.OK] < 7 { // the namespaces at least
		t.Errorf("only %v were tried", agreed)
	}
	t.Logf("tried, and as the configuration says: %v", agreed)
}

// TestTryingLeavesNothing looks at what trials could leave.
func TestTryingLeavesNothing(t *testing.T) {
	state := func() string {
		var all strings.Builder
		for _, file := range []string{"/proc/self/mountinfo", "/proc/net/dev", "/proc/modules", "/proc/filesystems"} {
			data, _ := os.ReadFile(file)
			for line := range strings.Lines(string(data)) {
				name, _, _ := strings.Cut(line, ":") // the counters of /proc/net/dev move
				if !strings.HasSuffix(file, "dev") {
					name = line
				}
				all.WriteString(strings.TrimSpace(name) + "\n")
			}
		}
		return all.String()
	}
	before := state()
	checks(t, detect.Options{})
	if after := state(); before != after {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestPlainUser: what a plain user may not try is unknown or read from files, and
// never said to be missing.
func TestPlainUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // then every other test is this one
	}
	dir, err := os.MkdirTemp("", "kernel-test-") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "program")
	data, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	byRoot := map[string]detect.Check{}
	for _, c := range checks(t, detect.Options{}) {
		byRoot[c.Group+c.Name] = c
	}
	for name, args := range map[string][]string{
		"with namespaces of its own": {"--reuid=65534", "--regid=65534", "--clear-groups", program},
		"in a container without rights": {"--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs",
			"unshare", "-Ur", "sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces; exec " + program},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := run.Command(context.Background(), run.Options{
				Path: "setpriv", Args: args, Env: []string{"PATH=" + os.Getenv("PATH"), "KERNEL_TEST_PRINT=1"}, Dir: dir, Timeout: time.Minute,
			})
			if err != nil {
				lacking(t, "no plain user's process here: %v", err)
			}
			var list []detect.Check
			if err := json.Unmarshal(result.Stdout, &list); err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				if root := byRoot[c.Group+c.Name]; c.Status != root.Status && c.Status != detect.Unknown && c.Name != "user namespaces" {
					t.Errorf("%s is %s for a plain user (%s, %s), but %s for root (%s)", c.Name, c.Status, c.Detail, c.Source, root.Status, root.Detail)
				}
			}
		})
	}
}

// TestWithoutConfiguration hides how the kernel was built: what is found by looking
// and trying alone is unknown, or the same.
func TestWithoutConfiguration(t *testing.T) {
	result, err := run.Command(context.Background(), run.Options{
		Path: "unshare", Args: []string{"-m", "sh", "-ec", `
			if test -e /proc/config.gz; then mount --bind /dev/null /proc/config.gz; fi
			for dir in /boot /lib/modules /usr/lib/modules /usr/src; do if test -d $dir; then mount -t tmpfs tmpfs $dir; fi; done
			exec "$0"`, os.Args[0]},
		Env: []string{"PATH=" + os.Getenv("PATH"), "KERNEL_TEST_PRINT=1"}, Timeout: time.Minute,
	})
	if err != nil {
		lacking(t, "no mount namespace here (root is needed): %v", err)
	}
	var hidden []detect.Check
	if err := json.Unmarshal(result.Stdout, &hidden); err != nil {
		t.Fatal(err)
	}
	seen := checks(t, detect.Options{})
	same, unknown := 0, 0
	for i, c := range hidden {
		switch {
		case c.Name != seen[i].Name:
			t.Fatalf("%s is asked in the place of %s", c.Name, seen[i].Name)
		case c.Status == detect.Unknown:
			unknown++
		case c.Status != seen[i].Status:
			t.Errorf("%s is %s by looking and trying (%s, %s), but %s (%s, %s)",
				c.Name, c.Status, c.Detail, c.Source, seen[i].Status, seen[i].Detail, seen[i].Source)
		default:
			same++
		}
	}
	if same < 25 {
		t.Errorf("only %d are known, %d are not", same, unknown)
	}
	t.Logf("%d the same, %d unknown", same, unknown)
}
