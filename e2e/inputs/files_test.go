package inputs

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maker makes a part of an input in a folder.
type maker func(dir string) error

// words are a command line without quotes.
func words(line string) []string { return strings.Fields(line) }

// place is a path below a folder, the folder of which is made. Names may lead to the folder's neighbours.
func place(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	return path, os.MkdirAll(filepath.Dir(path), 0o755)
}

func folder(name string) maker {
	return func(dir string) error { return os.MkdirAll(filepath.Join(dir, name), 0o755) }
}

func file(name, text string) maker {
	return func(dir string) error {
		path, err := place(dir, name)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(text), 0o644)
	}
}

// repeated is a file of the same text many times over, between a head and a tail.
func repeated(name, head, text string, times int, tail string) maker {
	return func(dir string) error {
		path, err := place(dir, name)
		if err != nil {
			return err
		}
		out, err := os.Create(path)
		if err != nil {
			return err
		}
		defer out.Close()
		w := bufio.NewWriter(out)
		_, _ = w.WriteString(head) // Flush tells
		for range times {
			_, _ = w.WriteString(text)
		}
		_, _ = w.WriteString(tail)
		return w.Flush()
	}
}

// sparse is a file that says it is large, and takes no room.
func sparse(name string, size int64) maker {
	return func(dir string) error {
		path, err := place(dir, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return err
		}
		return os.Truncate(path, size)
	}
}

func link(name, to string) maker {
	return func(dir string) error {
		path, err := place(dir, name)
		if err != nil {
			return err
		}
		return os.Symlink(to, path)
	}
}

func fifo(name string) maker {
	return func(dir string) error {
		path, err := place(dir, name)
		if err != nil {
			return err
		}
		return syscall.Mkfifo(path, 0o644)
	}
}

// socket is one that nobody listens on any more.
func socket(name string) maker {
	return func(dir string) error {
		path, err := place(dir, name)
		if err != nil {
			return err
		}
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		// The whole path is longer than the kernel takes: bind in the folder.
		here, err := os.Open(filepath.Dir(path))
		if err != nil {
			return err
		}
		defer here.Close()
		return syscall.Bind(fd, &syscall.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(int(here.Fd())) + "/" + filepath.Base(path)})
	}
}

// closed takes the right to read and write from a file.
func closed(name string) maker {
	return func(dir string) error { return os.Chmod(filepath.Join(dir, name), 0) }
}

// removed takes a file away.
func removed(dir, name string) error { return os.RemoveAll(filepath.Join(dir, name)) }
