//go:build linux

package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/archbuild/archbuild/builder/engine"
)

// logOf writes engine.log of a state folder that no engine has.
func logOf(t *testing.T, text string) (engine.Options, string) {
	t.Helper()
	o := engine.Options{State: t.TempDir()}
	path := filepath.Join(o.State, "run", "engine.log")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o, path
}

func TestTheLastLinesOfTheLog(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		tail int
		want string
	}{
		"all":                   {"a\nb\nc\n", -1, "a b c"},
		"two":                   {"a\nb\nc\n", 2, "b c"},
		"more than there are":   {"a\nb\n", 9, "a b"},
		"none":                  {"a\nb\n", 0, ""},
		"an end without a feed": {"a\nb", -1, "a b"},
		"an empty log":          {"\n", -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := logOf(t, tt.text)
			var got []string
			err := engine.Logs(t.Context(), o, engine.LogOptions{Tail: tt.tail}, func(line string) error {
				got = append(got, line)
				return nil
			})
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	o, _ := logOf(t, "")
	if err := engine.Logs(t.Context(), o, engine.LogOptions{}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a log: %v", err)
	}
}

func TestALogThatIsFollowed(t *testing.T) {
	o, path := logOf(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var got []string
	has := func(line string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Contains(got, line)
		}
	}
	done := make(chan error, 1)
	go func() {
		done <- engine.Logs(ctx, o, engine.LogOptions{Tail: 1, Follow: true}, func(line string) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, line)
			return nil
		})
	}()
	appendTo := func(text string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(text)
		f.Close()
	}
	appendTo("first\n")
	waitFor(t, "the first line of a log that was not there", has("first"))
	appendTo("hal")
	appendTo("f\n")
	waitFor(t, "a line written in two pieces", has("half"))
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	appendTo("cut\n")
	waitFor(t, "a line after the log was cut", has("cut"))
	os.Remove(path)
	appendTo("anew\n")
	waitFor(t, "a line of a new log", has("anew"))
	cancel()
	if err := <-done; err != nil {
		t.Errorf("an end by ^C is %v", err)
	}
	if want := []string{"first", "half", "cut", "anew"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
