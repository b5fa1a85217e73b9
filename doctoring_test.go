package archbuild_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/detect/kernel"
	"github.com/archbuild/archbuild/doctor"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// TestMain makes the test binary what tries the kernel as well, doctor starts itself for that, and an engine.
func TestMain(m *testing.M) {
	if engine.IsChild(os.Args) {
		os.Exit(engine.Main(os.Args))
	}
	if kernel.IsChild(os.Args) {
		os.Exit(kernel.Main())
	}
	os.Exit(m.Run())
}

// canary is a password that no output may show.
const canary = "correct-horse-battery-staple"

// door is a registry that lets in who it likes. It has no images.
func door(t *testing.T, open func(user, password string) bool) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case !open(user, password):
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}`)
		case r.URL.Path == "/v2/":
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(web.Close)
	return web.Listener.Addr().String()
}

// silence is an address at which somebody listens and never answers.
func silence(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// files writes files into a new folder.
func files(t *testing.T, list map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range list {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// examine runs doctor and gives, beside the report, all that it would print.
func examine(t *testing.T, o archbuild.Options, wait time.Duration) (doctor.Report, string, error) {
	t.Helper()
	home := t.TempDir()
	o.System = outside.System{Environ: append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}, o.Environ...), Stderr: t.Output()}
	o.State = home
	report, err := archbuild.Doctor(t.Context(), o, archbuild.Doctoring{Wait: wait})
	var out bytes.Buffer
	for _, verbose := range []bool{false, true} {
		if err := report.WriteText(&out, verbose); err != nil {
			t.Fatal(err)
		}
	}
	if err := json.NewEncoder(&out).Encode(report); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, err)
	return report, out.String(), err
}

// find gives the check of an id and a subject.
func find(t *testing.T, r doctor.Report, id, subject string) doctor.Check {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c doctor.Check) bool { return c.ID == id && c.Subject == subject })
	if i < 0 {
		t.Fatalf("no check %s %s in %+v", id, subject, r.Checks)
	}
	return r.Checks[i]
}

func TestDoctorTellsWhereCredentialsAreAndNeverWhatTheyAre(t *testing.T) {
	const auth = "bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==" // me:canary
	anybody := func(string, string) bool { return true }
	known := func(user, password string) bool { return user == "me" && password == canary }
	nobody := func(string, string) bool { return false }
	for name, tc := range map[string]struct {
		open           func(user, password string) bool
		config         string // HOST stands for the registry
		status         doctor.Status
		detail, remedy string
	}{
		"nobody has to log in":                 {anybody, `{}`, doctor.OK, "anonymous", ""},
		"the file has what is wanted":          {known, `{"auths":{"HOST":{"auth":"` + auth + `"}}}`, doctor.OK, "credentials from FILE", ""},
		"the file has what is not wanted":      {nobody, `{"auths":{"HOST":{"auth":"` + auth + `"}}}`, doctor.Missing, "with credentials from FILE", "docker login HOST"},
		"there is nothing, and it is wanted":   {known, `{}`, doctor.Missing, "without a login", "docker login HOST"},
		"a helper has it":                      {known, `{"credHelpers":{"HOST":"good"}}`, doctor.OK, "credentials from docker-credential-good (named in FILE)", ""},
		"a helper fails, and says the secret":  {known, `{"credHelpers":{"HOST":"bad"}}`, doctor.Missing, "finding credentials", ""},
		"a helper is not there":                {known, `{"credHelpers":{"HOST":"gone"}}`, doctor.Missing, "docker-credential-gone, which is not on PATH", "install docker-credential-gone"},
		"a helper never ends":                  {known, `{"credHelpers":{"HOST":"slow"}}`, doctor.Missing, "no answer within 500ms", "--wait"},
		"a config that says the secret itself": {anybody, `{"auths":{"HOST":{"auth":"%` + canary + `"}}}`, doctor.Missing, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			host := door(t, tc.open)
			helpers := files(t, map[string]string{
				"docker-credential-good": "#!/bin/sh\necho '{\"Username\":\"me\",\"Secret\":\"" + canary + "\"}'\n",
				"docker-credential-bad":  "#!/bin/sh\necho me " + canary + "\nexit 1\n",
				"docker-credential-slow": "#!/bin/sh\nexec sleep 3\n",
			})
			t.Setenv("PATH", helpers+":"+os.Getenv("PATH"))
			config := files(t, map[string]string{"config.json": strings.ReplaceAll(tc.config, "HOST", host)})
			app := files(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
			patience := 20 * time.Second
			if strings.Contains(tc.detail, "no answer") {
				patience = 500 * time.Millisecond
			}
			report, printed, err := examine(t, archbuild.Options{
				Paths: []string{app}, Tags: []string{host + "/app:1"}, Registries: outside.Registries{DockerConfig: config},
			}, patience)
			if strings.Contains(printed, canary) || strings.Contains(printed, auth) {
				t.Errorf("it shows the secret:\n%s", printed)
			}
			if usage := new(wrong.Usage); errors.As(err, &usage) {
				return // a config that cannot be read is refused, without its text
			}
			fill := strings.NewReplacer("HOST", host, "FILE", filepath.Join(config, "config.json"))
			id, subject := "registry-push", host+"/app:1"
			if strings.Contains(tc.detail, "no answer") {
				id, subject = "registry-answers", host
			}
			c := find(t, report, id, subject)
			if c.Status != tc.status || !strings.Contains(c.Detail, fill.Replace(tc.detail)) || !strings.Contains(c.Fix, fill.Replace(tc.remedy)) {
				t.Errorf("%+v", c)
			}
			if err != nil {
				t.Errorf("the template needs no registry: %v", err)
			}
		})
	}
}

func TestDoctorWaitsForNobody(t *testing.T) {
	dead, base := silence(t), silence(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	refused := listener.Addr().String()
	app := files(t, map[string]string{"Dockerfile": "FROM " + base + "/base:1 AS a\nFROM " + base + "/base:2\nCOPY --from=a / /\nCOPY --from=" + refused + "/x /x /\n"})
	for name, o := range map[string]archbuild.Options{
		"a node":                {Nodes: []string{"tcp://" + dead}},
		"a registry":            {Paths: []string{app}},
		"all of them":           {Paths: []string{app}, Tags: []string{dead + "/app:1"}, Nodes: []string{"tcp://" + dead + ",name=dead", "engine"}},
		"Docker":                {System: outside.System{Environ: []string{"DOCKER_HOST=tcp://" + dead}}},
		"a proxy":               {System: outside.System{Environ: []string{"HTTPS_PROXY=http://me:" + canary + "@" + refused}}},
		"a proxy, badly spelt":  {System: outside.System{Environ: []string{"HTTPS_PROXY=http://me:" + canary + "@%zz"}}},
		"two spellings, a node": {System: outside.System{Environ: []string{"http_proxy=http://a:1", "HTTP_PROXY=http://b:1", "BUILDKIT_HOST=tcp://" + dead}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const wait = 6 * time.Second // Each that is silent has so long, all of them at once. A busy machine works for some seconds.
			began := time.Now()
			report, printed, err := examine(t, o, wait)
			if took := time.Since(began); took > 2*wait-time.Second/2 {
				t.Errorf("it took %s", took)
			}
			if strings.Contains(printed, canary) {
				t.Errorf("it shows the secret:\n%s", printed)
			}
			if stops := new(archbuild.CannotBuildError); (len(o.Paths) > 0 || strings.Contains(name, "node")) != errors.As(err, &stops) {
				t.Errorf("it says %v", err)
			}
			said := map[string]bool{}
			for _, c := range report.Checks {
				if key := c.ID + " " + c.Subject + " " + c.Detail; said[key] || c.Detail == "" {
					t.Errorf("said twice, or nothing: %+v", c)
				} else {
					said[key] = true
				}
				if c.Status == doctor.OK && (c.Affects != "" || c.Fix != "") {
					t.Errorf("something is to be mended where all is well: %+v", c)
				}
			}
			if len(o.Paths) > 0 {
				if c := find(t, report, "registry-answers", base); c.Status != doctor.Missing || !strings.HasPrefix(c.Detail, "not reachable: no answer within 6s") {
					t.Errorf("%+v", c)
				}
				if n := strings.Count(printed, `"template-bases"`); n != 1 {
					t.Errorf("that the bases are not known is said %d times:\n%s", n, printed)
				}
			}
		})
	}
}
