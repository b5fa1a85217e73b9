package detect_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/run"
	"github.com/archbuild/archbuild/platform"
)

// registering is what a process in a user namespace of its own tells after it
// has registered twice, and unregistered twice.
type registering struct {
	First, Second detect.Registered
	// After and Rest are the names of all entries: registered, and removed.
	After, Rest []string
	Removed     [2][]string
	Ran         string
}

// registerTwice is run in the namespace, which is what makes it harmless.
func registerTwice() (r registering, err error) {
	ctx, list := context.Background(), []platform.Platform{platform.MustParse("linux/arm64"), platform.MustParse("linux/arm/v7"), platform.Host()}
	if r.First, err = detect.Register(ctx, detect.Options{}, list); err != nil {
		return r, err
	}
	if err := detect.Try(ctx, list[0]); err != nil {
		r.Ran = err.Error()
	}
	if r.Second, err = detect.Register(ctx, detect.Options{}, list); err != nil {
		return r, err
	}
	r.After = entries()
	for i := range r.Removed {
		if r.Removed[i], err = detect.Unregister(ctx, detect.Options{}); err != nil {
			return r, err
		}
	}
	r.Rest = entries()
	return r, nil
}

func entries() []string {
	var names []string
	files, _ := os.ReadDir("/proc/sys/fs/binfmt_misc")
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// inOwnRegistry runs this test binary where a binfmt_misc of its own can be had.
func inOwnRegistry(t *testing.T, script string) registering {
	t.Helper()
	before := entries()
	result, err := run.Command(context.Background(), run.Options{
		Path: "unshare", Args: []string{"-Urmpf", "--mount-proc", "sh", "-ec", script + "\nexec \"$0\"", os.Args[0]},
		Env: []string{"PATH=" + os.Getenv("PATH"), "DETECT_TEST_PRINT=register"}, Timeout: time.Minute,
	})
	if err != nil {
		lacking(t, "no private binfmt_misc here (Linux 6.7), or no emulators: %v", err)
	}
	var r registering
	if err := json.Unmarshal(result.Stdout, &r); err != nil {
		t.Fatal(err)
	}
	if after := entries(); !slices.Equal(before, after) {
		t.Errorf("the machine's own entries are others now: %v, were %v", after, before)
	}
	return r
}

func names(list []detect.Emulator) []string {
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names
}

func TestRegistering(t *testing.T) {
	const foreign = `printf ':other:M::\x7fELFother-magic:\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff:/bin/true:' > /proc/sys/fs/binfmt_misc/register`
	const lame = `printf ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00::/nowhere:' > /proc/sys/fs/binfmt_misc/register`
	const mount = "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc\n"
	for name, tc := range map[string]struct {
		script, mounted string
		rest            []string
	}{
		"where nothing is mounted, it is mounted":      {"true", "/proc/sys/fs/binfmt_misc", nil},
		"where something else is registered, it stays": {mount + foreign, "", []string{"other"}},
		"an entry that lacks F stays and is overruled": {mount + lame, "", []string{"qemu-aarch64"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := inOwnRegistry(t, tc.script)
			want := []string{"archbuild-qemu-aarch64", "archbuild-qemu-arm"}
			got := names(r.First.Added)
			slices.Sort(got)
			if !slices.Equal(got, want) || r.First.Mounted != tc.mounted || len(r.First.Lacking) != 0 {
				t.Errorf("added %v, mounted at %q, lacking %v", got, r.First.Mounted, r.First.Lacking)
			}
			for _, e := range r.First.Added {
				if !strings.Contains(e.Flags, "F") || !strings.Contains(e.Flags, "O") || strings.Contains(e.Flags, "C") || !e.Containers {
					t.Errorf("%+v", e)
				}
			}
			if r.Ran != "" {
				t.Error(r.Ran)
			}
			if len(r.Second.Added) != 0 || len(r.Second.Served) != 3 {
				t.Errorf("the second time: %+v", r.Second)
			}
			tc.rest = append(tc.rest, "register", "status")
			slices.Sort(tc.rest)
			if diff := cmp.Diff(tc.rest, r.Rest); diff != "" {
				t.Error(diff)
			}
			if all := append(slices.Clone(want), tc.rest...); !slices.Equal(slices.Sorted(slices.Values(all)), slices.Sorted(slices.Values(r.After))) {
				t.Errorf("registered are %v", r.After)
			}
			if !slices.Equal(r.Removed[0], want) || len(r.Removed[1]) != 0 {
				t.Errorf("removed %v", r.Removed)
			}
		})
	}
}

func TestWhoMayNotRegister(t *testing.T) {
	elsewhere := merged(kernel("x86_64"), dpkg("amd64")).write(t)
	_, err := detect.Register(context.Background(), elsewhere, nil)
	if refused := (*detect.RegisterError)(nil); !errors.As(err, &refused) {
		t.Errorf("another tree than this machine: %v", err)
	}
	if _, err := detect.Unregister(context.Background(), elsewhere); err == nil {
		t.Error("removed from another tree than this machine")
	}
}
