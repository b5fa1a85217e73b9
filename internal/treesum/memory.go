package treesum

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// memory is what files held when they were read last.
type memory struct {
	// files are the lines of the file of memory behind each name.
	files map[string]string
}

// A file of memory begins with a word, then come the files, then the digest of all that:
//
//	length of the name · name · mode (4 bytes) · facts (40) · content (32) · settled (1)
//
// Of a file that is not settled the content has to be read again. It is remembered all the
// same, to find changes that nothing else tells.
const (
	memoryHead = "archbuild files 2\n"
	// mostFiles bounds it.
	mostFiles = 500_000
	mostBytes = 256 << 20
)

// recall reads a file of memory. Whatever is wrong with it, nothing is remembered then.
func recall(name string) *memory {
	m := &memory{}
	if name == "" {
		return m
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() > mostBytes {
		return m
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return m
	}
	if files, err := decode(raw); err == nil {
		m.files = files
	}
	return m
}

// lineBytes is how long a line is behind the name.
const (
	lineBytes = seenBytes + sha256.Size + 1
	seenBytes = 4 + factBytes
)

func decode(raw []byte) (map[string]string, error) {
	at := len(raw) - sha256.Size
	if at < len(memoryHead) || !bytes.HasPrefix(raw, []byte(memoryHead)) || sha256.Sum256(raw[:at]) != Sum(raw[at:]) {
		return nil, errForgotten
	}
	begin := len(memoryHead)
	text := string(raw[:at]) // all names and lines are parts of it
	const usual = 40         // bytes of a name
	files := make(map[string]string, len(text)/(lineBytes+usual))
	for begin < at {
		size, n := binary.Uvarint(raw[begin:at])
		if begin += n; n <= 0 || size > uint64(at-begin) || at-begin-int(size) < lineBytes {
			return nil, errForgotten
		}
		end := begin + int(size)
		files[text[begin:end]] = text[end : end+lineBytes]
		begin = end + lineBytes
	}
	return files, nil
}

// fill says what a file holds without reading it, if it is as it was.
func (m *memory) fill(e *Entry) bool {
	if m == nil || !e.Mode.IsRegular() || !e.facts.known {
		return false
	}
	was, ok := m.files[e.Name]
	var is [lineBytes]byte
	if !ok || was[lineBytes-1] != isSettled || was[:seenBytes] != string(e.appendSeen(is[:0])) {
		return false
	}
	copy(e.Content[:], was[seenBytes:])
	e.facts.settled, e.filled = true, true
	return true
}

// hides says whether a file that was read is another one than the one of the same mode,
// size and time that was remembered.
func (m *memory) hides(e *Entry) bool {
	if m == nil {
		return false
	}
	was, ok := m.files[e.Name]
	var is [lineBytes]byte
	const told = 4 + sizeAndTime
	return ok && was[:told] == string(e.appendSeen(is[:0])[:told]) && was[seenBytes:lineBytes-1] != string(e.Content[:])
}

// appendSeen says what has to be as it was.
func (e *Entry) appendSeen(to []byte) []byte {
	return e.facts.append(binary.LittleEndian.AppendUint32(to, uint32(e.Mode)))
}

// keep writes what was read, unless it is what was remembered already. It is a help
// and no more, so nothing is said where it cannot be written.
func (m *memory) keep(name string, entries []*Entry) {
	if name == "" {
		return
	}
	keeps, same := 0, 0
	for _, e := range entries {
		if !e.Mode.IsRegular() {
			continue
		}
		keeps++
		var is [lineBytes]byte
		if e.filled || m.files[e.Name] == string(e.appendLine(is[:0])) {
			same++
		}
	}
	if same == min(keeps, mostFiles) && same == len(m.files) {
		now := time.Now()
		_ = os.Chtimes(name, now, now) // it is in use
		return
	}
	_ = write(name, entries)
}

// isSettled marks files that need not be read again. Those with attributes do: nothing
// is remembered of these.
const isSettled = 1

// appendLine says what is remembered of a file.
func (e *Entry) appendLine(to []byte) []byte {
	to = append(e.appendSeen(to), e.Content[:]...)
	if e.facts.settled && e.Attributes == (Sum{}) {
		return append(to, isSettled)
	}
	return append(to, 0)
}

// write writes a file of memory whole or not at all.
func write(name string, entries []*Entry) error {
	raw, files := []byte(memoryHead), 0
	for _, e := range entries {
		if e.Mode.IsRegular() && files < mostFiles {
			raw = e.appendLine(appendText(raw, e.Name))
			files++
		}
	}
	sum := sha256.Sum256(raw)
	raw = append(raw, sum[:]...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(raw)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
