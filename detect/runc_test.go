package detect_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/run"
)

// says is a program that prints a text whatever it is asked.
func says(t *testing.T, text string) string {
	t.Helper()
	path := t.TempDir() + "/runc"
	if err := os.WriteFile(path, []byte("#!/bin/sh\ncat <<'END'\n"+text+"\nEND\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatIsOpenInARunc(t *testing.T) {
	const leaky, masks, dev = "CVE-2024-21626", "CVE-2025-31133 CVE-2025-52565 CVE-2025-52881", "CVE-2026-41579"
	for name, tc := range map[string]struct{ says, open string }{
		"ancient":                                      {"runc version 1.0.0-rc93", leaky + " " + masks + " " + dev},
		"Debian 12 before its fix":                     {"runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1", leaky + " " + masks + " " + dev},
		"Debian 12 with one fix back-ported":           {"runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev", masks + " " + dev},
		"Debian 12 later":                              {"runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u12", masks + " " + dev},
		"the last of an old line":                      {"runc version 1.1.15", masks + " " + dev},
		"1.2 with its last fix":                        {"runc version 1.2.8", dev},
		"1.3 in between":                               {"runc version 1.3.3", dev},
		"1.3 at the floor":                             {"runc version 1.3.6", ""},
		"1.4 candidate before the fix":                 {"runc version 1.4.0-rc.2", masks + " " + dev},
		"1.4 candidate with it":                        {"runc version 1.4.0-rc.3", dev},
		"1.4 at the floor":                             {"runc version 1.4.3\ncommit: v1.4.3-0-gabc", ""},
		"a candidate is below its release":             {"runc version 1.5.0-rc.2", dev},
		"1.5 at the floor":                             {"runc version 1.5.0", ""},
		"a later line":                                 {"runc version 2.0.0", ""},
		"an Ubuntu package":                            {"runc version 1.3.3-0ubuntu1~24.04.3", dev},
		"a version that nobody can read is distrusted": {"runc version unknown", leaky + " " + masks + " " + dev},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := detect.Runc(context.Background(), says(t, tc.says))
			if err != nil {
				t.Fatal(err)
			}
			var open []string
			for _, w := range got.Warnings {
				open = append(open, w.Advisories...)
				if !strings.Contains(w.Text, got.Version) || !strings.Contains(w.Hint, "1.3.6") {
					t.Errorf("warning without cause or way out: %+v", w)
				}
				if packaged := strings.Contains(got.Version, "ds1") || strings.Contains(got.Version, "ubuntu"); packaged != strings.Contains(w.Text, "back-port") {
					t.Errorf("packaged is %v: %s", packaged, w.Text)
				}
			}
			if diff := cmp.Diff(tc.open, strings.Join(open, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNoRunc(t *testing.T) {
	ctx := context.Background()
	var notRunc *detect.NotRuncError
	if _, err := detect.Runc(ctx, says(t, "crun version 1.8.1\ncommit: x")); !errors.As(err, &notRunc) || notRunc.Says != "crun version 1.8.1" || notRunc.Hint() == "" {
		t.Errorf("crun: %v", err)
	}
	var failed *run.Error
	if _, err := detect.Runc(ctx, "/bin/false"); !errors.As(err, &failed) {
		t.Errorf("a program that fails: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := detect.Runc(ctx, "no-such-runc"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("no program: %v", err)
	}
}

// One row of the table after the other: the package closes what its upstream version
// has open, the one before it does not, and later ones do.
func TestWhatDistributionsHaveBackPorted(t *testing.T) {
	numbered := regexp.MustCompile(`^(.*\D)(\d+)$`)
	open := func(t *testing.T, packaged string) string {
		upstream, _, _ := strings.Cut(packaged, "-")
		text := "runc version " + packaged // as Ubuntu's
		if strings.Contains(packaged, "+deb") {
			text = "runc version " + upstream + "\ncommit: " + packaged
		}
		got, err := detect.Runc(context.Background(), says(t, text))
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, w := range got.Warnings {
			list = append(list, w.Advisories...)
		}
		return strings.Join(list, " ")
	}
	rows := detect.RuncBackports()
	if len(rows) < 6 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		t.Run(row.Distribution, func(t *testing.T) {
			m := numbered.FindStringSubmatch(row.Package)
			n, err := strconv.Atoi(m[2])
			if err != nil || row.Source == "" || len(row.Closes) == 0 {
				t.Fatalf("no row: %+v", row)
			}
			for _, cve := range row.Closes {
				for packaged, want := range map[string]bool{
					m[1] + strconv.Itoa(n-1): true, row.Package: false, m[1] + strconv.Itoa(n+1): false, m[1] + strconv.Itoa(n+10): false,
				} {
					if got := strings.Contains(open(t, packaged), cve); got != want {
						t.Errorf("%s is open in %s: %v, want %v", cve, packaged, got, want)
					}
				}
			}
			if !strings.Contains(open(t, row.Package), "CVE-2025-31133") {
				t.Errorf("%s closes what nobody says it does", row.Package)
			}
		})
	}
}

func TestWhatIsOpenInABuildKit(t *testing.T) {
	for version, want := range map[string]string{
		"v0.31.0": "open", "v0.31.1": "closed", "v0.33.1": "closed", "v0.31.1-rc1": "open", "v0.32.0-rc2": "closed", "0.12.5": "open",
		"v1.0.0": "closed", "0.100.0+azure": "closed", "v0.31.0-12-gabcdef": "open", "": "unknown", "main": "unknown", "v0.31": "unknown", "v0.x.1": "unknown",
	} {
		warning, known := detect.OfBuildKit(version)
		got := "closed"
		switch {
		case !known:
			got = "unknown"
		case warning != nil:
			got = "open"
		}
		if got != want || warning != nil && (len(warning.Advisories) != 2 || !strings.Contains(warning.Hint, detect.BuildKitFloor)) {
			t.Errorf("%q is %s, want %s: %+v", version, got, want, warning)
		}
	}
}
