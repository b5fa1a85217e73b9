package detect

import "strings"

// inUserNamespace says whether user 0 here is another user outside.
func inUserNamespace(o Options) bool {
	fields := strings.Fields(readFile(o.ProcPath("self/uid_map"), 4<<10))
	return len(fields) != 3 || fields[0] != "0" || fields[1] != "0" || fields[2] != "4294967295"
}
