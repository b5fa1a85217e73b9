package kernel

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path"
	"strings"

	"github.com/archbuild/archbuild/detect"
)

// maxConfig bounds a configuration, unpacked; real ones have about 300 KB.
const maxConfig = 16 << 20

// config is how a kernel was built: option without CONFIG_ → y, m, or a value.
// What is not set has no entry. It is nil where no configuration can be read.
type config map[string]string

// readConfig finds the configuration of the running kernel. The kernel's own word
// comes first; a file of the same release may be of another build. at is the file,
// empty when none says anything.
func readConfig(o detect.Options, release string) (c config, at string) {
	if c := parseConfig(read(o.ProcPath("config.gz"))); c != nil {
		return c, "/proc/config.gz"
	}
	if release == "" {
		return nil, ""
	}
	for _, file := range []string{
		"/boot/config-" + release,
		path.Join("/lib/modules", release, "config"),
		path.Join("/lib/modules", release, "build/.config"),
		path.Join("/usr/lib/modules", release, "config"),
		path.Join("/usr/lib/ostree-boot", "config-"+release),
		path.Join("/usr/src", "linux-headers-"+release, ".config"),
	} {
		if c := parseConfig(read(o.Path(file))); c != nil {
			return c, file
		}
	}
	return nil, ""
}

// parseConfig reads CONFIG_NAME=value lines, packed by gzip or not. Nil for
// anything that has none.
func parseConfig(data []byte) config {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil
		}
		if data, err = io.ReadAll(io.LimitReader(unpacked, maxConfig)); err != nil {
			return nil // half a configuration would call options missing that are there
		}
	}
	var c config
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if name, isOption := strings.CutPrefix(name, "CONFIG_"); ok && isOption {
			if c == nil {
				c = config{}
			}
			if value != "n" {
				c[name] = strings.Trim(value, `"`)
			}
		}
	}
	return c
}

// read is a file's content, bounded; nil when it cannot be read.
func read(file string) []byte {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, maxConfig))
	return data
}

func readLine(file string) string {
	line, _, _ := strings.Cut(string(read(file)), "\n")
	return strings.TrimSpace(line)
}
