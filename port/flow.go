package port

import "strings"

// pair is a key of a mapping in braces, and where in the line its value is.
type pair struct {
	key        string
	begin, end int
}

// pairs reads a mapping whose braces open and close in one line. end is the closing one.
func pairs(line string, open int) (list []pair, end int, ok bool) {
	var quote byte
	depth, from := 0, open+1
	now := pair{begin: -1}
	finish := func(at int) {
		if now.begin >= 0 {
			now.begin += len(line[now.begin:at]) - len(strings.TrimLeft(line[now.begin:at], " \t"))
			now.end = at
			list = append(list, now)
		}
		now, from = pair{begin: -1}, at+1
	}
	for i := open + 1; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == '\\' && quote == '"':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && strings.ContainsRune(" \t", rune(line[i-1])):
			return nil, 0, false
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth > 0:
		case c == ':' && now.begin < 0 && (strings.HasPrefix(line[i+1:], " ") || strings.ContainsRune(`"'`, rune(line[i-1]))):
			now.key, now.begin = strings.Trim(strings.TrimSpace(line[from:i]), `"'`), i+1
		case c == ',':
			finish(i)
		case c == '}':
			finish(i)
			return list, i, true
		}
	}
	return nil, 0, false
}

// with is a line in whose mapping a key has a value. One that is there stays.
func with(line string, open int, key, value string) (string, bool) {
	list, end, ok := pairs(line, open)
	if !ok {
		return "", false
	}
	for _, p := range list {
		if p.key == key {
			return line, true
		}
	}
	inner := strings.TrimRight(line[:end], " \t")
	blank, joint := line[len(inner):end], ", "
	switch inner[len(inner)-1] {
	case '{':
		joint = blank
	case ',':
		joint = " "
	}
	return inner + joint + key + ": " + value + blank + line[end:], true
}

// below is a line in whose mapping a key, which is one that match tells, has a mapping
// with name in it.
func below(line string, open int, match func(string) bool, key, name, text string) (string, bool) {
	list, _, ok := pairs(line, open)
	if !ok {
		return "", false
	}
	for _, p := range list {
		if match(p.key) {
			if line[p.begin] != '{' {
				return "", false
			}
			return with(line, p.begin, name, text)
		}
	}
	return with(line, open, scalar(key), "{"+name+": "+text+"}")
}

// edit changes the mapping in braces that an entry has in its line.
func (d *yaml) edit(e entry, section string, change func(line string, open int) (string, bool)) error {
	lines := d.lines()
	line := lines[e.begin]
	open := strings.LastIndex(line, e.rest)
	if e.end != e.begin+1 || !strings.HasPrefix(e.rest, "{") || open < 0 {
		return &ConfigError{section}
	}
	now, ok := change(line, open)
	if !ok {
		return &ConfigError{section}
	}
	lines[e.begin] = now
	d.text = strings.Join(lines, "")
	return nil
}
