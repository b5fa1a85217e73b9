package detect

import (
	"bufio"
	"regexp"
	"slices"
	"strings"
)

// cpuFacts is what /proc/cpuinfo tells of variants.
type cpuFacts struct {
	// arm is v5, v6 or v7 of a CPU that runs 32-bit ARM programs.
	arm string
	// levels are the microarchitecture levels above the amd64 baseline.
	levels []string
}

// levelFlags are the CPU flags, as Linux names them, that each amd64 level
// adds. Source: the x86-64 psABI, "Micro-Architecture Levels".
var levelFlags = []struct {
	level string
	flags []string
}{
	{"v2", []string{"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}},
	{"v3", []string{"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}},
	{"v4", []string{"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}},
}

var armDigit = regexp.MustCompile(`^[0-9]+`)

func readCPU(o Options) cpuFacts {
	values := map[string]string{}
	scanner := bufio.NewScanner(strings.NewReader(readFile(o.ProcPath("cpuinfo"), 4<<20)))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		key, value, ok := strings.Cut(scanner.Text(), ":")
		if key = strings.TrimSpace(key); ok && values[key] == "" { // the first CPU speaks for all
			values[key] = strings.TrimSpace(value)
		}
	}
	return cpuFacts{arm: armVariant(values), levels: amd64Levels(values["flags"])}
}

func amd64Levels(flags string) []string {
	have := strings.Fields(flags)
	var levels []string
	for _, l := range levelFlags {
		if slices.ContainsFunc(l.flags, func(f string) bool { return !slices.Contains(have, f) }) {
			break
		}
		levels = append(levels, l.level)
	}
	return levels
}

// armVariant reads "CPU architecture": 5TE, 6TEJ, 7, 8, AArch64. The ARM1176
// of the first Raspberry Pi and the Zero says 7 there although it is an ARMv6;
// its model name is right.
func armVariant(values map[string]string) string {
	model := values["model name"] + values["Processor"]
	architecture := values["CPU architecture"]
	switch number := armDigit.FindString(architecture); {
	case architecture == "":
		return ""
	case strings.Contains(model, "ARMv6"):
		return "v6"
	case number == "5" || number == "6" || number == "7":
		return "v" + number
	case number == "8" || number == "9" || architecture == "AArch64":
		return "v7" // the newest of the 32-bit variants
	}
	return ""
}
