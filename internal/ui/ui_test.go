package ui_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/ui"
)

func TestCleanTakesOutWhatATerminalObeys(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"plain text stays":                         {"#5 RUN make\n\tok\n", "#5 RUN make\n\tok\n"},
		"letters of other scripts stay":            {"größe 大小 עברית", "größe 大小 עברית"},
		"a joined emoji stays":                     {"👩\u200d💻", "👩\u200d💻"},
		"colours go":                               {"\x1b[1;31mred\x1b[0m", "red"},
		"cursor movements go":                      {"ok\x1b[1A\x1b[2Kfaked", "okfaked"},
		"private modes go":                         {"\x1b[?1049hx", "x"},
		"the character set switch goes":            {"\x1b(0x", "x"},
		"a reset goes":                             {"\x1bcx", "x"},
		"a link by OSC 8 leaves its text":          {"\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"},
		"the clipboard by OSC 52 goes":             {"a\x1b]52;c;cm0gLXJm\ab", "ab"},
		"a DCS goes":                               {"a\x1bP1$r0m\x1b\\b", "ab"},
		"one-character CSI goes":                   {"a\u009b31mb", "ab"},
		"one-character OSC goes":                   {"a\u009d0;title\u009cb", "ab"},
		"an open string ends with its line":        {"a\x1b]0;title\nb", "a\nb"},
		"an open string ends with the text":        {"a\x1b]0;title", "a"},
		"a sequence inside a string is one":        {"\x1b]0;x\x1b[31mb", "b"},
		"an ESC at the end goes":                   {"a\x1b", "a"},
		"a lone carriage return goes":              {"good\rbad", "goodbad"},
		"a Windows line end becomes ours":          {"a\r\nb", "a\nb"},
		"backspaces, bells and DEL go":             {"a\b\a\x7f\x00b", "ab"},
		"bidirectional controls go":                {"a\u202eb\u2066c\u200fd\u061ce", "abcde"},
		"zero-width characters and the BOM go":     {"a\u200bb\ufeffc\u2060d", "abcd"},
		"tag characters go":                        {"a\U000e0041b", "ab"},
		"separators that some terminals break at":  {"a\u2028b\u0085c", "abc"},
		"bytes that are no UTF-8 are shown as one": {"a\x9b31m\xff", "a\ufffd31m\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ui.Clean(tc.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLineStaysOnOneLine(t *testing.T) {
	if got, want := ui.Line("a\nb\tc\x1b[31m"), "a b c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzClean: nothing a terminal obeys is left, cleaning again changes nothing,
// no line is lost, and what was harmless stays.
func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "a\x1b]8;;x\x1b\\y", "\x1b\x1b[", "\u009b1\u009c", "\x1b]\n\x1bP\xff", "a\r\nb\rc"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ui.Clean(s)
		for _, r := range got {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("%q left %U in %q", s, r, got)
			}
		}
		if !utf8.ValidString(got) {
			t.Fatalf("%q became %q, which is no UTF-8", s, got)
		}
		if again := ui.Clean(got); again != got {
			t.Fatalf("%q became %q, then %q", s, got, again)
		}
		if strings.Count(s, "\n") != strings.Count(got, "\n") {
			t.Fatalf("%q lost a line: %q", s, got)
		}
		if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0 && got != s {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestTableAlignsAndCleans(t *testing.T) {
	var out strings.Builder
	err := ui.Table(&out, []string{"PLATFORM", "BASE", "NOTE"}, [][]string{
		{"linux/amd64", "debian", ""},
		{"linux/arm64", "arm64v8/\x1b[31mdebian\n", "two\twords"},
		{"linux/arm/v7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "" +
		"PLATFORM      BASE             NOTE\n" +
		"linux/amd64   debian\n" +
		"linux/arm64   arm64v8/debian   two words\n" +
		"linux/arm/v7\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTableReportsAFullDisk(t *testing.T) {
	if err := ui.Table(full{}, []string{"A"}, nil); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		-1: "-", 0: "0 B", 999: "999 B", 1000: "1.0 kB", 4_904_321: "4.9 MB", 9_960_000: "10 MB",
		999_499: "999 kB", 999_500: "1.0 MB", 12_300_000_000: "12 GB", 1<<63 - 1: "9.2 EB",
	} {
		if got := ui.Size(bytes); got != want {
			t.Errorf("%d is %q, want %q", bytes, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "-", 0: "0ms", 45 * time.Millisecond: "45ms", 999_600 * time.Microsecond: "1.0s",
		3210 * time.Millisecond: "3.2s", 59_960 * time.Millisecond: "1m00s", 125 * time.Second: "2m05s",
		time.Hour - time.Millisecond: "1h00m", 62 * time.Minute: "1h02m",
	} {
		if got := ui.Duration(d); got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
}

func TestDigest(t *testing.T) {
	for in, want := range map[string]string{
		"sha256:1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d1a2b": "sha256:1a2b3c4d5e6f",
		"sha256:short":                 "sha256:short",
		"not a \x1b[31mdigest":         "not a digest",
		"sha256:../../../../etc/x0000": "sha256:../../../../etc/x0000",
	} {
		if got := ui.Digest(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
