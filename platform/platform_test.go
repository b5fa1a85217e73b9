package platform_test

import (
	"errors"
	"testing"

	"github.com/archbuild/archbuild/platform"
)

func TestParseReadsEverySpellingAndPrintsOne(t *testing.T) {
	for _, row := range []struct{ written, want string }{
		{"linux/amd64", "linux/amd64"},
		{"amd64", "linux/amd64"},
		{"x86_64", "linux/amd64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"aarch64", "linux/arm64"},
		{"arm64v8", "linux/arm64"},
		{"linux/arm", "linux/arm/v7"},
		{"armhf", "linux/arm/v7"},
		{"armv7l", "linux/arm/v7"},
		{"arm32v6", "linux/arm/v6"},
		{"armel", "linux/arm/v5"},
		{"i686", "linux/386"},
		{"linux/amd64/v3", "linux/amd64/v3"},
		{"ppc64el", "linux/ppc64le"},
		{"loongarch64", "linux/loong64"},
		{" linux/s390x ", "linux/s390x"},
		{"windows/amd64", "windows/amd64"},
		{"winamd64", "windows/amd64"},
	} {
		p, err := platform.Parse(row.written)
		if err != nil {
			t.Errorf("%q: %v", row.written, err)
		} else if p.String() != row.want {
			t.Errorf("%q reads as %s, want %s", row.written, p, row.want)
		}
	}
}

func TestParseRefusesAndNamesTheNearest(t *testing.T) {
	for _, row := range []struct{ written, hint string }{
		{"linux/amd46", "did you mean linux/amd64?"},
		{"linux/arm46", "did you mean linux/arm64?"},
		{"linux/riscv", "did you mean linux/riscv64?"},
		{"", "write os/arch[/variant], for example linux/arm64 or linux/arm/v7"},
		{"linux/arm/hard", "write os/arch[/variant], for example linux/arm64 or linux/arm/v7"},
		{"plan9/vax780", "write os/arch[/variant], for example linux/arm64 or linux/arm/v7"},
	} {
		_, err := platform.Parse(row.written)
		var bad *platform.Error
		if !errors.As(err, &bad) {
			t.Errorf("%q: error %v, want a *platform.Error", row.written, err)
		} else if bad.Hint() != row.hint {
			t.Errorf("%q: hint %q, want %q", row.written, bad.Hint(), row.hint)
		}
	}
}

func TestParseListKeepsOrderAndDropsRepetitions(t *testing.T) {
	list, err := platform.ParseList("arm64,linux/amd64,aarch64")
	if err != nil || len(list) != 2 || list[0].String() != "linux/arm64" || list[1].String() != "linux/amd64" {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestServes(t *testing.T) {
	for _, row := range []struct {
		image, want string
		serves      bool
	}{
		{"linux/arm64", "linux/arm64", true},
		{"linux/arm/v6", "linux/arm/v7", true},
		{"linux/arm/v7", "linux/arm/v6", false},
		{"linux/arm/v7", "linux/arm64", false},
		{"linux/386", "linux/amd64", false},
		{"linux/amd64", "linux/amd64/v3", true},
		{"linux/amd64/v3", "linux/amd64", false},
		{"windows/amd64", "linux/amd64", false},
	} {
		if got := platform.MustParse(row.image).Serves(platform.MustParse(row.want)); got != row.serves {
			t.Errorf("a %s image serves %s: %v, want %v", row.image, row.want, got, row.serves)
		}
	}
}

func TestSuffixNamesTheDockerfile(t *testing.T) {
	for _, row := range []struct{ platform, suffix string }{
		{"linux/amd64", "amd64"}, {"linux/arm64/v8", "arm64"}, {"linux/arm/v7", "arm-v7"}, {"windows/amd64", "windows-amd64"},
	} {
		if got := platform.MustParse(row.platform).Suffix(); got != row.suffix {
			t.Errorf("%s: %s, want %s", row.platform, got, row.suffix)
		}
	}
}

func FuzzParseRoundTrip(f *testing.F) {
	for _, p := range platform.All() {
		f.Add(p.String())
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := platform.Parse(s)
		if err != nil {
			return
		}
		again, err := platform.Parse(p.String())
		if err != nil || again != p {
			t.Errorf("%q reads as %s, which reads as %s (%v)", s, p, again, err)
		}
	})
}
