package engine

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/buildkit/cmd/buildkitd/config"
)

// MinMemory is the least that an engine can be limited to: its own program and
// data, and a small step.
const MinMemory = 128 << 20

// ParseSize reads an amount of memory or disk as buildkitd.toml has them: bytes,
// or a number with a unit in powers of 1024 (512MB, 2g, 1.5GiB).
func ParseSize(text string) (int64, error) {
	var d config.DiskSpace
	if err := d.UnmarshalText([]byte(text)); err != nil || text == "" || d.Percentage != 0 || d.Bytes < 0 {
		return 0, fmt.Errorf("%q is no size", text)
	}
	return d.Bytes, nil
}

// ParseMemory reads a limit for [Options].
func ParseMemory(text string) (int64, error) {
	n, err := ParseSize(text)
	if err == nil && n < MinMemory {
		err = fmt.Errorf("%s is too little; the engine alone needs %s", text, IEC(MinMemory))
	}
	return n, err
}

// IEC writes a size in powers of 1024, as limits are given: "1.5 GiB".
func IEC(n int64) string {
	value, unit := float64(n), ""
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	return strings.TrimSpace(strconv.FormatFloat(float64(int64(value*10+0.5))/10, 'f', -1, 64) + " " + cmp.Or(unit, "B"))
}
