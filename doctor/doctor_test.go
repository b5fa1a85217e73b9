package doctor_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/doctor"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/platform"
)

func platforms(words ...string) []platform.Platform {
	var list []platform.Platform
	for _, word := range words {
		list = append(list, platform.MustParse(word))
	}
	return list
}

// told is a check as the rows of tables have it: "degraded node-version".
func told(list []doctor.Check) []string {
	var words []string
	for _, c := range list {
		if c.Status != doctor.OK {
			words = append(words, string(c.Status)+" "+c.ID)
		}
	}
	return words
}

func TestNodes(t *testing.T) {
	cores, room, little, none := 4, int64(100<<30), int64(1<<30), int64(1<<20)
	good := nodes.Facts{
		Name: "arm", Address: "tcp://arm.example:1234", Reachable: true, BuildKit: "v0.31.1",
		Native: platforms("linux/arm64"), Cores: &cores, DiskFree: &room,
	}
	for name, tc := range map[string]struct {
		change func(*nodes.Facts)
		want   []string
	}{
		"all is well":                        {func(*nodes.Facts) {}, nil},
		"it is the engine":                   {func(f *nodes.Facts) { f.Address, f.BuildKit = nodes.EngineAddress, "v0.1.0" }, nil},
		"it does not answer":                 {func(f *nodes.Facts) { f.Error = "connection refused" }, []string{"missing node-answers"}},
		"a version before the floor":         {func(f *nodes.Facts) { f.BuildKit = "v0.31.0" }, []string{"degraded node-version"}},
		"a candidate of the floor":           {func(f *nodes.Facts) { f.BuildKit = "v0.31.1-rc1" }, []string{"degraded node-version"}},
		"a version after the floor":          {func(f *nodes.Facts) { f.BuildKit = "0.100.0+azure" }, nil},
		"a distribution's own version":       {func(f *nodes.Facts) { f.BuildKit = "v0.31.1-0ubuntu1" }, nil},
		"a version that is none":             {func(f *nodes.Facts) { f.BuildKit = "master\x1b[2J" }, []string{"unknown node-version"}},
		"its owner declares what it has not": {func(f *nodes.Facts) { f.Note = "declared for linux/s390x" }, []string{"degraded node-platforms"}},
		"no program runs there":              {func(f *nodes.Facts) { f.Cores, f.DiskFree = nil, nil }, []string{"unknown node-steps"}},
		"its disk is nearly full":            {func(f *nodes.Facts) { f.DiskFree = &little }, []string{"degraded node-disk"}},
		"its disk is full":                   {func(f *nodes.Facts) { f.DiskFree = &none }, []string{"missing node-disk"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := good
			tc.change(&f)
			list := doctor.OfNodes([]nodes.Facts{f})
			if diff := cmp.Diff(tc.want, told(list)); diff != "" {
				t.Error(diff)
			}
			complete(t, list)
		})
	}
}

// complete says of a check that is no good whether a user can do something with it.
func complete(t *testing.T, list []doctor.Check) {
	t.Helper()
	for _, c := range list {
		bad := c.Status == doctor.Degraded || c.Status == doctor.Missing
		if c.Detail == "" || bad && (c.Affects == "" || c.Fix == "") || !bad && (c.Affects != "" || c.Fix != "") {
			t.Errorf("says too little, or too much: %+v", c)
		}
	}
}

func TestRegistries(t *testing.T) {
	anonymous := registry.Access{Anonymous: true}
	cause := errors.New("401 Unauthorized")
	failed := func(kind registry.Kind) error {
		return &registry.Error{Kind: kind, Host: "reg.example", Ref: "reg.example/app:1", Err: cause}
	}
	file := registry.Source{File: "/home/me/.docker/config.json"}
	helper := registry.Source{File: "/home/me/.docker/config.json", Helper: "docker-credential-vault"}
	for name, tc := range map[string]struct {
		r      doctor.Registry
		want   []string
		detail string
	}{
		"anybody may":             {doctor.Registry{Access: anonymous}, nil, "no credentials (anonymous)"},
		"somebody may":            {doctor.Registry{Source: file}, nil, "credentials from /home/me/.docker/config.json"},
		"a mirror answers":        {doctor.Registry{Access: registry.Access{Anonymous: true, Mirror: "near.example"}}, nil, "no credentials for its mirror near.example (anonymous)"},
		"nobody may":              {doctor.Registry{Access: anonymous, Err: failed(registry.Unauthorized)}, []string{"missing registry-login"}, "refuses reg.example/app:1 without a login (or there is no such image): 401 Unauthorized"},
		"somebody may not":        {doctor.Registry{Source: file, Err: failed(registry.Unauthorized)}, []string{"missing registry-login"}, "refuses reg.example/app:1 with credentials from /home/me/.docker/config.json: 401 Unauthorized"},
		"somebody may not write":  {doctor.Registry{Push: true, Source: helper, Err: failed(registry.Unauthorized)}, []string{"missing registry-push"}, "refuses reg.example/app:1 with credentials from docker-credential-vault (named in /home/me/.docker/config.json): 401 Unauthorized"},
		"everybody may read":      {doctor.Registry{Push: true, Access: registry.Access{Anonymous: true, Asks: true}}, []string{"degraded registry-push"}, "lets us in as it does everybody: there are no credentials for it, and a push needs some as a rule"},
		"it cannot be reached":    {doctor.Registry{Err: failed(registry.Unreachable)}, []string{"missing registry-answers"}, "not reachable: 401 Unauthorized"},
		"it does not answer":      {doctor.Registry{Err: os.ErrDeadlineExceeded}, []string{"missing registry-answers"}, "not reachable: i/o timeout"},
		"it has had enough":       {doctor.Registry{Err: failed(registry.Limited)}, []string{"degraded registry-answers"}, "answers no more requests for now"},
		"the helper fails":        {doctor.Registry{Source: helper, Err: failed(registry.Invalid)}, []string{"missing registry-login"}, "docker-credential-vault (named in /home/me/.docker/config.json) does not give its credentials: 401 Unauthorized"},
		"the helper is not there": {doctor.Registry{Source: registry.Source{File: "f", Helper: "docker-credential-vault", NoHelper: true}, Err: failed(registry.Invalid)}, []string{"missing registry-login"}, "its credentials are kept by docker-credential-vault, which is not on PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.r.Host, tc.r.Ref = "reg.example", "reg.example/app:1"
			list := doctor.OfRegistry(tc.r)
			if diff := cmp.Diff(tc.want, told(list)); diff != "" {
				t.Error(diff)
			}
			if last := list[len(list)-1]; last.Detail != tc.detail {
				t.Errorf("it says %q", last.Detail)
			}
			complete(t, list)
		})
	}
}

func TestRunc(t *testing.T) {
	bad := &detect.RuncFacts{Version: "1.1.5", Path: "/usr/sbin/runc", Warnings: []detect.Warning{{Text: "open: CVE-1", Hint: "a newer one"}}}
	for name, tc := range map[string]struct {
		c    doctor.Check
		want doctor.Status
	}{
		"there is none":      {doctor.OfRunc(nil, errors.New("no runc"), "install it"), doctor.Missing},
		"one without holes":  {doctor.OfRunc(&detect.RuncFacts{Version: "1.5.0", Path: "/usr/bin/runc"}, nil, ""), doctor.OK},
		"one that has holes": {doctor.OfRunc(bad, nil, ""), doctor.Degraded},
	} {
		if tc.c.Status != tc.want {
			t.Errorf("%s: %+v", name, tc.c)
		}
		complete(t, []doctor.Check{tc.c})
	}
}

// report has something of everything.
func report() doctor.Report {
	checks := []doctor.Check{
		{ID: "host-platform", Group: doctor.Host, Status: doctor.OK, Detail: "linux/arm64, kernel 6.1.0", Brief: "linux/arm64, kernel 6.1.0"},
		{ID: "registry-answers", Group: doctor.Network, Subject: "reg.example", Status: doctor.Missing, Detail: "not reachable: no answer within 1.5s", Affects: "every build that needs an image from there", Fix: "check the name and the network, or wait longer: --wait 10s"},
		{ID: "engine-runc", Group: doctor.Engine, Status: doctor.Degraded, Detail: "runc 1.1.5 lets a build step reach the host: CVE-2025-31133, CVE-2025-52565, CVE-2025-52881", Affects: "building Dockerfiles that you do not trust", Fix: "put a newer runc beside archbuild"},
		{ID: "engine-start", Group: doctor.Engine, Status: doctor.OK, Detail: "root runs it", Brief: "root"},
		{ID: "engine-disk", Group: doctor.Engine, Status: doctor.OK, Detail: "99 GB free", Brief: "99 GB free"},
		{ID: "emulator", Group: doctor.Emulators, Subject: "linux/amd64", Status: doctor.Missing, Detail: "no emulator is registered", Affects: "RUN steps for linux/amd64", Fix: "apt-get install -y qemu-user-static\necho a-long-command-which-is-to-be-copied-as-it-stands-and-so-is-not-broken > /proc/sys/fs/binfmt_misc/register", Command: true},
		{ID: "template-plan", Group: doctor.Templates, Subject: "./app", Status: doctor.Unknown, Detail: "a \x1b[31mnode\x1b[0m has to fetch it"},
	}
	checks = append(checks, doctor.OfKernel([]detect.Check{
		{Name: "overlayfs", Status: detect.OK, Detail: "it is there"},
		{Name: "tmpfs", Status: detect.OK},
		{Name: "ipvlan", Status: detect.Degraded, Detail: "it does not work here", Affects: "no build; networks of Docker", Fix: "a kernel with CONFIG_IPVLAN=m", NoBuild: true},
	})...)
	for _, name := range []string{"veth", "vxlan", "bridge", "nat"} {
		checks = append(checks, doctor.OfKernel([]detect.Check{{Name: name, Status: detect.Unknown, Detail: "not to be read"}})...)
	}
	return doctor.Make(checks, []doctor.Platform{
		{Platform: platform.MustParse("linux/arm64"), How: doctor.Native, Node: "engine"},
		{Platform: platform.MustParse("linux/arm/v6"), How: doctor.Native, Node: "engine"},
		{Platform: platform.MustParse("linux/arm/v7"), How: doctor.Native, Node: "engine"},
		{Platform: platform.MustParse("linux/amd64"), How: doctor.No, Reason: "no emulator is registered"},
	}, nil, nil)
}

const wantText = `host       ok: linux/arm64, kernel 6.1.0
kernel     2 ok; 4 unknown (-v tells why)
  besides: no build is concerned, only who runs images here (-v tells more):
           ipvlan
engine     ok: root, 99 GB free; 1 degraded
  degraded runc 1.1.5 lets a build step reach the host: CVE-2025-31133,
           CVE-2025-52565, CVE-2025-52881 [engine-runc]
  affects: building Dockerfiles that you do not trust
      fix: put a newer runc beside archbuild
emulators  1 missing
  missing  linux/amd64: no emulator is registered [emulator]
  affects: RUN steps for linux/amd64
      fix: apt-get install -y qemu-user-static
           echo a-long-command-which-is-to-be-copied-as-it-stands-and-so-is-not-broken > /proc/sys/fs/binfmt_misc/register
network    1 missing
  missing  reg.example: not reachable: no answer within 1.5s [registry-answers]
  affects: every build that needs an image from there
      fix: check the name and the network, or wait longer: --wait 10s
templates  1 unknown
  unknown  ./app: a node has to fetch it [template-plan]
1 degraded, 2 missing: builds for linux/arm64, linux/arm/v7 work here
`

func TestText(t *testing.T) {
	var text strings.Builder
	if err := report().WriteText(&text, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantText, text.String()); diff != "" {
		t.Error(diff)
	}
	text.Reset()
	if err := report().WriteText(&text, true); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if n := utf8.RuneCountInString(line) - 1; n > 80 && !strings.Contains(line, "a-long-command") {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	for _, part := range []string{"  ok       overlayfs: it is there [kernel-overlayfs]\n", "      fix: a kernel with CONFIG_IPVLAN=m\n", "linux/amd64   no              no emulator is registered\n"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("it lacks %q:\n%s", part, &text)
		}
	}
}

func TestWhatItComesTo(t *testing.T) {
	on := func(how doctor.How) doctor.Platform {
		return doctor.Platform{Platform: platform.MustParse("linux/amd64"), How: how}
	}
	can := doctor.Path{Path: "a", CanBuild: true, Platforms: []doctor.Platform{on(doctor.Native)}}
	cannot, far := doctor.Path{Path: "b"}, doctor.Path{Path: "git://c", Unknown: true}
	for want, tc := range map[string]struct {
		platforms []doctor.Platform
		paths     []doctor.Path
		asked     []platform.Platform
		can       bool
	}{
		"nothing missing: builds for linux/amd64 work here":                                   {[]doctor.Platform{on(doctor.Emulated)}, nil, nil, true},
		"nothing missing: only Dockerfiles without RUN can be built here":                     {[]doctor.Platform{on(doctor.Copying)}, nil, nil, true},
		"nothing missing: nothing can be built here":                                          {[]doctor.Platform{on(doctor.No)}, nil, nil, false},
		"nothing missing: a can be built for linux/amd64":                                     {nil, []doctor.Path{can}, nil, true},
		"nothing missing: a can be built for linux/amd64; b cannot be built here":             {[]doctor.Platform{on(doctor.Native)}, []doctor.Path{can, cannot}, nil, false},
		"nothing missing: git://c was not looked at; a can be built for linux/amd64":          {nil, []doctor.Path{far, can}, nil, true},
		"nothing missing: builds for linux/amd64 work here; linux/arm64 cannot be built here": {[]doctor.Platform{on(doctor.Native)}, nil, platforms("linux/amd64", "linux/arm64"), false},
		"nothing missing: b cannot be built here":                                             {nil, []doctor.Path{cannot}, platforms("linux/arm64"), false},
	} {
		r := doctor.Make(nil, tc.platforms, tc.paths, tc.asked)
		if r.Summary.Text != want || r.Summary.CanBuild != tc.can {
			t.Errorf("%q, %v; want %q", r.Summary.Text, r.Summary.CanBuild, want)
		}
	}
}

func TestNoLineIsObeyedByATerminal(t *testing.T) {
	name := "n\x1b[31mx\x07"
	checks := []doctor.Check{{ID: "a-" + name, Group: doctor.Host, Subject: name, Status: doctor.Missing, Detail: name, Affects: name, Fix: name, Brief: name}}
	on := doctor.Platform{Platform: platform.MustParse("linux/amd64"), How: doctor.Native, Node: name, Reason: name}
	r := doctor.Make(checks, []doctor.Platform{on}, []doctor.Path{{Path: name}, {Path: name, CanBuild: true}}, nil)
	for _, verbose := range []bool{false, true} {
		var text strings.Builder
		if err := r.WriteText(&text, verbose); err != nil || strings.ContainsAny(text.String(), "\x1b\x07") {
			t.Errorf("%q, %v", text.String(), err)
		}
	}
}

func TestTheBestNodeOfEachPlatformIsTold(t *testing.T) {
	row := func(name string, how doctor.How, node string) doctor.Platform {
		return doctor.Platform{Platform: platform.MustParse(name), How: how, Node: node}
	}
	got := doctor.Best(
		[]doctor.Platform{row("linux/arm64", doctor.Emulated, "engine"), row("linux/amd64", doctor.Native, "engine"), row("linux/s390x", doctor.No, "")},
		[]doctor.Platform{row("linux/arm64", doctor.Native, "arm"), row("linux/amd64", doctor.Native, "other")},
	)
	want := []doctor.Platform{row("linux/amd64", doctor.Native, "engine"), row("linux/arm64", doctor.Native, "arm"), row("linux/s390x", doctor.No, "")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEveryCheckIsExplained holds the IDs in the code against docs/doctor.md.
func TestEveryCheckIsExplained(t *testing.T) {
	page, err := os.ReadFile("../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`"((?:host|engine|tools|emulator|registry|proxy|template|node)(?:-[a-z]+)*)"`)
	var files []string
	for _, pattern := range []string{"*.go", "../doctoring*.go"} {
		files = append(files, glob(t, pattern)...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ids.FindAllStringSubmatch(string(text), -1) {
			if id := m[1]; slices.Contains([]string{"host", "engine", "tools", "emulators", "network", "templates", "node"}, id) {
				continue
			}
			if !strings.Contains(string(page), "`"+m[1]+"`") {
				t.Errorf("%s: docs/doctor.md does not explain %s", file, m[1])
			}
		}
	}
}

// glob lists files of the program, tests left out.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil || len(list) == 0 {
		t.Fatalf("%s: %v, %v", pattern, list, err)
	}
	return slices.DeleteFunc(list, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
}

func TestEmulators(t *testing.T) {
	all := platforms("linux/amd64", "linux/arm64", "linux/riscv64")
	facts := func(how detect.How, missing ...detect.Missing) detect.Facts {
		f := detect.Facts{Missing: missing, Binfmt: detect.Binfmt{Mounted: "/proc/sys/fs/binfmt_misc"}}
		f.Platforms = []detect.Ability{
			{Platform: all[0], How: detect.Native}, {Platform: all[1], How: how, Emulator: "qemu-aarch64", Reason: "as it is"}, {Platform: all[2], How: detect.No},
		}
		return f
	}
	withC := facts(detect.Emulated)
	withC.Binfmt.Entries = []detect.Emulator{{Name: "qemu-aarch64", Flags: "OCF"}}
	mount := detect.Missing{Command: "mount it", For: all[1:]}
	install := detect.Missing{Command: "install it", For: all[1:2]}
	entry := detect.Missing{Command: "printf a long line", For: all[1:2], Entry: true}
	other := detect.Missing{Command: "something else", For: all[2:]}
	for name, tc := range map[string]struct {
		facts  detect.Facts
		wanted []platform.Platform
		want   []string
		fix    string
	}{
		"it is emulated":            {facts(detect.Emulated), all[:2], nil, ""},
		"nobody asked":              {facts(detect.No), all[:1], nil, ""},
		"an entry is missing":       {facts(detect.No, other, entry), all[:2], []string{"missing emulator"}, "archbuild doctor --register-emulators"},
		"everything is missing":     {facts(detect.No, mount, install, entry), all[:2], []string{"missing emulator"}, "mount it\ninstall it\narchbuild doctor --register-emulators"},
		"nothing emulates it":       {facts(detect.No, other), all[:2], []string{"missing emulator"}, "use a native node for it: --node ADDRESS,platform=linux/arm64"},
		"it would run as root of C": {withC, all[:2], []string{"degraded emulator"}, "echo -1 > /proc/sys/fs/binfmt_misc/qemu-aarch64 && archbuild doctor --register-emulators"},
	} {
		t.Run(name, func(t *testing.T) {
			list := doctor.OfEmulators(tc.facts, tc.wanted)
			if diff := cmp.Diff(tc.want, told(list)); diff != "" {
				t.Error(diff)
			}
			for _, c := range list {
				if c.Subject == "linux/arm64" && c.Fix != tc.fix {
					t.Errorf("it says %q", c.Fix)
				}
			}
			complete(t, list)
		})
	}
}
