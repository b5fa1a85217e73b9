package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
)

var linuxARM64 = platform.MustParse("linux/arm64")

func look(t *testing.T, img v1.Image, o verify.Options) verify.Report {
	t.Helper()
	if o.Platform.OS == "" {
		o.Platform = linuxARM64
	}
	report, err := verify.Image(context.Background(), img, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestMessages(t *testing.T) {
	img := imageOf(t, linuxARM64, entrypoint("/app"), layerOf(t, exe("app", amd64), exe("opt/tool", amd64), exe("usr/bin/x", armELF(10, 'A', true, 600))))
	report := look(t, img, verify.Options{Origin: func(path string) (string, bool) {
		switch path {
		case "/app":
			return "COPY at Dockerfile:12", true
		case "/opt/tool":
			return "a RUN of stage build", false
		}
		return "", false
	}})
	const allow = "build it in a stage for $TARGETPLATFORM, or allow it with --verify-allow "
	want := verify.Report{
		Platform: linuxARM64, Files: 3, Programs: 3,
		Findings: []verify.Finding{
			{
				Severity: "error", Kind: verify.KindProgram, Platform: "linux/arm64", Hint: allow + "/app", Path: "/app", Found: "linux/amd64 (ELF x86-64)", Wanted: "linux/arm64", Why: "the entrypoint", Origin: "COPY at Dockerfile:12",
				Message: "/app: found linux/amd64 (ELF x86-64), wanted linux/arm64 (the entrypoint), from COPY at Dockerfile:12",
			},
			{
				Severity: "error", Kind: verify.KindProgram, Platform: "linux/arm64", Hint: allow + "/usr/bin/x", Path: "/usr/bin/x", Found: "linux/arm (ELF ARM, hard float)", Wanted: "linux/arm64", Why: "in a folder of PATH",
				Message: "/usr/bin/x: found linux/arm (ELF ARM, hard float), wanted linux/arm64 (in a folder of PATH)",
			},
			{
				Severity: "warning", Kind: verify.KindProgram, Platform: "linux/arm64", Hint: allow + "/opt/tool", Path: "/opt/tool", Found: "linux/amd64 (ELF x86-64)", Wanted: "linux/arm64", Origin: "a RUN of stage build",
				Message: "/opt/tool: found linux/amd64 (ELF x86-64), wanted linux/arm64, perhaps from a RUN of stage build",
			},
		},
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	var failure *verify.Error
	if err := report.Err(); !errors.As(err, &failure) || len(failure.Findings) != 2 {
		t.Fatalf("Err() = %v", report.Err())
	}
	if want := "the image for linux/arm64 does not fit its platform\n  /app: found"; !strings.HasPrefix(failure.Error(), want) {
		t.Errorf("error = %q, want it to begin with %q", failure.Error(), want)
	}
	if want := allow + "/app"; failure.Hint() != want {
		t.Errorf("hint = %q, want %q", failure.Hint(), want)
	}
	if len(report.Warnings()) != 1 {
		t.Errorf("%d warnings, want 1", len(report.Warnings()))
	}
}

func TestNoErrorWithoutSeriousFindings(t *testing.T) {
	img := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, exe("opt/tool", amd64)))
	if err := look(t, img, verify.Options{}).Err(); err != nil {
		t.Errorf("Err() = %v", err)
	}
}

func TestErrorsAreShortAndHarmless(t *testing.T) {
	var files []file
	for range 30 {
		files = append(files, exe("usr/bin/\x1b[31m"+strings.Repeat("x", len(files)), amd64))
	}
	err := look(t, imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, files...)), verify.Options{}).Err()
	if err == nil || strings.Contains(err.Error(), "\x1b") || !strings.HasSuffix(err.Error(), "and 20 more") {
		t.Errorf("error = %q", err)
	}
}

func TestReportAsJSON(t *testing.T) {
	img := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, exe("app", arm64)))
	got, err := json.Marshal(look(t, img, verify.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"platform":"linux/arm64","files":1,"programs":1,"findings":[]}`; string(got) != want {
		t.Errorf("JSON = %s, want %s", got, want)
	}
}

func TestVerdictsAreRemembered(t *testing.T) {
	img := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, exe("usr/bin/a", amd64), exe("opt/b", amd64)))
	m := newMemory()
	first := look(t, img, verify.Options{Memory: m})
	again := look(t, img, verify.Options{Memory: m})
	if diff := cmp.Diff(first, again); diff != "" || m.hits != 1 {
		t.Errorf("hits = %d, verdicts differ (-first +again):\n%s", m.hits, diff)
	}
	allowed := look(t, img, verify.Options{Memory: m, Allow: []string{"/usr/bin/a"}})
	if diff := cmp.Diff([]string{"warning /opt/b"}, found(allowed)); diff != "" || allowed.Allowed != 1 || m.hits != 2 {
		t.Errorf("allowing uses what is remembered: hits %d, allowed %d (-want +got):\n%s", m.hits, allowed.Allowed, diff)
	}
	whole := look(t, img, verify.Options{Memory: m, BaseLayers: 1})
	if len(whole.Findings) != 0 || m.hits != 2 {
		t.Errorf("another number of base layers is another question: %v, hits %d", found(whole), m.hits)
	}
	for key := range m.values {
		m.values[key] = []byte("{damaged")
	}
	if diff := cmp.Diff(first, look(t, img, verify.Options{Memory: m})); diff != "" {
		t.Errorf("a damaged memory is no memory (-want +got):\n%s", diff)
	}
}

func TestTheBaseIsReadOnlyWhenItCanMatter(t *testing.T) {
	base := layerOf(t, exe("bin/busybox", amd64))
	img := imageOf(t, linuxARM64, command("busybox"), base, layerOf(t, exe("opt/b", arm64)))
	broken := &brokenBase{Image: img, t: t}
	if got := look(t, broken, verify.Options{BaseLayers: 1}); len(got.Findings) != 0 {
		t.Errorf("findings: %v", found(got))
	}
}

func TestTheBaseIsRememberedOnItsOwn(t *testing.T) {
	base, m := layerOf(t, exe("bin/busybox", amd64)), newMemory()
	for _, text := range []string{"one", "two"} {
		img := imageOf(t, linuxARM64, entrypoint("/start"), base, layerOf(t, symlink("start", "/bin/busybox"), data("etc/x", []byte(text))))
		got := look(t, img, verify.Options{BaseLayers: 1, Memory: m})
		if diff := cmp.Diff([]string{"error /bin/busybox"}, found(got)); diff != "" {
			t.Error(diff)
		}
	}
	if m.hits != 1 || len(m.values) != 3 {
		t.Errorf("hits = %d, values = %d; want the base read once", m.hits, len(m.values))
	}
}

func TestBaseLayers(t *testing.T) {
	a, b, c := layerOf(t, data("a", nil)), layerOf(t, data("b", nil)), layerOf(t, data("c", nil))
	img := imageOf(t, linuxARM64, v1.ConfigFile{}, a, b)
	for _, row := range []struct {
		name string
		base []v1.Layer
		want int
	}{
		{"its own lowest layer", []v1.Layer{a}, 1},
		{"all its layers", []v1.Layer{a, b}, 2},
		{"a base without layers", nil, 0},
		{"another order", []v1.Layer{b}, 0},
		{"another image", []v1.Layer{a, c}, 0},
		{"a taller base", []v1.Layer{a, b, c}, 0},
	} {
		var digests []v1.Hash
		for _, l := range row.base {
			d, err := l.Digest()
			if err != nil {
				t.Fatal(err)
			}
			digests = append(digests, d)
		}
		if got, err := verify.BaseLayers(img, digests); err != nil || got != row.want {
			t.Errorf("%s: %d, %v; want %d", row.name, got, err, row.want)
		}
	}
}

// brokenBase is an image whose lowest layer must not be read.
type brokenBase struct {
	v1.Image
	t *testing.T
}

func (b *brokenBase) Layers() ([]v1.Layer, error) {
	list, err := b.Image.Layers()
	if err == nil {
		list[0] = brokenLayer{list[0], b.t}
	}
	return list, err
}

func TestEveryCompressionIsRead(t *testing.T) {
	plain := tarOf(t, []file{exe("usr/bin/a", amd64)})
	other := tarOf(t, []file{exe("usr/bin/b", amd64)})
	for _, row := range []struct {
		name  string
		bytes []byte
		kind  types.MediaType
	}{
		{"gzip", gzipOf(t, plain), types.OCILayer},
		{"zstd", zstdOf(t, plain), types.OCILayerZStd},
		{"none", plain, types.OCIUncompressedLayer},
		{"none, although the media type says gzip", plain, types.DockerLayer},
		{"gzip in several members", append(gzipOf(t, plain[:700]), gzipOf(t, plain[700:])...), types.OCILayer},
		{"zstd in several frames", append(zstdOf(t, plain[:700]), zstdOf(t, plain[700:])...), types.OCILayerZStd},
		{"zstd behind a skippable frame", append([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"), zstdOf(t, plain)...), types.OCILayerZStd},
	} {
		t.Run(row.name, func(t *testing.T) {
			img := imageOf(t, linuxARM64, v1.ConfigFile{}, static.NewLayer(row.bytes, row.kind), static.NewLayer(gzipOf(t, other), types.OCILayer))
			if diff := cmp.Diff([]string{"error /usr/bin/a", "error /usr/bin/b"}, found(look(t, img, verify.Options{}))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForeignLayersAreNotFetched(t *testing.T) {
	img := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, exe("a", arm64)), static.NewLayer([]byte("nothing"), types.DockerForeignLayer))
	report := look(t, img, verify.Options{})
	if len(report.Findings) != 1 || report.Err() == nil || !strings.Contains(report.Findings[0].Message, "not fetched") {
		t.Errorf("report = %+v", report)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	whole := gzipOf(t, tarOf(t, []file{exe("a", bytes.Repeat([]byte("\x7fELF random "), 1000))}))
	long := strings.Repeat("x/", 3000) + "x"
	for _, row := range []struct {
		name  string
		layer []byte
		o     verify.Options
		want  string
	}{
		{"a layer that is cut off", whole[:len(whole)/2], verify.Options{}, "unexpected EOF"},
		{"a layer that is no tar", gzipOf(t, bytes.Repeat([]byte("no tar at all, "), 100)), verify.Options{}, "invalid tar header"},
		{"a bomb", gzipOf(t, tarOf(t, []file{data("zero", make([]byte, 4<<20))})), verify.Options{MaxBytes: 1 << 20}, "more than 1048576 bytes unpacked"},
		{"a zstd bomb", zstdOf(t, tarOf(t, []file{data("zero", make([]byte, 4<<20))})), verify.Options{MaxBytes: 1 << 20}, "more than 1048576 bytes unpacked"},
		{"zeros behind the end of the tar", gzipOf(t, append(tarOf(t, nil), make([]byte, 4<<20)...)), verify.Options{MaxBytes: 1 << 20}, "more than 1048576 bytes unpacked"},
		{"a path that is too long", gzipOf(t, tarOf(t, []file{data(long, nil)})), verify.Options{}, "4096 bytes in a path"},
		{"more base layers than layers", whole, verify.Options{BaseLayers: 2}, "cannot belong to the base"},
		{"a pattern that is none", whole, verify.Options{Allow: []string{"/a[/b"}}, "no pattern of paths"},
		{"a pattern with a slash in brackets", whole, verify.Options{Allow: []string{"/a[/]b"}}, "no pattern of paths"},
		{"an empty pattern", whole, verify.Options{Allow: []string{"/"}}, "no pattern of paths"},
	} {
		t.Run(row.name, func(t *testing.T) {
			img := imageOf(t, linuxARM64, v1.ConfigFile{}, static.NewLayer(row.layer, types.OCILayer))
			row.o.Platform = linuxARM64
			if _, err := verify.Image(context.Background(), img, row.o); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error = %v, want %q in it", err, row.want)
			}
		})
	}
}

func TestAnInterruptEndsReading(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	img := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, exe("a", amd64)))
	if _, err := verify.Image(ctx, img, verify.Options{Platform: linuxARM64}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestFolderRemembersBetweenRuns(t *testing.T) {
	m := verify.Folder{Dir: filepath.Join(t.TempDir(), "verdicts")}
	img := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, exe("usr/bin/a", amd64)))
	first := look(t, img, verify.Options{Memory: m})
	forgetful := &brokenBase{Image: img, t: t}
	if diff := cmp.Diff(first, look(t, forgetful, verify.Options{Memory: m})); diff != "" {
		t.Errorf("verdicts differ (-first +again):\n%s", diff)
	}
	for i := range 700 {
		m.Put(fmt.Sprintf("%064x", i), []byte("x"))
	}
	files, err := os.ReadDir(m.Dir)
	if err != nil || len(files) > 600 {
		t.Errorf("%d files, %v: old verdicts are not thrown away", len(files), err)
	}
	if _, ok := m.Get("../verdicts"); ok {
		t.Error("a key became a path")
	}
}
