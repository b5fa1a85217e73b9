package engine

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// startTime is when a process started, in clock ticks since boot. A pid is
// reused, a pid with its start time is not.
func startTime(pid int) (uint64, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// stat gives the fields of /proc/PID/stat from the third on, the state: 20 at
// least. The second is the name, which may hold anything, parentheses included.
func stat(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	at := strings.LastIndex(string(data), ") ")
	fields := strings.Fields(string(data[at+1:]))
	if at < 0 || len(fields) < 20 {
		return nil, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	return fields, nil
}
